"""What trainings gave of a table in which a model may have predicted the rest, NaN there.

What a model predicted teaches and judges no other model.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasbench.table.table import Table

__all__ = ["trained_column", "trained_means", "trained_seeds", "trained_values"]

Floats = NDArray[np.float64]


def trained_column(
    table: Table, metric: str, *, recipe: str | None = None, epoch: int = -1
) -> Floats:
    """`Table.column` of a recipe's metric without predictions: float64 `[rows]`."""
    column = table.column(metric, recipe=recipe, epoch=epoch)
    return np.where(table.predicted(metric, recipe=recipe), np.nan, column)


def trained_seeds(table: Table, metric: str, *, recipe: str | None = None) -> Floats:
    """Each training's value at the recipe's end: float64 `[rows, seeds]`.

    A metric that is kept as one number is one column.
    """
    recipe = table.recipe(recipe)
    if not table.has_seeds(metric, recipe=recipe):
        return trained_column(table, metric, recipe=recipe)[:, None]
    seeds = [table.column(metric, recipe=recipe, seed=seed) for seed in table.seeds[recipe]]
    predicted = table.predicted(metric, recipe=recipe)[:, None]
    return np.where(predicted, np.nan, np.stack(seeds, axis=1))


def trained_values(
    table: Table, metric: str, architectures: ArrayLike, *, recipe: str | None = None
) -> Floats:
    """`trained_seeds` of architectures: float64 `[n, seeds]`; NaN of those without a row."""
    found = trained_seeds(table, metric, recipe=recipe)
    rows = table.rows_of(architectures)
    return np.where((rows >= 0)[:, None], found[rows], np.nan)


def trained_means(
    table: Table, metric: str, architectures: ArrayLike, *, recipe: str | None = None
) -> Floats:
    """`trained_column` of architectures: float64 `[n]`; NaN of those without a row."""
    found = trained_column(table, metric, recipe=recipe)
    rows = table.rows_of(architectures)
    return np.where(rows >= 0, found[rows], np.nan)
