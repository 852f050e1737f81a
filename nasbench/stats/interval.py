"""What a sample says, and how sure it is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Estimate",
    "Summary",
    "bootstrap_estimate",
    "bootstrap_interval",
    "resample_means",
    "summarize",
    "wilson_interval",
]

RESAMPLES = 5_000
FEWEST = 10
"""Of fewer a percentile bootstrap interval says little; none is given."""
NORMAL_975 = 1.959963984540054
"""The quantile of the normal distribution that leaves 2.5 % above it."""


@dataclass(frozen=True, slots=True)
class Summary:
    """A sample in numbers.

    Attributes:
        mean: of the sample.
        std: standard deviation with ddof 0.
        median: of the sample.
        low: of the bootstrap interval of the mean (95 %).
        high: likewise.
        q25: the lower quartile, interpolated linearly.
        q75: the upper quartile.

    Example:
        >>> summarize([1.0, 2.0, 3.0, 6.0]).median
        2.5
    """

    mean: float
    std: float
    median: float
    low: float
    high: float
    q25: float
    q75: float

    def describe(self) -> dict[str, float | None]:
        """All but the quartiles by name, None for NaN: the form that summaries are written in."""
        names = ("mean", "std", "median", "low", "high")
        return {name: v if math.isfinite(v := getattr(self, name)) else None for name in names}


def summarize(values: ArrayLike) -> Summary:
    """Mean, spread, quartiles and the bootstrap interval of the mean of `[n]` values.

    Example:
        >>> found = summarize([1.0, 2.0, 3.0, 6.0])
        >>> found.mean, found.q25, found.q75
        (3.0, 1.75, 3.75)
    """
    sample = np.asarray(values, dtype=np.float64)
    low, high = bootstrap_interval(sample)
    quartiles = np.quantile(sample, (0.25, 0.75))
    numbers = (sample.mean(), sample.std(), np.median(sample), low, high, *quartiles)
    return Summary(*map(float, numbers))


def bootstrap_interval(
    values: ArrayLike, confidence: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """The percentile bootstrap interval of the mean over the first axis.

    Efron & Tibshirani, "An Introduction to the Bootstrap", 1993, section 13.3; 5,000
    resamples, drawn the same way each time.

    Args:
        values: `[n, ...]`; every place of `...` has an interval of its own, from the same
            resamples.
        confidence: of the interval.

    Returns:
        Its lower and its upper ends, `[...]`; the mean itself where n is 1.

    Example:
        >>> low, high = bootstrap_interval(np.arange(100.0))
        >>> float(low) < 49.5 < float(high)
        True
    """
    sample = np.asarray(values, dtype=np.float64)
    if len(sample) == 1:
        return sample[0], sample[0]
    means = np.tensordot(_same_weights(len(sample)), sample, axes=1)
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, (tail, 1 - tail), axis=0)
    return low, high


def resample_means(sample: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """The means over the first axis of 5,000 bootstrap resamples: `[n, ...]` to `[5000, ...]`."""
    return np.tensordot(_weights(len(sample), rng), sample, axes=1)


def _weights(n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """How often each value is drawn: its weight in a resample's mean, `[5000, n]`."""
    return rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES) / n


@lru_cache(maxsize=1)
def _same_weights(n: int) -> NDArray[np.float64]:
    """Those that are drawn the same way each time: drawing them takes longer than using them."""
    return _weights(n, np.random.default_rng(0))


def wilson_interval(share: ArrayLike, n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The score interval (95 %) of a probability, of the share `[...]` of n trials.

    Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22,
    1927. Brown, Cai & DasGupta ("Interval estimation for a binomial proportion", Statistical
    Science 16(2), 2001) recommend it: it covers 95 % on average and has a width also where the
    share is 0 or 1. Clopper and Pearson's never covers less, and is too wide for that nearly
    everywhere.

    Returns:
        Its lower and its upper ends, `[...]`; NaN of no trials.

    Example:
        >>> low, high = wilson_interval(0.5, 10)
        >>> round(float(low), 3), round(float(high), 3)
        (0.237, 0.763)
    """
    p = np.asarray(share, dtype=np.float64)
    if n == 0:
        return np.full(p.shape, np.nan), np.full(p.shape, np.nan)
    pull = NORMAL_975**2 / n  # towards one half
    centre = (p + pull / 2) / (1 + pull)
    half = np.sqrt(pull * (p * (1 - p) + pull / 4)) / (1 + pull)
    return np.clip(centre - half, 0, p), np.clip(centre + half, p, 1)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure of a sample of n; `low` and `high` bound it (95 %), NaN where n is too small.

    Example:
        >>> Estimate(0.5, 0.4, 0.6, n=100).describe()
        {'value': 0.5, 'low': 0.4, 'high': 0.6, 'n': 100}
    """

    value: float
    low: float
    high: float
    n: int

    def describe(self) -> dict[str, float | None]:
        """The numbers by name, None for NaN: plain JSON values."""
        return {k: v if math.isfinite(v) else None for k, v in asdict(self).items()}

    def map(self, increasing: Callable[[float], float]) -> Estimate:
        """The same of a figure that is an increasing function of this one."""
        return Estimate(increasing(self.value), increasing(self.low), increasing(self.high), self.n)


def bootstrap_estimate(
    statistic: Callable[..., NDArray[np.float64]], *samples: NDArray[Any], resamples: int = 1_000
) -> Estimate:
    """A statistic with its percentile bootstrap interval (95 %), drawn the same way each time.

    Args:
        statistic: of arrays `[..., n]` or `[..., n, k]`, one for each sample, to `[...]`.
        samples: `[n]` or `[n, k]`, resampled together along n.
        resamples: how many; those for which the statistic is NaN are left out.

    Example:
        >>> found = bootstrap_estimate(lambda sample: sample.mean(-1), np.arange(100.0))
        >>> found.value, found.low < found.value < found.high
        (49.5, True)
    """
    n = len(samples[0])
    if n == 0:
        return Estimate(math.nan, math.nan, math.nan, n)
    value = float(statistic(*samples))
    if n < FEWEST:
        return Estimate(value, math.nan, math.nan, n)
    drawn = np.random.default_rng(0).integers(n, size=(resamples, n))
    found = statistic(*(sample[drawn] for sample in samples))
    known = found[np.isfinite(found)]
    low, high = np.quantile(known if len(known) else [math.nan], (0.025, 0.975))
    return Estimate(value, float(low), float(high), n)
