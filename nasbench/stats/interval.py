"""What a sample says, and how sure it is."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["Summary", "bootstrap_interval", "summarize"]

RESAMPLES = 5_000


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
