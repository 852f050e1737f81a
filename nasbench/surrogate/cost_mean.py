"""The models of a cost and their mean.

Three models are fitted on measured costs, and a fourth where there are many: a sum over the
operations that run (non-negative least squares), what other devices say (ridge regression on
logarithms), a sum over both; from `MANY` samples on XGBoost learns the ratio that is left.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import BadValue, unknown
from nasbench.surrogate.cost_features import CostFeatures
from nasbench.surrogate.cost_members import (
    Ridge,
    Sum,
    fit_ratio,
    fit_ridge,
    fit_sum,
    left_out,
)

__all__ = ["MANY", "MEMBERS", "FittedMean", "fit_mean"]

Floats = NDArray[np.float64]

MEMBERS = ("counts", "sources", "both", "ratio")
"""A sum over operations, other devices, a sum over both; XGBoost on what they leave."""
MANY = 50
"""Samples from which on XGBoost is tried: of fewer it knows less than what it corrects."""

_COUNTS_PENALTY = 1e-4
_BOTH_PENALTY = 3e-3
_LEAST = 0.05
"""Of the median: a network folded to a constant runs in no time, and would rule the fit."""
_FAINTEST = 0.01
"""Of the median of a source, likewise."""
_WORST = 2.0
"""Of the logarithm: an error beyond this counts as this where members are weighed."""
_OF_MEMBERS = 0.5
"""Power of the mean squared error by whose inverse members weigh: hardly, but for exact ones."""
_OF_GRAPHS = 2.0
"""Power by whose inverse graphs weigh: what ran is one of them, and which shows slowly."""
_EXACT = 1e-6
"""Added to mean squared errors, so that a perfect member has a finite weight."""


@dataclass(frozen=True, eq=False, slots=True)
class FittedMean:
    """The mean of the fitted members.

    Attributes:
        logs: logarithms of the costs of all architectures, `[n]`.
        graph: what most likely ran: the name of its counts.
        graph_errors: by graph, the cross-validated error of the sum over its counts: root mean
            square, of the logarithm.
        weights: by member, its share.
        ratio: the share of XGBoost's correction that is added.
        unused: sources that some sample lacks.
    """

    logs: Floats
    graph: str
    graph_errors: Mapping[str, float]
    weights: Mapping[str, float]
    ratio: float
    unused: Mapping[str, str]


@dataclass(frozen=True, eq=False, slots=True)
class _FittedMember:
    """A fitted model with what it says of all architectures, and of samples it did not see."""

    logs: Floats
    left_out: Floats
    error: float


def fit_mean(
    features: CostFeatures,
    rows: NDArray[np.int64],
    costs: Floats,
    members: Sequence[str],
    seed: int,
) -> FittedMean:
    """Fit the members on measured costs.

    The graph is the one whose sums, with and without other devices, have the smallest
    cross-validated error. Ten samples often do not tell which it is: sums are taken over each,
    and weigh by the inverse of their squared errors.

    Args:
        features: of all architectures.
        rows: places of the measured ones, `[m]`.
        costs: above 0, `[m]`.
        members: some of `MEMBERS`.
        seed: of XGBoost.

    Raises:
        BadValue: where no member can be fitted.
    """
    for name in members:
        if name not in MEMBERS:
            raise unknown("member of a cost predictor", name, MEMBERS)
    costs = np.maximum(costs, _LEAST * np.median(costs))
    sources, unused = _usable(features, rows)
    sums = {g: _of_sum(x, rows, costs, _COUNTS_PENALTY) for g, x in features.counts.items()}
    blamed = {g: one.error for g, one in sums.items()}
    counted, _ = _blend(sums, _OF_GRAPHS, costs)
    known = {"counts": counted}
    if sources.size:
        joined = {g: np.hstack([x, sources]) for g, x in features.counts.items()}
        both = {g: _of_sum(x, rows, costs, _BOTH_PENALTY) for g, x in joined.items()}
        blamed = {g: error + both[g].error for g, error in blamed.items()}
        known["sources"] = _of_sources(sources, rows, costs)
        known["both"], _ = _blend(both, _OF_GRAPHS, costs)
    chosen = {name: one for name, one in known.items() if name in members}
    if not chosen:
        raise BadValue("no other device is known: costs can be predicted from counts alone")
    mean, weights = _blend(chosen, _OF_MEMBERS, costs)
    # Where another device lacks an architecture, its operations are all that is known of it.
    logs = np.where(np.isnan(mean.logs), counted.logs, mean.logs)
    share = 0.0
    if "ratio" in members:
        x = np.hstack([*features.counts.values(), features.decisions, np.log(sources)])
        correction = fit_ratio(x[rows], np.log(costs) - mean.left_out, seed)
        if correction is not None:
            logs, share = logs + correction.predict(x), correction.share
    return FittedMean(
        logs,
        min(blamed, key=lambda graph: blamed[graph]),
        {graph: float(np.sqrt(one.error)) for graph, one in sums.items()},
        weights,
        share,
        unused,
    )


def _usable(features: CostFeatures, rows: NDArray[np.int64]) -> tuple[Floats, dict[str, str]]:
    """The sources that know every sample, `[n, sources]`, and why others are left out."""
    found, unused = [], {}
    for name, column in features.sources.items():
        if lacking := int(np.isnan(column[rows]).sum()):
            unused[name] = f"it lacks {lacking} of {len(rows)} samples"
        else:
            found.append(np.maximum(column, _FAINTEST * np.nanmedian(column)))
    if not found:
        return np.empty((len(features.architectures), 0)), unused
    return np.stack(found, axis=1), unused


def _blend(
    members: Mapping[str, _FittedMember], power: float, costs: Floats
) -> tuple[_FittedMember, dict[str, float]]:
    """The mean of members, and their weights: the inverse of their error to a power."""
    weights = np.asarray([(one.error + _EXACT) ** -power for one in members.values()])
    weights /= weights.sum()
    seen = weights @ np.stack([one.left_out for one in members.values()])
    logs = weights @ np.stack([one.logs for one in members.values()])
    said = dict(zip(members, weights.tolist(), strict=True))
    return _FittedMember(logs, seen, _error(seen, costs)), said


def _error(left_out: Floats, costs: Floats) -> float:
    """The mean squared error of logarithms; one far off counts as one of `_WORST`."""
    misses = np.clip(left_out - np.log(costs), -_WORST, _WORST)
    return float(np.mean(misses**2))


def _of_sum(x: Floats, rows: NDArray[np.int64], costs: Floats, penalty: float) -> _FittedMember:
    """A sum over the columns of `[n, columns]`."""
    return _fitted(partial(fit_sum, penalty=penalty), x, rows, costs)


def _of_sources(sources: Floats, rows: NDArray[np.int64], costs: Floats) -> _FittedMember:
    """Ridge regression on the logarithms of other devices, each of mean 0 and variance 1."""
    logs = np.log(sources)
    spread = np.nanstd(logs, axis=0)
    scaled = (logs - np.nanmean(logs, axis=0)) / np.where(spread > 0, spread, 1.0)
    return _fitted(fit_ridge, scaled, rows, costs)


def _fitted(
    fit: Callable[[Floats, Floats], Sum | Ridge], x: Floats, rows: NDArray[np.int64], costs: Floats
) -> _FittedMember:
    seen = left_out(fit, x[rows], costs)
    return _FittedMember(fit(x[rows], costs).predict(x), seen, _error(seen, costs))
