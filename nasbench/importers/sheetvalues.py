"""The second reading of a spreadsheet: every value in its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench._progress import Progress
from nasbench._words import counted
from nasbench.errors import BadValue, Unsupported
from nasbench.importers.sheetcells import SheetArchitectures, by_recipe, places
from nasbench.importers.sheetfile import Block, SheetFile
from nasbench.importers.sheetlayout import Layout
from nasbench.table.scratch import Scratch

__all__ = ["LARGEST", "Filled", "Group", "fill"]

LARGEST = 8 << 30
"""Bytes of all arrays: few rows with many different seeds and epochs could ask for any size."""
_GAP = "of the rows that are averaged one has no value"

Floats = NDArray[np.floating]


@dataclass(slots=True)
class Group:
    """The trainings that the rows of one recipe are of, or all rows where none names a recipe.

    Attributes:
        seeds: ascending; just -1 where the rows name none.
        epochs: likewise.
    """

    seeds: list[int] = field(default_factory=list)
    epochs: list[int] = field(default_factory=list)

    @property
    def curves(self) -> bool:
        """Whether an architecture has rows for seeds or epochs."""
        return self.seeds != [-1] or self.epochs != [-1]


@dataclass(frozen=True, slots=True)
class Filled:
    """What a sheet holds.

    Attributes:
        arrays: by data set, `[rows]` or `[rows, seeds, epochs]`.
        missing: why values are missing, as a manifest has it.
        said: sentences on how rows were read.
    """

    arrays: Mapping[str, Floats]
    missing: list[dict[str, Any]]
    said: list[str]


def fill(
    sheet: SheetFile,
    layout: Layout,
    architectures: SheetArchitectures,
    groups: Mapping[str, Group],
    scratch: Scratch,
    progress: Progress,
    *,
    average_repeats: bool,
) -> Filled:
    """Every value of a sheet in its place.

    Args:
        sheet: the sheet.
        layout: of its columns.
        architectures: all of its rows have been met.
        groups: by recipe.
        scratch: where the arrays go.
        progress: called with what was read.
        average_repeats: whether several rows for one training and epoch stand for their mean;
            else they are refused.
    """
    rows = architectures.rows()
    arrays = _arrays(sheet, layout, groups, len(rows), scratch)
    trained = _Trained(sheet, layout, groups, rows, arrays, average=average_repeats)
    single = _Single(sheet, layout, rows, arrays, average=average_repeats)
    for start, block in sheet.blocks(*layout.read_for([*layout.trained, *layout.single]), progress):
        row = np.searchsorted(rows, architectures.read(block, start))
        trained.take(block, start, row)
        single.take(block, start, row)
    single.finish()
    return Filled(arrays, *trained.finish())


class _Trained:
    """Values of trainings: one for each row of the sheet."""

    def __init__(
        self,
        sheet: SheetFile,
        layout: Layout,
        groups: Mapping[str, Group],
        rows: NDArray[np.int64],
        arrays: Mapping[str, Floats],
        *,
        average: bool,
    ) -> None:
        self._sheet, self._layout, self._groups = sheet, layout, groups
        self._rows, self._arrays, self._average = rows, arrays, average
        self._once = frozenset(layout.single.values())
        self._times = {
            recipe: np.zeros((len(rows), len(group.seeds), len(group.epochs)), dtype=np.int32)
            for recipe, group in groups.items()
        }

    def take(self, block: Block, start: int, row: NDArray[np.intp]) -> None:
        """The values of a block, whose rows are of these rows of the table."""
        layout = self._layout
        seeds = places(self._sheet, block, start, layout, "seed")
        epochs = places(self._sheet, block, start, layout, "epoch")
        for recipe, at in by_recipe(block, layout):
            group, times = self._groups[recipe], self._times[recipe]
            s = np.searchsorted(group.seeds, seeds[at])
            e = np.searchsorted(group.epochs, epochs[at])
            flat = np.ravel_multi_index((row[at], s, e), times.shape)
            before = times.reshape(-1)[flat]
            np.add.at(times.reshape(-1), flat, 1)
            again = before > 0
            again[np.setdiff1d(np.arange(len(flat)), np.unique(flat, return_index=True)[1])] = True
            if again.any() and not self._average:
                first = int(at[np.argmax(again)])
                said = {"recipe": recipe or -1, "seed": seeds[first], "epoch": epochs[first]}
                raise self._twice(start + first, int(self._rows[row[first]]), said)
            for column, whole in layout.trained.items():
                values = block[layout.old[column]][at] * layout.factors.get(column, 1.0)
                name = whole or f"recipe/{recipe}/{column}"
                if (recipe or whole) and name not in self._once:
                    _add(self._arrays[name].reshape(-1), flat, values, new=~again)
                elif not np.isnan(values).all():
                    first = int(at[np.argmin(np.isnan(values))])
                    why = f"and there is a column {name}" if recipe else "and names no recipe"
                    raise BadValue(
                        f"{self._sheet.where(start + first)}: the row of architecture "
                        f"{self._rows[row[first]]} has {column}, {why}"
                    )

    def finish(self) -> tuple[list[dict[str, Any]], list[str]]:
        """Sums become means; why some are missing, and what is to be said."""
        most = max((int(times.max(initial=0)) for times in self._times.values()), default=0)
        if most < 2:
            return [], []
        missing = []
        for recipe, times in self._times.items():
            several = (times > 1).any(axis=(1, 2))
            for column, whole in self._layout.trained.items():
                name = whole or f"recipe/{recipe}/{column}"
                if name in self._once or not (recipe or whole):
                    continue
                values = self._arrays[name]
                values /= np.maximum(times, 1).reshape(values.shape)
                gaps = several & np.isnan(values).reshape(len(values), -1).any(axis=1)
                if gaps.any():
                    of = self._rows[gaps].tolist()
                    missing.append({"scope": name, "reason": _GAP, "architectures": of})
        repeats = sum(int(np.maximum(times - 1, 0).sum()) for times in self._times.values())
        return missing, [
            f"{counted(repeats, 'repeated row')}: values are means of up to {most} rows"
        ]

    def _twice(self, row: int, architecture: int, said: Mapping[str, Any]) -> BadValue:
        of = "".join(f", {name} {value}" for name, value in said.items() if value != -1)
        hint = "" if "seed" in self._layout.old else "name their seeds in a column `seed`, or "
        return BadValue(
            f"{self._sheet.where(row)}: {self._sheet.source.name} has two rows for architecture "
            f"{architecture}{of}; {hint}take the mean over such rows with --average-repeats"
        )


class _Single:
    """Values of architectures: one for all rows of the sheet that are of it."""

    def __init__(
        self,
        sheet: SheetFile,
        layout: Layout,
        rows: NDArray[np.int64],
        arrays: Mapping[str, Floats],
        *,
        average: bool,
    ) -> None:
        self._sheet, self._layout, self._rows, self._arrays = sheet, layout, rows, arrays
        self._average = average
        self._sums: dict[str, tuple[Floats, NDArray[np.int64]]] = {}

    def take(self, block: Block, start: int, row: NDArray[np.intp]) -> None:
        """The values of a block, whose rows are of these rows of the table."""
        layout = self._layout
        for column, name in layout.single.items():
            values = block[layout.old[column]] * layout.factors.get(column, 1.0)
            array = self._arrays[name]
            given = np.flatnonzero(~np.isnan(values))
            new = given[np.isnan(array[row[given]])][::-1]
            array[row[new]] = values[new]  # the first of several
            differs = array[row[given]] != values[given]
            if self._average:
                sums, times = self._sums.setdefault(
                    name, (np.zeros(len(array)), np.zeros(len(array), dtype=np.int64))
                )
                np.add.at(sums, row[given], values[given])
                np.add.at(times, row[given], 1)
            elif differs.any():
                first = int(given[np.argmax(differs)])
                raise BadValue(
                    f"{self._sheet.where(start + first)}: {layout.old[column][:80]} differs "
                    f"between rows of architecture {self._rows[row[first]]}; it is one number an "
                    f"architecture, or the mean of several with --average-repeats"
                )

    def finish(self) -> None:
        """Sums become means."""
        for name, (sums, times) in self._sums.items():
            several = times > 1
            self._arrays[name][several] = sums[several] / times[several]


def _add(
    array: Floats, flat: NDArray[np.intp], values: NDArray[Any], *, new: NDArray[np.bool_]
) -> None:
    """Add values at places; those that are `new` begin from nothing there."""
    array[flat[new]] = values[new]
    if not new.all():
        np.add.at(array, flat[~new], values[~new])


def _arrays(
    sheet: SheetFile, layout: Layout, groups: Mapping[str, Group], rows: int, scratch: Scratch
) -> dict[str, Floats]:
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(layout.single.values(), (rows,))
    seen = 0
    for recipe, group in groups.items():
        whole = (rows, len(group.seeds), len(group.epochs))
        seen += 4 * int(np.prod(whole, dtype=object))
        for column, name in layout.trained.items():
            if name or recipe:
                # A whole name beside a column `recipe` has the say: its column is one number.
                shape = whole if group.curves else (rows,)
                shapes.setdefault(name or f"recipe/{recipe}/{column}", shape)
    size = seen + sum(8 * int(np.prod(shape, dtype=object)) for shape in shapes.values())
    if size > LARGEST:
        raise Unsupported(
            f"{sheet.source} spreads over {size:,} bytes by its seeds and epochs; {LARGEST:,} at "
            f"most are written"
        )
    return {name: scratch.missing(*shape, dtype=np.float64) for name, shape in shapes.items()}
