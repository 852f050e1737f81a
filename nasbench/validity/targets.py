"""What a table measured that scores can be held against."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import NasbenchError, unknown
from nasbench.table import Table, direction, trained_column, trained_seeds
from nasbench.table.metrics import of_measuring
from nasbench.validity.measures import FEWEST_RANKED, RankTarget

__all__ = ["every_target", "is_valid", "targets_of"]

Floats = NDArray[np.float64]


def targets_of(table: Table, names: Sequence[str] = ()) -> dict[str, RankTarget]:
    """What scores can be held against; see `judge`. The longest recipe and valid come first."""
    every = every_target(table)
    for name in names:
        if name not in every:
            raise unknown(f"metric of {table.name}", name, every)
    if names:
        return {name: every[name]() for name in names}
    usual = {name: make() for name, make in every.items() if _is_usual(table, name)}
    found = {
        name: target
        for name, target in usual.items()
        if np.isfinite(target.values).sum() >= FEWEST_RANKED
    }
    if not found:
        raise NasbenchError(
            f"{table.name} holds nothing that scores could be held against: join it with a table "
            f"of trainings (nasbench merge)"
        )
    return found


def every_target(table: Table) -> dict[str, Callable[[], RankTarget]]:
    """What makes each target: seeds of a large table are read for those that are asked for."""
    recipes = sorted(table.recipes, key=lambda r: -table.manifest["recipes"][r]["epochs"])
    every: dict[str, Callable[[], RankTarget]] = {}
    for recipe in recipes:
        last = table.manifest["recipes"][recipe]["epochs"]
        for metric in sorted(table.metrics[recipe], key=lambda m: not m.startswith("valid")):
            if last in table.epochs(metric, recipe=recipe):
                every[f"{recipe}/{metric}"] = partial(_trained, table, recipe, metric)
    for device in table.devices:
        for metric in table.manifest["devices"][device]["kinds"]:
            every[f"{device}/{metric}"] = partial(_cost, table, device, metric)
    return every


def _is_usual(table: Table, name: str) -> bool:
    """Whether a target is judged where none is named."""
    of, _, metric = name.rpartition("/")
    if of in table.recipes:
        return metric in ("valid_accuracy", "test_accuracy")
    return not of_measuring(metric)


def _trained(table: Table, recipe: str, metric: str) -> RankTarget:
    return RankTarget(
        f"{recipe}/{metric}",
        trained_column(table, metric, recipe=recipe),
        maximize=direction(metric) != "min",
        of_seeds=_of_seeds(table, metric, recipe),
    )


def _cost(table: Table, device: str, metric: str) -> RankTarget:
    column = table.device_column(device, metric)
    return RankTarget(f"{device}/{metric}", column, maximize=direction(metric) == "max")


def _of_seeds(table: Table, metric: str, recipe: str) -> Floats | None:
    if not table.has_seeds(metric, recipe=recipe):
        return None
    return trained_seeds(table, metric, recipe=recipe)


def is_valid(name: str) -> bool:
    """Whether a target is of the validation split, to which a combination may be fitted."""
    return name.endswith("/valid_accuracy")
