"""Which row of a table is which architecture's."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasbench.space import Architectures
from nasbench.table.index import RowIndex
from nasbench.table.opened import OpenTable

__all__ = ["RowedTable"]


class RowedTable(OpenTable):
    """An open table whose rows are found; `nasbench.table.Table` reads their values."""

    @cached_property
    def _index(self) -> RowIndex:
        return RowIndex(self._file, self.space, self.manifest["sharing"])

    @property
    def rows(self) -> Architectures:
        """The architecture of each row, `[rows]`."""
        return self._index.rows

    @property
    def row_of(self) -> NDArray[np.int32]:
        """The row of each architecture, int32 `[space.size]`; -1 where the table has none.

        In a table that was built, architectures of one class share a row (manifest: `sharing`).
        `row` says the same of some architectures, in spaces of any size.

        Raises:
            Unsupported: where the space is too large to be listed.
        """
        return self._index.row_of

    @property
    def architectures(self) -> Architectures:
        """The architectures that the table answers for, ascending: `[n]`.

        Of a space of more than a million they are those of its rows, and not all of their classes.
        """
        return self._index.architectures

    def row(self, architectures: ArrayLike) -> NDArray[np.int64]:
        """The row of each architecture, int64 of the given shape; -1 where the table has none.

        Raises:
            NasbenchError: for what is no architecture of the table's space.

        Example:
            >>> import nasbench as nb
            >>> nb.load("nb201-fashion16").row([0, 1]).shape
            (2,)
        """
        return self._index.find(architectures)

    rows_of = row
    """The older name of `row`."""

    def row_finder(self) -> Callable[[int], int]:
        """`row` for one architecture of the space after the other, which is not checked.

        Example:
            >>> import nasbench as nb
            >>> table = nb.load("nb201-fashion16")
            >>> table.row_finder()(7) == table.row(7)
            np.True_
        """
        return self._index.finder()

    @cached_property
    def _find(self) -> Callable[[int], int]:
        return self._index.finder()
