"""Agreement, reliability and noise ceilings against SciPy, scikit-learn and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from sklearn import metrics

from nasbench.stats import (
    agreement,
    bootstrap_agreement,
    kendall_ceiling,
    noise_ceiling,
    partial_spearman,
    reliability,
    seed_agreement,
    spearman,
    spearman_brown,
    spearman_ceiling,
)
from nasbench.stats.rank import _ranks


def _pairs(n: int, seed: int, ties: bool = False) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.normal(90, 3, n)
    guess = truth + rng.normal(0, 2, n)
    return (truth.round(), guess.round()) if ties else (truth, guess)


@pytest.mark.parametrize("ties", [False, True])
def test_agreement_against_other_implementations(ties: bool) -> None:
    truth, guess = _pairs(300, 1, ties)
    found = agreement(truth, guess)
    assert found.n == 300
    assert found.r2 == pytest.approx(metrics.r2_score(truth, guess))
    assert found.mae == pytest.approx(metrics.mean_absolute_error(truth, guess))
    assert found.spearman == pytest.approx(scipy_stats.spearmanr(truth, guess).statistic)
    signs = [np.sign(values[:, None] - values) for values in (truth, guess)]
    tau_b = (signs[0] * signs[1]).sum() / np.sqrt((signs[0] ** 2).sum() * (signs[1] ** 2).sum())
    assert found.kendall == pytest.approx(tau_b)


def test_agreement_knows_perfect_reversed_and_constant_predictions() -> None:
    truth = np.arange(10.0)
    assert agreement(truth, truth).describe() == pytest.approx(
        {"r2": 1, "kendall": 1, "spearman": 1, "mae": 0, "n": 10}
    )
    turned = agreement(truth, -truth)
    assert (turned.kendall, turned.spearman) == pytest.approx((-1, -1))
    assert agreement(truth, np.full(10, truth.mean())).r2 == 0
    flat = agreement(truth, np.full(10, 3.0))
    assert np.isnan(flat.kendall)
    assert np.isnan(flat.spearman)
    assert np.isnan(agreement(np.full(10, 3.0), truth).r2)


def test_bootstrap_of_agreement_against_scipy() -> None:
    truth, guess = _pairs(120, 2)
    ends = bootstrap_agreement(truth, guess, resamples=600)
    assert set(ends) == {"r2", "kendall", "spearman", "mae"}
    theirs = scipy_stats.bootstrap(
        (truth, guess),
        lambda t, g: agreement(t, g).kendall,
        paired=True,
        vectorized=False,
        n_resamples=600,
        method="percentile",
        rng=np.random.default_rng(3),
    ).confidence_interval
    width = theirs.high - theirs.low
    assert np.abs(np.subtract(ends["kendall"], theirs)).max() < 0.25 * width
    for name, (low, high) in ends.items():
        assert low < agreement(truth, guess).describe()[name] < high
    assert ends == bootstrap_agreement(truth, guess, resamples=600)


def test_bootstrap_of_agreement_bears_samples_without_spread() -> None:
    # Of three architectures one resample in nine is one architecture thrice.
    ends = bootstrap_agreement([1.0, 2.0, 3.0], [1.5, 2.0, 4.0])
    assert all(np.isfinite(pair).all() for pair in ends.values())
    flat = bootstrap_agreement(np.arange(20.0), np.full(20, 9.5))
    assert np.isnan(flat["kendall"]).all()
    assert np.isfinite(flat["mae"]).all()


# Seeds: reliability, and what it leaves to be reached.


def _accuracies(n: int, k: int, share: float, seed: int) -> np.ndarray:
    """`[n, k]` accuracies of which `share` of a single one's variance is the architecture's."""
    rng = np.random.default_rng(seed)
    true = rng.normal(90, np.sqrt(share), (n, 1))
    return true + rng.normal(0, np.sqrt(1 - share), (n, k))


@pytest.mark.parametrize("share", [0.2, 0.6, 0.9])
def test_reliability_finds_the_ratio_it_was_simulated_with(share: float) -> None:
    assert reliability(_accuracies(20_000, 3, share, 1)) == pytest.approx(share, abs=0.015)


@pytest.mark.parametrize("shape", [(0,), (1,), (6,), (3, 0), (0, 3), (4, 1), (2, 3, 40)])
def test_ranks_are_those_of_scipy_to_the_last_bit(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    for values in (rng.normal(size=shape), rng.integers(-2, 3, shape) * 1.0):
        for odd in (-0.0, np.inf, -np.inf, np.nan):
            if values.size:
                values.flat[rng.integers(values.size)] = odd
            expected = scipy_stats.rankdata(values, axis=-1) - (shape[-1] + 1) / 2
            np.testing.assert_array_equal(_ranks(values), expected)


@given(
    n=st.integers(3, 30), k=st.integers(2, 6), share=st.floats(0, 1), seed=st.integers(0, 10_000)
)
def test_reliability_against_the_f_statistic(n: int, k: int, share: float, seed: int) -> None:
    """With F = between / within, ICC(1) is (F - 1) / (F + k - 1)."""
    values = _accuracies(n, k, share * 0.98, seed)
    f = scipy_stats.f_oneway(*values).statistic
    assert reliability(values) == pytest.approx((f - 1) / (f + k - 1), rel=1e-9, abs=1e-9)


def test_reliability_leaves_out_rows_with_a_missing_seed() -> None:
    values = _accuracies(50, 3, 0.7, 2)
    holed = np.concatenate((values, [[90, np.nan, 91], [np.nan] * 3]))
    assert reliability(holed) == reliability(values)


@pytest.mark.parametrize("values", [np.zeros((1, 3)), np.zeros((5, 1)), np.zeros((4, 3))])
def test_reliability_of_too_little_is_nan(values: np.ndarray) -> None:
    assert np.isnan(reliability(values))
    assert np.isnan(noise_ceiling(values).spearman)


def test_spearman_brown_closed_forms() -> None:
    assert spearman_brown(0.5, 2) == pytest.approx(2 / 3)
    assert spearman_brown(0.37, 1) == pytest.approx(0.37)
    # Doubling twice is taking four.
    assert spearman_brown(spearman_brown(0.3, 2), 2) == pytest.approx(spearman_brown(0.3, 4))


@pytest.mark.parametrize("k", [2, 5])
def test_ceiling_is_what_the_true_means_reach(k: int) -> None:
    """Nothing predicts noisy means better than the true ones do: they meet the ceiling."""
    rng = np.random.default_rng(7)
    true = rng.normal(90, 1, 30_000)
    values = true[:, None] + rng.normal(0, 1.2, (len(true), k))
    ceiling = noise_ceiling(values)
    assert ceiling.seeds == k
    reached = agreement(values.mean(1), true)
    correlation = np.corrcoef(values.mean(1), true)[0, 1]
    assert ceiling.reliability == pytest.approx(correlation**2, abs=0.01)
    # Of normal variables Spearman's rho is 6/pi asin(r/2), within 0.02 of r.
    assert ceiling.spearman == pytest.approx(reached.spearman, abs=0.025)
    assert ceiling.kendall == pytest.approx(reached.kendall, abs=0.01)
    # The best predictor in squares is the true mean shrunk towards the overall one.
    shrunk = values.mean() + correlation * values.mean(1).std() * (true - 90) / true.std()
    assert ceiling.r2 == pytest.approx(agreement(values.mean(1), shrunk).r2, abs=0.01)


def test_ceiling_of_pure_noise_is_zero() -> None:
    values = np.tile([[1.0, -1.0], [-1.0, 1.0]], (20, 1))  # every mean is equal: ICC is -1
    assert reliability(values) == pytest.approx(-1)
    assert noise_ceiling(values).describe() == {
        "reliability": 0,
        "r2": 0,
        "spearman": 0,
        "kendall": 0,
        "seeds": 2,
    }


@pytest.mark.parametrize("correlation", [-0.8, 0.0, 0.3, 0.95])
def test_greiners_relation_by_simulation(correlation: float) -> None:
    rng = np.random.default_rng(9)
    x, noise = rng.standard_normal((2, 40_000))
    y = correlation * x + np.sqrt(1 - correlation**2) * noise
    assert kendall_ceiling(correlation) == pytest.approx(
        scipy_stats.kendalltau(x, y).statistic, abs=0.015
    )


# Rank correlations of many samples at once.


def test_spearman_of_each_sample_against_scipy() -> None:
    rng = np.random.default_rng(11)
    x = rng.integers(0, 6, (4, 30))  # with ties
    y = x + rng.integers(0, 6, (4, 30))
    expected = [scipy_stats.spearmanr(a, b).statistic for a, b in zip(x, y, strict=True)]
    assert spearman(x, y) == pytest.approx(expected)
    assert np.isnan(spearman(x[0], np.full(30, 2.0)))


def _first_order(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> float:
    """The textbook's partial correlation of x and y given one z, on ranks."""
    xy, xz, yz = (scipy_stats.spearmanr(a, b).statistic for a, b in ((x, y), (x, z), (y, z)))
    return float((xy - xz * yz) / np.sqrt((1 - xz**2) * (1 - yz**2)))


@given(n=st.integers(12, 40), seed=st.integers(0, 10_000))
def test_partial_spearman_against_the_recursion(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y, z, w = rng.normal(size=(4, n))
    x, y = x + z + w, y - z + w
    assert partial_spearman(x, y, z[:, None]) == pytest.approx(_first_order(x, y, z))
    # Of second order, from those of first order.
    xy, xw, yw = (_first_order(a, b, z) for a, b in ((x, y), (x, w), (y, w)))
    expected = (xy - xw * yw) / np.sqrt((1 - xw**2) * (1 - yw**2))
    assert partial_spearman(x, y, np.stack((z, w), 1)) == pytest.approx(expected)


def test_partial_spearman_finds_what_is_added_and_what_is_not() -> None:
    rng = np.random.default_rng(12)
    size, depth, truth_alone, noise = rng.normal(size=(4, 5_000))
    truth = size + depth + truth_alone
    given_both = np.stack((size, depth), axis=1)
    assert abs(partial_spearman(size + depth + noise, truth, given_both)) < 0.05
    assert partial_spearman(truth_alone + noise, truth, given_both) > 0.6
    assert spearman(size + depth + noise, truth) > 0.6


def test_partial_spearman_of_what_is_explained_in_full_is_nan() -> None:
    x, y = np.random.default_rng(13).normal(size=(2, 25))
    assert np.isnan(partial_spearman(x, y, np.exp(x)[:, None]))
    constant = np.ones((25, 1))
    assert partial_spearman(x, y, constant) == pytest.approx(spearman(x, y))


def test_seed_agreement_is_the_mean_over_pairs() -> None:
    values = _accuracies(40, 4, 0.6, 14)
    table = scipy_stats.spearmanr(values).statistic
    assert seed_agreement(values) == pytest.approx(table[np.triu_indices(4, 1)].mean())
    both = np.stack((values, values[::-1] ** 3))
    assert seed_agreement(both) == pytest.approx(np.full(2, seed_agreement(values)))


def test_spearman_ceiling_is_that_of_noise_ceiling() -> None:
    values = _accuracies(20_000, 3, 0.5, 15)
    expected = noise_ceiling(values).spearman
    assert spearman_ceiling(float(seed_agreement(values)), 3) == pytest.approx(expected, abs=0.001)
    assert spearman_ceiling(-0.3, 3) == 0
    assert spearman_ceiling(1.0, 3) == pytest.approx(1)
