"""Importing a spreadsheet: a csv or parquet file, one table row to some of its rows.

A row of the sheet is an architecture, or one of its trainings, or an epoch of one. Its columns:

- `architecture`: the space's number or string of it, all of one kind; `string`: the string,
  checked against the number, or alone;
- `recipe`, `seed`, `epoch`: which training the row is of, and after how many epochs;
- metrics of a recipe, `valid_accuracy`, `train_seconds`, ... (see `quantities`): of the recipe
  in the column `recipe` or of the option `recipe`. A whole name, `recipe/<recipe>/<metric>`,
  says its recipe itself; beside a column `recipe` it is one number an architecture;
- `parameters`, `flops`, `network/<metric>`, `device/<device>/<metric_unit>`, `proxy/<name>`:
  one number an architecture, on one of its rows or the same on several.

A column `canonical`, as `nasbench dump` writes it, is not needed: each architecture has its
rows. An empty cell is a missing value. Numbers become the float64 next to what is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench._progress import Progress
from nasbench.errors import BadValue, NasbenchError
from nasbench.importers.contract import Contents
from nasbench.importers.quantities import (
    check_name,
    check_values,
    seed_gaps,
    unit,
    when_taken,
)
from nasbench.importers.sheetfile import Block, Sheet, open_sheet
from nasbench.importers.sheetlayout import PLACES, Layout, lay_out
from nasbench.space import Space, get
from nasbench.table.format import Dataset
from nasbench.table.scratch import Scratch

__all__ = ["read"]

MOST_RECIPES = 64
"""Of one sheet: each takes room for every row."""

LARGEST = 8 << 30
"""Bytes of all arrays: few rows with many different seeds and epochs could ask for any size."""
_SEEDLESS = (
    "the source names no seeds of recipe {}: its curves stand as seed 0, be each of one training "
    "or a mean"
)


def read(
    source: Path,
    scratch: Scratch,
    progress: Progress,
    *,
    space: str,
    recipe: str | None = None,
    epochs: int | None = None,
    columns: Sequence[str] = (),
) -> Contents:
    """The sheet in `source`; see this module for its columns. It is read repeatedly, in blocks.

    Args:
        source: the file, csv or parquet (told apart by its first bytes).
        scratch: where the arrays go.
        progress: told of what was read.
        space: the name of the architectures' space.
        recipe: the recipe that the metrics are of, where no column says it.
        epochs: after how many epochs the metrics were taken, where no column says it.
        columns: `OLD=NEW` takes the sheet's column OLD for NEW, `OLD=` leaves it out.

    Raises:
        NasbenchError: naming the column or the architecture that is not as it should be.
    """
    if epochs is not None and epochs < 1:
        raise NasbenchError(f"a metric is taken after 1 epoch or more, not after {epochs}")
    of = get(space)
    of.check_listable("a table")
    sheet = open_sheet(source)
    layout = lay_out(sheet, recipe, columns)
    architectures = _Architectures(of, source)
    groups = _groups(sheet, layout, architectures, progress)
    rows = architectures.rows()
    if not len(rows):
        raise NasbenchError(f"{source} has no rows")
    arrays = _fill(sheet, layout, architectures, groups, scratch, progress)
    recipes = _recipes(source, groups, arrays, epochs)
    datasets: dict[str, Dataset] = {}
    missing: list[dict[str, Any]] = []
    for name, values in arrays.items():
        about: dict[str, Any] = {"kind": "imported", **unit(name)}
        if name.startswith("recipe/"):
            taken = recipes[name.split("/")[1]].epochs
            about["epochs"] = taken[-1:]
            if values.ndim == 3:
                if all(np.isnan(values[:, :, i]).all() for i in range(len(taken))):
                    continue  # a column that other recipes fill
                values, about["epochs"] = when_taken(values, taken)
                room = name.rpartition("/")[0] + "/"
                others = (of for key, of in arrays.items() if key.startswith(room) and key != name)
                missing += seed_gaps(name, values, rows, others)
        check_values(name, values, rows)
        datasets[name] = Dataset(values, about)
    seedless = [name for name, recipe_ in recipes.items() if recipe_.seedless]
    return Contents(
        name=source.stem,
        space=architectures.space,
        rows=rows,
        recipes={n: {"epochs": r.epochs[-1], "seeds": r.seeds} for n, r in recipes.items()},
        datasets=datasets,
        devices={name.split("/")[1]: {} for name in datasets if name.startswith("device/")},
        missing=missing,
        licence="unknown",
        citation="unknown",
        notes={"numbering": _SEEDLESS.format(", ".join(seedless))} if seedless else {},
    )


class _Architectures:
    """The architectures of a sheet's rows; each way to write one is read once."""

    def __init__(self, space: Space, source: Path) -> None:
        self.space, self._source = space, source
        self._of: dict[str, int] = {}
        self._of_string: dict[str, int] = {}
        self._numeric = False

    def rows(self) -> NDArray[np.int64]:
        """Those met so far, ascending."""
        return np.unique(np.asarray(list(self._of.values()), dtype=np.int64))

    def read(self, block: Block, layout: Layout) -> NDArray[np.int64]:
        """The architecture of each row of a block."""
        first = layout.old.get("architecture", layout.old.get("string", ""))
        cells = block[first].tolist()
        for cell in dict.fromkeys(cells):
            if cell not in self._of:
                self._of[cell] = self._number(cell, first, "architecture" in layout.old)
        numbers = np.asarray([self._of[cell] for cell in cells], dtype=np.int64)
        if "string" in layout.old and "architecture" in layout.old:
            strings = block[layout.old["string"]].tolist()
            for string, number in dict.fromkeys(zip(strings, numbers.tolist(), strict=True)):
                if string not in self._of_string:
                    self._of_string[string] = self.space.index(string)
                if self._of_string[string] != number:
                    raise NasbenchError(
                        f"{self._source}: architecture {number} is "
                        f"{self.space.string(number)}, not {string}"
                    )
        return numbers

    def _number(self, cell: str, column: str, may_be_number: bool) -> int:
        """The architecture that a cell of column `architecture`, or else `string`, says."""
        if not may_be_number:
            return self.space.index(cell)
        number = self.space.parse(cell)
        numeric = str(number) == cell
        if self._of and numeric != self._numeric:
            raise BadValue(
                f"{self._source}: {column} holds numbers and strings; write all of them alike"
            )
        self._numeric = numeric
        return number


@dataclass(slots=True)
class _Group:
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


def _groups(
    sheet: Sheet, layout: Layout, architectures: _Architectures, progress: Progress
) -> dict[str, _Group]:
    """The first reading: what architectures, recipes, seeds and epochs there are."""
    found: dict[str, tuple[set[int], set[int]]] = {}
    for block in sheet.blocks(*layout.read_for(()), progress):
        architectures.read(block, layout)
        for recipe, at in _by_recipe(block, layout):
            seeds, epochs = found.setdefault(recipe, (set(), set()))
            if len(found) > MOST_RECIPES:
                raise NasbenchError(
                    f"{sheet.source} names more than {MOST_RECIPES} recipes: is "
                    f"{layout.old['recipe']} the column that says the recipe?"
                )
            seeds.update(np.unique(_places(sheet, block, layout, "seed")[at]).tolist())
            epochs.update(np.unique(_places(sheet, block, layout, "epoch")[at]).tolist())
    for recipe, places in found.items():
        if recipe:
            check_name(f"recipe/{recipe}/valid_accuracy")
        for column, numbers in zip(PLACES, places, strict=True):
            if -1 in numbers and len(numbers) > 1:
                of = f" of recipe {recipe}" if recipe else ""
                raise NasbenchError(f"{sheet.source}: rows{of} with and without {column}")
    return {name: _Group(sorted(seeds), sorted(epochs)) for name, (seeds, epochs) in found.items()}


def _by_recipe(block: Block, layout: Layout) -> list[tuple[str, NDArray[np.intp]]]:
    """The rows of each recipe in a block; of "" where none is named."""
    if "recipe" not in layout.old:
        return [("", np.arange(len(next(iter(block.values())))))]
    cells = block[layout.old["recipe"]]
    return [(recipe, np.flatnonzero(cells == recipe)) for recipe in dict.fromkeys(cells.tolist())]


def _places(sheet: Sheet, block: Block, layout: Layout, column: str) -> NDArray[np.int64]:
    """The seed or epoch of each row; -1 where there is none."""
    if column not in layout.old:
        return np.full(len(next(iter(block.values()))), -1)
    cells = block[layout.old[column]]
    given = cells[~np.isnan(cells)]
    low = 1 if column == "epoch" else 0
    bad = given[(given < low) | (given > 2**53) | (given != np.floor(given))]
    if len(bad):
        raise NasbenchError(f"{sheet.source}: {column} {bad[0]:g} is no whole number from {low} on")
    return np.where(np.isnan(cells), -1, cells).astype(np.int64)


def _fill(
    sheet: Sheet,
    layout: Layout,
    architectures: _Architectures,
    groups: Mapping[str, _Group],
    scratch: Scratch,
    progress: Progress,
) -> dict[str, NDArray[np.floating]]:
    """The second reading: every value in its place, by data set."""
    rows = architectures.rows()
    arrays = _arrays(sheet, layout, groups, len(rows), scratch)
    seen = {
        recipe: np.zeros((len(rows), len(group.seeds), len(group.epochs)), dtype=np.bool_)
        for recipe, group in groups.items()
    }
    for block in sheet.blocks(*layout.read_for([*layout.trained, *layout.single]), progress):
        numbers = architectures.read(block, layout)
        row = np.searchsorted(rows, numbers)
        seeds = _places(sheet, block, layout, "seed")
        epochs = _places(sheet, block, layout, "epoch")
        for recipe, at in _by_recipe(block, layout):
            group = groups[recipe]
            s = np.searchsorted(group.seeds, seeds[at])
            e = np.searchsorted(group.epochs, epochs[at])
            flat = np.ravel_multi_index((row[at], s, e), seen[recipe].shape)
            again = seen[recipe].ravel()[flat]
            again[np.setdiff1d(np.arange(len(flat)), np.unique(flat, return_index=True)[1])] = True
            if again.any():
                first = at[np.argmax(again)]
                raise _twice(sheet, int(numbers[first]), recipe, int(seeds[first]), epochs[first])
            seen[recipe].reshape(-1)[flat] = True
            for column, whole in layout.trained.items():
                values = block[layout.old[column]][at]
                name = whole or f"recipe/{recipe}/{column}"
                if (recipe or whole) and name not in layout.single:
                    arrays[name].reshape(-1)[flat] = values
                elif not np.isnan(values).all():
                    of = numbers[at[np.argmin(np.isnan(values))]]
                    why = f"and there is a column {name}" if recipe else "and names no recipe"
                    raise NasbenchError(
                        f"{sheet.source}: a row of architecture {of} has {column}, {why}"
                    )
        for column, name in layout.single.items():
            values = block[layout.old[column]]
            given = np.flatnonzero(~np.isnan(values))
            new = given[np.isnan(arrays[name][row[given]])]
            arrays[name][row[new]] = values[new]
            differs = arrays[name][row[given]] != values[given]
            if differs.any():
                raise NasbenchError(
                    f"{sheet.source}: {layout.old[column]} differs between rows of architecture "
                    f"{numbers[given[np.argmax(differs)]]}; it is one number an architecture"
                )
    return arrays


def _arrays(
    sheet: Sheet, layout: Layout, groups: Mapping[str, _Group], rows: int, scratch: Scratch
) -> dict[str, NDArray[np.floating]]:
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(layout.single.values(), (rows,))
    seen = 0
    for recipe, group in groups.items():
        whole = (rows, len(group.seeds), len(group.epochs))
        seen += int(np.prod(whole, dtype=object))
        for column, name in layout.trained.items():
            if name or recipe:
                # A whole name beside a column `recipe` has the say: its column is one number.
                shape = whole if group.curves else (rows,)
                shapes.setdefault(name or f"recipe/{recipe}/{column}", shape)
    size = seen + sum(8 * int(np.prod(shape, dtype=object)) for shape in shapes.values())
    if size > LARGEST:
        raise NasbenchError(
            f"{sheet.source} spreads over {size:,} bytes by its seeds and epochs; {LARGEST:,} at "
            f"most are written"
        )
    return {name: scratch.missing(*shape, dtype=np.float64) for name, shape in shapes.items()}


def _twice(sheet: Sheet, architecture: int, recipe: str, seed: int, epoch: int) -> NasbenchError:
    places = {"recipe": recipe or -1, "seed": seed, "epoch": epoch}
    said = "".join(f", {name} {value}" for name, value in places.items() if value != -1)
    return NasbenchError(f"{sheet.source} has two rows for architecture {architecture}{said}")


@dataclass(frozen=True, slots=True)
class _Recipe:
    epochs: list[int]
    seeds: list[int]
    seedless: bool


def _recipes(
    source: Path,
    groups: Mapping[str, _Group],
    arrays: Mapping[str, NDArray[np.floating]],
    epochs: int | None,
) -> dict[str, _Recipe]:
    """The recipes of the data sets: when their values were taken, and of which seeds."""
    recipes: dict[str, _Recipe] = {}
    undated = []
    for name in dict.fromkeys(key.split("/")[1] for key in arrays if key.startswith("recipe/")):
        group = groups.get(name, groups.get("", _Group([-1], [-1])))
        taken = group.epochs
        if taken == [-1]:
            undated.append(name)
            taken = [epochs or 0]
        seedless = group.curves and group.seeds == [-1]
        seeds = [0] if seedless else [seed for seed in group.seeds if seed != -1]
        recipes[name] = _Recipe(taken, seeds, seedless)
    if undated and epochs is None:
        raise NasbenchError(
            f"{source} does not say after how many epochs its values of recipe {undated[0]} were "
            f"taken: say it with --epochs N, or in a column `epoch`"
        )
    if len(undated) > 1:
        raise NasbenchError(
            f"{source} has no column `epoch`, and one --epochs for the recipes "
            f"{', '.join(undated)}: import them one at a time, leaving columns out with "
            f"--column OLD="
        )
    if epochs is not None and not undated:
        raise NasbenchError(f"{source} says its epochs itself: leave the option epochs out")
    return recipes
