"""Rank tests against published examples, SciPy, permutations counted one by one and simulation."""

from __future__ import annotations

import math
from itertools import combinations, permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike
from scipy import stats as scipy_stats
from seldom import seldom

from nasbench.errors import NasbenchError
from nasbench.stats import (
    Pair,
    bootstrap_interval,
    compare_pairs,
    friedman,
    holm,
    interval,
    nemenyi_difference,
)

pytestmark = pytest.mark.heavy

# Demšar, 2006, table 6: areas under the ROC curve of C4.5, with m, with cf and with both tuned.
DEMSAR = np.asarray(
    [
        (0.763, 0.768, 0.771, 0.798),
        (0.599, 0.591, 0.590, 0.569),
        (0.954, 0.971, 0.968, 0.967),
        (0.628, 0.661, 0.654, 0.657),
        (0.882, 0.888, 0.886, 0.898),
        (0.936, 0.931, 0.916, 0.931),
        (0.661, 0.668, 0.609, 0.685),
        (0.583, 0.583, 0.563, 0.625),
        (0.775, 0.838, 0.866, 0.875),
        (1.000, 1.000, 1.000, 1.000),
        (0.940, 0.962, 0.965, 0.962),
        (0.619, 0.666, 0.614, 0.669),
        (0.972, 0.981, 0.9751, 0.975),  # printed as .975 twice, ranked 2 and 3
        (0.957, 0.978, 0.946, 0.970),
    ]
)
NAMES = ("plain", "m", "cf", "both")


def named(columns: np.ndarray) -> dict[str, np.ndarray]:
    return {f"s{i}": column for i, column in enumerate(np.transpose(columns))}


def test_friedman_of_demsars_example() -> None:
    found = friedman(dict(zip(NAMES, -DEMSAR.T, strict=True)))
    ranks = {"both": 1.964, "m": 2.0, "cf": 2.893, "plain": 3.143}
    assert found.ranks == pytest.approx(ranks, abs=5e-4)
    assert list(found.ranks) == list(ranks)
    # He has 9.28 and F = 3.69 without correction for ties: of all four, and three times of two.
    uncorrected = found.statistic * (1 - (60 + 3 * 6) / (14 * 60))
    assert uncorrected == pytest.approx(9.28, abs=0.005)
    assert found.statistic == pytest.approx(scipy_stats.friedmanchisquare(*DEMSAR.T).statistic)
    assert found.p < scipy_stats.f.sf(3.69, 3, 39)
    assert found.critical_difference == pytest.approx(1.25, abs=0.005)
    assert (found.blocks, found.note) == (14, "")
    assert found.groups == (("both", "m", "cf", "plain"),)  # the largest difference is 1.18


def test_critical_values_of_demsars_table_5() -> None:
    table = {
        0.05: (1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164),
        0.10: (1.645, 2.052, 2.291, 2.459, 2.589, 2.693, 2.780, 2.855, 2.920),
    }
    for alpha, values in table.items():
        for k, q in enumerate(values, start=2):
            difference = nemenyi_difference(k, 9, alpha)
            assert difference / math.sqrt(k * (k + 1) / 54) == pytest.approx(q, abs=1.5e-3)


# Few values, so that ties are common; NaN is a search that found nothing.
GRADES = st.sampled_from([0.0, 1.0, 2.0, 3.0, math.nan])


@given(
    st.tuples(st.integers(2, 7), st.integers(2, 5)).flatmap(
        lambda s: st.lists(
            st.lists(GRADES, min_size=s[1], max_size=s[1]), min_size=s[0], max_size=s[0]
        )
    )
)
def test_friedman_is_an_analysis_of_variance_of_ranks(rows: list[list[float]]) -> None:
    """The F of Iman and Davenport, ties corrected, is that of ranks in blocks (Conover)."""
    values = np.asarray(rows)
    n, k = values.shape
    found = friedman(named(values))
    ranks = scipy_stats.rankdata(np.where(np.isnan(values), 9, values), axis=1)
    means = ranks.mean(0)
    assert [found.ranks[f"s{i}"] for i in range(k)] == pytest.approx(means.tolist())
    between = n * ((means - means.mean()) ** 2).sum()
    within = ((ranks - ranks.mean()) ** 2).sum() - between
    if between + within == 0:
        assert (found.p, found.statistic) == (1, 0)
        assert found.note == "all strategies are equal on every table"
        return
    if within < 1e-9:  # all tables agree
        assert found.p == pytest.approx(math.factorial(k) ** (1 - n))
        return
    f = between / (within / (n - 1))
    expected = scipy_stats.f.sf(f, k - 1, (k - 1) * (n - 1))
    assert found.p == pytest.approx(max(expected, math.factorial(k) ** (1 - n)))


def test_friedman_is_close_to_all_permutations() -> None:
    values = np.random.default_rng(0).normal([0, 0.5, 1, 1.5], size=(4, 4))
    found = friedman(named(values))
    ways = np.asarray(list(permutations((1, 2, 3, 4))))
    first = ways[0]  # the ranks on one table may be any: the others are counted
    sums = first + ways[:, None, None] + ways[:, None] + ways
    spread = ((sums - 10) ** 2).sum(-1)
    seen = ((4 * np.asarray(list(found.ranks.values())) - 10) ** 2).sum()
    # F is continuous: half of what is just as extreme counts.
    expected = ((spread > seen + 1e-9).mean() + (spread >= seen - 1e-9).mean()) / 2
    assert found.p == pytest.approx(expected, abs=0.02)


def test_friedman_rejects_equals_as_seldom_as_it_says() -> None:
    rng = np.random.default_rng(1)
    rejected = sum(friedman(named(rng.normal(size=(12, 4)))).p < 0.05 for _ in range(300))
    assert scipy_stats.binom.ppf(1e-3, 300, 0.04) <= rejected
    assert rejected <= scipy_stats.binom.ppf(1 - 1e-3, 300, 0.06)


def test_friedman_of_tables_that_all_agree() -> None:
    """Of the 6^3 ways to rank three strategies on three tables, six agree."""
    found = friedman({"worst": [9, 8, 7], "best": [1, 2, 3], "middle": [5, 5, 5]})
    assert found.p == pytest.approx(6 / 6**3)
    assert found.ranks == {"best": 1, "middle": 2, "worst": 3}
    # Nemenyi: 2.343 sqrt(3 * 4 / 18) = 1.91
    assert found.groups == (("best", "middle"), ("middle", "worst"))


@given(st.integers(0, 2**32 - 1), st.integers(3, 7), st.integers(4, 25))
def test_groups_are_the_largest_sets_that_hold_no_difference(seed: int, k: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    found = friedman(named(rng.normal(size=(n, k)) + rng.normal(0, 2, k)))
    alike = [
        set(some)
        for size in range(2, k + 1)
        for some in combinations(found.ranks, size)
        if found.p >= 0.05
        or max(found.ranks[s] for s in some) - min(found.ranks[s] for s in some)
        < found.critical_difference
    ]
    largest = [some for some in alike if not any(some < other for other in alike)]
    assert sorted(map(sorted, found.groups)) == sorted(map(sorted, largest))
    for group in found.groups:
        assert list(group) == [name for name in found.ranks if name in group]


def test_friedman_without_difference_has_one_group() -> None:
    found = friedman({"a": [1, 2, 1, 2], "b": [2, 1, 2, 1], "c": [3, 0, 0, 3]})
    assert found.p > 0.9
    assert found.note == "the test finds no difference"
    assert [sorted(group) for group in found.groups] == [["a", "b", "c"]]


def test_friedman_where_there_is_nothing_to_test() -> None:
    alone = friedman({"a": [1, 2, 3]})
    assert math.isnan(alone.p)
    assert (alone.note, alone.groups) == ("one strategy has none to differ from", ())
    once = friedman({"a": [1], "b": [2]})
    assert math.isnan(once.p)
    assert once.note == "one table has no repetition"
    assert once.ranks == {"a": 1, "b": 2}


def only(a: ArrayLike, b: ArrayLike, *, paired: bool) -> Pair:
    (pair,) = compare_pairs({"a": a, "b": b}, paired=paired)
    return pair


SAMPLE = st.lists(GRADES, min_size=1, max_size=6)


@given(SAMPLE, SAMPLE)
def test_runs_against_every_way_to_deal_them(a: list[float], b: list[float]) -> None:
    pair = only(a, b, paired=False)
    pooled = [9.0 if math.isnan(v) else v for v in a + b]

    def wins(first: tuple[int, ...]) -> float:
        x = [pooled[i] for i in first]
        y = [pooled[i] for i in range(len(pooled)) if i not in first]
        return sum((u < v) + (u == v) / 2 for u in x for v in y)

    seen = wins(tuple(range(len(a))))
    dealt = np.asarray([wins(some) for some in combinations(range(len(pooled)), len(a))])
    tail = min((dealt <= seen).mean(), (dealt >= seen).mean())
    assert pair.wins.value == pytest.approx(seen / (len(a) * len(b)))
    assert pair.p == pytest.approx(min(2 * tail, 1))
    assert pair.p_holm == pair.p
    if 2 / len(dealt) > 0.05:
        assert pair.note.startswith("too few runs")
    else:
        assert pair.note == ("all values are equal" if len(set(pooled)) == 1 else "")


@given(st.lists(st.tuples(GRADES, GRADES), min_size=1, max_size=9))
def test_tables_against_every_choice_of_signs(rows: list[tuple[float, float]]) -> None:
    a, b = (np.where(np.isnan(c), 9, c) for c in np.transpose(rows))
    pair = only(*np.transpose(rows), paired=True)
    assert pair.wins.value == pytest.approx(np.mean((a < b) + (a == b) / 2))
    # What found nothing is behind by more than all others, whatever the others are.
    apart = np.where(a == b, 0, np.where((a == 9) != (b == 9), np.sign(b - a) * 99, b - a))
    ranks = scipy_stats.rankdata(np.abs(apart)) * (apart != 0)
    sums = np.asarray([np.dot(signs, ranks) for signs in product((-1, 1), repeat=len(rows))])
    seen = np.dot(np.sign(apart), ranks)
    tail = min((sums <= seen).mean(), (sums >= seen).mean())
    assert pair.p == pytest.approx(min(2 * tail, 1))


def test_large_samples_against_scipy() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.normal(0, 1, 300), rng.normal(0.15, 1, 200)
    expected = scipy_stats.mannwhitneyu(a, b).pvalue
    assert only(a, b, paired=False).p == pytest.approx(expected)
    expected = scipy_stats.wilcoxon(a[:50], b[:50], method="exact").pvalue
    assert only(a[:50], b[:50], paired=True).p == pytest.approx(expected)
    expected = scipy_stats.wilcoxon(a[:200], b, correction=True).pvalue
    assert only(a[:200], b, paired=True).p == pytest.approx(expected, rel=0.01)


def test_demsars_example_of_two() -> None:
    """C4.5 and C4.5 with m on 14 data sets: the signed ranks differ at .05."""
    pair = only(-DEMSAR[:, 1], -DEMSAR[:, 0], paired=True)
    assert pair.p < 0.05
    assert pair.wins.value == pytest.approx((10 + 2 / 2) / 14)  # 10 won, 2 equal, 2 lost


def test_exact_and_normal_p_meet() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        a, b = rng.integers(0, 8, 20), rng.integers(1, 9, 20)  # many ties
        normal = scipy_stats.mannwhitneyu(a, b, method="asymptotic").pvalue
        assert only(a, b, paired=False).p == pytest.approx(normal, abs=0.01)


@given(SAMPLE, SAMPLE)
def test_sides_of_a_pair_mirror_each_other(a: list[float], b: list[float]) -> None:
    one, other = only(a, b, paired=False), only(b, a, paired=False)
    assert (one.p, one.note) == (pytest.approx(other.p), other.note)
    assert one.wins.low == pytest.approx(1 - other.wins.high)
    assert one.delta.value == pytest.approx(-other.delta.value)
    assert one.difference.value == pytest.approx(-other.difference.value, nan_ok=True)


def test_holm_against_its_steps() -> None:
    """Step down: the smallest against .05 / m, the next against .05 / (m - 1), until one fails."""
    rng = np.random.default_rng(4)
    for _ in range(200):
        p = rng.random(int(rng.integers(1, 8))) ** 4
        rejected = np.zeros(len(p), dtype=bool)
        for step, place in enumerate(np.argsort(p)):
            if p[place] >= 0.05 / (len(p) - step):
                break
            rejected[place] = True
        assert ((np.asarray(holm(p.tolist())) < 0.05) == rejected).all()
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1, 1]
    assert holm([]) == []


def test_pairs_are_corrected_together() -> None:
    rng = np.random.default_rng(5)
    samples = {name: rng.normal(shift, 1, 40) for name, shift in (("a", 0), ("b", 1), ("c", 0.4))}
    pairs = compare_pairs(samples, paired=False)
    assert [(p.first, p.second) for p in pairs] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert [p.p_holm for p in pairs] == pytest.approx(holm([p.p for p in pairs]))
    assert pairs == compare_pairs(samples, paired=False)


def test_difference_of_runs_against_scipy() -> None:
    rng = np.random.default_rng(6)
    a, b = rng.exponential(2, 60), rng.exponential(1, 90)
    pair = only([*a, math.nan], b, paired=False)
    theirs = scipy_stats.bootstrap(
        (a, b),
        lambda x, y, axis: x.mean(axis) - y.mean(axis),
        n_resamples=10_000,
        method="percentile",
        rng=np.random.default_rng(7),
    ).confidence_interval
    found = pair.difference
    assert (found.value, found.n) == (pytest.approx(a.mean() - b.mean()), 60)
    assert (found.low, found.high) == pytest.approx(tuple(theirs), abs=0.05)
    assert pair.wins.n == 61


def test_equal_samples_are_resampled_apart() -> None:
    """Two strategies with the same values still differ by chance from run to run."""
    sample = np.arange(20.0)
    pair = only(sample, sample, paired=False)
    assert pair.difference.low < -2 < 2 < pair.difference.high
    assert (pair.p, pair.wins.value) == (1, 0.5)


def test_difference_on_tables_is_of_their_differences() -> None:
    tables = np.linspace(0, 100, 12)
    gain = 1 + np.random.default_rng(8).normal(0, 0.1, 12)
    pair = only(tables, tables + gain, paired=True)
    low, high = bootstrap_interval(-gain)
    assert (pair.difference.low, pair.difference.high) == pytest.approx((low, high), abs=0.02)
    assert pair.p == pytest.approx(2 / 2**12)
    assert pair.delta.value == 1
    # Of a table where either found nothing there is no difference, yet it is won or lost.
    tables[3] = math.nan
    pair = only(tables + gain, tables, paired=True)
    assert (pair.difference.n, pair.wins.value) == (11, pytest.approx(0.5 / 12))
    pair = only(np.arange(12.0), tables, paired=True)
    assert (pair.difference.n, pair.wins.n) == (11, 12)


PAIRS_OF_DISTRIBUTIONS = {
    "shifted": (lambda rng: rng.normal(0, 1), lambda rng: rng.normal(1, 1), 0.7602),
    "spread": (lambda rng: rng.normal(0, 0.1), lambda rng: rng.normal(0, 5), 0.5),
    "constant": (lambda rng: 0.3, lambda rng: rng.random(), 0.7),
    "apart": (lambda rng: rng.random(), lambda rng: rng.random() + 0.9, 0.995),
}


@pytest.mark.parametrize("kind", seldom(("shifted", "apart"), PAIRS_OF_DISTRIBUTIONS))
def test_interval_of_wins_covers_at_least_as_often_as_it_says(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interval, "RESAMPLES", 2)  # of the means, which do not matter here
    first, second, truth = PAIRS_OF_DISTRIBUTIONS[kind]
    rng = np.random.default_rng(9)
    covered = 0
    for _ in range(400):
        a = [first(rng) for _ in range(15)]
        b = [second(rng) for _ in range(25)]
        wins = only(a, b, paired=False).wins
        covered += wins.low <= truth <= wins.high
    assert covered >= scipy_stats.binom.ppf(1e-3, 400, 0.95)


def test_runs_that_found_nothing_lose_to_all_others() -> None:
    nothing = [math.nan] * 12
    pair = only(nothing, np.arange(12.0), paired=False)
    assert pair.wins.value == 0
    assert pair.p == pytest.approx(2 / math.comb(24, 12))
    assert math.isnan(pair.difference.value)
    both = only(nothing, nothing, paired=False)
    assert (both.p, both.wins.value, both.note) == (1, 0.5, "all values are equal")


@pytest.mark.parametrize("n", [8, 30])
@pytest.mark.parametrize("paired", [False, True])
def test_equal_values_say_so(n: int, paired: bool) -> None:
    pair = only([1.5] * n, [1.5] * n, paired=paired)
    assert (pair.p, pair.wins.value, pair.note) == (1, 0.5, "all values are equal")
    assert pair.difference.value == 0
    assert pair.wins.low < 0.5 < pair.wins.high


@pytest.mark.parametrize("paired", [False, True])
def test_few_values_say_so(paired: bool) -> None:
    pair = only([1.0], [2.0], paired=paired)
    assert (pair.p, pair.wins.value, pair.difference.value) == (1, 1, -1)
    assert math.isnan(pair.difference.low)
    assert (
        pair.note
        == f"too few {'tables' if paired else 'runs'} for any difference to be significant"
    )
    enough = {"a": np.arange(6.0), "b": np.arange(6.0) + 10}
    assert compare_pairs(enough, paired=paired)[0].note == ""
    assert compare_pairs(enough, paired=paired)[0].p < 0.05
    # Three pairs need more than one does: 3 * 2 / 2^6 is above .05, 3 * 2 / C(12, 6) is not.
    note = compare_pairs({**enough, "c": np.arange(6.0) + 20}, paired=paired)[0].note
    assert note.startswith("too few tables") == paired


@pytest.mark.parametrize("paired", [True, False])
def test_a_pair_turned_is_the_pair_of_turned_samples(paired: bool) -> None:
    samples = dict(zip("ab", np.random.default_rng(0).random((2, 20)), strict=True))
    (pair,) = compare_pairs(samples, paired=paired)
    (other,) = compare_pairs(dict(reversed(samples.items())), paired=paired)
    turned = pair.turned()
    assert (turned.first, turned.second) == ("b", "a") == (other.first, other.second)
    assert turned.difference.value == pytest.approx(other.difference.value)
    assert turned.difference.low < turned.difference.value < turned.difference.high
    assert turned.wins.value == pytest.approx(other.wins.value)
    assert turned.wins.low < turned.wins.value < turned.wins.high
    assert (turned.p, turned.p_holm) == (pair.p, pair.p_holm)


def test_bad_input_is_told() -> None:
    with pytest.raises(NasbenchError, match="needs a strategy"):
        friedman({})
    with pytest.raises(NasbenchError, match="a value of each"):
        compare_pairs({"a": [], "b": [1.0]}, paired=False)
    with pytest.raises(NasbenchError, match="in every place"):
        compare_pairs({"a": [1.0], "b": [1.0, 2.0]}, paired=True)
    with pytest.raises(NasbenchError, match="in every place"):
        friedman({"a": [1.0], "b": [1.0, 2.0]})
