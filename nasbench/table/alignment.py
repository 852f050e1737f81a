"""The same number in several tables: which architectures, seeds and epochs they have together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import NasbenchError
from nasbench.space import Architectures
from nasbench.table.format import LAST, Dataset, mark_of
from nasbench.table.index import INDEX
from nasbench.table.table import Table

__all__ = [
    "Axes",
    "answered",
    "axes",
    "blocks",
    "has_seeds",
    "marks",
    "recipe_of",
    "stored",
    "take",
]

_CELLS = 1 << 18
"""Numbers of a data set that are worked on at once."""


def stored(table: Table) -> tuple[str, ...]:
    """The data sets that hold what was found out, without those that index or repeat it."""
    return tuple(
        name
        for name in table.manifest["datasets"]
        if name not in INDEX and not name.startswith(LAST)
    )


def recipe_of(name: str) -> str:
    """The recipe whose data set has this name; the empty string for one of no recipe."""
    room, _, rest = name.partition("/")
    return rest.rpartition("/")[0] if room == "recipe" else ""


def has_seeds(table: Table, name: str) -> bool:
    """Whether a data set is a recipe's `[rows, seeds, epochs]`."""
    return bool(recipe_of(name)) and len(table.manifest["datasets"][name]["shape"]) == 3


def answered(tables: Sequence[Table]) -> tuple[str, Architectures]:
    """How rows are shared by tables together, and the architectures their rows are of, ascending.

    Tables whose rows all stand for classes keep one row a class. Else each architecture that
    some table answers for has a row.
    """
    if all(table.manifest["sharing"] == "canonical" for table in tables):
        rows = [table.rows for table in tables]
        return "canonical", np.unique(np.concatenate(rows))
    return "none", np.unique(np.concatenate([table.architectures for table in tables]))


def marks(
    name: str, having: Mapping[str, Table], architectures: Architectures
) -> dict[str, Dataset]:
    """The data set that says which values of a recipe's are predicted; none where none is.

    Args:
        name: of a data set.
        having: the tables that have it, by what they are called.
        architectures: the rows of the result.

    Raises:
        NasbenchError: where tables do not say it of the same architectures.
    """
    recipe, metric = recipe_of(name), name.rpartition("/")[2]
    mark = mark_of(recipe, metric)
    if not recipe or not any(mark in stored(table) for table in having.values()):
        return {}
    found = {}
    for label, table in having.items():
        row = table.row(architectures)
        found[label] = (row >= 0) & table.predicted(metric, recipe=recipe)[row]
    (first, predicted), *others = found.items()
    for label, other in others:
        if not np.array_equal(other, predicted):
            raise NasbenchError(
                f"{name} is not predicted of the same architectures in {first} and {label} "
                f"({predicted.sum():,} and {other.sum():,}): merge tables without predictions, "
                f"which nasbench build writes where --complete is left out, and then predict the "
                f"rest with nasbench surrogate fit --complete; --from-first {name} takes all of it "
                f"from the first"
            )
    return {mark: Dataset(predicted.astype(np.uint8), {"kind": "derived"})}


@dataclass(frozen=True, slots=True)
class Axes:
    """What the axes of a data set stand for beside its rows."""

    seeds: tuple[int, ...]
    epochs: tuple[int, ...]


def axes(name: str, tables: Sequence[Table]) -> Axes | None:
    """Seeds and epochs that tables have of a data set together; None where it has no seeds.

    Seeds stay in the order in which they come, epochs ascend.
    """
    if not has_seeds(tables[0], name):
        return None
    seeds = dict.fromkeys(seed for table in tables for seed in table.seeds[recipe_of(name)])
    epochs = {e for table in tables for e in table.manifest["datasets"][name]["epochs"]}
    return Axes(tuple(seeds), tuple(sorted(epochs)))


def blocks(architectures: Architectures, numbers: int) -> Iterator[slice]:
    """Pieces of the architectures, of so many numbers each, that memory has room for."""
    step = max(1, _CELLS // max(1, numbers))
    for start in range(0, len(architectures), step):
        yield slice(start, min(start + step, len(architectures)))


def take(
    table: Table, name: str, architectures: Architectures, onto: Axes | None
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """A table's numbers of a data set, put where they belong among those of all tables.

    Args:
        table: that has the data set.
        name: of the data set.
        architectures: `[n]`.
        onto: seeds and epochs of the result; None for a data set without seeds.

    Returns:
        Values and which of them the table knows, `[n, seeds, epochs]` or `[n]`.
    """
    dataset = table.dataset(name)
    row = table.row(architectures)
    have = np.flatnonzero(row >= 0)
    if onto is None:
        shape = (len(architectures), *dataset.values.shape[1:])
        place: Any = have
    else:
        shape = (len(architectures), len(onto.seeds), len(onto.epochs))
        at_seed = np.asarray([onto.seeds.index(s) for s in table.seeds[recipe_of(name)]], int)
        at_epoch = np.asarray([onto.epochs.index(e) for e in dataset.about["epochs"]], int)
        place = np.ix_(have, at_seed, at_epoch)
    values = np.zeros(shape, dataset.values.dtype)
    known = np.zeros(shape, dtype=bool)
    values[place] = dataset.values[row[have]]
    known[place] = True
    if values.dtype.kind == "f":
        known &= ~np.isnan(values)
    return values, known
