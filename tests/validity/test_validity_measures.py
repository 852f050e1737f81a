"""What scores are worth: against SciPy, enumeration, known truths and published figures."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from nasbench.errors import NasbenchError
from nasbench.stats import bootstrap_estimate, spearman
from nasbench.validity.correlation import MOST, agreement_of_scores, bootstrap
from nasbench.validity.measures import SCOPES, RankTarget, validate

pytestmark = pytest.mark.heavy

PUBLISHED = {
    "nwot": 0.79,
    "jacov": 0.82,
    "epe_nas": 0.79,
    "synflow": 0.73,
    "params": 0.75,
    "flops": 0.71,
    "l2_norm": 0.72,
    "snip": 0.55,
    "grad_norm": 0.55,
    "fisher": 0.50,
    "grasp": 0.49,
    "zen": 0.10,
    "plain": -0.37,
}
"""Spearman with NAS-Bench-201's CIFAR-10 accuracy after 200 epochs, 9,445 cells."""


def noisy(n: int, seed: int = 0) -> tuple[dict[str, Any], np.ndarray]:
    """Scores with ties and a target that they rank more or less well."""
    rng = np.random.default_rng(seed)
    values = rng.normal(80, 3, n)
    scores = {
        "good": values + rng.normal(0, 1, n),
        "coarse": np.round(values + rng.normal(0, 4, n)),
        "wrong": -values + rng.normal(0, 9, n),
        "vast": 1e200 * np.exp(values + rng.normal(0, 1, n)),
    }
    return scores, values


@pytest.fixture
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is not asked how wide intervals are."""
    monkeypatch.setattr("nasbench.validity.correlation.RESAMPLES", 40)


@pytest.mark.parametrize("n", [12, 150, MOST + 1])
@pytest.mark.parametrize("maximize", [True, False])
def test_correlations_are_those_of_scipy_in_every_scope(n: int, maximize: bool) -> None:
    scores, values = noisy(n)
    found = validate(scores, RankTarget("t", values, maximize))
    by_value = sorted(range(n), key=lambda i: values[i], reverse=maximize)
    for name, share in SCOPES.items():
        best = by_value[: int(np.ceil(share * n))]
        assert (name in found.scopes) == (len(best) >= 3)
        if len(best) < 3:
            continue
        scope = found.scopes[name]
        assert scope.n == len(best)
        assert set(scope.figures) == {"spearman", "kendall", "pearson"}
        for score, x in scores.items():
            x, y = x[best], values[best]
            if len(set(x.tolist())) == 1:
                assert np.isnan(scope.figures["kendall"][score].value)
                continue
            expected = {
                "spearman": scipy.stats.spearmanr(x, y).statistic,
                "kendall": scipy.stats.kendalltau(x, y).statistic,
                "pearson": scipy.stats.pearsonr(x / np.abs(x).max(), y).statistic,
            }
            for measure, value in expected.items():
                assert scope.figures[measure][score].value == pytest.approx(value, abs=1e-6)
                assert scope.figures[measure][score].n == len(best)


@settings(max_examples=6)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=4, max_size=30))
def test_kendall_of_ties_is_that_of_scipy(pairs: list[tuple[int, int]]) -> None:
    x, y = np.asarray(pairs, dtype=float).T
    # Two kinds of rows that are the same throughout: no correlation is undefined.
    x, y = np.append(x, (-1, 7)), np.append(y, (-1, 7))
    found = (
        validate({"x": x}, RankTarget("t", y, maximize=True)).scopes["all"].figures["kendall"]["x"]
    )
    assert found.value == pytest.approx(scipy.stats.kendalltau(x, y).statistic, abs=1e-6)


def test_partial_is_the_correlation_of_what_sizes_leave_of_the_ranks() -> None:
    scores, values = noisy(120)
    rng = np.random.default_rng(1)
    sizes = np.stack([values + rng.normal(0, 2, 120), rng.random(120)], axis=1)
    scores["size"] = sizes[:, 0]
    found = validate(scores, RankTarget("t", values, maximize=True), sizes)
    partial = found.scopes["all"].figures["partial"]

    def rest(x: np.ndarray) -> np.ndarray:
        design = np.column_stack([np.ones(120), *map(scipy.stats.rankdata, sizes.T)])
        ranks = scipy.stats.rankdata(x)
        return ranks - design @ np.linalg.lstsq(design, ranks, rcond=None)[0]

    for name in ("good", "coarse", "wrong"):
        expected = scipy.stats.pearsonr(rest(scores[name]), rest(values)).statistic
        assert partial[name].value == pytest.approx(expected, abs=1e-9)
    assert np.isnan(partial["size"].value)


def test_rows_that_miss_a_score_count_for_none() -> None:
    scores, values = noisy(60)
    scores["good"][:5] = np.nan
    scores["wrong"][7] = np.inf
    values[10] = np.nan
    found = validate(scores, RankTarget("t", values, maximize=True))
    assert found.rows.tolist() == [i for i in range(5, 60) if i not in (7, 10)]
    with pytest.raises(NasbenchError, match=r"2 architectures have t and all of the scores good"):
        validate(
            {k: x[3:7] for k, x in scores.items()}, RankTarget("t", values[3:7], maximize=True)
        )
    with pytest.raises(NasbenchError, match="2 architectures have t, and a rank correlation takes"):
        validate(
            {k: x[5:7] for k, x in scores.items()}, RankTarget("t", values[5:7], maximize=True)
        )


def test_intervals_of_many_rows_are_about_those_of_whole_resamples() -> None:
    scores, values = noisy(3_000)
    figures = (
        validate(scores, RankTarget("t", values, maximize=True)).scopes["all"].figures["spearman"]
    )
    for name in ("good", "coarse", "wrong"):
        whole = bootstrap_estimate(spearman, scores[name], values, resamples=400)
        mine = figures[name]
        assert mine.low < mine.value < mine.high
        assert (mine.high - mine.low) / (whole.high - whole.low) == pytest.approx(1, abs=0.3)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    r, n, runs = 0.6, 400, 150
    truth = 6 / np.pi * np.arcsin(r / 2)  # Spearman of a bivariate normal (Pearson, 1907)
    x = rng.normal(size=(n, runs))
    y = r * x + np.sqrt(1 - r * r) * rng.normal(size=(n, runs))
    found = bootstrap(lambda a, b: spearman(a.T, b.T), x, y)
    covered = sum(estimate.low <= truth <= estimate.high for estimate in found)
    # 95 % of 150, four standard deviations of that number to each side.
    assert covered == pytest.approx(0.95 * runs, abs=4 * np.sqrt(0.95 * 0.05 * runs))


def test_few_rows_have_no_interval() -> None:
    scores, values = noisy(9)
    for estimate in (
        validate(scores, RankTarget("t", values, maximize=True))
        .scopes["all"]
        .figures["kendall"]
        .values()
    ):
        assert np.isfinite(estimate.value)
        assert np.isnan(estimate.low)


# The top.


@pytest.mark.parametrize("maximize", [True, False])
def test_tops_are_what_a_plain_search_finds(maximize: bool) -> None:
    scores, values = noisy(400)
    found = validate({"good": scores["good"]}, RankTarget("t", values, maximize))
    merit = values if maximize else -values
    assert list(found.tops) == [1, 10, 100]
    for k, tops in found.tops.items():
        first = sorted(range(400), key=lambda i: -scores["good"][i])[:k]
        best = sorted(range(400), key=lambda i: -merit[i])
        assert tops["good"].precision.value == pytest.approx(len(set(first) & set(best[:k])) / k)
        place = min(best.index(i) for i in first)
        assert tops["good"].rank.value == place + 1
        assert tops["good"].regret.value == pytest.approx(merit.max() - merit[best[place]])
        for figure in (tops["good"].precision, tops["good"].rank, tops["good"].regret):
            assert figure.low <= figure.high


def test_chance_is_the_mean_over_all_subsets() -> None:
    values = np.asarray([3.0, 9.0, 1.0, 4.0, 4.0, 8.0, 7.0, 2.0] * 5) + np.arange(40) // 8 * 10
    found = validate({"x": np.arange(40.0)}, RankTarget("t", values, maximize=True))
    ranks = scipy.stats.rankdata(-values, method="min")
    (chance,) = (found.chance[k] for k in found.chance if k == 10)
    rng = np.random.default_rng(0)
    draws = [rng.choice(40, 10, replace=False) for _ in range(4_000)]
    assert chance["rank"] == pytest.approx(np.mean([ranks[d].min() for d in draws]), rel=0.05)
    assert chance["precision"] == (ranks <= 10).mean()
    one = found.chance[1]
    assert one["regret"] == pytest.approx(values.max() - values.mean())
    pairs = list(combinations(range(40), 1))
    assert one["rank"] == pytest.approx(np.mean([ranks[list(p)].min() for p in pairs]))


def test_equal_scores_are_worth_what_chance_is() -> None:
    _, values = noisy(400)
    found = validate({"flat": np.zeros(400)}, RankTarget("t", values, maximize=True))
    for k, tops in found.tops.items():
        top, chance = tops["flat"], found.chance[k]
        assert top.precision.value == pytest.approx(chance["precision"], abs=0.03)
        assert top.rank.value == pytest.approx(chance["rank"], rel=0.25)
        assert top.regret.value == pytest.approx(chance["regret"], rel=0.25)


def test_equals_at_the_edge_of_the_top_take_turns() -> None:
    values = np.arange(40.0)
    scores = np.where(values >= 38, 2.0, np.where(values >= 18, 1.0, 0.0))
    top = validate({"x": scores}, RankTarget("t", values, maximize=True)).tops[10]["x"]
    # Two for sure, and 8 of 20 equals of which 8 are among the ten best: 2 + 8 * 8 / 20.
    assert top.precision.value == pytest.approx((2 + 8 * 8 / 20) / 10, abs=0.03)


# Ceilings.


@pytest.mark.usefixtures("few_resamples")
def test_ceilings_are_what_a_perfect_prediction_reaches() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(0, 1, 8_000)
    of_seeds = truth[:, None] + rng.normal(0, 0.5, (8_000, 3))
    mean = of_seeds.mean(1)
    found = validate({"truth": truth}, RankTarget("t", mean, True, of_seeds))
    for name in ("all", "best half", "best tenth"):
        scope = found.scopes[name]
        for measure in ("spearman", "kendall"):
            reached = scope.figures[measure]["truth"].value
            assert scope.ceilings[measure].value == pytest.approx(reached, abs=0.08), (
                name,
                measure,
            )


@pytest.mark.usefixtures("few_resamples")
def test_seeds_that_some_rows_lack_make_a_noisier_mean() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(0, 1, 6_000)
    of_seeds = truth[:, None] + rng.normal(0, 1, (6_000, 3))
    of_seeds[3_000:, 1:] = np.nan
    mean = np.nanmean(of_seeds, axis=1)
    scope = validate({"truth": truth}, RankTarget("t", mean, True, of_seeds)).scopes["all"]
    assert scope.ceilings["spearman"].value == pytest.approx(
        scope.figures["spearman"]["truth"].value, abs=0.03
    )


@pytest.mark.parametrize(("seeds", "scopes"), [(0, 0), (1, 0), (2, 3)])
def test_ceilings_need_two_seeds(seeds: int, scopes: int) -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(0, 2, (300, 1))
    of_seeds = truth + rng.normal(0, 1, (300, seeds)) if seeds else None
    found = validate({"x": rng.random(300)}, RankTarget("t", truth[:, 0], True, of_seeds))
    # Of the best hundredth there are three: too few.
    assert sum(bool(scope.ceilings) for scope in found.scopes.values()) == scopes


def test_agreement_of_each_two_scores() -> None:
    scores, _ = noisy(80)
    scores["good"][3] = np.nan
    found = agreement_of_scores(scores)
    assert set(found) == set(combinations(scores, 2))
    for (a, b), estimate in found.items():
        x, y = (np.delete(scores[name], 3) for name in (a, b))
        assert estimate.value == pytest.approx(scipy.stats.spearmanr(x, y).statistic)
        assert estimate.n == 79
    assert agreement_of_scores({"one": np.arange(5.0)}) == {}


# Published figures.


@pytest.mark.usefixtures("few_resamples")
def test_published_proxies_rank_as_published(
    published: Mapping[str, Any], published_proxies: Mapping[str, Any]
) -> None:
    scores = {name: published_proxies[f"proxy/{name}"].astype(np.float64) for name in PUBLISHED}
    scored = ~np.isnan(scores["params"])
    of_release = published["parameters"][scored]
    assert scipy.stats.spearmanr(scores["params"][scored], of_release).statistic > 1 - 1e-12, (
        "order"
    )
    values = published["recipe/200ep/valid_accuracy"][:, :, -1].astype(np.float64)
    target = RankTarget("200ep/valid_accuracy", np.nanmean(values, axis=1), True, values)
    found = validate(scores, target)
    assert len(found.rows) == 9_444  # 9,445 less one that four of them lack
    spearmans = found.scopes["all"].figures["spearman"]
    for name, expected in PUBLISHED.items():
        assert spearmans[name].value == pytest.approx(expected, abs=0.011)
        assert spearmans[name].low < spearmans[name].value < spearmans[name].high
    within = found.scopes["best tenth"]
    assert within.n == 945
    few = [estimate.value for estimate in within.figures["spearman"].values()]
    # None ranks the best well, and half of them stand on their head.
    assert max(few) < 0.4
    assert sum(value < 0 for value in few) >= 6
    assert within.ceilings["spearman"].value > 0.6
