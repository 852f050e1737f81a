"""What a regret curve amounts to, and the lines that it is read against."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from nasbench.errors import NasbenchError
from nasbench.stats.interval import wilson_interval

__all__ = ["SeedNoise", "area_under", "expected_incumbent", "reached", "seed_noise"]

TOP_SHARE = 10
TOP_ROWS = 100
"""Seed noise is that of the best tenth of the rows, and of a hundred at least."""
NOISE_DRAWS = 1_000
NOISE_SPLIT = 0.5
"""Of the noise that `seed_noise` draws, the variance relative to that of a row's mean."""


def area_under(grid: ArrayLike, curves: ArrayLike) -> NDArray[np.float64]:
    """The mean height of curves over a grid: the trapezoidal area divided by the grid's span.

    Before its first point a curve is NaN: nothing was found yet. There it counts as high as at
    that point, which is the least it can have been. A NaN anywhere later makes the area NaN.

    Args:
        grid: ascending, `[points]`; the logarithms of a grid weigh its beginning more.
        curves: `[..., points]`.

    Returns:
        In the unit of the curves, `[...]`.

    Raises:
        NasbenchError: the grid does not ascend, or the curves have other points.

    Example:
        >>> area_under([0, 1, 3], [[2.0, 1.0, 1.0]]).tolist()
        [1.1666666666666667]
    """
    at = np.asarray(grid, dtype=np.float64)
    heights = np.asarray(curves, dtype=np.float64)
    if at.ndim != 1 or len(at) < 2 or not (np.diff(at) > 0).all():
        raise NasbenchError("the grid of a curve needs two points or more that ascend")
    if heights.shape[-1] != len(at):
        raise NasbenchError(f"curves of {heights.shape[-1]} points on a grid of {len(at)}")
    first = np.isfinite(heights).argmax(-1)[..., None]
    before = np.arange(len(at)) < first
    heights = np.where(before, np.take_along_axis(heights, first, -1), heights)
    return np.asarray(np.trapezoid(heights, at, axis=-1) / (at[-1] - at[0]))


def reached(
    curves: ArrayLike, within: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The share of runs whose regret is at most `within` points, at each point of the grid.

    Args:
        curves: regret, `[runs, points]`; NaN, where a run found nothing yet, has not reached it.
        within: points.

    Returns:
        The share and the lower and upper ends of its Wilson interval (95 %), each `[points]`.
        The interval holds at each point by itself, not for the whole curve.

    Example:
        >>> share, low, high = reached([[1.0, 0.4], [2.0, 0.9]], within=0.5)
        >>> share.tolist()
        [0.0, 0.5]
    """
    regret = np.asarray(curves, dtype=np.float64)
    share = (regret <= within).mean(0)
    low, high = wilson_interval(share, len(regret))
    return share, low, high


def expected_incumbent(
    reward: ArrayLike, worth: ArrayLike, draws: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What random search without repeats finds, in closed form: no run is needed.

    The best of n rows drawn from N without replacement is among the `a` worst with probability
    C(a, n) / C(N, n) (David & Nagaraja, "Order Statistics", 2003); rows of equal
    reward are drawn first equally often. One draw is n = 1; all that exhaustive search finds is
    n = N.

    Args:
        reward: of each row what a search is shown, to keep high, `[N]`; -inf or NaN never counts.
        worth: of each row what its incumbent is judged by, such as its regret by the report
            recipe, `[N]`. Draws that find nothing, or an incumbent of unknown (NaN) worth, are
            left out.
        draws: numbers of distinct rows drawn, `[...]`; more than N are N.

    Returns:
        Mean and standard deviation of the incumbent's worth over all draws, each `[...]`; NaN
        where no draw has one.

    Raises:
        NasbenchError: fewer than one draw.

    Example:
        >>> mean, std = expected_incumbent([1, 2, 3], [1, 2, 3], [1, 3])
        >>> mean.tolist(), std.round(3).tolist()
        ([2.0, 3.0], [0.816, 0.0])
    """
    numbers = np.asarray(draws)
    if (numbers < 1).any():
        raise NasbenchError(f"random search draws 1 architecture or more, got {numbers.min()}")
    shown = np.asarray(reward, dtype=np.float64)
    shown = np.where(np.isnan(shown), -np.inf, shown)
    value = np.asarray(worth, dtype=np.float64)
    counts = np.isfinite(shown) & np.isfinite(value)
    # The best found last, so that rounding vanishes once it is the only one left.
    centre = value[counts][shown[counts].argmax()] if counts.any() else np.nan
    centred = np.where(counts, value - centre, 0.0)
    _, group, size = np.unique(-shown, return_inverse=True, return_counts=True)
    sums = [np.bincount(group, weights) / size for weights in (counts, centred, centred**2)]
    total = len(shown)
    worse = np.concatenate(([total], total - np.cumsum(size)))  # than no group, than each
    log_factorial = scipy.special.gammaln(np.arange(total + 1) + 1)

    def moments(n: int) -> tuple[float, float]:
        possible = np.maximum(worse, n)
        ways = log_factorial[possible] - log_factorial[possible - n]
        all_worse = np.where(worse >= n, np.exp(ways - ways[0]), 0.0)  # C(worse, n) / C(N, n)
        mass, first, second = (float(-np.diff(all_worse) @ part) for part in sums)
        if not mass > 0:
            return math.nan, math.nan
        mean = first / mass
        return float(centre) + mean, math.sqrt(max(second / mass - mean**2, 0.0))

    found = [moments(min(int(n), total)) for n in numbers.ravel()]
    mean, std = np.asarray(found, dtype=np.float64).reshape(-1, 2).T
    return mean.reshape(numbers.shape), std.reshape(numbers.shape)


@dataclass(frozen=True, slots=True)
class SeedNoise:
    """What seeds leave uncertain among the best rows of a table; NaN where no row has two.

    Attributes:
        std: standard deviation of one training about its row's true mean.
        error: standard error of a row's mean over its seeds.
        floor: by how much the best-looking row's mean is above its own true mean. The row
            that is truly the best shows, on average, no more regret than this: to stay below
            it is to fit the noise of the table, not to find a better architecture.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> noise = seed_noise(90 + rng.normal(scale=0.3, size=(100, 3)))
        >>> noise.error < noise.std < noise.floor
        True
    """

    std: float
    error: float
    floor: float

    def describe(self) -> dict[str, float | None]:
        """The numbers by name, None for NaN: plain JSON values."""
        return {k: v if math.isfinite(v) else None for k, v in asdict(self).items()}


def seed_noise(values: ArrayLike) -> SeedNoise:
    """The noise of the seeds near the top of a table, and the floor it puts under regret.

    The variance s2 of one training is pooled within rows (one-way analysis of variance), and the
    mean over k seeds has the standard error e = sqrt(s2 / k). Only the best tenth of the rows
    counts: architectures that barely learn vary much more.

    The floor is E[mean_w - truth_w] of the winner w, whose mean is the highest (the winner's
    curse). The coupled bootstrap (Oliveira, Lei & Tibshirani, "Unbiased risk estimation in the
    normal means problem via coupled bootstrap techniques", arXiv 2111.09447, 2021) estimates it
    from the means alone: with z ~ N(0, 1) for each row, mean + sqrt(a) e z and mean - e z / sqrt(a)
    are independent and have the same truth, so that the first may choose w and the second judge
    it: e_w z_w (sqrt(a) + 1 / sqrt(a)), averaged over draws of z. That is unbiased for means with
    noise sqrt(1 + a) e; dividing by sqrt(1 + a), which is ours, is exact where all rows are
    equally good and leaves the floor somewhat too high where few are near the best.

    The true best's regret is E[max mean] - max truth on average, and max truth is truth_w at
    least: so the floor bounds it.

    Args:
        values: one metric to keep high, `[rows, seeds]`; NaN is missing.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> round(seed_noise(90 + rng.normal(scale=0.3, size=(500, 3))).std, 1)
        0.3
    """
    every = np.asarray(values, dtype=np.float64)
    trained = np.isfinite(every).sum(1)
    every, trained = every[trained > 0], trained[trained > 0]
    means = np.nansum(every, 1) / trained
    best = np.argsort(-means, kind="stable")[: max(len(means) // TOP_SHARE, TOP_ROWS)]
    every, trained, means = every[best], trained[best], means[best]
    freedom = int((trained - 1).sum())
    if not freedom:
        return SeedNoise(math.nan, math.nan, math.nan)
    std = math.sqrt(np.nansum((every - means[:, None]) ** 2) / freedom)
    errors = std / np.sqrt(trained)
    rng = np.random.default_rng(0)
    excess = 0.0
    for _ in range(NOISE_DRAWS):
        noise = errors * rng.standard_normal(len(means))
        excess += float(noise[np.argmax(means + math.sqrt(NOISE_SPLIT) * noise)])
    # (sqrt(a) + 1 / sqrt(a)) / sqrt(1 + a)
    scale = math.sqrt(1 + 1 / NOISE_SPLIT)
    floor = scale * excess / NOISE_DRAWS
    return SeedNoise(std, math.sqrt((errors**2).mean()), max(floor, 0.0))
