"""Writing a table file: HDF5's bytes around the arrays, the arrays from where they are."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from nasbench._files import atomic_path
from nasbench.table.format import BLOCK, DTYPES, MAGIC, MANIFEST, VERSION, Dataset

__all__ = ["write_file"]


def write_file(
    path: Path,
    manifest: Mapping[str, Any],
    datasets: Mapping[str, Dataset],
    *,
    new: bool = False,
) -> None:
    """Write a table whole: beside its place first, then renamed into it.

    `manifest` is stored with an entry `datasets` added: for each its shape, dtype, offset,
    SHA-256 and what `about` says. An array that is mapped from a file is never in memory whole.
    A file that is `new` takes no other's place: what appeared meanwhile stays, and is said.
    """
    arrays = {name: _stored(name, dataset.values) for name, dataset in datasets.items()}
    frame, places, text = _frame(manifest, arrays, datasets)
    with atomic_path(path, new=new) as partial, partial.open("w+b") as file:
        file.truncate(frame.length)
        for offset, piece in frame.pieces:
            _write_at(file, offset, piece)
        for name, array in arrays.items():
            _write_at(file, places[name], array.data)
        _write_at(file, places[MANIFEST], text)
        block = {
            "version": VERSION if "ops" in datasets else 1,
            "length": frame.length,
            "sha256": _hash_behind_block(file),
            "manifest": {
                "offset": places[MANIFEST],
                "length": len(text),
                "sha256": hashlib.sha256(text).hexdigest(),
            },
        }
        head = MAGIC + json.dumps(block).encode() + b"\n"
        _write_at(file, 0, head.ljust(BLOCK, b"\0"))
        file.flush()
        os.fsync(file.fileno())


class _Frame(io.RawIOBase):
    """A file that is written to without a disk: what was written, and where.

    HDF5 writes a few kilobytes around the arrays, whose places it only reserves. It never
    sees the disk, since it crashes the process when that is full.
    """

    def __init__(self) -> None:
        self.pieces: list[tuple[int, bytes]] = []
        self.length = 0
        self._at = 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.length}[whence]
        self._at = start + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def truncate(self, size: int | None = None) -> int:
        self.length = self._at if size is None else size
        return self.length

    def write(self, content: Any) -> int:
        piece = bytes(content)
        self.pieces.append((self._at, piece))
        self._at += len(piece)
        self.length = max(self.length, self._at)
        return len(piece)

    def readinto(self, buffer: Any) -> int:
        found = bytearray(len(buffer))
        for offset, piece in self.pieces:
            start, stop = max(offset, self._at), min(offset + len(piece), self._at + len(found))
            if start < stop:
                found[start - self._at : stop - self._at] = piece[start - offset : stop - offset]
        buffer[:] = found
        self._at += len(found)
        return len(found)


def _stored(name: str, values: NDArray[Any]) -> NDArray[Any]:
    """The array in the order of bytes and axes in which a table keeps it."""
    array = np.ascontiguousarray(values)
    if array.dtype.name not in DTYPES:
        raise TypeError(f"{name}: {array.dtype} has no place in a table")
    return array.astype(array.dtype.newbyteorder("<"), copy=False)


def _frame(
    manifest: Mapping[str, Any],
    arrays: Mapping[str, NDArray[Any]],
    datasets: Mapping[str, Dataset],
) -> tuple[_Frame, dict[str, int], bytes]:
    """HDF5's own bytes, the place of each data set and of the manifest, and the manifest."""
    import h5py

    frame = _Frame()
    places: dict[str, int] = {}
    aligned = {"alignment_threshold": 64, "alignment_interval": 64}
    with h5py.File(frame, "w", userblock_size=BLOCK, **aligned) as file:

        def reserve(name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> h5py.Dataset:
            wanted = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            wanted.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
            wanted.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
            stored = file.create_dataset(name, shape, dtype, dcpl=wanted)
            places[name] = stored.id.get_offset() or BLOCK  # an empty one has no place
            return stored

        entries: dict[str, Any] = {}
        for name, array in arrays.items():
            about = datasets[name].about
            stored = reserve(name, array.shape, array.dtype)
            stored.attrs.update({key: json.dumps(value) for key, value in about.items()})
            entries[name] = {
                "shape": list(array.shape),
                "dtype": array.dtype.name,
                "offset": places[name],
                "sha256": hashlib.sha256(array.data).hexdigest(),
                **about,
            }
        text = json.dumps({**manifest, "datasets": entries}, allow_nan=False).encode()
        reserve(MANIFEST, (len(text),), np.dtype(np.uint8))
    return frame, places, text


def _write_at(file: BinaryIO, offset: int, content: Any) -> None:
    file.seek(offset)
    file.write(content)


def _hash_behind_block(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    file.seek(BLOCK)
    while content := file.read(1 << 20):
        digest.update(content)
    return digest.hexdigest()
