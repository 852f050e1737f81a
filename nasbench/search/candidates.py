"""What can be chosen from: rows of a table that have all that is asked for, and their limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import BadValue
from nasbench.search.goal import Limit, is_test, more_is_better
from nasbench.search.oracle import column_of, declared_direction
from nasbench.stats import same_pick
from nasbench.table import Table, trained_seeds

__all__ = ["Candidates"]

Floats = NDArray[np.float64]

DRAWS = 200
"""Of seeds, to see how often the same is picked."""


@dataclass(frozen=True, eq=False, slots=True)
class _Column:
    """A metric of every row: its mean over seeds, and each seed where there are several."""

    mean: Floats
    seeds: Floats | None

    @property
    def n(self) -> int:
        """How many seeds there are."""
        return 1 if self.seeds is None else int(self.seeds.shape[1])

    def drawn(self, rows: NDArray[np.int64], seed: NDArray[np.int64]) -> Floats:
        """Rows, `[n]`, by a seed of each, `[n]`; the mean where that is missing."""
        if self.seeds is None:
            return self.mean[rows]
        own = self.seeds[rows, seed % self.n]
        return np.where(np.isfinite(own), own, self.mean[rows])


class Candidates:
    """The rows of a table that have all that is asked for, and those that keep the limits.

    Args:
        table: to choose from.
        weighed: metrics that say what is better.
        limits: on these or other metrics.
        recipe: of the metrics, where the table has several.

    Attributes:
        table: as given.
        weighed: as given.
        listed: rows of the table that have all the metrics, `[n]`.
        maximize: of each weighed metric, whether more is better.
        means: of the weighed metrics, `[n, weighed]`.
        kept: which keep the limits, bool `[n]`.

    Raises:
        NasbenchError: for unknown metrics, those of the test split, and limits that no row keeps.
    """

    def __init__(
        self, table: Table, weighed: tuple[str, ...], limits: tuple[Limit, ...], recipe: str | None
    ) -> None:
        self.table, self.weighed, self.limits = table, weighed, limits
        names = dict.fromkeys((*weighed, *(limit.metric for limit in limits)))
        self._columns = {name: self._column(name, recipe) for name in names}
        whole = np.isfinite(np.stack([c.mean for c in self._columns.values()])).all(0)
        self.listed = np.flatnonzero(whole)
        self.maximize = [_more_is_better(table, name) for name in weighed]
        if not len(self.listed):
            raise BadValue(f"no row of {table.name} has {' and '.join(names)}")
        means = {name: column.mean[self.listed] for name, column in self._columns.items()}
        self.means = np.stack([means[name] for name in weighed], axis=1)
        self.kept = self._keeps(means)
        if not self.kept.any():
            said = " and ".join(str(limit) for limit in limits)
            ranges = ", ".join(
                f"{name} is {means[name].min():g} to {means[name].max():g}"
                for name in dict.fromkeys(limit.metric for limit in limits)
            )
            raise BadValue(f"no row of {table.name} keeps {said}: {ranges}")

    def _column(self, name: str, recipe: str | None) -> _Column:
        if is_test(name):
            raise BadValue(f"{name} is kept for the report: no choice may see it")
        room, _, metric = name.rpartition("/")
        table = self.table
        of = room if room in table.recipes else recipe
        metric = metric if room in table.recipes else name
        alone = bool(room and room not in table.recipes)
        if alone or f"network/{name}" in table.manifest["datasets"]:
            return _Column(column_of(table, name, ""), None)
        chosen = table.recipe(of)
        mean = column_of(table, metric, chosen)
        seeds = trained_seeds(table, metric, recipe=chosen)
        return _Column(mean, seeds if seeds.shape[1] > 1 else None)

    def _keeps(self, values: Mapping[str, Floats]) -> NDArray[np.bool_]:
        """Which keep all limits."""
        kept = np.ones(len(self.listed), dtype=np.bool_)
        for limit in self.limits:
            kept &= limit.kept(values[limit.metric])
        return kept

    def over_seeds(
        self, pick: Callable[[Floats, NDArray[np.bool_]], int], rng: np.random.Generator
    ) -> dict[int, float]:
        """By architecture, how often it is picked where one seed stands for each row.

        Empty where nothing has seeds. A seed that is missing is the row's mean; limits are judged
        by the seeds, too.

        Args:
            pick: of values `[n, weighed]` and which keep the limits, `[n]`, the place.
            rng: draws the seeds.
        """
        most = max((column.n for column in self._columns.values()), default=1)
        if most < 2:
            return {}
        picks = []
        for _ in range(DRAWS):
            seed = rng.integers(0, most, len(self.listed))
            values = {name: c.drawn(self.listed, seed) for name, c in self._columns.items()}
            keeps = self._keeps(values)
            if keeps.any():
                picks.append(pick(np.stack([values[n] for n in self.weighed], axis=1), keeps))
        return self.named(same_pick(picks)) if picks else {}

    def architecture(self, place: int) -> int:
        """The architecture at a place."""
        return int(self.table.rows[self.listed[place]])

    def values(self, place: int) -> dict[str, float]:
        """All metrics at a place, by name."""
        return {name: float(c.mean[self.listed[place]]) for name, c in self._columns.items()}

    def place(self, architecture: int | str) -> int:
        """The place of an architecture among those that have all."""
        space = self.table.space
        number = space.parse(architecture) if isinstance(architecture, str) else int(architecture)
        row = int(self.table.row(number))
        if row < 0 or row not in self.listed:
            raise BadValue(
                f"{self.table.name} does not know {' and '.join(self._columns)} of the reference "
                f"{space.string(number)}"
            )
        return int(np.searchsorted(self.listed, row))

    def named(self, shares: Mapping[int, float]) -> dict[int, float]:
        """Shares by place as shares by architecture."""
        return {self.architecture(place): share for place, share in shares.items()}


def _more_is_better(table: Table, name: str) -> bool:
    """By what the table says of the column, else by the metric's name."""
    declared = declared_direction(table, name)
    return more_is_better(name) if declared is None else declared
