"""Combinations: against their definitions written out, and never scored on what was fitted."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from nasbench.errors import NasbenchError
from nasbench.space import get
from nasbench.table import Dataset, write_table
from nasbench.validity import judge
from nasbench.validity.combine import COMBINATIONS, az_nas, combine, fitted, rank_average, vote

Scores = NDArray[np.float64]


@st.composite
def drawn_scores(draw: st.DrawFn) -> Scores:
    """Scores with ties, `[n, scores]`."""
    n, columns = draw(st.integers(1, 12)), draw(st.integers(1, 5))
    numbers = draw(st.lists(st.integers(-3, 3), min_size=n * columns, max_size=n * columns))
    return np.asarray(numbers, dtype=np.float64).reshape(n, columns)


@given(drawn_scores())
def test_vote_is_a_majority_over_each_pair(scores: Scores) -> None:
    n = len(scores)
    found = vote(scores)
    for i in range(n):
        won = 0
        for j in range(n):
            ahead = sum(
                1 for column in range(scores.shape[1]) if scores[i, column] > scores[j, column]
            )
            behind = sum(
                1 for column in range(scores.shape[1]) if scores[i, column] < scores[j, column]
            )
            won += (ahead > behind) - (ahead < behind)
        assert found[i] == pytest.approx(won / max(n - 1, 1))


@given(drawn_scores())
def test_ranks_are_counted_from_the_worst(scores: Scores) -> None:
    n = len(scores)

    def rank(i: int, column: int) -> float:
        x = scores[:, column]
        return 1 + (x < x[i]).sum() + ((x == x[i]).sum() - 1) / 2

    for i in range(n):
        ranks = [rank(i, column) for column in range(scores.shape[1])]
        assert az_nas(scores)[i] == pytest.approx(sum(math.log(r / n) for r in ranks))
        mean = sum(ranks) / len(ranks)
        assert rank_average(scores)[i] == pytest.approx((mean - 1) / max(n - 1, 1))


@given(drawn_scores(), st.sampled_from(sorted(COMBINATIONS)))
def test_only_ranks_count(scores: Scores, name: str) -> None:
    stretched = np.exp(scores * np.arange(1, scores.shape[1] + 1))
    np.testing.assert_allclose(
        COMBINATIONS[name](stretched), COMBINATIONS[name](scores), atol=1e-12
    )


def test_one_bad_rank_costs_more_than_good_ones_bring() -> None:
    # Ranks 1, 4 and 3, 3 of 4: the first has the higher best, the second no low one.
    scores = np.asarray([[0.0, 3.0], [2.0, 2.0], [3.0, 0.0], [1.0, 1.0]])
    assert az_nas(scores)[1] > az_nas(scores)[0]
    assert az_nas(scores)[0] == pytest.approx(math.log(1 / 4) + math.log(4 / 4))


def test_votes_are_the_same_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = np.random.default_rng(0).integers(0, 40, (2_100, 3)).astype(float)
    found = vote(scores)  # of more than 2,048 in two pieces
    for i in (0, 1_000, 1_998, 2_099):
        votes = np.sign(scores[i] - scores).sum(1)
        assert found[i] == pytest.approx(np.sign(votes).sum() / 2_099)


def test_a_combination_is_missing_where_a_part_is() -> None:
    scores = {"a": np.asarray([1.0, np.nan, 3.0, 4.0]), "b": np.asarray([4.0, 1.0, np.inf, 5.0])}
    found = combine(scores, rank_average)
    assert np.isnan(found).tolist() == [False, True, True, False]
    assert found[[0, 3]].tolist() == [0.0, 1.0]


# Fits.


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_a_fit_finds_which_scores_count() -> None:
    of = np.random.default_rng(1)
    scores = of.normal(size=(600, 3))
    values = scores[:, 0] - scores[:, 1] + of.normal(0, 0.3, 600)
    found = fitted(scores, values, np.arange(600), rng())
    assert np.corrcoef(found, values)[0, 1] > 0.9
    assert max(abs(np.corrcoef(scores.T, values)[-1, :-1])) < 0.75


def test_a_fit_learns_that_the_middle_is_best() -> None:
    of = np.random.default_rng(1)
    scores = of.random((600, 2))
    values = -np.abs(scores[:, 0] - 0.5)
    found = fitted(scores, values, np.arange(600), rng())
    assert np.corrcoef(found, values)[0, 1] > 0.9


def test_nothing_is_scored_by_what_it_was_fitted_on() -> None:
    """Noise that a fit could learn by heart is not seen in what it predicts."""
    of = np.random.default_rng(1)
    scores, values = of.normal(size=(120, 12)), of.normal(size=120)
    found = fitted(scores, values, np.arange(120), rng())
    assert np.corrcoef(found, values)[0, 1] < 0.3


def test_one_value_moves_no_prediction_of_its_own_fold() -> None:
    of = np.random.default_rng(1)
    scores, values = of.normal(size=(100, 2)), of.normal(size=100)
    groups = np.arange(100) // 2
    before = fitted(scores, values, groups, rng())
    for changed in (0, 37, 99):
        other = values.copy()
        other[changed] += 50
        moved = fitted(scores, other, groups, rng()) != before
        assert not moved[groups == groups[changed]].any()  # nor that of its twin
        assert moved.sum() > 50


def test_missing_values_are_predicted_and_not_fitted_to() -> None:
    of = np.random.default_rng(1)
    scores = of.normal(size=(200, 2))
    values = np.where(np.arange(200) % 2, scores[:, 0], np.nan)
    found = fitted(scores, values, np.arange(200), rng())
    assert np.isfinite(found).all()
    assert np.corrcoef(found, scores[:, 0])[0, 1] > 0.9


def test_too_few_to_fit_is_told() -> None:
    with pytest.raises(NasbenchError, match=r"a fit of 3 scores needs 14 trained .*, got 8"):
        fitted(np.random.default_rng(0).random((10, 3)), np.arange(10.0), np.arange(10), rng())


@pytest.mark.parametrize("name", COMBINATIONS)
def test_nothing_is_combined_where_no_architecture_has_all(name: str) -> None:
    apart = {"a": np.asarray([1.0, np.nan]), "b": np.asarray([np.nan, 2.0])}
    assert np.isnan(combine(apart, COMBINATIONS[name])).all()


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (np.full(65, np.nan), "of toy has a score by second: judge the others, --proxies first"),
        (np.r_[np.full(60, np.nan), np.arange(5.0)], "0 architectures have .* name fewer scores"),
    ],
)
def test_proxies_that_score_nothing_together_are_refused(
    second: Scores, message: str, tmp_path: Path
) -> None:
    first = np.r_[np.arange(60.0), np.full(5, np.nan)]
    accuracy = np.random.default_rng(0).normal(80, 5, (65, 1, 1))
    table = write_table(
        tmp_path / "T.h5",
        name="toy",
        space=get("nb201-mini"),
        sharing="canonical",
        rows=get("nb201-mini").representatives,
        recipes={"1ep": {"epochs": 1, "seeds": [0]}},
        datasets={
            "recipe/1ep/valid_accuracy": Dataset(accuracy, {"kind": "trained", "epochs": [1]}),
            "proxy/first": Dataset(first, {"kind": "computed", "better": "high"}),
            "proxy/second": Dataset(second, {"kind": "computed", "better": "high"}),
        },
    )
    with pytest.raises(NasbenchError, match=message):
        judge(table)
