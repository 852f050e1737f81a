"""A table as lines and columns, a piece at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import NasbenchError, unknown
from nasbench.space import Architectures
from nasbench.table.alignment import has_seeds, recipe_of, stored
from nasbench.table.format import Dataset
from nasbench.table.metrics import metric_name
from nasbench.table.table import Table

__all__ = ["PER", "Sheet", "check_single_numbers", "epochs_of", "spread"]

PER = ("architecture", "seed", "epoch")
"""What a line can stand for."""


@dataclass(frozen=True, slots=True)
class _Span:
    """The lines of one recipe among those of an architecture: each seed, at each epoch."""

    recipe: str
    seeds: tuple[int, ...]
    epochs: tuple[int, ...]

    @property
    def lines(self) -> int:
        return len(self.seeds) * len(self.epochs)


class Sheet:
    """What each line and each column holds.

    Args:
        table: what is written.
        per: what a line stands for, one of `PER`.

    Attributes:
        table: what is written.
        architectures: that the table answers for, ascending; each has as many lines.
        lines: of one architecture: by recipe, seed and epoch.
        names: of the columns.

    Raises:
        NasbenchError: for an unknown `per`, and for data that a sheet has no place for.
    """

    def __init__(self, table: Table, per: str) -> None:
        if per not in PER:
            raise unknown("line, per", per, PER)
        check_single_numbers(table)
        self.table = table
        self.architectures: Architectures = table.architectures
        self._trained: dict[str, Dataset] = {}
        self._once: dict[str, Dataset] = {}
        for name in stored(table):
            dataset = table.dataset(name)
            if has_seeds(table, name):
                last = table.manifest["recipes"][recipe_of(name)]["epochs"]
                if dataset.values.size and (per == "epoch" or last in dataset.about["epochs"]):
                    self._trained[name] = dataset
            elif dataset.values.ndim == 1:
                self._once[name] = dataset
            elif name.startswith("proxy_draws/"):
                continue  # of which `proxy/...` is the mean
            else:
                raise NasbenchError(
                    f"{name} holds several numbers for an architecture, for which a sheet has no "
                    f"place; npz has"
                )
        self._spans: list[_Span] = []
        if per != "architecture":
            for recipe in dict.fromkeys(map(recipe_of, self._trained)):
                last = table.manifest["recipes"][recipe]["epochs"]
                epochs = epochs_of(table, recipe) if per == "epoch" else (last,)
                self._spans.append(_Span(recipe, table.seeds[recipe], epochs))
        self.lines = sum(span.lines for span in self._spans) or 1
        metrics = dict.fromkeys(name.rpartition("/")[2] for name in self._trained)
        self._metrics = tuple(metrics) if self._spans else ()
        self._canonical = table.manifest["sharing"] == "canonical"
        self.names = (
            *("architecture", "string"),
            *(("canonical",) if self._canonical else ()),
            *(("recipe", "seed", "epoch") if self._spans else ()),
            *self._metrics,
            *map(metric_name, (*(() if self._spans else self._trained), *self._once)),
        )

    def columns(self, architectures: Architectures) -> list[NDArray[Any]]:
        """The columns of these architectures' lines, in the order of `names`.

        Args:
            architectures: some of the sheet's, `[n]`.

        Returns:
            Each `[n * lines]`: text as objects, whole numbers, or floating ones.
        """
        rows = self.table.row(architectures)
        strings = [self.table.space.string(a) for a in architectures.tolist()]
        once: list[NDArray[Any]] = [_numbers(architectures), np.asarray(strings, dtype=object)]
        if self._canonical:
            once.append(_numbers(self.table.rows[rows]))
        means = () if self._spans else self._trained
        found = [
            *(self._mean_at_last(name, rows) for name in means),
            *(dataset.values[rows] for dataset in self._once.values()),
        ]
        return [
            *(np.repeat(column, self.lines) for column in once),
            *(np.tile(column, len(rows)) for column in self._keys()),
            *(self._by_line(metric, rows) for metric in self._metrics),
            *(np.repeat(column, self.lines) for column in found),
        ]

    def _keys(self) -> list[NDArray[Any]]:
        """Recipe, seed and epoch of an architecture's lines."""
        keys = [
            (span.recipe, seed, epoch)
            for span in self._spans
            for seed in span.seeds
            for epoch in span.epochs
        ]
        types: tuple[type, ...] = (object, np.int64, np.int64)
        return [np.asarray(k, t) for k, t in zip(zip(*keys, strict=True), types, strict=False)]

    def _mean_at_last(self, name: str, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """The mean over the seeds that exist at a recipe's last epoch."""
        column = self.table.column(name.rpartition("/")[2], recipe=recipe_of(name))
        return column[rows]

    def _by_line(self, metric: str, rows: NDArray[np.int64]) -> NDArray[Any]:
        """A metric of all recipes, NaN in the lines at which it was not taken."""
        parts = []
        for span in self._spans:
            dataset = self._trained.get(f"recipe/{span.recipe}/{metric}")
            if dataset is None:
                parts.append(np.full((len(rows), span.lines), np.nan, np.float32))
            else:
                whole = spread(dataset.values[rows], dataset.about["epochs"], span.epochs)
                parts.append(whole.reshape(len(rows), span.lines))
        return np.concatenate(parts, axis=1).ravel()


def epochs_of(table: Table, recipe: str) -> tuple[int, ...]:
    """After how many epochs a recipe shows any metric, its last among them, ascending."""
    taken = {int(table.manifest["recipes"][recipe]["epochs"])}
    for metric in table.metrics[recipe]:
        taken.update(table.epochs(metric, recipe=recipe))
    return tuple(sorted(taken))


def check_single_numbers(table: Table) -> None:
    """Refuse numbers without seeds that are not of the last epoch: other formats cannot say so."""
    for recipe in table.recipes:
        last = table.manifest["recipes"][recipe]["epochs"]
        for metric in table.metrics[recipe]:
            epochs = table.epochs(metric, recipe=recipe)
            if not table.has_seeds(metric, recipe=recipe) and epochs != (last,):
                raise NasbenchError(
                    f"recipe/{recipe}/{metric} has one number, of epoch {epochs[-1]}: other "
                    f"formats have a place for one at the recipe's last epoch, {last}, only"
                )


def spread(
    values: NDArray[Any], taken: Sequence[int], epochs: Sequence[int]
) -> NDArray[np.floating[Any]]:
    """Curves `[n, seeds, taken]` at other epochs, `[n, seeds, epochs]`; NaN where not taken."""
    if list(taken) == list(epochs):
        return values
    dtype = np.promote_types(values.dtype, np.float32)
    whole = np.full((*values.shape[:2], len(epochs)), np.nan, dtype)
    both = [epoch for epoch in epochs if epoch in taken]
    places = [epochs.index(epoch) for epoch in both]
    whole[:, :, places] = values[:, :, [taken.index(epoch) for epoch in both]]
    return whole


def _numbers(architectures: Architectures) -> NDArray[Any]:
    """Architectures as a column; as text where no format's integers hold them."""
    if architectures.dtype.kind != "O":
        return architectures
    return np.asarray([str(one) for one in architectures.tolist()], dtype=object)
