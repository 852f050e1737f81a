"""How well one ranking agrees with another, and how well it could with noisy accuracies."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

__all__ = [
    "Agreement",
    "Ceiling",
    "agreement",
    "bootstrap_agreement",
    "kendall_ceiling",
    "noise_ceiling",
    "reliability",
    "spearman_brown",
]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How well predictions meet what was measured.

    Attributes:
        r2: 1 - residual / total sum of squares; below 0 where the mean would do better.
        kendall: tau-b.
        spearman: rank correlation.
        mae: mean absolute error, in the unit of the metric.
        n: architectures compared.
    """

    r2: float
    kendall: float
    spearman: float
    mae: float
    n: int

    def describe(self) -> dict[str, float]:
        """The numbers by name."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What a perfect prediction of the true means could reach against noisy ones.

    Attributes:
        reliability: the share of the variance of the k-seed mean that is not seed noise.
        r2: the reliability itself.
        spearman: from the agreement of the seeds' ranks, as for a bivariate normal.
        kendall: likewise.
        seeds: k.
    """

    reliability: float
    r2: float
    spearman: float
    kendall: float
    seeds: int

    def describe(self) -> dict[str, float]:
        """The numbers by name."""
        return asdict(self)


def agreement(measured: ArrayLike, predicted: ArrayLike) -> Agreement:
    """R2, Kendall's tau-b, Spearman's rho and mean absolute error of `[n]` predictions.

    A constant has no rank correlation with anything: NaN.
    """
    truth = np.asarray(measured, dtype=np.float64)
    guess = np.asarray(predicted, dtype=np.float64)
    residual = truth - guess
    total = float(((truth - truth.mean()) ** 2).sum())
    return Agreement(
        r2=1 - float((residual**2).sum()) / total if total else float("nan"),
        kendall=float(stats.kendalltau(truth, guess).statistic),
        spearman=_spearman(truth, guess),
        mae=float(np.abs(residual).mean()),
        n=len(truth),
    )


def _spearman(truth: NDArray[np.float64], guess: NDArray[np.float64]) -> float:
    """Correlation of the ranks; `scipy.stats.spearmanr` adds a p-value and warns of constants."""
    x, y = (stats.rankdata(values) - (len(values) + 1) / 2 for values in (truth, guess))
    norm = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / norm if norm else float("nan")


def bootstrap_agreement(
    measured: ArrayLike, predicted: ArrayLike, resamples: int = 500
) -> dict[str, tuple[float, float]]:
    """The percentile bootstrap interval (95 %) of each measure of `agreement`.

    Architectures are resampled in pairs of measured and predicted, the same way each time.
    """
    truth, guess = np.asarray(measured), np.asarray(predicted)
    rng = np.random.default_rng(0)
    drawn = rng.integers(len(truth), size=(resamples, len(truth)))
    found = [agreement(truth[pick], guess[pick]).describe() for pick in drawn]
    ends = {}
    for name in ("r2", "kendall", "spearman", "mae"):
        known = [measures[name] for measures in found if not np.isnan(measures[name])]
        low, high = np.quantile(known or [np.nan], (0.025, 0.975))
        ends[name] = (float(low), float(high))
    return ends


def spearman_brown(reliability_of_one: float, k: float) -> float:
    """Reliability of the mean of k parallel measurements (Spearman, 1910; Brown, 1910)."""
    return k * reliability_of_one / (1 + (k - 1) * reliability_of_one)


def reliability(values: ArrayLike) -> float:
    """Reliability of a single seed: the intraclass correlation ICC(1).

    Shrout & Fleiss, "Intraclass correlations", Psychological Bulletin 86(2), 1979: one-way
    analysis of variance of architectures, (between - within) / (between + (k - 1) within).

    Args:
        values: `[architectures, seeds]`; rows with a missing seed are left out.

    Returns:
        At most 1; NaN with fewer than two whole rows or two seeds.
    """
    whole = _whole(values)
    n, k = whole.shape
    if n < 2 or k < 2:
        return float("nan")
    means = whole.mean(1, keepdims=True)
    between = k * float(((means - means.mean()) ** 2).sum()) / (n - 1)
    within = float(((whole - means) ** 2).sum()) / (n * (k - 1))
    spread = between + (k - 1) * within
    return (between - within) / spread if spread else float("nan")


def noise_ceiling(values: ArrayLike) -> Ceiling:
    """What seed noise leaves to be predicted of the mean over seeds, `[architectures, seeds]`.

    For rank correlations the agreement of seeds is taken from their ranks: a few architectures
    that learn nothing stretch the values, and with them the reliability, but leave the order
    of all others as noisy as it is. The ranks' agreement is that of a bivariate normal with
    correlation r = 2 sin(pi rho / 6) (Pearson, 1907); the k-seed mean correlates with the truth
    by the square root of r's Spearman-Brown.
    """
    whole = _whole(values)
    k = np.asarray(values).shape[1]
    of_mean = spearman_brown(max(reliability(whole), 0.0), k)
    of_ranks = max(reliability(stats.rankdata(whole, axis=0)), 0.0) if len(whole) else 0.0
    single = 2 * np.sin(np.pi * of_ranks / 6)
    root = float(np.sqrt(spearman_brown(single, k)))
    spearman = float(6 / np.pi * np.arcsin(root / 2))
    return Ceiling(of_mean, of_mean, spearman, kendall_ceiling(root), k)


def kendall_ceiling(correlation: float) -> float:
    """Kendall's tau of a bivariate normal with this correlation: 2/pi asin(r) (Greiner, 1909)."""
    return float(2 / np.pi * np.arcsin(correlation))


def _whole(values: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    whole: NDArray[np.float64] = array[np.isfinite(array).all(1)]
    return whole
