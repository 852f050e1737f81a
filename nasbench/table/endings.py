"""Where curves end: trainings that diverged or were cut, and what that makes of means over seeds.

A mean over the seeds that are left would be one over those that went well: an architecture of
which a training collapsed would look as good as its luckiest seed. So from the epoch on at which
a training has no value any more, there is no mean. A seed that was never run is no such
training: the mean is over those that were.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["curve_ends", "mean_over_seeds"]

_BLOCK = 1 << 20
"""Numbers looked at in one go: curves may be larger than memory."""


def curve_ends(
    values: NDArray[np.floating[Any]], others: Iterable[NDArray[np.floating[Any]]]
) -> NDArray[np.int32]:
    """From which place on each curve has no value any more: int32 `[rows, seeds]`.

    A curve with a value at its last epoch ends behind it. So does that of a training which was
    never run, since nothing of it got lost: no metric of the recipe has a value of it, or this
    metric has none of its seed in any row. A hole before the end ends no curve.

    Args:
        values: a metric of a recipe, `[rows, seeds, epochs]`.
        others: the recipe's other metrics, `[rows, seeds, *]`; looked at where this one alone
            does not say whether there was a training.

    Example:
        >>> nan = np.nan
        >>> curve_ends(np.array([[[1, nan, 3], [1, 2, nan], [nan, nan, nan]]]), [])
        array([[3, 2, 3]], dtype=int32)
    """
    rows, seeds, epochs = values.shape
    ends = np.zeros((rows, seeds), dtype=np.int32)
    for piece in _pieces(rows, seeds * epochs):
        known = ~np.isnan(values[piece])
        behind = epochs - np.argmax(known[:, :, ::-1], axis=2)
        ends[piece] = np.where(known.any(axis=2), behind, 0)
    bare = ends == 0
    ran = bare & ~bare.all(axis=0)
    ran &= _ran(ran, others)
    ends[bare & ~ran] = epochs
    return ends


def _ran(
    asked: NDArray[np.bool_], others: Iterable[NDArray[np.floating[Any]]]
) -> NDArray[np.bool_]:
    """Of which trainings, among those that are asked about, another metric has a value."""
    found = np.zeros_like(asked)
    rows = np.flatnonzero(asked.any(axis=1))
    if not len(rows):
        return found
    for other in others:
        if other.ndim != 3:
            continue
        for piece in _pieces(len(rows), int(np.prod(other.shape[1:]))):
            of = rows[piece]
            found[of] |= ~np.isnan(other[of]).all(axis=2)
        if found[asked].all():
            break
    return found


def _pieces(rows: int, numbers: int) -> Iterator[slice]:
    step = max(1, _BLOCK // max(1, numbers))
    return (slice(start, start + step) for start in range(0, rows, step))


def mean_over_seeds(
    values: NDArray[Any], lost: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """The mean over the seeds that exist, `[rows, seeds]` to float64 `[rows]`.

    Args:
        values: NaN where there is none.
        lost: trainings that ended before; their rows have no mean.
    """
    with warnings.catch_warnings():  # a row without any seed is NaN, no news
        warnings.simplefilter("ignore", RuntimeWarning)
        mean = np.asarray(np.nanmean(values, axis=1, dtype=np.float64))
    if lost is not None:
        mean[lost.any(axis=1)] = np.nan
    return mean
