"""Choosing: by brute force the same, whoever else is listed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasbench.errors import BadValue
from nasbench.stats import choose, gains, knee, non_dominated, topsis

UP = [True, False, False]


def points(seed: int, n: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(1, 100, (n, 3)).round(1)


@given(st.integers(0, 10**6), st.integers(1, 40))
def test_the_pick_has_the_largest_weighted_gain_of_all(seed: int, n: int) -> None:
    values, reference, weights = points(seed, n), [50.0, 20, 30], [5.0, 1, 2]
    found = choose(values, UP, weights, reference, draws=5, rng=np.random.default_rng(0))
    scores = [
        (5 * (a / 50 - 1) + (1 - b / 20) + 2 * (1 - c / 30)) / 8 for a, b, c in values.tolist()
    ]
    assert found.score == pytest.approx(max(scores))
    assert scores[found.pick] == pytest.approx(max(scores))
    assert found.pick in found.front
    assert {found.topsis, found.knee, *found.over_weights} <= set(found.front.tolist())
    assert sum(found.over_weights.values()) == pytest.approx(1)


@given(st.integers(0, 10**6), st.integers(2, 30))
def test_whoever_is_beaten_in_everything_changes_no_opinion(seed: int, n: int) -> None:
    """Rank reversal: of all that is said of a list, nothing hangs on its dominated rows."""
    values = points(seed, n)
    reference, weights = [50.0, 20, 30], [5.0, 1, 2]
    front = non_dominated(gains(values, UP, reference))
    whole = choose(values, UP, weights, reference, draws=20, rng=np.random.default_rng(1))
    alone = choose(values[front], UP, weights, reference, draws=20, rng=np.random.default_rng(1))
    assert whole.pick == front[alone.pick]
    assert whole.topsis == front[alone.topsis]
    assert whole.knee == front[alone.knee]
    assert whole.over_weights == {int(front[k]): v for k, v in alone.over_weights.items()}


def test_rows_with_gaps_are_left_out() -> None:
    values = [[np.nan, 1.0], [5.0, 2.0]]
    found = choose(values, [True, False], [1, 1], [5.0, 2.0], rng=np.random.default_rng(0))
    assert found.pick == 1
    assert found.score == 0


def test_topsis_is_that_of_the_book() -> None:
    """Distances to the best and the worst of each column, by hand."""
    gained, weights = np.asarray([[0.0, 1.0], [0.8, 0.9], [1.0, 0.0]]), np.asarray([0.5, 0.5])
    shares = []
    for row in gained * weights:
        to_best = np.hypot(*(0.5 - row))
        to_worst = np.hypot(*row)
        shares.append(to_worst / (to_best + to_worst))
    assert topsis(gained, weights) == int(np.argmax(shares)) == 1
    assert topsis(np.ones((2, 2)), weights) == 0  # all alike


def test_the_knee_is_farthest_from_the_line_through_the_ends() -> None:
    x = np.linspace(0, 1, 101)
    front = np.stack([x, 1 - x**4], axis=1)
    # The line through (0, 1) and (1, 0): the distance is largest where 1 = 4 x^3.
    assert x[knee(front)] == pytest.approx(0.25 ** (1 / 3), abs=0.01)
    assert knee(front * [1000, 1] + [5, -7]) == knee(front)


@pytest.mark.parametrize(
    ("weights", "reference", "says"),
    [
        ([1, 0], [1, 1], "weights are numbers above 0"),
        ([1, np.nan], [1, 1], "weights are numbers above 0"),
        ([1, 1], [1, 0], "above 0 in everything"),
        ([1, 1], [np.nan, 1], "above 0 in everything"),
    ],
)
def test_what_weighs_nothing_is_refused(
    weights: list[float], reference: list[float], says: str
) -> None:
    with pytest.raises(BadValue, match=says):
        choose([[1, 1]], [True, True], weights, reference, rng=np.random.default_rng(0))
