"""What cost predictors are worth: fitted on few rows of a known column, scored on the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench._progress import Progress, silent
from nasbench.errors import BadValue, unknown
from nasbench.stats import Summary, spearman, summarize
from nasbench.surrogate.cost import FEWEST, predict_costs
from nasbench.surrogate.cost_features import CostFeatures
from nasbench.surrogate.cost_tables import cost_sources
from nasbench.surrogate.predictors import predictor
from nasbench.table import Table

__all__ = ["COST_PREDICTORS", "HELP", "CostScores", "score_costs"]

Floats = NDArray[np.float64]

COST_PREDICTORS: Mapping[str, tuple[str, ...]] = {
    "cost": ("counts", "sources", "both", "ratio"),
    "cost_counts": ("counts",),
    "cost_sources": ("sources",),
    "cost_both": ("both",),
    "best_source": (),
    "xgboost": (),
}
"""By name, the members of a cost predictor; `best_source` is the device whose column ranks the
samples best, `xgboost` sees the decisions alone."""

HELP: Mapping[str, float] = {
    "titan_rtx_256": 0.987,
    "gold_6226": 0.989,
    "pixel2": 0.802,
    "raspi4": 0.890,
    "eyeriss": 0.940,
    "fpga": 0.985,
}
"""Spearman's rho that HELP reaches on NAS-Bench-201 with 10 samples and nine other devices.

Lee et al., "HELP: Hardware-Adaptive Efficient Latency Prediction for NAS via Meta-Learning",
NeurIPS 2021.
"""

LEVEL = 0.8
"""Of the intervals whose coverage is scored."""


@dataclass(frozen=True, slots=True)
class CostTrial:
    """One draw: how well a predictor did on the rows that it was not fitted on.

    Attributes:
        predictor: its name.
        size: rows fitted on.
        draw: which random choice of them.
        measures: `spearman`; `error`, the median of |predicted / measured - 1|; `coverage` of
            intervals, NaN where the predictor has none.
        graph: what the device seems to have run; empty where the predictor does not say.
    """

    predictor: str
    size: int
    draw: int
    measures: Mapping[str, float]
    graph: str = ""


@dataclass(frozen=True, slots=True)
class CostScores:
    """All draws, and what they were of: `about` has table, metric, sources, rows and sizes."""

    about: Mapping[str, Any]
    trials: tuple[CostTrial, ...]

    def summary(self, name: str, size: int, measure: str) -> Summary:
        """A measure over the draws: its mean with the bootstrap interval (95 %)."""
        return summarize([t.measures[measure] for t in self._of(name, size)])

    def graphs(self, size: int) -> dict[str, int]:
        """How many draws of the predictor `cost` found each graph."""
        found = [t.graph for t in self._of("cost", size) if t.graph]
        return {graph: found.count(graph) for graph in dict.fromkeys(found)}

    def _of(self, name: str, size: int) -> list[CostTrial]:
        return [t for t in self.trials if (t.predictor, t.size) == (name, size)]

    def describe(self) -> dict[str, Any]:
        """Everything by name; plain JSON values."""
        scores = [
            {
                "predictor": name,
                "size": size,
                **{
                    measure: self.summary(name, size, measure).describe()
                    for measure in ("spearman", "error", "coverage")
                    if np.isfinite(self._of(name, size)[0].measures[measure])
                },
                **({"graphs": self.graphs(size)} if name == "cost" else {}),
            }
            for name in self.about["predictors"]
            for size in self.about["sizes"]
        ]
        return {**self.about, "scores": scores}


def score_costs(
    table: Table,
    metric: str,
    sizes: Sequence[int],
    *,
    draws: int = 10,
    predictors: Sequence[str] = ("cost",),
    sources: Sequence[str] | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> CostScores:
    """Fit cost predictors on few rows of a device's column, score them on all others.

    Every predictor sees the same rows.

    Args:
        table: with the column.
        metric: `<device>/<metric_unit>`.
        sizes: rows fitted on, 5 or more.
        draws: random choices of them.
        predictors: names of `COST_PREDICTORS`.
        sources: other devices of the table; all that have the metric where left out, and none
            where empty.
        seed: of the draws.
        progress: called after each draw.
    """
    device, _, cost = metric.rpartition("/")
    column = table.device_column(device, cost)
    for name in predictors:
        if name not in COST_PREDICTORS:
            raise unknown("cost predictor", name, COST_PREDICTORS)
    known = cost_sources(table, cost, sources, without=device)
    features = CostFeatures.make(table.space, table.rows, sources=known)
    order = np.searchsorted(features.architectures, table.rows)
    costs = np.empty_like(column)
    costs[order] = column
    usable = np.flatnonzero(np.isfinite(costs) & (costs > 0))
    chosen = sorted(set(sizes))
    if not chosen or chosen[0] < FEWEST or chosen[-1] > len(usable) - FEWEST:
        raise BadValue(
            f"{metric} is known of {len(usable)} rows: sizes are {FEWEST} to "
            f"{max(len(usable) - FEWEST, 0)}, got {', '.join(map(str, chosen)) or 'none'}"
        )
    about = {
        "table": table.name,
        "sha256": table.sha256,
        "space": table.space.name,
        "metric": metric,
        "rows": len(usable),
        "sources": list(features.sources),
        "predictors": list(predictors),
        "sizes": chosen,
        "draws": draws,
        "seed": seed,
        "level": LEVEL,
    }
    trials: list[CostTrial] = []
    for size in chosen:
        for draw in range(draws):
            rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(draw,)))
            rows = rng.permutation(usable)[:size]
            others = np.setdiff1d(usable, rows)
            for name in predictors:
                trials.append(_trial(name, features, costs, rows, others, size, draw))
            progress("fitting", len(trials), len(chosen) * draws * len(predictors))
    return CostScores(about, tuple(trials))


def _trial(
    name: str,
    features: CostFeatures,
    costs: Floats,
    rows: NDArray[np.int64],
    others: NDArray[np.int64],
    size: int,
    draw: int,
) -> CostTrial:
    graph, coverage = "", np.nan
    if members := COST_PREDICTORS[name]:
        found = predict_costs(
            features, features.architectures[rows], costs[rows], seed=draw, members=members
        )
        low, high = found.interval(min(LEVEL, size / (size + 1)))
        inside = (low <= costs) & (costs <= high)
        coverage, graph, predicted = float(inside[others].mean()), found.graph, found.values
    else:
        predicted = _BASELINES[name](features, rows, costs[rows], draw)
    measures = {
        "spearman": float(spearman(predicted[others], costs[others])),
        "error": float(np.median(np.abs(predicted[others] / costs[others] - 1))),
        "coverage": coverage,
    }
    return CostTrial(name, size, draw, measures, graph)


def _best_source(
    features: CostFeatures, rows: NDArray[np.int64], costs: Floats, seed: int
) -> Floats:
    """The column of the device that ranks the samples best, of their scale."""
    ranks = {name: spearman(column[rows], costs) for name, column in features.sources.items()}
    if not ranks:
        raise BadValue("best_source needs another device: the table has none with this metric")
    best = features.sources[max(ranks, key=lambda name: np.nan_to_num(ranks[name], nan=-1.0))]
    scale = np.exp(np.mean(np.log(costs) - np.log(best[rows])))
    return np.asarray(best * scale)


def _by_decisions(
    features: CostFeatures, rows: NDArray[np.int64], costs: Floats, seed: int
) -> Floats:
    """XGBoost on the decisions, of the logarithm."""
    method = predictor("xgboost")
    model = method.make(method.grid[0], seed)
    model.fit(features.decisions[rows], np.log(costs))
    return np.exp(np.asarray(model.predict(features.decisions), dtype=np.float64))


_BASELINES: Mapping[str, Callable[[CostFeatures, NDArray[np.int64], Floats, int], Floats]] = {
    "best_source": _best_source,
    "xgboost": _by_decisions,
}
