"""Cost predictors: latency or energy of every architecture from 5 to 100 measured ones.

What is predicted is a weighted mean of models (see `nasbench.surrogate.cost_mean`); leaving
samples out says how good it is, and how wide the interval of a prediction must be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasbench.errors import BadValue
from nasbench.space import Architectures
from nasbench.stats import spearman
from nasbench.surrogate.cost_features import CostFeatures
from nasbench.surrogate.cost_mean import MANY, MEMBERS, fit_mean
from nasbench.surrogate.cost_members import FOLDS

__all__ = ["FEWEST", "CostPrediction", "predict_costs"]

Floats = NDArray[np.float64]

FEWEST = 5
"""Samples; of fewer no fold says anything."""
_CHUNK = 512
"""Architectures whose intervals are made at once: each looks at every sample."""


@dataclass(frozen=True, eq=False, slots=True)
class CostPrediction:
    """What is estimated of every architecture, and how far it can be trusted.

    Attributes:
        architectures: as they were asked for, ascending, `[n]`.
        values: estimated costs, `[n]`.
        graph: what the device most likely ran, by the samples; see `operation_counts`.
        graph_errors: by graph, the cross-validated error of its sum: the root of the mean
            squared error of the logarithm.
        weights: by member, its share in the mean.
        ratio: of XGBoost's correction, the share that is added; 0 where it is not.
        unused: sources that were not used, and why.
        samples: how many were measured.
        error: cross-validated median of |estimated / measured - 1|.
        spearman: cross-validated rank correlation.

    Example:
        >>> from nasbench.surrogate.cost_features import CostFeatures
        >>> counts = {"written": np.asarray([[1.0, n] for n in range(1, 21)])}
        >>> decisions = np.zeros((20, 1), np.float32)
        >>> features = CostFeatures(np.arange(20), counts, {}, decisions, {})
        >>> found = predict_costs(features, range(0, 20, 2), np.arange(1.5, 11.5))
        >>> found.samples, found.values.shape
        (10, (20,))
    """

    architectures: Architectures
    values: Floats
    graph: str
    graph_errors: Mapping[str, float]
    weights: Mapping[str, float]
    ratio: float
    unused: Mapping[str, str]
    samples: int
    error: float
    spearman: float
    _without: Floats  # [folds, n]: the logarithm, fitted without the fold
    _fold: NDArray[np.int64]  # [samples]
    _misses: Floats  # [samples]: of the logarithm, by the fit without the sample's fold

    def interval(self, level: float = 0.8) -> tuple[Floats, Floats]:
        """Where the costs lie that a device would measure: low and high, each `[n]`.

        Jackknife+, or CV+ beyond ten samples (Barber, Candes, Ramdas & Tibshirani, "Predictive
        Inference with the Jackknife+", Annals of Statistics 49(1), 2021), of the logarithm: for
        samples drawn at random it holds about a share `level` of the others, whatever the
        models are worth.

        Args:
            level: above 0; with n samples at most n / (n + 1).

        Raises:
            BadValue: where the samples are too few for the level.
        """
        n = self.samples
        if not 0 < level <= n / (n + 1):
            raise BadValue(
                f"{n} samples give intervals of a level above 0 and up to {n / (n + 1):.3f}, got "
                f"{level}: measure more, or ask for less"
            )
        kept = min(max(int(np.ceil(level * (n + 1) - 1e-9)), 1), n)
        low, high = np.empty_like(self.values), np.empty_like(self.values)
        for start in range(0, len(low), _CHUNK):
            part = slice(start, start + _CHUNK)
            around = self._without[self._fold, part]
            below, above = around - self._misses[:, None], around + self._misses[:, None]
            low[part] = np.partition(below, n - kept, axis=0)[n - kept]
            high[part] = np.partition(above, kept - 1, axis=0)[kept - 1]
        return np.exp(low), np.exp(high)

    def describe(self) -> dict[str, Any]:
        """All but the estimates; plain JSON values."""
        return {
            "samples": self.samples,
            "graph": self.graph,
            "graph_errors": dict(self.graph_errors),
            "weights": dict(self.weights),
            "ratio": self.ratio,
            "unused": dict(self.unused),
            "error": self.error,
            "spearman": self.spearman,
        }


def predict_costs(
    features: CostFeatures,
    architectures: ArrayLike,
    measured: ArrayLike,
    *,
    seed: int = 0,
    members: Sequence[str] = MEMBERS,
) -> CostPrediction:
    """Estimate the costs of all architectures from the measured ones.

    Args:
        features: of all, the measured ones among them.
        architectures: that were measured, distinct, `[m]`; 5 or more.
        measured: their costs, above 0, `[m]`.
        seed: of XGBoost's folds and trees.
        members: the models to take the mean of: `counts` (a sum over operations), `sources`
            (other devices), `both`; `ratio` for XGBoost on what they leave.

    Raises:
        BadValue: for too few samples, costs of 0 or less, or no member that can be fitted.

    Example:
        >>> import nasbench as nb
        >>> space = nb.space("nb201-mini")
        >>> cells = np.arange(space.size)
        >>> features = CostFeatures.make(space, cells)
        >>> truth = 2 + features.counts["reaching"] @ [0.1, 1, 4, 0.5, 0.2][-5:]
        >>> found = predict_costs(features, cells[::9], truth[::9])
        >>> found.graph, round(found.error, 2)
        ('reaching', 0.0)
    """
    asked = np.atleast_1d(np.asarray(architectures))
    costs = np.atleast_1d(np.asarray(measured, dtype=np.float64))
    if asked.shape != costs.shape or asked.ndim != 1:
        raise BadValue(f"each of {asked.size} architectures has one cost, got {costs.size}")
    if len(costs) < FEWEST:
        raise BadValue(f"costs are predicted from {FEWEST} samples or more, got {len(costs)}")
    if len(np.unique(asked)) < len(asked):
        raise BadValue("an architecture is given twice among the samples: give it one cost")
    if not (np.isfinite(costs) & (costs > 0)).all():
        raise BadValue("costs of samples are finite numbers above 0: leave out what has none")
    # By number, so that the order in which samples are given changes nothing; dealt out by a
    # generator, so that a fold is no corner of the space.
    order = np.argsort(asked, kind="stable")
    order = order[np.random.default_rng(seed).permutation(len(order))]
    rows, costs = features.places(asked[order]), costs[order]
    members = [name for name in members if name != "ratio" or len(costs) >= MANY]
    fitted = fit_mean(features, rows, costs, members, seed)
    fold = np.arange(len(rows)) % FOLDS
    without = np.empty((fold.max() + 1, len(features.architectures)))
    for number in range(len(without)):
        kept = fold != number
        without[number] = fit_mean(features, rows[kept], costs[kept], members, seed).logs
    misses = without[fold, rows] - np.log(costs)
    return CostPrediction(
        features.architectures,
        np.exp(fitted.logs),
        fitted.graph,
        fitted.graph_errors,
        fitted.weights,
        fitted.ratio,
        {**features.unused, **fitted.unused},
        len(rows),
        float(np.median(np.abs(np.expm1(misses)))),
        float(spearman(misses + np.log(costs), np.log(costs))),
        without,
        fold,
        np.abs(misses),
    )
