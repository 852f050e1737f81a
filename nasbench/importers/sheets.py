"""Importing a spreadsheet: a csv or parquet file, one table row to some of its rows.

A row of the sheet is an architecture, or one of its trainings, or an epoch of one. Its columns:

- `architecture`: the space's number or string of it, all of one kind and read as `Space.parse`
  reads it; or `number` or `string`, which say what they are; a string beside a number is
  checked against it. Without any of them, a column for each of the space's decisions;
- `recipe`, `seed`, `epoch`: which training the row is of, and after how many epochs;
- metrics of a recipe, `valid_accuracy`, `train_seconds`, ... (see `quantities`): of the recipe
  in the column `recipe` or of the option `recipe`. A whole name, `<recipe>/<metric>`, says its
  recipe itself; beside a column `recipe` it is one number an architecture;
- `<device>/<metric_unit>`, `parameters`, `flops`, `proxy/<name>`: one number an architecture, on
  one of its rows or the same on several. A plain `latency_ms` is of the option `device`.

Names of data sets (`recipe/<recipe>/<metric>`, `device/<device>/<metric_unit>`) are read, too.

A column `canonical`, as `nasbench dump` writes it, and the row numbers that pandas writes are not
read. An empty cell is a missing value. Numbers become the float64 next to what is written.

A seed whose rows or values end before the last epoch ended early; see `nasbench.table.endings`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nasbench._files import utf8
from nasbench._progress import Progress
from nasbench.errors import BadValue
from nasbench.importers.contract import Contents, check_task
from nasbench.importers.quantities import check_name, told_by
from nasbench.importers.seconds import check_meaning
from nasbench.importers.settling import settle
from nasbench.importers.sheetcells import SheetArchitectures, by_recipe, places
from nasbench.importers.sheetfile import SheetFile, open_sheet, shown
from nasbench.importers.sheetlayout import PLACES, Layout, lay_out
from nasbench.importers.sheetvalues import Group, fill
from nasbench.space import get
from nasbench.table.format import Dataset
from nasbench.table.scratch import Scratch

__all__ = ["OPTIONS", "SheetOptions", "read"]

MOST_RECIPES = 64
"""Of one sheet: each takes room for every row."""

_SEEDLESS = (
    "the source names no seeds of recipe {}: its curves stand as seed 0, be each of one training "
    "or a mean"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetOptions:
    """What the user says of a sheet.

    Attributes:
        space: the name of the architectures' space.
        recipe: the recipe that the metrics are of, where no column says it.
        device: the device that the costs are of, where their columns do not say it.
        epochs: after how many epochs the metrics were taken, where no column says it.
        columns: `OLD=NEW` takes the sheet's column OLD for NEW, `OLD=` leaves it out.
        task: what was trained on.
        seconds: `cumulative` or `per-epoch`, which are summed; see `settle_seconds`.
        factors: `COLUMN=NUMBER` multiplies the column's values: fractions by 100, minutes by 60.
        average_repeats: whether several rows for one thing stand for their mean.
        separator: of csv, between cells; found out where it is left out.
        decimal: of csv, the decimal mark; `.` where it is left out.
        na: of csv, further words for a missing number.

    Raises:
        NasbenchError: for epochs below 1, and another word for seconds.
    """

    space: str
    recipe: str | None = None
    device: str | None = None
    epochs: int | None = None
    columns: Sequence[str] = ()
    task: str | None = None
    seconds: str | None = None
    factors: Sequence[str] = ()
    average_repeats: bool = False
    separator: str | None = None
    decimal: str | None = None
    na: Sequence[str] = ()

    def __post_init__(self) -> None:
        check_meaning(self.seconds)
        if self.epochs is not None and self.epochs < 1:
            raise BadValue(f"a metric is taken after 1 epoch or more, not after {self.epochs}")


OPTIONS = SheetOptions
"""Where the options of the kinds that this module reads are looked up."""


def read(source: Path, scratch: Scratch, progress: Progress, options: SheetOptions) -> Contents:
    """The sheet in `source`; see this module for its columns. It is read repeatedly, in blocks.

    Args:
        source: the file, csv or parquet (told apart by its first bytes).
        scratch: where the arrays go.
        progress: called with what was read.
        options: what the user says of it.

    Raises:
        NasbenchError: naming the column, the line or the architecture that is not as it should be.
    """
    of = get(options.space)
    sheet = open_sheet(source, separator=options.separator, decimal=options.decimal, na=options.na)
    layout = lay_out(sheet, of, options.columns, options.factors, options.recipe, options.device)
    architectures = SheetArchitectures(of, sheet, layout)
    groups = _groups(sheet, layout, architectures, progress)
    rows = architectures.rows()
    if not len(rows):
        raise BadValue(f"{source} has no rows")
    average = options.average_repeats
    filled = fill(sheet, layout, architectures, groups, scratch, progress, average_repeats=average)
    # A column that other recipes fill has no numbers in this one.
    arrays = {
        name: values
        for name, values in filled.arrays.items()
        if values.ndim != 3 or not np.isnan(values).all()
    }
    recipes = _recipes(source, groups, filled.arrays, options.epochs)
    taken = {name: recipe_.epochs for name, recipe_ in recipes.items()}
    settled = settle(arrays, taken, rows, options.seconds)
    datasets = {
        name: Dataset(of_.values, {"kind": "imported", **told_by(name), **of_.about})
        for name, of_ in settled.items()
    }
    seedless = [name for name, recipe_ in recipes.items() if recipe_.seedless]
    return Contents(
        name=utf8(source.stem),
        space=of,
        rows=rows,
        recipes={n: {"epochs": r.epochs[-1], "seeds": r.seeds} for n, r in recipes.items()},
        datasets=datasets,
        devices={name.split("/")[1]: {} for name in datasets if name.startswith("device/")},
        missing=[*filled.missing, *(gap for of_ in settled.values() for gap in of_.gaps)],
        task=check_task(options.task),
        licence="unknown",
        citation="unknown",
        notes={"numbering": _SEEDLESS.format(", ".join(seedless))} if seedless else {},
        said=_said(sheet, layout, filled.said, options.seconds),
    )


def _said(
    sheet: SheetFile, layout: Layout, filled: Sequence[str], seconds: str | None
) -> tuple[str, ...]:
    """How the sheet was read, as far as that is not plain from it."""
    names = [name or "(no name)" for name in layout.not_read]
    said = [*sheet.said, *filled]
    said += [f"{column[:80]} is multiplied by {by:g}" for column, by in layout.factors.items()]
    if seconds == "per-epoch":
        said.append("seconds are of each epoch, and were summed")
    if names:
        said.append(f"columns not read ({len(names):,}): {shown(names)}")
    return tuple(said)


def _groups(
    sheet: SheetFile, layout: Layout, architectures: SheetArchitectures, progress: Progress
) -> dict[str, Group]:
    """The first reading: what architectures, recipes, seeds and epochs there are."""
    found: dict[str, tuple[set[int], set[int]]] = {}
    for start, block in sheet.blocks(*layout.read_for(()), progress):
        architectures.read(block, start)
        for recipe, at in by_recipe(block, layout):
            seeds, epochs = found.setdefault(recipe, (set(), set()))
            if len(found) > MOST_RECIPES:
                raise BadValue(
                    f"{sheet.source} names more than {MOST_RECIPES} recipes: is "
                    f"{layout.old['recipe']} the column that says the recipe?"
                )
            for into, column in zip((seeds, epochs), PLACES, strict=True):
                into.update(np.unique(places(sheet, block, start, layout, column)[at]).tolist())
    for recipe, numbers_of in found.items():
        if recipe:
            check_name(f"recipe/{recipe}/valid_accuracy")
        for column, numbers in zip(PLACES, numbers_of, strict=True):
            if -1 in numbers and len(numbers) > 1:
                of = f" of recipe {recipe}" if recipe else ""
                raise BadValue(f"{sheet.source}: rows{of} with and without {column}")
    return {name: Group(sorted(seeds), sorted(epochs)) for name, (seeds, epochs) in found.items()}


@dataclass(frozen=True, slots=True)
class _SheetRecipe:
    epochs: list[int]
    seeds: list[int]
    seedless: bool


def _recipes(
    source: Path,
    groups: Mapping[str, Group],
    arrays: Mapping[str, NDArray[np.floating]],
    epochs: int | None,
) -> dict[str, _SheetRecipe]:
    """The recipes of the data sets: when their values were taken, and of which seeds."""
    recipes: dict[str, _SheetRecipe] = {}
    undated = []
    for name in dict.fromkeys(key.split("/")[1] for key in arrays if key.startswith("recipe/")):
        group = groups.get(name, groups.get("", Group([-1], [-1])))
        taken = group.epochs
        if taken == [-1]:
            undated.append(name)
            taken = [epochs or 0]
        seedless = group.curves and group.seeds == [-1]
        seeds = [0] if seedless else [seed for seed in group.seeds if seed != -1]
        recipes[name] = _SheetRecipe(taken, seeds, seedless)
    if undated and epochs is None:
        raise BadValue(
            f"{source} does not say after how many epochs its values of recipe {undated[0]} were "
            f"taken: say it with --epochs N, or in a column `epoch`"
        )
    if len(undated) > 1:
        raise BadValue(
            f"{source} has no column `epoch`, and one --epochs for the recipes "
            f"{', '.join(undated)}: import them one at a time, leaving columns out with "
            f"--column OLD="
        )
    if epochs is not None and not undated:
        why = "says its epochs itself" if recipes else "has no metric of a recipe"
        raise BadValue(f"{source} {why}: leave the option epochs out")
    return recipes
