"""What a page judges a table's architectures by, and how it writes that."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nasbench._words import counted, rounded
from nasbench.stats import SeedNoise, seed_noise
from nasbench.table import Table, direction, trained_seeds

__all__ = ["Judged"]


@dataclass(frozen=True, eq=False, slots=True)
class Judged:
    """A metric of a recipe, at its end, over the rows of a table.

    Attributes:
        table: of the rows.
        recipe: that was trained.
        metric: see `Table.primary`.
        column: its value of each row, float64 `[rows]`; NaN where it is missing.
        sign: 1 where more is better, -1 where less is.
    """

    table: Table
    recipe: str
    metric: str
    column: NDArray[np.float64]
    sign: float

    @classmethod
    def of(cls, table: Table, recipe: str | None) -> Judged | None:
        """The recipe's primary metric; None where the table has none, or no value of it."""
        metric = table.primary(recipe) if recipe in table.recipes else None
        if recipe is None or metric is None:
            return None
        column = table.column(metric, recipe=recipe)
        if not np.isfinite(column).any():
            return None
        return cls(table, recipe, metric, column, -1.0 if direction(metric) == "min" else 1.0)

    @property
    def accuracy(self) -> bool:
        """Whether it is in percent."""
        return self.metric.endswith("accuracy")

    @property
    def short(self) -> str:
        """As titles call it: `accuracy`, `miou`."""
        return self.metric.removeprefix("valid_").replace("_", " ")

    @property
    def words(self) -> str:
        """As sentences call it: `validation accuracy`."""
        return self.metric.replace("valid_", "validation_", 1).replace("_", " ")

    @property
    def label(self) -> str:
        """As axes call it: `validation accuracy, %`."""
        return f"{self.words}, %" if self.accuracy else self.words

    def text(self, value: float) -> str:
        """A value as it is written: 91.20 %, or 0.0456."""
        return f"{value:.2f} %" if self.accuracy else rounded(value)

    @property
    def noise(self) -> SeedNoise | None:
        """What seeds leave uncertain of it among the best rows; None where no row has two."""
        if not self.table.has_seeds(self.metric, recipe=self.recipe):
            return None
        seeds = trained_seeds(self.table, self.metric, recipe=self.recipe)
        found = seed_noise(self.sign * seeds)
        return found if math.isfinite(found.floor) else None

    @property
    def best(self) -> float:
        """The best value that there is."""
        return float(self.sign * np.nanmax(self.sign * self.column))

    def beside_best(self) -> str:
        """A sentence on the rows that the seeds' noise does not tell from the best, if known."""
        if self.noise is None:
            return ""
        floor = self.noise.floor
        near = int((self.sign * self.column >= self.sign * self.best - floor).sum()) - 1
        within = f"{floor:.2f} points" if self.accuracy else rounded(floor, 3)
        if not near:
            return f" No other is within the noise of the seeds ({within})."
        return (
            f" {near:,} {'other is' if near == 1 else 'others are'} within the noise of the seeds "
            f"({within}): which of them is truly the best cannot be told."
        )

    def bulk(self, values: NDArray[np.float64]) -> float:
        """Where an axis of them ends, so that a few that learnt nothing do not stretch it."""
        low, high = np.nanquantile(self.sign * values, (0.05, 1.0))
        return float(self.sign * (low - 0.1 * (high - low)))

    def beyond(self, values: NDArray[np.float64], end: float) -> str:
        """A sentence on the rows that such an axis leaves out."""
        count = int((self.sign * values < self.sign * end).sum())
        side = "less" if self.sign > 0 else "more"
        shown = f"{end:.1f} %" if self.accuracy else rounded(end)
        are = "is" if count == 1 else "are"
        return f" {counted(count, 'row')} of {side} than {shown} {are} not shown." if count else ""
