"""How well one ranking agrees with another, and how well it could with noisy accuracies."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TypeVar

import numpy as np
import scipy  # scipy.stats takes a second to load: at its first use, which no search has
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Agreement",
    "Ceiling",
    "agreement",
    "bootstrap_agreement",
    "kendall_ceiling",
    "noise_ceiling",
    "partial_spearman",
    "reliability",
    "reliability_of_mean",
    "seed_agreement",
    "spearman",
    "spearman_brown",
    "spearman_ceiling",
]

FEW_ROWS = 1_000
"""Of which each two are looked at."""

_Number = TypeVar("_Number", float, NDArray[np.float64])


@dataclass(frozen=True, slots=True)
class Agreement:
    """How well predictions meet what was measured.

    Attributes:
        r2: 1 - residual / total sum of squares; below 0 where the mean would do better.
        kendall: tau-b.
        spearman: rank correlation.
        mae: mean absolute error, in the unit of the metric.
        n: architectures compared.

    Example:
        >>> agreement([1.0, 2.0, 3.0], [1.0, 2.0, 4.0]).n
        3
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

    Example:
        >>> rng = np.random.default_rng(0)
        >>> values = rng.normal(size=(100, 1)) + rng.normal(scale=0.5, size=(100, 3))
        >>> noise_ceiling(values).seeds
        3
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

    Example:
        >>> found = agreement([1.0, 2.0, 3.0, 4.0], [1.0, 3.0, 2.0, 4.0])
        >>> found.mae, round(found.kendall, 3), round(found.spearman, 3)
        (0.5, 0.667, 0.8)
    """
    truth = np.asarray(measured, dtype=np.float64)
    guess = np.asarray(predicted, dtype=np.float64)
    return _agreement(truth, guess, float(spearman(truth, guess)))


def _agreement(
    truth: NDArray[np.float64], guess: NDArray[np.float64], of_ranks: float
) -> Agreement:
    r2, mae = _losses(truth, guess)
    return Agreement(
        r2=float(r2),
        kendall=float(scipy.stats.kendalltau(truth, guess).statistic),
        spearman=of_ranks,
        mae=float(mae),
        n=len(truth),
    )


def _losses(
    truth: NDArray[np.float64], guess: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """R2 and mean absolute error over the last axis: `[..., n]` twice to `[...]` twice."""
    residual = truth - guess
    total = ((truth - truth.mean(-1, keepdims=True)) ** 2).sum(-1)
    share = (residual**2).sum(-1) / np.where(total > 0, total, 1)
    return np.where(total > 0, 1 - share, np.nan), np.abs(residual).mean(-1)


def spearman(x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
    """Rank correlation over the last axis: `[..., n]` twice to `[...]`.

    Ties share their mean rank; a constant correlates with nothing: NaN. Many samples at once,
    as a bootstrap has them, cost one call.

    Example:
        >>> float(spearman([1, 2, 3, 4], [10, 20, 40, 30]))
        0.8
    """
    return _correlation(_ranks(x), _ranks(y))


def partial_spearman(x: ArrayLike, y: ArrayLike, given: ArrayLike) -> NDArray[np.float64]:
    """Rank correlation of x and y once what the ranks of others explain linearly is taken off.

    Kendall & Stuart, "The Advanced Theory of Statistics" 2, 1973, chapter 27, on ranks.

    Args:
        x: `[..., n]`.
        y: `[..., n]`.
        given: the others, `[..., n, others]`.

    Returns:
        `[...]`; NaN where the others leave nothing of x or of y.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> size = np.arange(50.0)
        >>> x, y = size + rng.normal(size=50), size + rng.normal(size=50)
        >>> float(spearman(x, y)) > 0.9, abs(float(partial_spearman(x, y, size[:, None]))) < 0.3
        (True, True)
    """
    others = np.swapaxes(_ranks(np.swapaxes(given, -1, -2)), -1, -2)
    inverse = np.linalg.pinv(others)

    def rest(ranks: NDArray[np.float64]) -> NDArray[np.float64]:
        left = ranks - (others @ (inverse @ ranks[..., None]))[..., 0]
        # What rounding leaves of ranks that are explained in full is not a rest.
        nothing = (left**2).sum(-1) < 1e-12 * (ranks**2).sum(-1)
        return np.where(nothing[..., None], 0.0, left)

    return _correlation(rest(_ranks(x)), rest(_ranks(y)))


def seed_agreement(values: ArrayLike) -> NDArray[np.float64]:
    """Rank correlation between two seeds, the mean over all pairs: `[..., n, seeds]` to `[...]`.

    Example:
        >>> float(seed_agreement([[1.0, 10.0], [2.0, 30.0], [3.0, 20.0]]))
        0.5
    """
    columns = _ranks(np.swapaxes(values, -1, -2))
    pairs = np.triu_indices(columns.shape[-2], 1)
    found = _correlation(columns[..., pairs[0], :], columns[..., pairs[1], :])
    mean: NDArray[np.float64] = found.mean(-1)
    return mean


def _ranks(values: ArrayLike) -> NDArray[np.float64]:
    """Ranks within the last axis, less their mean; NaN throughout where there is one.

    As `scipy.stats.rankdata` has them, in less time where samples are small.
    """
    sample = np.asarray(values, dtype=np.float64)
    rows = sample.reshape(math.prod(sample.shape[:-1]), sample.shape[-1])
    order = rows.argsort(-1)
    ordered = np.take_along_axis(rows, order, -1)
    begins = np.ones(rows.shape, dtype=bool)  # of what is tied
    np.not_equal(ordered[:, 1:], ordered[:, :-1], out=begins[:, 1:])
    first = np.flatnonzero(begins)
    after = np.append(first[1:], begins.size)
    places = np.repeat((first + after - 1) / 2, after - first).reshape(rows.shape)
    places -= np.arange(len(rows))[:, None] * rows.shape[1] + (rows.shape[1] - 1) / 2
    centred = np.empty(rows.shape)
    np.put_along_axis(centred, order, places, -1)
    centred[np.isnan(rows).any(-1)] = np.nan
    return centred.reshape(sample.shape)


def _correlation(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of centred values, over the last axis."""
    norm = np.sqrt((x * x).sum(-1) * (y * y).sum(-1))
    products = (x * y).sum(-1)
    return np.where(norm > 0, products / np.where(norm > 0, norm, 1), np.nan)


def bootstrap_agreement(
    measured: ArrayLike, predicted: ArrayLike, resamples: int = 500
) -> dict[str, tuple[float, float]]:
    """The percentile bootstrap interval (95 %) of each measure of `agreement`.

    Architectures are resampled in pairs of measured and predicted, the same way each time.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> truth = rng.normal(size=100)
        >>> low, high = bootstrap_agreement(truth, truth + rng.normal(size=100))["spearman"]
        >>> low < high
        True
    """
    truth = np.asarray(measured, dtype=np.float64)
    guess = np.asarray(predicted, dtype=np.float64)
    rng = np.random.default_rng(0)
    drawn = rng.integers(len(truth), size=(resamples, len(truth)))
    parts = np.array_split(drawn, drawn.size // 2**20 + 1)  # some at once, and no more memory
    losses = [_losses(truth[part], guess[part]) for part in parts]
    r2, mae = (np.concatenate(of_parts) for of_parts in zip(*losses, strict=True))
    found = {
        "r2": r2,
        "kendall": _kendall_of_resamples(truth, guess, drawn),
        "spearman": np.concatenate([spearman(truth[part], guess[part]) for part in parts]),
        "mae": mae,
    }
    ends = {}
    for name, values in found.items():
        known = values[~np.isnan(values)]
        low, high = np.quantile(known if len(known) else [np.nan], (0.025, 0.975))
        ends[name] = (float(low), float(high))
    return ends


def _kendall_of_resamples(
    truth: NDArray[np.float64], guess: NDArray[np.float64], drawn: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Tau-b of each of the resamples, `[resamples, n]` rows of the sample.

    Of a few rows each two are looked at once: a resample that has row i w[i] times has each pair
    w[i] w[j] times. All are whole numbers that float32 holds: the bits are SciPy's, of each.
    """
    n = len(truth)
    if n > FEW_ROWS:
        taus = [scipy.stats.kendalltau(truth[pick], guess[pick]).statistic for pick in drawn]
        return np.asarray(taus)
    first = np.arange(len(drawn))[:, None] * n
    times = np.bincount((drawn + first).ravel(), minlength=drawn.size).reshape(drawn.shape)
    weights = times.astype(np.float32)

    def of_pairs(values: NDArray[np.float32]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = ((weights @ values) * weights).sum(1).astype(np.float64) / 2
        return found

    x, y = (
        np.subtract(of[:, None] > of, of[:, None] < of, dtype=np.float32) for of in (truth, guess)
    )
    agreeing, apart, others = of_pairs(x * y), of_pairs(np.abs(x)), of_pairs(np.abs(y))
    lost = weights @ (np.isnan(truth) | np.isnan(guess)) > 0
    known = (apart > 0) & (others > 0) & ~lost
    scale = np.sqrt(np.where(known, apart, 1)), np.sqrt(np.where(known, others, 1))
    return np.where(known, np.clip(agreeing / scale[0] / scale[1], -1, 1), np.nan)


def spearman_brown(reliability_of_one: _Number, k: float) -> _Number:
    """Reliability of the mean of k parallel measurements (Spearman, 1910; Brown, 1910).

    Example:
        >>> spearman_brown(0.5, 3)
        0.75
    """
    return k * reliability_of_one / (1 + (k - 1) * reliability_of_one)


def reliability_of_mean(agreement_of_ranks: ArrayLike, k: float) -> NDArray[np.float64]:
    """Squared correlation of the k-seed mean with the truth, as for a bivariate normal: `[...]`.

    See `noise_ceiling`; the agreement of single seeds' ranks, `[...]`, counts as 0 where it is
    below.

    Example:
        >>> float(reliability_of_mean(0.6, 1)) < float(reliability_of_mean(0.6, 3)) < 1
        True
    """
    single = 2 * np.sin(np.pi * np.maximum(agreement_of_ranks, 0.0) / 6)
    return spearman_brown(single, k)


def reliability(values: ArrayLike) -> float:
    """Reliability of a single seed: the intraclass correlation ICC(1).

    Shrout & Fleiss, "Intraclass correlations", Psychological Bulletin 86(2), 1979: one-way
    analysis of variance of architectures, (between - within) / (between + (k - 1) within).

    Args:
        values: `[architectures, seeds]`; rows with a missing seed are left out.

    Returns:
        At most 1; NaN with fewer than two whole rows or two seeds.

    Example:
        >>> reliability([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])
        1.0
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

    Example:
        >>> rng = np.random.default_rng(0)
        >>> values = rng.normal(size=(200, 1)) + rng.normal(scale=0.5, size=(200, 3))
        >>> found = noise_ceiling(values)
        >>> 0.8 < found.reliability < found.spearman < 1
        True
    """
    whole = _whole(values)
    k = np.asarray(values).shape[1]
    of_mean = spearman_brown(max(reliability(whole), 0.0), k)
    of_ranks = max(reliability(scipy.stats.rankdata(whole, axis=0)), 0.0) if len(whole) else 0.0
    root = math.sqrt(reliability_of_mean(of_ranks, k))
    return Ceiling(of_mean, of_mean, spearman_ceiling(of_ranks, k), kendall_ceiling(root), k)


def spearman_ceiling(agreement_of_ranks: float, k: float) -> float:
    """What a perfect prediction of the true means could reach against the k-seed mean.

    See `noise_ceiling`; the agreement of single seeds' ranks counts as 0 where it is below.

    Example:
        >>> spearman_ceiling(0.6, 3) > spearman_ceiling(0.6, 1)
        True
    """
    root = math.sqrt(reliability_of_mean(agreement_of_ranks, k))
    return float(6 / np.pi * np.arcsin(root / 2))


def kendall_ceiling(correlation: float) -> float:
    """Kendall's tau of a bivariate normal with this correlation: 2/pi asin(r) (Greiner, 1909).

    Example:
        >>> round(kendall_ceiling(0.9), 3)
        0.713
    """
    return float(2 / np.pi * np.arcsin(correlation))


def _whole(values: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    whole: NDArray[np.float64] = array[np.isfinite(array).all(1)]
    return whole
