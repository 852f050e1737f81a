"""Reading an `.npz` file of anyone's: an archive of plain arrays, none of which is trusted.

numpy.load reads as much as a header declares, and parses the header as Python. Here the header
must be what numpy writes, the sizes must agree, and arrays come in blocks.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench._files import open_file
from nasbench._progress import Progress, silent
from nasbench.errors import NasbenchError

__all__ = ["LARGEST", "SMALL", "ArrayHeader", "Npz", "open_npz"]

LARGEST = 8 << 30
"""Bytes of all arrays where nothing else is said: a small file can unfold to any size."""
SMALL = 1 << 16
"""Bytes of a sentence, of a list of whole numbers, and of a string in an array."""
_BLOCK = 1 << 22
_LONGEST = 120
"""Letters of another library's sentence."""
_ENCRYPTED = 1
_HEADER = re.compile(
    rb"\{'descr': '([<>|](?:f[248]|[iu][1248]|U\d{1,9}))', 'fortran_order': (True|False), "
    rb"'shape': \(((?:\d{1,12}L?(?:, \d{1,12}L?){0,7},?)?)\),? ?\}\s*"  # L: as Python 2 wrote them
)


@dataclass(frozen=True, slots=True)
class ArrayHeader:
    """What the header of an array tells; `start` is where its numbers begin in `member`."""

    member: zipfile.ZipInfo
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    fortran: bool
    start: int

    @property
    def size(self) -> int:
        """Bytes of the array."""
        return int(np.prod(self.shape, dtype=object)) * self.dtype.itemsize

    def __str__(self) -> str:
        return f"{list(self.shape)} of {self.dtype}"


class Npz:
    """The arrays of an archive by name; see `open_npz`.

    Attributes:
        source: the file.
        arrays: the header of each array.
        total: bytes of them all.
        passed_over: the names of those that are not wanted.
    """

    def __init__(
        self,
        source: Path,
        archive: zipfile.ZipFile,
        progress: Progress,
        wanted: Callable[[str], bool],
    ) -> None:
        self.source, self._archive, self._progress = source, archive, progress
        self.arrays: dict[str, ArrayHeader] = {}
        self.passed_over: list[str] = []
        for member in archive.infolist():
            key = member.filename.removesuffix(".npy")
            if not wanted(key):
                self.passed_over.append(key)
                continue
            if key in self.arrays:
                raise self.fault(f"holds {key[:80]!r} twice")
            self.arrays[key] = self._header(key, member)
        self.total = sum(array.size for array in self.arrays.values())
        self._done = 0

    def fault(self, what: str) -> NasbenchError:
        """The error that says what the file does."""
        return NasbenchError(f"{self.source} {what}")

    def keys(self, prefix: str) -> list[str]:
        """The names of the arrays that begin so."""
        return [key for key in self.arrays if key.startswith(prefix)]

    def text(self, key: str) -> str:
        """A string that is a whole array."""
        array = self.arrays[key]
        if array.dtype.kind != "U" or array.shape or array.size > SMALL:
            raise self.fault(f"holds {key[:80]!r} that is {array}, not a sentence")
        sentence = str(next(self.blocks(key)).item())
        sentence.encode()  # half of a surrogate pair could not be shown
        return sentence

    def integers(self, key: str) -> list[int]:
        """A short list of whole numbers."""
        array = self.arrays[key]
        sound = array.dtype.kind in "iu" and len(array.shape) == 1
        if not sound or not 0 < array.size <= SMALL:
            raise self.fault(f"holds {key[:80]!r} that is {array}, not a list of whole numbers")
        return [int(n) for n in np.concatenate(list(self.blocks(key)))]

    def array(self, key: str) -> NDArray[Any]:
        """A whole array, of one dimension or more."""
        header = self.arrays[key]
        if not header.shape:
            raise self.fault(f"holds {key[:80]!r} that is {header}, not a list")
        filled = np.empty(header.shape, header.dtype)
        done = 0
        for block in self.blocks(key):
            filled[done : done + len(block)] = block
            done += len(block)
        return filled

    def blocks(self, key: str) -> Iterator[NDArray[Any]]:
        """An array in blocks of rows, the first to the last; one without rows is one block."""
        array = self.arrays[key]
        rows, *rest = array.shape or (1,)
        row = int(np.prod(rest, dtype=object)) * array.dtype.itemsize
        # By columns, a row is everywhere: then the array is one block.
        step = rows if array.fortran else max(1, _BLOCK // max(row, 1))
        with self._archive.open(array.member) as file:
            file.read(array.start)
            for start in range(0, rows, step):
                count = min(step, rows - start)
                content = file.read(count * row)
                if len(content) != count * row:
                    raise self.fault(f"is damaged: {key[:80]!r} is cut short")
                flat = np.frombuffer(content, array.dtype)
                block = flat.reshape(array.shape if len(array.shape) == 0 else (count, *rest))
                yield flat.reshape(array.shape[::-1]).T if array.fortran else block
                self._done += len(content)
                self._progress("reading arrays", self._done, self.total)
            if file.read(1):  # to the end, where the checksum is compared
                raise self.fault(f"is damaged: {key[:80]!r} goes on behind its end")

    def _header(self, key: str, member: zipfile.ZipInfo) -> ArrayHeader:
        plain = member.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
        if not plain or member.flag_bits & _ENCRYPTED:
            raise self.fault(f"holds {key[:80]!r} packed in a way that numpy does not write")
        with self._archive.open(member) as file:
            start = file.read(10)
            length = int.from_bytes(start[8:10], "little")
            if start[:8] != b"\x93NUMPY\x01\x00":
                raise self.fault(f"holds {key[:80]!r}, which is no .npy array")
            header = file.read(length)
        match = _HEADER.fullmatch(header)
        if match is None:
            shown = header[:60].decode("ascii", "replace")
            raise self.fault(f"holds {key[:80]!r}, no array of plain numbers or strings: {shown!r}")
        descr, order, shape = (part.decode() for part in match.groups())
        array = ArrayHeader(
            member,
            np.dtype(descr),
            tuple(int(n) for n in re.findall(r"\d+", shape)),
            order == "True",
            10 + length,
        )
        if member.file_size != array.start + array.size:
            raise self.fault(
                f"is damaged: {key[:80]!r} is {array}, but takes {member.file_size:,} bytes"
            )
        return array


@contextmanager
def open_npz(
    source: Path,
    progress: Progress = silent,
    wanted: Callable[[str], bool] = lambda key: True,
    most: int | None = None,
) -> Iterator[Npz]:
    """The arrays of `source`, all headers checked.

    Args:
        source: the file.
        progress: called with how many bytes of arrays are read.
        wanted: says by its name whether an array is; the others are not looked at.
        most: bytes that all wanted arrays may have; `LARGEST` by default.

    Raises:
        NasbenchError: where the file is no `.npz`, is damaged, or holds objects; also for what
            the block that uses it finds out.
    """
    try:
        with open_file(source, ".npz file") as file, zipfile.ZipFile(file) as archive:
            npz = Npz(source, archive, progress, wanted)
            if npz.total > (bound := LARGEST if most is None else most):
                raise npz.fault(f"unfolds to {npz.total:,} bytes; {bound:,} at most are read")
            yield npz
    except NasbenchError:
        raise
    except (
        OSError,
        EOFError,
        NotImplementedError,  # a feature of zip files that numpy does not use
        ValueError,  # offsets before the file's start, text that is no Unicode
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        said = str(error)[:_LONGEST]  # it may repeat what the file says
        raise NasbenchError(f"{source} cannot be read as an .npz file: {said}") from error
