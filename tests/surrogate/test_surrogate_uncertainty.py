"""Spreads and intervals against closed forms and simulated noise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nasbench.surrogate.targets import from_scale, to_scale
from nasbench.surrogate.uncertainty import Calibration, LocalSpread, covered


@given(st.lists(st.floats(0, 100), min_size=1, max_size=20))
def test_scales_lead_back_and_keep_order(values: list[float]) -> None:
    for metric in ("valid_accuracy", "train_seconds", "valid_loss"):
        scaled = to_scale(metric, values)
        assert np.allclose(from_scale(metric, scaled), values, atol=2e-6)
        assert (np.diff(scaled[np.argsort(values)]) >= 0).all()


def test_accuracies_stay_in_percent() -> None:
    assert from_scale("valid_accuracy", [-50.0, 50.0]).tolist() == [0, 100]


def test_one_window_is_the_pooled_deviation() -> None:
    """With as few rows as a window has, the spread is the pooled one, wherever it is asked."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(12, 3))
    squares = ((values - values.mean(1, keepdims=True)) ** 2).sum(1)
    spread = LocalSpread.fit(values.mean(1), squares, np.full(12, 2))
    within = np.mean([np.var(row, ddof=1) for row in values])  # equal degrees of freedom
    assert spread.at([-9, 0, 9]) == pytest.approx(math.sqrt(within))


def test_spread_follows_the_value() -> None:
    """Noise of 2 below 50 and of 0.5 above, three seeds each: found on either side."""
    rng = np.random.default_rng(1)
    at = rng.uniform(0, 100, 4000)
    noise = rng.normal(size=(4000, 3)) * np.where(at < 50, 2.0, 0.5)[:, None]
    squares = ((noise - noise.mean(1, keepdims=True)) ** 2).sum(1)
    spread = LocalSpread.fit(at, squares, np.full(4000, 2))
    assert spread.at([0, 20, 80, 100]) == pytest.approx([2, 2, 0.5, 0.5], rel=0.1)
    assert (np.diff(spread.knots) > 0).all()


def test_rows_that_say_nothing_are_left_out() -> None:
    kept = LocalSpread.fit([1.0, 2.0], [4.0, 4.0], [1, 1])
    more = LocalSpread.fit([1.0, 2.0, 99.0], [4.0, 4.0, 0.0], [1, 1, 0])
    assert kept.describe() == more.describe()
    nothing = LocalSpread.fit([5.0], [0.0], [0])
    assert nothing.at([5.0]).tolist() == [0]


@pytest.mark.parametrize("n", [20, 100, 1000])
@pytest.mark.parametrize("level", [0.5, 0.9])
def test_intervals_cover_new_seeds(n: int, level: float) -> None:
    """Errors of a model and of seeds, whose size depends on the prediction; the mean coverage."""
    rng = np.random.default_rng(n)
    found = []
    for _ in range(60):
        predicted = rng.uniform(0, 1, n + 500)
        size = 0.2 + predicted
        wrong = rng.normal(size=n + 500) * size
        values = (predicted + wrong)[:, None] + 0.3 * rng.normal(size=(n + 500, 2))
        calibration = Calibration.fit(predicted[:n], values[:n])
        low, high = calibration.interval(predicted[n:], level)
        found.append(covered(values[n:], low, high))
    assert np.mean(found) == pytest.approx(level, abs=0.04)


def test_intervals_of_normal_errors_are_those_of_the_normal() -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(5, 2, (20_000, 1))
    calibration = Calibration.fit(np.full(20_000, 5.0), values)
    low, high = calibration.interval([5.0], 0.9)
    expected = stats.norm(5, 2).ppf([0.05, 0.95])
    assert [low[0], high[0]] == pytest.approx(expected.tolist(), abs=0.06)
    again = Calibration.from_description(calibration.describe())
    assert again.interval([5.0], 0.9) == (low, high)


def test_missing_seeds_count_for_nothing() -> None:
    values = np.asarray([[1.0, math.nan], [2.0, 9.0], [math.nan, math.nan]])
    assert covered(values, [0, 0, 0], [3, 3, 3]) == pytest.approx((1 + 0.5) / 2)


def test_no_error_has_no_width() -> None:
    calibration = Calibration.fit([1.0, 2.0, 3.0], [[1.0], [2.0], [3.0]])
    assert calibration.interval([1.5], 0.9) == (np.asarray([1.5]), np.asarray([1.5]))
