"""What seed noise leaves to be reached among the best, which are chosen by what is noisy."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasbench.stats.rank import reliability_of_mean, seed_agreement, spearman

__all__ = ["best_ceiling", "draw_truths"]

DRAWS = 10
"""How often the truth is drawn that seeds leave unknown."""


def draw_truths(
    means: ArrayLike,
    of_seeds: ArrayLike,
    reliability: ArrayLike,
    seeds: NDArray[np.int64] | None = None,
) -> NDArray[np.float64]:
    """The truth as it may be, given the mean over seeds; its ranks are what it is drawn for.

    Among the best by a mean its seeds do not tell their noise: those that err upwards together
    are chosen. So the truth is drawn. Of a normal truth and normal noise, given the mean Y it is
    normal with mean R Y and variance R V, with R the reliability of the mean and V the variance
    of its noise. Returned is that over R, Y + e / sqrt(R): its ranks are the same. The noise e is
    the mean of as many of the scope's own residuals as the mean has seeds, for noise among the
    best may be less than elsewhere.

    The architectures may be chosen by their mean, not by anything else that knows the truth, as
    the mean of another recipe: given the mean, they must not be better than others are.

    Args:
        means: `[..., n]`.
        of_seeds: of architectures of the same scope that have all k >= 2 seeds, `[..., m, k]`,
            m >= 1.
        reliability: of the means over all architectures, not only the scope's, `[...]`, above
            0; see `reliability_of_mean`.
        seeds: from 1 to k, of each mean, `[n]`; k of each if None.

    Returns:
        `[..., n, 10]`, drawn the same way each time.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> seeds = rng.normal(size=(50, 1)) + rng.normal(scale=0.5, size=(50, 3))
        >>> draw_truths(seeds.mean(1), seeds, 0.8).shape[-1]
        10
    """
    mean, values = np.asarray(means, np.float64), np.asarray(of_seeds, np.float64)
    k = values.shape[-1]
    residuals = (values - values.mean(-1, keepdims=True)) * math.sqrt(k / (k - 1))
    residuals = residuals.reshape(*values.shape[:-2], -1)
    have = np.full(mean.shape[-1], k) if seeds is None else seeds
    rng = np.random.default_rng(0)
    noise = np.zeros((*mean.shape, DRAWS))
    for number in range(k):
        drawn = residuals[..., rng.integers(residuals.shape[-1], size=(len(have), DRAWS))]
        noise += np.where(number < have[:, None], drawn, 0.0)
    root = np.sqrt(np.asarray(reliability, np.float64))[..., None, None]
    truths: NDArray[np.float64] = mean[..., None] + noise / have[:, None] / root
    return truths


def best_ceiling(values: ArrayLike, share: float) -> NDArray[np.float64]:
    """What a perfect prediction could reach against the mean over seeds among the best by it.

    Spearman's rank correlation of the mean with the truth, the mean over those that
    `draw_truths` gives. A bivariate normal does not change when its two variables change
    places: as much is reached among those that are best in truth.

    Args:
        values: by seed, `[..., n, k]`, k >= 2, none missing. Many samples at once, as a
            bootstrap has them, cost one call.
        share: which of the n, by the mean, above 0.

    Returns:
        `[...]`, at least 0, and 0 where the seeds of all n do not agree; NaN where a seed's values
        are all equal, or one alone is chosen.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> truth = rng.normal(size=(100, 1))
        >>> seeds = truth + rng.normal(scale=0.5, size=(100, 3))
        >>> 0 < float(best_ceiling(seeds, 0.5)) < 1
        True
    """
    every = np.asarray(values, np.float64)
    n, k = every.shape[-2:]
    reliability = reliability_of_mean(seed_agreement(every), k)
    order = np.argsort(-every.mean(-1), axis=-1, kind="stable")[..., : math.ceil(share * n)]
    best = np.take_along_axis(every, order[..., None], axis=-2)
    means = best.mean(-1)
    agree = reliability != 0
    truths = draw_truths(means, best, np.where(agree, reliability, 1.0))
    reached = spearman(np.swapaxes(truths, -1, -2), means[..., None, :]).mean(-1)
    ceiling: NDArray[np.float64] = np.maximum(reached, 0.0) * agree
    return ceiling
