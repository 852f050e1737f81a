"""Fitting the meta-learner on part of a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench._defaults import SHARE
from nasbench._limits import LARGEST_SEED
from nasbench._version import __version__
from nasbench.errors import BadValue, NasbenchError, shown, unknown
from nasbench.space import Architectures
from nasbench.surrogate.document import FORMAT, VERSION
from nasbench.surrogate.features import Features, stand_ins
from nasbench.surrogate.predictors import predictor
from nasbench.surrogate.surrogate import Surrogate
from nasbench.surrogate.targets import to_scale, unit_of
from nasbench.surrogate.trees import pack_model
from nasbench.surrogate.tuning import fit_members, tune
from nasbench.surrogate.uncertainty import Calibration, LocalSpread
from nasbench.table import Table, trained_column, trained_values
from nasbench.table.metrics import COSTS_ALONE, is_test

__all__ = ["fit", "target_of"]

LARGEST_TARGET = 1e15
"""Of a value that is fitted: trees sum up its squares in float32."""

Floats = NDArray[np.float64]


def fit(
    table: Table,
    *,
    recipe: str | None = None,
    train: float | int | Architectures = SHARE,
    seed: int = 0,
    features: Sequence[str] | None = None,
    metric: str | None = None,
) -> Surrogate:
    """Fit a surrogate on a random part of a table.

    It predicts a metric and, where they are known, the seconds of training; test metrics are
    never among its targets.

    Args:
        table: to fit on.
        recipe: to predict; may be left out where the table has one, or the metric is of none.
        train: how many rows, or which share of them, to fit on; or these very architectures,
            of those that were trained.
        seed: of the choice of rows, of folds and of the trees; 0 or more.
        features: what models see, see `Features.make`.
        metric: of the recipe; or a cost, `<device>/<metric_unit>`, a count of the network or
            `proxy/<name>`. What `Table.primary` says where left out.

    Example:
        >>> import nasbench as nb
        >>> table = nb.load("nb201-fashion16")
        >>> nb.surrogate.fit(table, train=20, metric="parameters").primary
        'parameters'
    """
    import xgboost

    if not 0 <= seed <= LARGEST_SEED:
        raise BadValue(f"the seed of a surrogate is 0 or more and below 2**32, got {shown(seed)}")
    recipe, target = target_of(table, recipe, metric)
    chosen = _chosen(table, recipe, target, train, seed)
    seen = Features.make(table, features, recipe, target)
    trained = {
        metric: trained_values(table, metric, chosen, recipe=recipe)
        for metric in dict.fromkeys((target, "train_seconds"))
        if metric == target or metric in table.metrics.get(recipe, ())
    }
    metrics = {
        metric: _fit_metric(table, metric, chosen, values, seen, seed)
        for metric, values in trained.items()
        if np.isfinite(values).any()
    }
    document = {
        "format": FORMAT,
        "version": VERSION,
        "space": dict(table.space.describe()),
        "table": {"name": table.name, "sha256": table.sha256},
        "recipe": recipe,
        "epochs": 1 if recipe == COSTS_ALONE else table.manifest["recipes"][recipe]["epochs"],
        "seed": seed,
        "features": seen.describe(),
        "trained_on": chosen.tolist(),
        "versions": {"nasbench": __version__, "xgboost": xgboost.__version__},
        "metrics": metrics,
    }
    return Surrogate(document)


def target_of(
    table: Table, recipe: str | None = None, metric: str | None = None
) -> tuple[str, str]:
    """The recipe and the metric that are predicted where these are asked for.

    A cost is of no recipe: without one, or one of several, it is of `COSTS_ALONE`.

    Raises:
        NasbenchError: for what the table does not have, and test metrics; and without a metric
            where nothing was validated.
    """
    rooms = ("device/", "network/", "proxy/")
    found = [name for name in table.manifest["datasets"] if name.startswith(rooms)]
    costs = [n if n.startswith("proxy/") else n.partition("/")[2] for n in found]
    of_none = not table.recipes or (metric in costs and len(table.recipes) > 1)
    chosen = COSTS_ALONE if of_none and recipe in (None, COSTS_ALONE) else table.recipe(recipe)
    target = metric or table.primary(chosen if table.recipes else None)
    if target is None and not table.recipes:
        target = next(iter(costs), None)
    if target is None:
        raise NasbenchError(
            f"{table.name} has no metric of the validation split in recipe {chosen}: that is what "
            f"a surrogate predicts where no metric is named, and it is never fitted on test metrics"
        )
    if is_test(target):
        raise BadValue(f"{target} is of the test split, on which a surrogate is never fitted")
    known = [*table.metrics.get(chosen, ()), *costs]
    if target not in known:
        raise unknown("metric", target, [name for name in known if not is_test(name)])
    return chosen, target


def _chosen(
    table: Table, recipe: str, target: str, train: float | int | Architectures, seed: int
) -> Architectures:
    """The architectures to fit on, ascending."""
    rows = table.space.check(table.rows)
    candidates = rows[np.isfinite(trained_column(table, target, recipe=recipe))]
    if isinstance(train, np.ndarray):
        n = len(train)
        if not np.isin(train, candidates).all():
            raise NasbenchError(f"{table.name} does not hold the training of all of these {n} rows")
    elif isinstance(train, float):
        if not 0 < train <= 1:
            raise NasbenchError(
                f"the share of rows to fit on is above 0 and at most 1, got {train}"
            )
        n = round(train * len(candidates))
    else:
        n = train
    if not 2 <= n <= len(candidates):
        raise NasbenchError(
            f"a surrogate is fitted on 2 to {len(candidates)} trained rows of {table.name}, got {n}"
        )
    if isinstance(train, np.ndarray):
        return np.unique(train)
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    return np.sort(rng.choice(candidates, size=n, replace=False))


def _fit_metric(
    table: Table,
    metric: str,
    chosen: Architectures,
    trained: Floats,
    seen: Features,
    seed: int,
) -> dict[str, Any]:
    """What a document says of one metric, by its trainings `[chosen, seeds]`."""
    known = np.isfinite(trained).any(1)
    chosen, trained = chosen[known], trained[known]
    x = seen.of(chosen)
    mean = np.nanmean(trained, axis=1)
    _check_target(table, metric, mean)
    y = to_scale(metric, mean)
    method = predictor("xgboost")
    if metric.endswith("_seconds"):  # follow from the operations closely: nothing is to be tuned
        method = replace(method, grid=method.grid[:1], members=1)
    unit = unit_of(metric, y)
    tuned = tune(method, x, y / unit, stand_ins(table.space, chosen), seed)
    members = fit_members(method, tuned.settings, x, y / unit, seed)
    out_of_fold = tuned.out_of_fold * unit
    return {
        "settings": dict(tuned.settings),
        "kendall_out_of_fold": None if math.isnan(tuned.kendall) else tuned.kendall,
        "members": [pack_model(member, unit) for member in members],
        "calibration": Calibration.fit(out_of_fold, to_scale(metric, trained)).describe(),
        "seed_noise": seed_noise(trained).describe(),
    }


def _check_target(table: Table, metric: str, mean: Floats) -> None:
    largest = float(np.abs(mean).max())
    if largest > (100 if metric.endswith("accuracy") else LARGEST_TARGET):
        raise NasbenchError(
            f"{table.name} has a {metric} of {largest:g}, of which no model can learn: leave such "
            f"rows out (percent are 100 at most)"
        )


def seed_noise(trained: Floats) -> LocalSpread:
    """Standard deviation between seeds along the mean, of `[architectures, seeds]`.

    Nothing is known where no architecture has two seeds.
    """
    seeds = np.isfinite(trained).sum(1)
    mean = np.nanmean(trained, axis=1)
    squares = np.nansum((trained - mean[:, None]) ** 2, axis=1)
    return LocalSpread.fit(mean, squares, seeds - 1)
