"""Beside regret: what it takes to get there, how new a find is, what transfer saves."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasbench.errors import BadValue, unknown
from nasbench.search.comparison import Comparison
from nasbench.space import Space
from nasbench.stats import Estimate, wilson_interval

__all__ = ["Adaptation", "Novelty", "Toll", "novelty", "time_to_adapt", "toll"]

RESAMPLES = 1_000
AXES = ("evaluations", "seconds")


@dataclass(frozen=True, slots=True)
class Toll:
    """What it takes a strategy to come within some regret.

    Attributes:
        within: the regret.
        share: of the runs that came so near at any time, with Wilson's interval (95 %).
        evaluations: expected evaluations until one does, were runs repeated until it does:
            all that the runs spent before, divided by those that came near. Infinite where none
            did; the bootstrap interval over runs (95 %).
        seconds: likewise, in simulated seconds.

    Example:
        >>> import nasbench as nb
        >>> from nasbench.search.measures import toll
        >>> table = nb.load("nb201-fashion16")
        >>> found = nb.compare(["random_search"], table, budget_evaluations=30, seeds=range(3))
        >>> toll(found, "random_search", within=2).share.value
        1.0
    """

    within: float
    share: Estimate
    evaluations: Estimate
    seconds: Estimate


@dataclass(frozen=True, eq=False, slots=True)
class Novelty:
    """How far what was found is from what was known.

    Attributes:
        distance: in how many decisions each found architecture differs from the nearest known
            one, int64 `[found]`; 0 where it computes the same function.
        rarity: how rare its motifs are among the known ones, in bits, float64 `[found]`: the mean
            of -log2 of the share that has the same choices in two decisions, over all pairs of
            decisions. One bit more is half as frequent.
        usual: the mean rarity of the known ones themselves.

    Example:
        >>> found = Novelty(np.asarray([0, 2]), np.asarray([1.0, 0.25]), usual=1.5)
        >>> found.distance.tolist()
        [0, 2]
    """

    distance: NDArray[np.int64]
    rarity: NDArray[np.float64]
    usual: float


@dataclass(frozen=True, slots=True)
class Adaptation:
    """What knowing earlier tasks saves on a new one.

    Attributes:
        without: what it takes without.
        with_: what it takes with.
        seconds: the time to adapt with, as a share of that without; below 1 transfer saves. The
            bootstrap interval (95 %) is over the runs of both; NaN where either never got there.

    Example:
        >>> from nasbench.stats import Estimate
        >>> whole = Estimate(1.0, 0.9, 1.0, 50)
        >>> took = [Toll(0.5, whole, whole, Estimate(s, s, s, 50)) for s in (600.0, 200.0)]
        >>> Adaptation(*took, Estimate(200 / 600, 0.3, 0.4, 50)).seconds.n
        50
    """

    without: Toll
    with_: Toll
    seconds: Estimate


def toll(comparison: Comparison, strategy: str, within: float) -> Toll:
    """What it takes a strategy to come within some regret, in evaluations and seconds.

    The expected running time of Hansen et al. ("COCO: a platform for comparing continuous
    optimizers in a black-box setting", Optimization Methods and Software 36, 2021), of a strategy
    that is started again wherever a budget ends without success.

    Args:
        comparison: with regret.
        strategy: one that ran.
        within: regret, in its unit.

    Raises:
        NasbenchError: for a strategy that did not run, or a comparison without regret.

    Example:
        >>> import nasbench as nb
        >>> found = nb.compare(
        ...     ["random_search"], "nb201-fashion16", budget_evaluations=20, seeds=range(10)
        ... )
        >>> toll(found, "random_search", 5.0).share.value
        1.0
    """
    spent, there = _spent(comparison, strategy, within)
    n = len(there)
    low, high = wilson_interval(there.mean(), n)
    share = Estimate(float(there.mean()), float(low), float(high), n)
    expected = [_expected(spent[axis], there) for axis in AXES]
    return Toll(within, share, *expected)


def time_to_adapt(
    without: Comparison, with_: Comparison, strategy: str, within: float
) -> Adaptation:
    """Simulated seconds to the same regret on a task, with what earlier tasks know and without.

    Args:
        without: runs that begin from nothing.
        with_: runs of the same strategy on the same table that know earlier tasks, as by
            `start` or `warm_start` (`nasbench guide transfer`).
        strategy: that ran in both.
        within: regret, in its unit.

    Raises:
        NasbenchError: for comparisons on two tables.

    Example:
        >>> import nasbench as nb
        >>> same = {"budget_evaluations": 30, "seeds": range(3)}
        >>> without = nb.compare(["random_search"], "nb201-fashion16", **same)
        >>> begun = nb.compare(["random_search"], "nb201-fashion16", start=[435], **same)
        >>> time_to_adapt(without, begun, "random_search", within=0.5).with_.evaluations.value
        1.0
    """
    if without.table.sha256 != with_.table.sha256:
        raise BadValue("time to adapt is of one task: both comparisons must be on one table")
    (cold, cold_there), (warm, warm_there) = (
        _spent(of, strategy, within) for of in (without, with_)
    )
    drawn = [
        _resampled(spent["seconds"], there, np.random.default_rng(seed))
        for seed, (spent, there) in enumerate(((cold, cold_there), (warm, warm_there)))
    ]
    tolls = toll(without, strategy, within), toll(with_, strategy, within)
    before, after = (of.seconds.value for of in tolls)
    known = math.isfinite(before) and math.isfinite(after) and before > 0
    with np.errstate(invalid="ignore"):  # of resamples in which neither got there
        low, high = _ends(drawn[1] / drawn[0]) if known else (math.nan, math.nan)
    ratio = after / before if known else math.nan
    return Adaptation(*tolls, Estimate(ratio, low, high, min(len(cold_there), len(warm_there))))


def novelty(space: Space, found: ArrayLike, known: ArrayLike) -> Novelty:
    """How far architectures are from known ones, and how rare what they are made of is there.

    Architectures are compared in the form that stands for all that compute the same function, by
    their decisions: of cells that is the number of edges whose operations differ.

    Args:
        space: of all.
        found: by a search, int `[found]`.
        known: before it, int `[known]`: published ones, or the best of an earlier table.

    Raises:
        NasbenchError: where either is empty.

    Example:
        >>> import nasbench as nb
        >>> space = nb.space("nb201")
        >>> best = space.index(
        ...     "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|"
        ...     "+|skip_connect~0|nor_conv_3x3~1|nor_conv_1x1~2|"
        ... )
        >>> novelty(space, [best], [best, 0]).distance.tolist()
        [0]
    """
    new, old = (_decisions(space, of) for of in (found, known))
    distance = np.asarray([(old != one).sum(1).min() for one in new], dtype=np.int64)
    rarity, usual = np.zeros(len(new)), 0.0
    pairs = list(combinations(range(new.shape[1]), 2)) or [(0, 0)]
    for first, second in pairs:
        a, b = (of[:, first] * (1 + np.int64(256) ** 2) + of[:, second] for of in (old, new))
        values, counts = np.unique(a, return_counts=True)
        # One is added to each motif that there is and to all others together: nothing is infinite.
        bits = -np.log2((counts + 1) / (len(a) + len(values) + 1))
        unseen = math.log2(len(a) + len(values) + 1)
        place = np.minimum(np.searchsorted(values, b), len(values) - 1)
        rarity += np.where(values[place] == b, bits[place], unseen) / len(pairs)
        usual += float(counts @ bits) / len(a) / len(pairs)
    return Novelty(distance, rarity, usual)


def _decisions(space: Space, architectures: ArrayLike) -> NDArray[np.int64]:
    given = np.atleast_1d(np.asarray(architectures))
    if not given.size:
        raise BadValue("novelty is of architectures that were found beside ones that were known")
    ops: NDArray[np.int64] = space.ops(space.canonical(given)).astype(np.int64)
    return ops


def _spent(
    comparison: Comparison, strategy: str, within: float
) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.bool_]]:
    """What each run spent until it came so near, or in all, by axis; and whether it did."""
    if strategy not in comparison.traces:
        raise unknown("strategy of the comparison", strategy, comparison.traces)
    if not comparison.has_regret:
        raise BadValue("what it takes to come near needs regret: name a report recipe that has it")
    traces = comparison.traces[strategy]
    spent = {axis: np.empty(len(traces)) for axis in AXES}
    there = np.zeros(len(traces), dtype=bool)
    for run, trace in enumerate(traces):
        near = comparison.lookup.regret(trace.incumbents()) <= within
        there[run] = near.any()
        last = int(near.argmax()) if near.any() else len(near) - 1
        for axis in AXES:
            spent[axis][run] = trace.reached(axis)[last]
    return spent, there


def _expected(spent: NDArray[np.float64], there: NDArray[np.bool_]) -> Estimate:
    value = float(spent.sum() / there.sum()) if there.any() else math.inf
    low, high = _ends(_resampled(spent, there, np.random.default_rng(0)))
    return Estimate(value, low, high, len(there))


def _resampled(
    spent: NDArray[np.float64], there: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Expected running times of bootstrap resamples of the runs; infinite where none got there."""
    drawn = rng.integers(len(there), size=(RESAMPLES, len(there)))
    reached = there[drawn].sum(1)
    # Also where nothing was spent, as in a table without training times.
    return np.where(reached > 0, spent[drawn].sum(1) / np.maximum(reached, 1), np.inf)


def _ends(drawn: NDArray[np.float64]) -> tuple[float, float]:
    """The quantiles that leave 2.5 % on either side, of values that may be infinite."""
    ordered = np.sort(np.where(np.isnan(drawn), np.inf, drawn))
    places = (len(ordered) * np.asarray((0.025, 0.975))).astype(int)
    low, high = ordered[places].tolist()
    return low, high
