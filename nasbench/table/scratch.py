"""Arrays on disk while a table is made: what a table will hold may be larger than memory."""

from __future__ import annotations

import tempfile
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import DTypeLike, NDArray

from nasbench.errors import NasbenchError

__all__ = ["Scratch"]

BLOCK = 1 << 20
LARGEST = 64 << 20
"""Bytes of a file of small arrays; larger ones have a file of their own."""


class Scratch(AbstractContextManager["Scratch"]):
    """A folder of array files beside a table-to-be; it goes when the block ends.

    Args:
        beside: the table's path.

    Attributes:
        path: of the folder.

    Raises:
        NasbenchError: where the folder cannot be made.
    """

    def __init__(self, beside: Path) -> None:
        try:
            self._folder = tempfile.TemporaryDirectory(
                prefix=f".{beside.name}.", suffix=".scratch", dir=beside.parent
            )
        except OSError as error:
            raise NasbenchError(f"cannot write {beside}: {error.strerror}") from error
        self.path = Path(self._folder.name)
        self._made = 0
        self._slab = np.empty(0, np.uint8)
        self._used = 0
        self._next = BLOCK

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._folder.cleanup()

    def missing(self, *shape: int, dtype: DTypeLike = np.float32) -> NDArray[np.floating]:
        """An array of NaN to be filled in, mapped from a file.

        Raises:
            NasbenchError: where the disk has no room for it.
        """
        size = int(np.prod(shape, dtype=object)) * np.dtype(dtype).itemsize
        if self._used + size > self._slab.nbytes:
            self._slab, self._used = self._mapped(max(size, self._next)), 0
            self._next = min(2 * self._next, LARGEST)
        array: NDArray[np.floating] = np.ndarray(shape, dtype, self._slab.data, self._used)
        self._used += -(-size // 64) * 64
        array.fill(np.nan)
        return array

    def _mapped(self, size: int) -> NDArray[np.uint8]:
        """A file of so many bytes: many arrays share one, since a process may open few."""
        path = self.path / f"{self._made}.bin"
        self._made += 1
        try:
            with path.open("wb") as file:
                # Writing to a mapped file on a full disk ends the process: take the room first.
                block = bytes(min(size, BLOCK))
                for start in range(0, size, BLOCK):
                    file.write(block[: size - start])
        except OSError as error:
            raise NasbenchError(
                f"no room for {size:,} bytes in {self.path.parent}: {error.strerror}"
            ) from error
        return np.memmap(path, dtype=np.uint8, mode="r+", shape=(size,))
