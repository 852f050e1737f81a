"""Which row of a table answers for an architecture: the one door for all that look one up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasbench.errors import DamagedFile
from nasbench.space import Architectures, Space
from nasbench.table.format import Dataset, TableFile

__all__ = ["INDEX", "RowIndex", "index_datasets", "rows_of_file", "rows_of_manifest"]

INDEX = ("rows", "row_of", "ops")
"""Data sets that say which architecture a row is of: they are none of what was measured."""

LISTED = 1_000_000
"""Architectures of the largest space whose rows are looked up in an array over all of it."""


def index_datasets(space: Space, architectures: Architectures, sharing: str) -> dict[str, Dataset]:
    """What a table keeps to know its rows: their decisions, `[rows, decisions]`.

    Where it takes a list of the whole space to know which architectures are one network (cells),
    `row_of` keeps what came out, int32 `[space.size]`.

    Args:
        space: of the table.
        architectures: of the rows, distinct.
        sharing: `canonical` or `none`, see `write_table`.
    """
    found = {"ops": Dataset(space.ops(architectures))}
    if sharing == "canonical" and space.lists_classes:
        found["row_of"] = Dataset(_listed(space, architectures, sharing))
    return found


def _listed(space: Space, architectures: Architectures, sharing: str) -> NDArray[np.int32]:
    """The row of each architecture of the space, int32 `[space.size]`; -1 of those without."""
    space.check_listable("the row of each architecture")
    row_of = np.full(space.size, -1, dtype=np.int32)
    row_of[architectures] = np.arange(len(architectures), dtype=np.int32)
    if sharing == "canonical":
        row_of = row_of[space.classes]
    return row_of


def rows_of_manifest(manifest: Mapping[str, Any]) -> int:
    """How many rows a table has, by what its manifest says."""
    datasets = manifest["datasets"]
    shape = datasets["ops" if "ops" in datasets else "rows"]["shape"]
    return int(shape[0])


def rows_of_file(file: TableFile, space: Space) -> Architectures:
    """The architecture of each row, `[rows]`.

    Raises:
        DamagedFile: where they are none of the space, or one has two rows.
    """
    if "ops" not in file.manifest["datasets"]:
        rows: Architectures = file.array("rows")
        if not 0 <= rows.min() <= rows.max() < space.size:
            raise misfit(file)
        return rows
    ops = file.array("ops")
    if ops.shape[1:] != (len(space.choices),) or (ops >= np.asarray(space.choices)).any():
        raise misfit(file)
    return space.index_of(ops)


def misfit(file: TableFile) -> DamagedFile:
    """The error of a table whose rows do not fit its space."""
    return DamagedFile(f"{file.path} is damaged: its rows do not fit its space")


class RowIndex:
    """The rows of a table by the architectures that they answer for.

    Args:
        file: the table.
        space: of it.
        sharing: `canonical` where a row stands for its whole class, `none` where for itself.
    """

    def __init__(self, file: TableFile, space: Space, sharing: str) -> None:
        self._file = file
        self._space = space
        self._shared = sharing == "canonical"
        self._sharing = sharing

    @cached_property
    def rows(self) -> Architectures:
        """The architecture of each row, `[rows]`: int32, int64, or Python ints."""
        return rows_of_file(self._file, self._space)

    @cached_property
    def row_of(self) -> NDArray[np.int32]:
        """The row of each architecture of a space that can be listed, int32 `[space.size]`."""
        rows = self.rows
        if "row_of" in self._file.manifest["datasets"]:
            row_of = self._file.array("row_of")
            fits = row_of.shape == (self._space.size,)
            if not fits or not -1 <= row_of.min() <= row_of.max() < len(rows):
                raise misfit(self._file)
        else:
            row_of = _listed(self._space, rows, self._sharing)
        if not np.array_equal(row_of[rows], np.arange(len(rows))):
            raise misfit(self._file)
        return row_of

    @cached_property
    def _sorted(self) -> tuple[Architectures, NDArray[np.int32]]:
        """The architectures that have rows, ascending, and these rows."""
        order = np.argsort(self.rows, kind="stable").astype(np.int32)
        ascending = self.rows[order]
        if (ascending[1:] == ascending[:-1]).any():
            raise misfit(self._file)
        if self._shared and not (self._space.canonical(ascending) == ascending).all():
            raise misfit(self._file)
        return ascending, order

    @property
    def _is_listed(self) -> bool:
        return self._space.size <= LISTED or "row_of" in self._file.manifest["datasets"]

    @cached_property
    def architectures(self) -> Architectures:
        """The architectures that the table answers for, ascending: `[n]`.

        Of a space too large to be listed they are those of the rows, not all of their classes.
        """
        return np.flatnonzero(self.row_of >= 0) if self._is_listed else self._sorted[0]

    def find(self, architectures: ArrayLike) -> NDArray[np.int32]:
        """The row of each architecture, int32 of the given shape; -1 where there is none."""
        given = self._space.check(architectures)
        if self._is_listed:
            return self.row_of[given]
        ascending, order = self._sorted
        if self._shared:
            given = np.asarray(self._space.canonical(given), dtype=ascending.dtype)
        places = np.minimum(np.searchsorted(ascending, given), len(ascending) - 1)
        return np.where(ascending[places] == given, order[places], np.int32(-1))

    def finder(self) -> Callable[[int], int]:
        """`find` of one architecture of the space, as fast as it can be: -1 where none is."""
        if self._is_listed:
            rows: list[int] = self.row_of.tolist()
            return rows.__getitem__
        ascending, order = self._sorted
        known = dict(zip(ascending.tolist(), order.tolist(), strict=True))
        canonical = self._space.canonical

        def found(architecture: int) -> int:
            row = known.get(architecture)
            if row is None:
                row = known.get(canonical(architecture), -1) if self._shared else -1
                if len(known) < LISTED:
                    known[architecture] = row
            return row

        return found
