"""The table file: plain HDF5 behind a block that lets it be checked before it is parsed.

The first 512 bytes are HDF5's user block, which HDF5 tools skip. Ours says how long the file
is, where the manifest lies and what both hash to. Every data set is stored in one piece, and
the manifest says where, so that reading maps the file and never hands foreign bytes to an
HDF5 parser. Any HDF5 tool opens the same file.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench._files import open_file, parse_json
from nasbench.errors import DamagedFile, NasbenchError
from nasbench.table.values import impossible

__all__ = [
    "BLOCK",
    "DTYPES",
    "LAST",
    "MAGIC",
    "MANIFEST",
    "PREDICTED",
    "VERSION",
    "Dataset",
    "TableFile",
    "mark_of",
]

MAGIC = b"nasbench-table\n"
VERSION = 2
"""Of what is written; tables of format 1, with `rows` and `row_of` in place of `ops`, are read."""
VERSIONS = (1, VERSION)
BLOCK = 512
LARGE = 1 << 20
"""Data sets beyond this many bytes hold memory only while they are read."""
DTYPES = frozenset({"float32", "float64", "int32", "int64", "uint8", "uint16"})
MANIFEST = "manifest"
LAST = "last/"
"""`last/<recipe>/<metric>` is the last epoch of `recipe/<recipe>/<metric>`, `[rows, seeds]`."""
PREDICTED = "predicted/"
"""What the names of marks begin with, see `mark_of`."""


def mark_of(recipe: str, metric: str) -> str:
    """The data set, uint8 `[rows]`, that is 1 where a row's value is predicted, else 0."""
    return f"{PREDICTED}{recipe}/{metric}"


@dataclass(frozen=True, eq=False, slots=True)
class Dataset:
    """An array on its way into a table.

    Attributes:
        values: the array; its dtype is kept.
        about: what the manifest says of it beside shape, dtype, place and hash: `unit`,
            `kind` (trained, measured, estimated, computed, derived, imported,
            predicted), `epochs`.

    Example:
        >>> Dataset(np.asarray([1.5, 2.5]), {"kind": "imported"}).values.shape
        (2,)
    """

    values: NDArray[Any]
    about: Mapping[str, Any] = field(default_factory=dict)


class TableFile:
    """A table on disk, opened: the block and the manifest are checked, nothing else is read.

    Args:
        path: of the file.

    Raises:
        NasbenchError: where the file is not a table, of another version, cut short or damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with open_file(path, "table") as file:
                block = file.read(BLOCK)
                if not block.startswith(MAGIC):
                    raise NasbenchError(f"{path} is not a table of this project")
                self._parse_block(block)
                length = os.fstat(file.fileno()).st_size
                if length != self.length:
                    raise NasbenchError(
                        f"{path} has {length:,} bytes, its first line says {self.length:,}: "
                        f"it was cut short or changed; get it anew"
                    )
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except OSError as error:
            raise NasbenchError(f"cannot read table {path}: {error.strerror}") from error
        start, size, sha256 = self._manifest_place
        text = self._map[start : start + size]
        if hashlib.sha256(text).hexdigest() != sha256:
            raise NasbenchError(f"{path} is damaged: its manifest does not have the hash it states")
        self.manifest = self._parse_manifest(text)
        self._checked: dict[str, NDArray[Any]] = {}

    def _parse_block(self, block: bytes) -> None:
        try:
            header = parse_json(block[len(MAGIC) :].split(b"\n", 1)[0])
            version = int(header["version"])
            if version in VERSIONS:
                place = header["manifest"]
                self.length = int(header["length"])
                self.sha256 = str(header["sha256"])
                if not re.fullmatch("[0-9a-f]{64}", self.sha256):
                    raise ValueError("it states no hash")
                self._manifest_place = int(place["offset"]), int(place["length"]), place["sha256"]
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            raise NasbenchError(f"{self.path} is damaged: its first line cannot be read") from error
        if version not in VERSIONS:
            raise NasbenchError(
                f"{self.path} has table format {version}, this release reads formats "
                f"{' and '.join(map(str, VERSIONS))}"
            )

    def _parse_manifest(self, text: bytes) -> dict[str, Any]:
        try:
            manifest = parse_json(text)
        except ValueError as error:
            raise DamagedFile(f"{self.path} is damaged: its manifest is not JSON") from error
        if not isinstance(manifest, dict) or not isinstance(manifest.get("datasets"), dict):
            raise NasbenchError(f"{self.path} is damaged: its manifest names no data sets")
        return manifest

    def array(self, name: str) -> NDArray[Any]:
        """The data set of that name, mapped and read-only; its first reading checks it."""
        if name not in self._checked:
            array = self._view(name)
            if hashlib.sha256(array.data).hexdigest() != self.manifest["datasets"][name]["sha256"]:
                raise NasbenchError(
                    f"{self.path} is damaged: data set {name} does not have the hash it states"
                )
            if wrong := impossible(name, array):
                raise DamagedFile(f"{self.path} is damaged: data set {name} {wrong}")
            self._checked[name] = array
            self.let_go(name)
        return self._checked[name]

    def let_go(self, name: str) -> None:
        """Have no memory held by a large data set until it is read again."""
        offset = int(self.manifest["datasets"][name]["offset"])
        start = -(-offset // mmap.PAGESIZE) * mmap.PAGESIZE
        size = self._checked[name].nbytes - mmap.PAGESIZE
        if size > LARGE and hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED, start, size)

    def _view(self, name: str) -> NDArray[Any]:
        try:
            entry = self.manifest["datasets"][name]
            shape = tuple(int(n) for n in entry["shape"])
            dtype, offset = entry["dtype"], int(entry["offset"])
            if dtype not in DTYPES or any(n < 0 for n in shape):
                raise ValueError(f"dtype {dtype}, shape {shape}")
            count = int(np.prod(shape, dtype=object))
            stored = np.dtype(dtype).newbyteorder("<")
            return np.frombuffer(self._map, stored, count, offset).reshape(shape)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise NasbenchError(f"{self.path} is damaged: data set {name}: {error}") from error

    def verify(self) -> None:
        """Check the hash of the whole file and of every data set; raises NasbenchError."""
        if hashlib.sha256(memoryview(self._map)[BLOCK:]).hexdigest() != self.sha256:
            raise NasbenchError(
                f"{self.path} is damaged: the file does not have the hash it states"
            )
        for name in self.manifest["datasets"]:
            self.array(name)
