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
    """A metric of every row without predictions: float64 `[rows]`.

    Args:
        table: to read.
        metric: of the recipe, as `Table.column` takes it; or what no training tells: a count of
            the network, `<device>/<metric_unit>` or `proxy/<name>`.
        recipe: may be left out where the table has one, or the metric is of none.
        epoch: of a recipe's metric, after how many; -1 is the last.

    Example:
        >>> from nasbench.table import load
        >>> trained_column(load("nb201-fashion16"), "valid_accuracy").shape
        (5234,)
    """
    alone = _alone(table, metric)
    if alone is not None:
        return alone
    column = table.column(metric, recipe=recipe, epoch=epoch)
    return np.where(table.predicted(metric, recipe=recipe), np.nan, column)


def trained_seeds(table: Table, metric: str, *, recipe: str | None = None) -> Floats:
    """Each training's value at the recipe's end: float64 `[rows, seeds]`.

    A metric that is kept as one number, or that no training tells, is one column.

    Example:
        >>> from nasbench.table import load
        >>> trained_seeds(load("nb201-fashion16"), "valid_accuracy").shape
        (5234, 3)
    """
    alone = _alone(table, metric)
    if alone is not None:
        return alone[:, None]
    recipe = table.recipe(recipe)
    if not table.has_seeds(metric, recipe=recipe):
        return trained_column(table, metric, recipe=recipe)[:, None]
    seeds = [table.column(metric, recipe=recipe, seed=seed) for seed in table.seeds[recipe]]
    predicted = table.predicted(metric, recipe=recipe)[:, None]
    return np.where(predicted, np.nan, np.stack(seeds, axis=1))


def trained_values(
    table: Table, metric: str, architectures: ArrayLike, *, recipe: str | None = None
) -> Floats:
    """`trained_seeds` of architectures: float64 `[n, seeds]`; NaN of those without a row.

    Example:
        >>> from nasbench.table import load
        >>> trained_values(load("nb201-fashion16"), "valid_accuracy", [435]).round(2).tolist()
        [[86.86, 87.56, 87.32]]
    """
    found = trained_seeds(table, metric, recipe=recipe)
    rows = table.row(architectures)
    return np.where((rows >= 0)[:, None], found[rows], np.nan)


def trained_means(
    table: Table, metric: str, architectures: ArrayLike, *, recipe: str | None = None
) -> Floats:
    """`trained_column` of architectures: float64 `[n]`; NaN of those without a row.

    Example:
        >>> from nasbench.table import load
        >>> trained_means(load("nb201-fashion16"), "valid_accuracy", [435, 5]).round(2).tolist()
        [87.25, 85.41]
    """
    found = trained_column(table, metric, recipe=recipe)
    rows = table.row(architectures)
    return np.where(rows >= 0, found[rows], np.nan)


def _alone(table: Table, metric: str) -> Floats | None:
    """The column of what no training tells; None of a recipe's metric."""
    room, _, name = metric.rpartition("/")
    if room in table.devices:
        return table.device_column(room, name)
    if room == "proxy" or f"network/{metric}" in table.manifest["datasets"]:
        return table.column(metric)
    return None
