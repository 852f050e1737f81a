"""What a sample says, and how sure it is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Estimate", "Summary", "bootstrap_estimate", "bootstrap_interval", "summarize"]

RESAMPLES = 5_000
FEWEST = 10
"""Of fewer a percentile bootstrap interval says little; none is given."""


@dataclass(frozen=True, slots=True)
class Summary:
    """A sample in five numbers: `std` has ddof 0, `low` and `high` bound the mean (95 %)."""

    mean: float
    std: float
    median: float
    low: float
    high: float

    def describe(self) -> dict[str, float]:
        """The five numbers by name."""
        return asdict(self)


def summarize(values: ArrayLike) -> Summary:
    """Mean, standard deviation, median and the bootstrap interval of the mean of `[n]` values."""
    sample = np.asarray(values, dtype=np.float64)
    low, high = bootstrap_interval(sample)
    return Summary(
        float(sample.mean()), float(sample.std()), float(np.median(sample)), float(low), float(high)
    )


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
    """
    sample = np.asarray(values, dtype=np.float64)
    n = len(sample)
    if n == 1:
        return sample[0], sample[0]
    rng = np.random.default_rng(0)
    # How often each value is drawn: its weight in a resample's mean.
    weights = rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES) / n
    means = np.tensordot(weights, sample, axes=1)
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, (tail, 1 - tail), axis=0)
    return low, high


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure of a sample of n; `low` and `high` bound it (95 %), NaN where n is too small."""

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
