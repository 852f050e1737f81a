"""What a table knows of architectures before they are trained to the end, as features."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import NasbenchError
from nasbench.space import Architectures
from nasbench.table import Table, load, trained_column
from nasbench.table.metrics import of_measuring

__all__ = ["TABLE_FEATURES", "table_columns"]

Column = tuple[Architectures, NDArray[np.float64]]
"""Architectures `[n]` and what is known of them `[n]`; NaN is missing."""

TABLE_FEATURES = ("proxies", "network", "devices", "early", "table")
"""Features that come from tables: test accuracy is in none of them."""


def table_columns(
    table: Table, name: str, predicted: str | None, metric: str | None = None
) -> list[Column]:
    """The columns of a feature that comes from a table.

    Args:
        table: whose cells are predicted.
        name: `proxies` (every `proxy/<name>`); `network` (its counts: parameters, flops);
            `devices` (all costs), `devices:NAME` (those of one);
            `early:RECIPE@E` (the primary metric of a recipe at the epochs up to E that the
            table knows; without `@E` all of them, for a cheaper recipe); `table:PATH` or
            `table:PATH@RECIPE` (the last of another task's table, by name or path).
        predicted: the recipe whose end is predicted, and so no feature.
        metric: that is predicted: a cost is left out of the feature that would hold it.
    """
    kind, _, rest = name.partition(":")
    if kind == "early":
        return _early(table, rest, predicted)
    if kind == "table":
        return _other(table, rest)
    rooms = {"proxies": "proxy/", "network": "network/", "devices": "device/"}
    room = rooms[kind] + (f"{rest}/" if rest else "")
    found = [
        _column(table, table.dataset(dataset).values)
        for dataset in table.manifest["datasets"]
        if dataset not in (metric, f"device/{metric}", f"network/{metric}")
        if dataset.startswith(room) and not of_measuring(dataset)
        if table.dataset(dataset).values.ndim == 1
    ]
    if not found:
        raise NasbenchError(f"{table.name} holds nothing for the feature {name}")
    return found


def _early(table: Table, said: str, predicted: str | None) -> list[Column]:
    recipe, at, last = said.partition("@")
    if not recipe or (at and not last.isdigit()):
        raise NasbenchError(f"an early learning curve is early:RECIPE@EPOCH, got early:{said}")
    metric = _metric(table, table.recipe(recipe))
    taken = table.epochs(metric, recipe=recipe)
    chosen = [epoch for epoch in taken if not at or epoch <= int(last)]
    if not chosen:
        raise NasbenchError(
            f"{table.name} knows {metric} of {recipe} from epoch {taken[0]} on, not by {last}"
        )
    if recipe == predicted and chosen[-1] == table.manifest["recipes"][recipe]["epochs"]:
        raise NasbenchError(f"early:{said} holds what is to be predicted: end it sooner")
    return [
        _column(table, trained_column(table, metric, recipe=recipe, epoch=epoch))
        for epoch in chosen
    ]


def _other(table: Table, said: str) -> list[Column]:
    path, _, recipe = said.rpartition("@") if "@" in said else (said, "", "")
    other = load(path)
    if other.sha256 == table.sha256:
        raise NasbenchError(f"table:{said} is what is to be predicted: name another task's table")
    if other.space.describe() != table.space.describe():
        raise NasbenchError(
            f"{other.name} is of {other.space.name}, {table.name} of {table.space.name}"
        )
    chosen = other.recipe(recipe or None)
    return [_column(other, trained_column(other, _metric(other, chosen), recipe=chosen))]


def _metric(table: Table, recipe: str) -> str:
    metric = table.primary(recipe)
    if metric is None:
        raise NasbenchError(f"{table.name} has no metric of the validation split in {recipe}")
    return metric


def _column(table: Table, values: NDArray[np.floating]) -> Column:
    return table.space.check(table.rows), np.asarray(values, dtype=np.float64)
