"""What may lie behind noisy means, against truths that are known since they made them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as scipy_stats

from nasbench.stats import best_ceiling, draw_truths, reliability_of_mean


def _noisy(noise: float, *shape: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Normal truths `[*shape]` of variance 1, and three noisy values of each."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=shape)
    return truth, truth[..., None] + noise * rng.normal(size=(*shape, 3))


@pytest.mark.parametrize("noise", [0.5, 2.0])
def test_truths_are_drawn_from_the_normal_that_they_have_given_the_mean(noise: float) -> None:
    _, values = _noisy(noise, 20_000)
    mean, v = values.mean(1), noise**2 / 3
    r = 1 / (1 + v)
    drawn = r * draw_truths(mean, values, r)
    assert drawn.shape == (20_000, 10)
    # The textbook's: mean R Y, variance V / (1 + V).
    rest = drawn - r * mean[:, None]
    assert abs(rest.mean()) < 0.01
    assert rest.var() == pytest.approx(v / (1 + v), rel=0.02)
    assert abs(np.corrcoef(rest[:, 0], mean)[0, 1]) < 0.03
    # And so they are as the truth is: of variance 1, and all of them like one another.
    assert drawn.var(0) == pytest.approx(np.ones(10), rel=0.05)


def test_means_of_fewer_seeds_are_drawn_with_more_noise() -> None:
    _, values = _noisy(1.0, 12_000)
    seeds = np.repeat([1, 2, 3], 4_000)
    mean = np.asarray([row[:k].mean() for row, k in zip(values, seeds, strict=True)])
    rest = draw_truths(mean, values, 0.64, seeds) - mean[:, None]
    for k in (1, 2, 3):
        assert rest[seeds == k].var() == pytest.approx(1 / k / 0.64, rel=0.05)


@pytest.mark.parametrize("noise", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("share", [0.5, 0.1])
def test_the_ceiling_of_the_best_is_what_their_truth_reaches(noise: float, share: float) -> None:
    truth, values = _noisy(noise, 400, 120)
    mean = values.mean(-1)
    n = int(share * 120)
    ceiling = best_ceiling(values, share).mean()
    for by in (mean, truth):
        best = np.argsort(-by, axis=-1)[:, :n]
        reached = [
            scipy_stats.spearmanr(m[pick], t[pick]).statistic
            for m, t, pick in zip(mean, truth, best, strict=True)
        ]
        assert ceiling == pytest.approx(np.mean(reached), abs=0.04)


def test_many_samples_at_once_are_each_alone() -> None:
    _, values = _noisy(1.0, 2, 3, 30)
    found = best_ceiling(values, 0.5)
    assert found.shape == (2, 3)
    for i in range(2):
        for j in range(3):
            assert found[i, j] == best_ceiling(values[i, j], 0.5)


def test_seeds_that_disagree_leave_nothing_to_be_reached() -> None:
    values = np.random.default_rng(1).normal(size=(40, 1)) * [[1.0, -1.0]]
    assert best_ceiling(values + np.arange(40)[:, None] * 1e-9, 0.5) == 0


def test_too_little_has_no_ceiling() -> None:
    _, values = _noisy(0.1, 9)
    assert np.isfinite(best_ceiling(values, 0.2))
    assert np.isnan(best_ceiling(values, 0.1))
    values[:, 1] = 7.0
    assert np.isnan(best_ceiling(values, 1.0))


@pytest.mark.parametrize("noise", [0.5, 2.0])
def test_reliability_of_the_mean_is_what_was_simulated(noise: float) -> None:
    truth, values = _noisy(noise, 20_000)
    found = reliability_of_mean(scipy_stats.spearmanr(values).statistic[0, 1], 3)
    assert found == pytest.approx(np.corrcoef(truth, values.mean(1))[0, 1] ** 2, abs=0.02)
    assert reliability_of_mean([-0.3, 0.0, 1.0], 3) == pytest.approx([0, 0, 1])
