"""How well zero-cost scores rank architectures: over all, and where searches end, among the best.

Figures over all architectures mislead: most scores tell a network that cannot learn from one
that can, and few tell good ones apart. So every figure here is also given within the best half,
tenth and hundredth, beside what a score adds to the size of the network, and beside what the
noise of training seeds leaves to be reached.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from nasbench.errors import NasbenchError
from nasbench.stats import (
    Estimate,
    draw_truths,
    expected_incumbent,
    kendall_ceiling,
    partial_spearman,
    reliability_of_mean,
    seed_agreement,
    spearman,
    spearman_ceiling,
)
from nasbench.stats.interval import FEWEST
from nasbench.validity.correlation import RESAMPLES, bootstrap, kendall, pearson

__all__ = [
    "FEWEST_RANKED",
    "SCOPES",
    "RankTarget",
    "Scope",
    "Top",
    "Validity",
    "validate",
]

SCOPES = {"all": 1.0, "best half": 0.5, "best tenth": 0.1, "best hundredth": 0.01}
"""Which share of the architectures figures are over, the best by what is to be ranked."""

FEWEST_RANKED = 3
"""Architectures; two are always ranked right or wrong, and say nothing."""

TOPS = (1, 10, 100, 1000)
"""How many architectures one would train that a score puts first."""

_Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class RankTarget:
    """What scores are to rank.

    Attributes:
        name: `<recipe>/<metric>` or `<device>/<metric_unit>`.
        values: of each row, float64 `[rows]`, the mean over seeds; NaN where it is missing.
        maximize: whether more is better.
        of_seeds: the values by seed, `[rows, seeds]`, NaN where one is missing; None where they
            are kept without seeds.

    Example:
        >>> import numpy as np
        >>> RankTarget("raspi4/latency_ms", np.asarray([5.0, 3.0]), maximize=False).maximize
        False
    """

    name: str
    values: _Values
    maximize: bool
    of_seeds: _Values | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Scope:
    """How scores rank some of the architectures.

    Attributes:
        n: how many.
        figures: by measure (`spearman`, `kendall`, `pearson`, `partial`) and score. Correlations
            are with the value itself: with a cost, a score that prefers dear networks has a
            positive one. `partial` is Spearman's given parameters and FLOPs; it is left out where
            those are not known.
        ceilings: by measure, what a perfect prediction of the mean over infinitely many seeds
            could reach, with the seeds there are; for rank correlations, where seeds are known.
    """

    n: int
    figures: Mapping[str, Mapping[str, Estimate]]
    ceilings: Mapping[str, Estimate]

    def describe(self) -> dict[str, Any]:
        """By name; plain JSON values."""
        return {
            "n": self.n,
            "figures": {m: _described(found) for m, found in self.figures.items()},
            "ceilings": _described(self.ceilings),
        }


@dataclass(frozen=True, slots=True)
class Top:
    """What the k architectures hold that a score puts first.

    Attributes:
        precision: the share of them that are among the k best.
        rank: of the best of them among all architectures, from 1.
        regret: what the best of them lacks to the best of all, in the unit of the metric.
    """

    precision: Estimate
    rank: Estimate
    regret: Estimate

    def describe(self) -> dict[str, Any]:
        """By name; plain JSON values."""
        return _described({name: getattr(self, name) for name in self.__slots__})


@dataclass(frozen=True, eq=False, slots=True)
class Validity:
    """What scores are worth for one target.

    Attributes:
        target: what they are to rank.
        rows: over which all scores are compared: those that every score and the target have.
        scopes: by name, those of `SCOPES` that hold `FEWEST_RANKED` architectures.
        tops: by k and score.
        chance: by k, what k architectures drawn at random would hold; exact.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> target = RankTarget("12ep/valid_accuracy", rng.normal(size=200), maximize=True)
        >>> found = validate({"perfect": target.values}, target)
        >>> found.scopes["all"].figures["spearman"]["perfect"].value
        1.0
    """

    target: RankTarget
    rows: NDArray[np.int64]
    scopes: Mapping[str, Scope]
    tops: Mapping[int, Mapping[str, Top]]
    chance: Mapping[int, Mapping[str, float]]

    def describe(self) -> dict[str, Any]:
        """By name; plain JSON values."""
        return {
            "n": len(self.rows),
            "maximize": self.target.maximize,
            "scopes": {name: scope.describe() for name, scope in self.scopes.items()},
            "top": {
                str(k): {name: top.describe() for name, top in found.items()}
                for k, found in self.tops.items()
            },
            "chance": {str(k): dict(found) for k, found in self.chance.items()},
        }


def validate(
    scores: Mapping[str, _Values], target: RankTarget, sizes: _Values | None = None
) -> Validity:
    """Say how well scores rank architectures by a target.

    All scores are compared over the same rows. The best half, tenth and hundredth are the
    target's.

    Args:
        scores: by name, of each row, float64 `[rows]`, the higher the better; NaN is missing.
        target: what is to be ranked.
        sizes: parameters and FLOPs of each row, `[rows, 2]`; None where they are not known.

    Raises:
        NasbenchError: where fewer than `FEWEST_RANKED` rows have all of it.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> target = RankTarget("12ep/valid_accuracy", rng.normal(size=200), maximize=True)
        >>> found = validate({"noisy": target.values + rng.normal(size=200)}, target)
        >>> 0.5 < found.scopes["all"].figures["spearman"]["noisy"].value < 0.9
        True
    """
    merit = target.values if target.maximize else -target.values
    columns = np.stack(list(scores.values()), axis=1)
    known = np.isfinite(columns).all(1) & np.isfinite(merit)
    if sizes is not None:
        known &= np.isfinite(sizes).all(1)
    rows = np.flatnonzero(known)
    if (valued := int(np.isfinite(merit).sum())) < FEWEST_RANKED:
        raise NasbenchError(
            f"{valued} architectures have {target.name}, and a rank correlation takes "
            f"{FEWEST_RANKED}: name another metric (nasbench info tells what is missing and why); "
            f"predicted values do not count"
        )
    if len(rows) < FEWEST_RANKED:
        raise NasbenchError(
            f"{len(rows)} architectures have {target.name} and all of the scores "
            f"{', '.join(scores)}: name fewer scores, or score more architectures; "
            f"predicted values do not count"
        )
    # The best first; the order of the rows among equals.
    ranked = rows[np.argsort(-merit[rows], kind="stable")]
    scopes = {}
    for name, share in SCOPES.items():
        pick = ranked[: math.ceil(share * len(ranked))]
        if len(pick) < FEWEST_RANKED:
            continue
        scopes[name] = Scope(
            n=len(pick),
            figures=_figures(list(scores), columns[pick], target.values[pick], sizes, pick),
            ceilings=_ceilings(target, rows, pick, share),
        )
    ks = [k for k in TOPS if k <= len(rows) // 4]
    return Validity(
        target=target,
        rows=rows,
        scopes=scopes,
        tops={
            k: {name: _top(columns[rows, i], merit[rows], k) for i, name in enumerate(scores)}
            for k in ks
        },
        chance={k: _chance(merit[rows], k) for k in ks},
    )


def _figures(
    names: Sequence[str],
    scores: _Values,
    values: _Values,
    sizes: _Values | None,
    pick: NDArray[np.int64],
) -> dict[str, dict[str, Estimate]]:
    """Each measure of each score, `[n, scores]`, with values `[n]`."""

    def measures(x: _Values, y: _Values, given: _Values) -> _Values:
        found = [spearman(x.T, y), kendall(x.T, y)]
        if sizes is not None:
            found.append(partial_spearman(x.T, y, given))
        return np.concatenate(found)

    given = np.empty((len(pick), 0)) if sizes is None else sizes[pick]
    found = iter(bootstrap(measures, scores, values, given))
    of_ranks = ("spearman", "kendall") if sizes is None else ("spearman", "kendall", "partial")
    # A few outliers make Pearson's r: a small resample has too many of them, or none.
    straight = bootstrap(lambda x, y: pearson(x.T, y), scores, values, most=len(pick))
    return {
        **{measure: {name: next(found) for name in names} for measure in of_ranks},
        "pearson": dict(zip(names, straight, strict=True)),
    }


def _ceilings(
    target: RankTarget, rows: NDArray[np.int64], pick: NDArray[np.int64], share: float
) -> dict[str, Estimate]:
    """What seed noise leaves to be reached within a scope; empty where seeds do not tell.

    Over all rows it is from the agreement of their seeds, see `nasbench.stats.noise_ceiling`.
    Among the best, which are chosen by the very mean whose noise is asked for, it is from truths
    that may be: see `nasbench.stats.draw_truths`.
    """
    if target.of_seeds is None:
        return {}
    seeds = np.maximum(np.isfinite(target.of_seeds).sum(1), 1)
    k = 1 / float(np.mean(1 / seeds[rows]))  # the noise of a mean goes by 1 / seeds
    every = _whole(target.of_seeds[rows])
    if every.shape[1] < 2 or len(every) < FEWEST:
        return {}
    (seed_to_seed,) = bootstrap(lambda v: seed_agreement(v)[None], every)
    if share == 1:
        ceiling = seed_to_seed.map(lambda r: spearman_ceiling(r, k))
        # The correlation of a bivariate normal with that Spearman (Pearson, 1907).
        of_pairs = ceiling.map(lambda r: kendall_ceiling(2 * math.sin(math.pi * r / 6)))
        return {"spearman": ceiling, "kendall": of_pairs}
    here = _whole(target.of_seeds[pick])
    if len(here) < FEWEST or not seed_to_seed.value > 0:
        return {}
    means = target.values[pick]
    reliability = reliability_of_mean(seed_to_seed.value, k)
    truths = draw_truths(means, here, reliability, seeds[pick])

    def measures(of: _Values, y: _Values) -> _Values:
        return np.asarray([spearman(of.T, y).mean(), kendall(of.T, y).mean()])

    found = bootstrap(measures, truths, means)
    return dict(zip(("spearman", "kendall"), found, strict=True))


def _whole(of_seeds: _Values) -> _Values:
    """The rows that have every seed."""
    return of_seeds[np.isfinite(of_seeds).all(axis=1)]


def _top(scores: _Values, merit: _Values, k: int) -> Top:
    """What the k rows hold that a score `[n]` puts first; merit `[n]`, the higher the better.

    Of equal scores any may come first: figures are means over 200 orders of them. Intervals are
    over resamples of the rows; ranks and regret stay those among all.
    """
    rng = np.random.default_rng(0)
    n = len(merit)
    by_score = np.argsort(-scores, kind="stable")
    _, group, sizes = np.unique(-scores[by_score], return_inverse=True, return_counts=True)
    starts = np.cumsum(sizes) - sizes
    rank_first = _ranks(merit)[by_score]  # of what the score puts first, second, ...
    regret_first = merit.max() - merit[by_score]

    def figures(places: NDArray[np.int64]) -> _Values:
        """Of the rows at `[..., k]` places in the score's order: `[..., 3]`."""
        ranks = rank_first[places]
        best = ranks.min(-1), regret_first[places].min(-1)
        return np.stack([(ranks <= k).mean(-1), *best], axis=-1)

    last = group[k - 1]  # the equals of which only some are among the first k
    first = np.tile(np.arange(k), (RESAMPLES, 1))
    equals = np.tile(np.arange(sizes[last]), (RESAMPLES, 1))
    first[:, starts[last] :] = starts[last] + rng.permuted(equals, axis=1)[:, : k - starts[last]]
    value = figures(first).mean(0)
    drawn = np.partition(rng.integers(n, size=(RESAMPLES, n)), k - 1, axis=1)[:, :k]
    equal = group[drawn]  # with replacement any of the equals is as likely
    drawn = starts[equal] + (rng.random(drawn.shape) * sizes[equal]).astype(np.int64)
    ends = np.quantile(figures(drawn), (0.025, 0.975), axis=0)
    precision, best, regret = (
        Estimate(float(v), float(low), float(high), n)
        for v, low, high in zip(value, *ends, strict=True)
    )
    return Top(precision, best, regret)


def _chance(merit: _Values, k: int) -> dict[str, float]:
    """What k of n rows drawn at random hold in the mean: precision, rank of the best, regret."""
    ranks = _ranks(merit)
    best, _ = expected_incumbent(merit, ranks, k)
    mean, _ = expected_incumbent(merit, merit, k)
    return {
        "precision": float((ranks <= k).mean()),
        "rank": float(best),
        "regret": float(merit.max() - mean),
    }


def _ranks(merit: _Values) -> _Values:
    """From 1 for the best; equals share the best rank among them."""
    ranks: _Values = scipy.stats.rankdata(-merit, method="min").astype(np.float64)
    return ranks


def _described(found: Mapping[str, Estimate]) -> dict[str, Any]:
    return {name: estimate.describe() for name, estimate in found.items()}
