"""Which row of a table answers for an architecture: the one door for all that look one up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasbench.errors import DamagedFile, NasbenchError
from nasbench.space import Architectures, Space
from nasbench.table.format import Dataset, TableFile

__all__ = ["INDEX", "RowIndex", "index_datasets", "rows_of_file", "rows_of_manifest"]

OTHERS, OTHERS_ROW = "others", "others_row"
INDEX = ("rows", "row_of", "ops", OTHERS, OTHERS_ROW)
"""Data sets that say which architecture a row is of: they are none of what was measured."""

LISTED = 1_000_000
"""Architectures of the largest space whose rows are looked up in an array over all of it."""


def index_datasets(space: Space, architectures: Architectures, sharing: str) -> dict[str, Dataset]:
    """What a table keeps to know its rows: their decisions, `[rows, decisions]`.

    Where rows stand for their classes, and it takes a list of the whole space to know these
    (cells), `others` are the decisions of the classes' further members, `[others, decisions]`,
    and `others_row` says which row each belongs to, int32 `[others]`.

    Args:
        space: of the table.
        architectures: of the rows, distinct.
        sharing: `canonical` or `none`, see `write_table`.
    """
    found = {"ops": Dataset(space.ops(architectures))}
    if sharing == "canonical" and space.lists_classes:
        space.check_listable("finding the further members of each row's class")
        row_of = np.full(space.size, -1, dtype=np.int32)
        row_of[architectures] = np.arange(len(architectures), dtype=np.int32)
        answered = row_of[space.classes]
        others = np.flatnonzero((answered >= 0) & (row_of < 0))
        found[OTHERS] = Dataset(space.ops(others))
        found[OTHERS_ROW] = Dataset(answered[others])
    return found


def rows_of_manifest(manifest: Mapping[str, Any]) -> int:
    """How many rows a table has, by what its manifest says."""
    datasets = manifest["datasets"]
    shape = datasets["ops" if "ops" in datasets else "rows"]["shape"]
    return int(shape[0])


def rows_of_file(file: TableFile, space: Space) -> Architectures:
    """The architecture of each row, `[rows]`.

    Raises:
        DamagedFile: where they are none of the space.
    """
    if "ops" in file.manifest["datasets"]:
        return _by_decisions(file, space, "ops")
    rows: Architectures = file.array("rows")
    if not 0 <= rows.min() <= rows.max() < space.size:
        raise misfit(file)
    return rows


def _by_decisions(file: TableFile, space: Space, name: str) -> Architectures:
    """The architectures whose decisions a data set holds."""
    ops = file.array(name)
    try:
        return space.index_of(ops)
    except NasbenchError as error:
        raise misfit(file) from error


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
        datasets = file.manifest["datasets"]
        self._has_row_of = "row_of" in datasets  # of format 1
        self._has_others = OTHERS in datasets
        self._is_listed = self._has_row_of or space.size <= LISTED

    @cached_property
    def rows(self) -> Architectures:
        """The architecture of each row, `[rows]`: int32, int64, or Python ints."""
        return rows_of_file(self._file, self._space)

    @cached_property
    def row_of(self) -> NDArray[np.int32]:
        """The row of each architecture of a space that can be listed, int32 `[space.size]`."""
        if self._has_row_of:
            row_of = self._file.array("row_of")
            fits = row_of.shape == (self._space.size,)
            if not fits or not -1 <= row_of.min() <= row_of.max() < len(self.rows):
                raise misfit(self._file)
        else:
            self._space.check_listable("the row of each architecture")
            row_of = np.full(self._space.size, -1, dtype=np.int32)
            known, row = self._known
            row_of[known] = row
            if not self._folds:  # as many as were put in: each is where it belongs
                if np.count_nonzero(row_of >= 0) != len(known):
                    raise misfit(self._file)
                return row_of
            row_of = row_of[self._space.classes]
        if not np.array_equal(row_of[self.rows], np.arange(len(self.rows))):
            raise misfit(self._file)
        return row_of

    @property
    def _folds(self) -> bool:
        """Whether an architecture's row is that of the one which stands for its class.

        Else the file says all that its rows answer for.
        """
        return self._shared and not self._has_others

    @cached_property
    def _known(self) -> tuple[Architectures, NDArray[np.int32]]:
        """The architectures whose decisions the file holds, and their rows."""
        rows = self.rows
        of_rows = np.arange(len(rows), dtype=np.int32)
        # Foreign files may lie: no list of the whole space is made to find what they leave out.
        if self._has_others != (self._shared and self._space.lists_classes):
            raise misfit(self._file)
        if not self._has_others:
            return rows, of_rows
        row = self._file.array(OTHERS_ROW)
        if ((row < 0) | (row >= len(rows))).any():
            raise misfit(self._file)
        others = _by_decisions(self._file, self._space, OTHERS)
        return np.concatenate([rows, others]), np.concatenate([of_rows, row])

    @cached_property
    def _sorted(self) -> tuple[Architectures, NDArray[np.int32]]:
        """The architectures whose decisions the file holds, ascending, and their rows."""
        known, row = self._known
        order = np.argsort(known, kind="stable")
        ascending = known[order]
        if (ascending[1:] == ascending[:-1]).any():
            raise misfit(self._file)
        if self._folds and not (self._space.canonical(ascending) == ascending).all():
            raise misfit(self._file)
        return ascending, row[order]

    @cached_property
    def architectures(self) -> Architectures:
        """The architectures that the table answers for, ascending: `[n]`.

        Of a space too large to be listed they are those of the rows, not all of their classes.
        """
        return np.flatnonzero(self.row_of >= 0) if self._is_listed else self._sorted[0]

    def find(self, architectures: ArrayLike) -> NDArray[np.int64]:
        """The row of each architecture, int64 of the given shape; -1 where there is none."""
        given = self._space.check(architectures)
        if self._is_listed:
            return self.row_of[given].astype(np.int64)
        ascending, row = self._sorted
        if self._folds:
            given = np.asarray(self._space.canonical(given), dtype=ascending.dtype)
        places = np.minimum(np.searchsorted(ascending, given), len(ascending) - 1)
        return np.where(ascending[places] == given, row[places], np.int64(-1))

    def finder(self) -> Callable[[int], int]:
        """`find` of one architecture of the space, as fast as it can be: -1 where none is."""
        if self._is_listed:
            rows: list[int] = self.row_of.tolist()
            return rows.__getitem__
        ascending, row_of_each = self._sorted
        known = dict(zip(ascending.tolist(), row_of_each.tolist(), strict=True))
        canonical = self._space.canonical

        def found(architecture: int) -> int:
            row = known.get(architecture)
            if row is None:
                row = known.get(canonical(architecture), -1) if self._folds else -1
                if len(known) < LISTED:
                    known[architecture] = row
            return row

        return found
