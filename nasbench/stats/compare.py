"""Which of several strategies is better, and whether that is more than chance.

Throughout, what is compared is to keep low, such as regret, and NaN is a search that found
nothing: it ranks behind every number and is left out of means.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import scipy  # scipy.stats takes a second to load: at its first use, which no search has
from numpy.typing import ArrayLike, NDArray

from nasbench.errors import NasbenchError
from nasbench.stats.interval import (
    FEWEST,
    Estimate,
    bootstrap_estimate,
    resample_means,
    wilson_interval,
)

__all__ = [
    "Friedman",
    "Pair",
    "compare_pairs",
    "friedman",
    "holm",
    "nemenyi_difference",
]

SIGNIFICANT = 0.05
EXACT_RUNS = 40
"""Two samples of so many values in all, or fewer, get the exact distribution of their ranks."""


@dataclass(frozen=True, slots=True)
class Friedman:
    """Whether strategies differ over several tables, and which.

    Attributes:
        ranks: mean rank of each strategy, the best (1 at the least) first.
        statistic: Friedman's chi-square, corrected for ties.
        p: of the F statistic of Iman and Davenport; NaN where `note` says why.
        critical_difference: of mean ranks, by Nemenyi's test at .05.
        groups: strategies that cannot be told apart, the largest such sets, each in the order
            of the ranks: the bars of the critical-difference diagram.
        blocks: tables.
        note: why there is no p, or why it decides nothing; else empty.

    Example:
        >>> found = friedman({"a": [1, 2, 1, 2, 1], "b": [3, 4, 3, 4, 3], "c": [5, 6, 5, 6, 5]})
        >>> found.ranks, found.blocks
        ({'a': 1.0, 'b': 2.0, 'c': 3.0}, 5)
    """

    ranks: dict[str, float]
    statistic: float
    p: float
    critical_difference: float
    groups: tuple[tuple[str, ...], ...]
    blocks: int
    note: str

    def describe(self) -> dict[str, Any]:
        """The fields by name, None for NaN and infinity: plain JSON values."""
        numbers = {
            name: value if math.isfinite(value := getattr(self, name)) else None
            for name in ("statistic", "p", "critical_difference")
        }
        groups = [list(group) for group in self.groups]
        about = {"blocks": self.blocks, "note": self.note}
        return {"mean_ranks": dict(self.ranks), **numbers, "groups": groups, **about}


def friedman(scores: Mapping[str, ArrayLike]) -> Friedman:
    """Friedman's test with the post-hoc test of Nemenyi.

    Demšar, "Statistical Comparisons of Classifiers over Multiple Data Sets", JMLR 7, 2006,
    section 3.2.2: the F statistic of Iman and Davenport in place of the conservative chi-square,
    and pairs told apart only where F rejects. Mean ranks of two strategies depend on which
    others take part (Benavoli, Corani & Mangili, "Should We Really Use Post-Hoc Tests Based on
    Mean-Ranks?", JMLR 17, 2016): `compare_pairs` does without.

    A block is a table. The seeds of one table may stand in for blocks where there is no other
    table; the answer is then about that table only.

    Args:
        scores: for each strategy one number a block, `[blocks]`, all in the same order.

    Raises:
        NasbenchError: no strategy, no block, or not one number of each strategy in each block.

    Example:
        >>> found = friedman({"a": [1, 2, 1, 2, 1], "b": [3, 4, 3, 4, 3], "c": [5, 6, 5, 6, 5]})
        >>> found.groups, round(found.p, 3)
        ((('a', 'b'), ('b', 'c')), 0.001)
    """
    columns = np.stack(_columns(scores, equally_long=True), axis=1)
    n, k = columns.shape
    ranks = scipy.stats.rankdata(columns, axis=1)
    means = ranks.mean(0)
    expected = (k + 1) / 2
    spread = float(((ranks - expected) ** 2).sum())  # over all; less where ranks are tied
    note, statistic, p = "", 0.0, 1.0
    if k < 2 or n < 2:
        note = "one strategy has none to differ from" if k < 2 else "one table has no repetition"
        statistic = p = math.nan
    elif not spread:
        note = "all strategies are equal on every table"
    else:
        statistic = (k - 1) * n**2 * float(((means - expected) ** 2).sum()) / spread
        rest = n * (k - 1) - statistic
        f = (n - 1) * statistic / rest if rest > 1e-9 * n else math.inf
        # F is infinite where all tables agree; chance makes them agree in one case of k!^(n-1).
        by_chance = math.exp((1 - n) * math.lgamma(k + 1))
        p = max(float(scipy.stats.f.sf(f, k - 1, (k - 1) * (n - 1))), by_chance)
    order = np.argsort(means, kind="stable")
    names = [list(scores)[i] for i in order]
    difference = nemenyi_difference(k, n) if k > 1 else math.nan
    rejected = p < SIGNIFICANT
    if not rejected and not note:
        note = "the test finds no difference"
    return Friedman(
        ranks=dict(zip(names, means[order].tolist(), strict=True)),
        statistic=statistic,
        p=p,
        critical_difference=difference,
        groups=_groups(names, means[order], difference if rejected else math.inf),
        blocks=n,
        note=note,
    )


def nemenyi_difference(strategies: int, blocks: int, alpha: float = SIGNIFICANT) -> float:
    """The difference of mean ranks from which two of several strategies differ.

    Nemenyi, 1963; Demšar, 2006, section 3.2.2: q sqrt(k (k + 1) / (6 N)) for k strategies over N
    blocks, q the quantile of the studentized range divided by sqrt(2).

    Example:
        >>> round(nemenyi_difference(strategies=5, blocks=30), 3)
        1.114
    """
    q = float(scipy.stats.studentized_range.ppf(1 - alpha, strategies, math.inf)) / math.sqrt(2)
    return q * math.sqrt(strategies * (strategies + 1) / (6 * blocks))


def _groups(
    names: Sequence[str], ranks: NDArray[np.float64], difference: float
) -> tuple[tuple[str, ...], ...]:
    """The longest runs of two or more, in the order of the ranks, that span less."""
    groups: list[tuple[str, ...]] = []
    last = 0
    for start in range(len(names)):
        end = int(np.searchsorted(ranks, ranks[start] + difference))
        if end > max(last, start + 1):  # a shorter end lies within the run before
            groups.append(tuple(names[start:end]))
            last = end
    return tuple(groups)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two strategies side by side.

    Attributes:
        first: name.
        second: name.
        difference: of the means, first less second, with its bootstrap interval: below 0 where
            the first is better.
        wins: probability that the first beats the second, ties counting half: over a random run
            of each (the A of Vargha and Delaney) or, where paired, over the same table.
        p: of the rank test, two-sided.
        p_holm: the same after Holm's correction for all pairs.
        note: why p says nothing or could not have been small; else empty.

    Example:
        >>> (pair,) = compare_pairs({"a": [1, 2, 3, 4], "b": [2, 3, 4, 6]}, paired=True)
        >>> pair.first, pair.second, pair.difference.value
        ('a', 'b', -1.25)
    """

    first: str
    second: str
    difference: Estimate
    wins: Estimate
    p: float
    p_holm: float
    note: str

    @property
    def delta(self) -> Estimate:
        """Cliff's delta (1993): how much oftener the first wins than it loses, -1 to 1."""
        return self.wins.map(lambda share: 2 * share - 1)

    def turned(self) -> Pair:
        """The same two the other way round."""
        difference, wins = self.difference, self.wins
        return replace(
            self,
            first=self.second,
            second=self.first,
            difference=Estimate(-difference.value, -difference.high, -difference.low, difference.n),
            wins=Estimate(1 - wins.value, 1 - wins.high, 1 - wins.low, wins.n),
        )


def compare_pairs(samples: Mapping[str, ArrayLike], *, paired: bool) -> list[Pair]:
    """Every pair of strategies: difference of means, effect size, and a rank test.

    Tables pair what was found on them: Wilcoxon's signed-rank test. The runs of two strategies
    with the same seed share nothing, since each strategy draws its own random numbers: runs on one
    table are two independent samples, and Mann and Whitney's test is the one that applies.

    Both tests are exact for small samples, ties included (conditional on the ties): always the
    signed ranks, whose zeros are ranked and then dropped (Pratt, JASA 54, 1959); of two samples
    those of 40 values in all, beyond which the normal approximation with SciPy's corrections is
    close.

    The intervals (95 %) are the percentile bootstrap's for the difference of means, NaN below 10
    values, and for `wins` Wilson's with the size of the smaller sample: the variance of A is at
    most A (1 - A) / min(n, m) for any two distributions (Birnbaum & Klose, Annals of Mathematical
    Statistics 28, 1957). Where both have one shape, and n = m, it is a fifth wider than need be,
    but it holds also where one strategy always ends at the same value, and where one always wins.

    Args:
        samples: `[n]` for each strategy.
        paired: place i of every sample is the same table.

    Returns:
        The pairs in the order of the strategies: each with all that follow it.

    Raises:
        NasbenchError: an empty sample, or samples of several lengths that are to be paired.

    Example:
        >>> samples = {"a": range(10), "b": range(5, 15), "c": range(9, 19)}
        >>> found = compare_pairs(samples, paired=False)
        >>> [(pair.first, pair.second, pair.p_holm < 0.05) for pair in found]
        [('a', 'b', True), ('a', 'c', True), ('b', 'c', True)]
    """
    columns = _columns(samples, equally_long=paired)
    rng = np.random.default_rng(0)  # one strategy's resamples are independent of another's
    means = [] if paired else [_resampled(column, rng) for column in columns]
    pairs = list(combinations(range(len(columns)), 2))
    found = []
    for i, j in pairs:
        a, b = columns[i], columns[j]
        if paired:
            both = np.isfinite(a) & np.isfinite(b)
            difference = bootstrap_estimate(lambda d: d.mean(-1), a[both] - b[both])
            (share, p), least = _signed_rank(a, b), 2.0 ** (1 - len(a))
            equal = (a == b).all()
        else:
            difference = _difference(a, b, means[i], means[j])
            (share, p), least = _rank_sum(a, b), 2 / math.comb(len(a) + len(b), len(a))
            equal = (a == a[0]).all() and (b == a[0]).all()
        n = min(len(a), len(b))
        low, high = wilson_interval(share, n)
        note = "all values are equal" if equal else ""
        if least * len(pairs) > SIGNIFICANT:
            note = f"too few {'tables' if paired else 'runs'} for any difference to be significant"
        found.append((difference, Estimate(share, float(low), float(high), n), p, note))
    corrected = holm([p for _, _, p, _ in found])
    names = list(samples)
    return [
        Pair(names[i], names[j], difference, wins, p, p_holm, note)
        for (i, j), (difference, wins, p, note), p_holm in zip(pairs, found, corrected, strict=True)
    ]


def holm(p: Sequence[float]) -> list[float]:
    """P values corrected for being several (Holm, Scandinavian Journal of Statistics 6, 1979).

    The smallest of m is multiplied by m, the next by m - 1 and so on; none comes out below one
    that was smaller, nor above 1.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    order = np.argsort(p, kind="stable")
    corrected = np.empty(len(p))
    times = np.arange(len(p), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(np.asarray(p)[order] * times), 1.0)
    return corrected.tolist()


def _rank_sum(a: NDArray[np.float64], b: NDArray[np.float64]) -> tuple[float, float]:
    """How often a value of `a` is below one of `b`, and the p of Mann and Whitney."""
    n, m = len(a), len(b)
    ranks = scipy.stats.rankdata(np.concatenate((a, b)))
    u = float(ranks[n:].sum()) - m * (m + 1) / 2  # pairs that a wins, ties counting half
    if (ranks == ranks[0]).all():
        return 0.5, 1.0
    if n + m > EXACT_RUNS:
        return u / (n * m), float(scipy.stats.mannwhitneyu(ranks[:n], ranks[n:]).pvalue)
    doubled = np.rint(2 * ranks).astype(int)  # ties have half ranks
    # ways[c, s]: choices of c of the values whose doubled ranks sum to s.
    ways = np.zeros((n + 1, doubled.sum() + 1))
    ways[0, 0] = 1
    for rank in doubled:
        ways[1:, rank:] += ways[:-1, :-rank]
    return u / (n * m), _two_sided(ways[n], doubled[:n].sum())


def _signed_rank(a: NDArray[np.float64], b: NDArray[np.float64]) -> tuple[float, float]:
    """How often a place of `a` is below that of `b`, and the p of Wilcoxon's signed ranks."""
    apart = np.where(a == b, 0.0, b) - np.where(a == b, 0.0, a)
    doubled = np.rint(2 * scipy.stats.rankdata(np.abs(apart))).astype(int)
    chance = np.zeros(doubled.sum() + 1)  # of the sum of the doubled ranks that a wins
    chance[0] = 1
    for rank in doubled[apart != 0]:
        chance /= 2
        chance[rank:] += chance[:-rank]
    share = float((np.sign(apart).mean() + 1) / 2)
    return share, _two_sided(chance, doubled[apart > 0].sum())


def _two_sided(weights: NDArray[np.float64], at: int) -> float:
    """Twice the smaller tail of a distribution that starts at 0, `at` included."""
    tail = min(weights[: at + 1].sum(), weights[at:].sum()) / weights.sum()
    return float(min(2 * tail, 1.0))


def _resampled(column: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Bootstrap means of what was found; NaN where that is too little."""
    known = column[np.isfinite(column)]
    return resample_means(known, rng) if len(known) >= FEWEST else np.full(1, np.nan)


def _difference(
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    means_a: NDArray[np.float64],
    means_b: NDArray[np.float64],
) -> Estimate:
    """Of the means of two independent samples."""
    a, b = a[np.isfinite(a)], b[np.isfinite(b)]
    n = min(len(a), len(b))
    if n == 0:
        return Estimate(math.nan, math.nan, math.nan, 0)
    low, high = np.quantile(means_a - means_b, (0.025, 0.975))
    return Estimate(float(a.mean() - b.mean()), float(low), float(high), n)


def _columns(samples: Mapping[str, ArrayLike], *, equally_long: bool) -> list[NDArray[np.float64]]:
    """The samples as arrays; infinity for NaN, so that nothing ranks behind it."""
    columns = [np.asarray(sample, dtype=np.float64) for sample in samples.values()]
    lengths = {len(column) for column in columns}
    if not columns or 0 in lengths:
        raise NasbenchError("a comparison needs a strategy and a value of each")
    if equally_long and len(lengths) > 1:
        raise NasbenchError("strategies that are paired need a value of each in every place")
    return [np.where(np.isnan(column), np.inf, column) for column in columns]
