"""Which architecture, seed and epoch the rows of a spreadsheet are of."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import BadValue, NasbenchError
from nasbench.importers.sheetfile import Block, SheetFile
from nasbench.importers.sheetlayout import KEYS, Layout
from nasbench.space import Architectures, ChoiceSpace, Space

__all__ = ["SheetArchitectures", "by_recipe", "places"]


class SheetArchitectures:
    """The architectures of a sheet's rows; each way to write one is read once.

    Args:
        space: of the architectures.
        sheet: the sheet, for its lines in errors.
        layout: of the sheet.
    """

    def __init__(self, space: Space, sheet: SheetFile, layout: Layout) -> None:
        self.space = space
        self._sheet, self._layout = sheet, layout
        self._of: dict[tuple[str, ...], int] = {}
        self._numeric: bool | None = None

    def rows(self) -> Architectures:
        """Those met so far, ascending."""
        return np.unique(self.space.check(list(self._of.values())))

    def read(self, block: Block, start: int) -> Architectures:
        """The architecture of each row of a block, whose first row has that number."""
        columns = [block[self._layout.old[key]].tolist() for key in self._layout.keys]
        written = list(zip(*columns, strict=True))
        for cells in dict.fromkeys(written):
            if cells not in self._of:
                try:
                    self._of[cells] = self._read(cells)
                except NasbenchError as error:
                    where = self._sheet.where(start + written.index(cells))
                    raise BadValue(f"{where}: {error}") from None
        return self.space.check([self._of[cells] for cells in written])

    def _read(self, cells: Sequence[str]) -> int:
        """The architecture that the cells of a row say, in the order of the layout's keys."""
        keys = self._layout.keys
        if not set(keys) <= set(KEYS):
            assert isinstance(self.space, ChoiceSpace)
            return self.space.index(self.space.separator.join(cells))
        said = dict(zip(keys, cells, strict=True))
        if "architecture" in said:
            # Beside a column of strings it is the number, as in what a table's frames show.
            number = self._either(said["architecture"], sure="string" in said)
        elif "number" in said:
            number = self.space.parse(f"number:{said['number']}")
        else:
            return self.space.index(said["string"])
        if "string" in said and self.space.index(said["string"]) != number:
            own = self.space.string(number)
            raise BadValue(f"architecture {number} is {own}, not {said['string'][:120]}")
        return number

    def _either(self, cell: str, *, sure: bool) -> int:
        """What a cell of the column `architecture` says, number or string."""
        column = self._layout.old["architecture"]
        if re.fullmatch(r"\d+\.0*", cell):
            raise BadValue(f"{column[:80]} is {cell}: an architecture's number has no decimals")
        try:
            number = self.space.parse(f"number:{cell}" if sure and cell.isdecimal() else cell)
        except NasbenchError as error:
            hint = ""
            if cell.isdecimal() and "number:" in str(error):
                hint = (
                    f"; or say it of the whole column: --column {column}=string or "
                    f"--column {column}=number"
                )
            raise BadValue(f"{error}{hint}") from None
        numeric = str(number) == cell
        if self._numeric is not None and numeric != self._numeric:
            raise BadValue(f"{column[:80]} holds numbers and strings; write all of them alike")
        self._numeric = numeric
        return number


def by_recipe(block: Block, layout: Layout) -> list[tuple[str, NDArray[np.intp]]]:
    """The rows of each recipe in a block; of "" where none is named."""
    if "recipe" not in layout.old:
        return [("", np.arange(len(next(iter(block.values())))))]
    cells = block[layout.old["recipe"]]
    return [(recipe, np.flatnonzero(cells == recipe)) for recipe in dict.fromkeys(cells.tolist())]


def places(
    sheet: SheetFile, block: Block, start: int, layout: Layout, column: str
) -> NDArray[np.int64]:
    """The seed or epoch of each row of a block; -1 where there is none."""
    if column not in layout.old:
        return np.full(len(next(iter(block.values()))), -1)
    cells = block[layout.old[column]]
    low = 1 if column == "epoch" else 0
    bad = (cells < low) | (cells > 2**53) | (cells != np.floor(cells))
    bad &= ~np.isnan(cells)
    if bad.any():
        row = int(np.argmax(bad))
        raise BadValue(
            f"{sheet.where(start + row)}: {column} {cells[row]:g} is no whole number from {low} on"
        )
    return np.where(np.isnan(cells), -1, cells).astype(np.int64)
