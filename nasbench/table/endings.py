"""Where curves end: trainings that diverged or were cut, and what that makes of means over seeds.

A mean over the seeds that are left would be one over those that went well: an architecture of
which a training collapsed would look as good as its luckiest seed. So from the epoch on at which
a training has no value any more, there is no mean. A seed that was never run is no such
training: the mean is over those that were.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["curve_ends", "mean_over_seeds", "ran_of"]

_BLOCK = 1 << 20
"""Numbers looked at in one go: curves may be larger than memory."""


def curve_ends(
    values: NDArray[np.floating[Any]], ran: Callable[[], NDArray[np.bool_]]
) -> NDArray[np.int32]:
    """From which place on each curve has no value any more: int32 `[rows, seeds]`.

    A curve with a value at its last epoch ends behind it. So does that of a training which was
    never run, since nothing of it got lost: no metric of the recipe has a value of it, or this
    metric has none of its seed in any row. A hole before the end ends no curve.

    Args:
        values: a metric of a recipe, `[rows, seeds, epochs]`.
        ran: which trainings there were, `[rows, seeds]`, see `ran_of`; asked for where this
            metric alone does not say it.

    Example:
        >>> nan = np.nan
        >>> values = np.array([[[1, nan, 3], [1, 2, nan], [nan, nan, nan]]])
        >>> curve_ends(values, lambda: ran_of([values]))
        array([[3, 2, 3]], dtype=int32)
    """
    rows, seeds, epochs = values.shape
    ends = np.zeros((rows, seeds), dtype=np.int32)
    for piece in _pieces(rows, seeds * epochs):
        known = ~np.isnan(values[piece])
        behind = epochs - np.argmax(known[:, :, ::-1], axis=2)
        ends[piece] = np.where(known.any(axis=2), behind, 0)
    bare = ends == 0
    doubtful = bare & ~bare.all(axis=0)
    ends[bare & ~(doubtful & ran() if doubtful.any() else doubtful)] = epochs
    return ends


def ran_of(metrics: Iterable[NDArray[np.floating[Any]]]) -> NDArray[np.bool_]:
    """Which trainings of a recipe there were, `[rows, seeds]`: some metric has a value of them.

    Args:
        metrics: of the recipe, each `[rows, seeds, *]`; what has no seeds tells nothing.
    """
    ran = np.zeros((0, 0), dtype=np.bool_)
    for values in metrics:
        if values.ndim != 3:
            continue
        ran = ran if ran.size else np.zeros(values.shape[:2], dtype=np.bool_)
        for piece in _pieces(len(values), int(np.prod(values.shape[1:]))):
            ran[piece] |= ~np.isnan(values[piece]).all(axis=2)
        if ran.all():
            break
    return ran


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
