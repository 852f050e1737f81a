"""How much of the space of objectives a set of points dominates."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasbench.errors import NasbenchError

__all__ = ["hypervolume", "hypervolume_over_time"]


def hypervolume(points: ArrayLike, reference: ArrayLike) -> float:
    """The exact volume between a reference point and what the points dominate.

    Zitzler & Thiele, "Multiobjective optimization using evolutionary algorithms - a comparative
    case study", PPSN 1998. Two objectives are swept here; more are left to moocore, the library
    behind pymoo's indicator (from five objectives on mostly Fonseca, Paquete & López-Ibáñez,
    "An improved dimension-sweep algorithm for the hypervolume indicator", CEC 2006).

    Args:
        points: `[n, objectives]`, all to keep low. A point that is no better than the reference
            in each objective adds nothing, nor does one that is not finite: a failed training.
        reference: `[objectives]`, the worst that counts; comparable only between sets that
            share it.

    Returns:
        In the product of the objectives' units; 0 of no points.

    Raises:
        NasbenchError: shapes do not fit, or moocore is needed and not installed.

    Example:
        >>> hypervolume([[1, 3], [2, 2]], [4, 4])
        5.0
    """
    every, corner = _checked(points, reference)
    inside = every[_counts(every, corner)]
    if len(corner) != 2:
        return _by_library(inside, corner)
    first, second = inside[np.argsort(inside[:, 0])].T
    # From each point to the next along the first objective, the best so far of the second counts.
    widths = np.diff(first, append=corner[0])
    return float(widths @ (corner[1] - np.minimum.accumulate(second)))


def hypervolume_over_time(points: ArrayLike, reference: ArrayLike) -> NDArray[np.float64]:
    """The hypervolume of the first 1, 2, ... n points, `[n]`; arguments as of `hypervolume`.

    Example:
        >>> hypervolume_over_time([[1, 3], [2, 2]], [4, 4]).tolist()
        [3.0, 5.0]
    """
    every, corner = _checked(points, reference)
    volumes = np.zeros(len(every))
    front = every[:0]
    for i in np.flatnonzero(_counts(every, corner)):
        if not (front <= every[i]).all(1).any():
            front = np.concatenate((front[~(every[i] <= front).all(1)], every[i : i + 1]))
            volumes[i] = hypervolume(front, corner)
    # What is dominated adds nothing, and rounding takes nothing away.
    return np.maximum.accumulate(volumes)


def _checked(
    points: ArrayLike, reference: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    every = np.asarray(points, dtype=np.float64)
    corner = np.asarray(reference, dtype=np.float64)
    if every.ndim != 2 or corner.shape != every.shape[1:] or not np.isfinite(corner).all():
        raise NasbenchError(
            f"a hypervolume needs points [n, objectives] and a finite reference [objectives], "
            f"got shape {every.shape} and {corner.tolist()}"
        )
    return every, corner


def _counts(points: NDArray[np.float64], corner: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which points dominate some volume."""
    return np.asarray((np.isfinite(points) & (points < corner)).all(1))


def _by_library(inside: NDArray[np.float64], corner: NDArray[np.float64]) -> float:
    if not len(inside):
        return 0.0
    try:
        import moocore
    except ImportError as error:
        raise NasbenchError(
            f"the hypervolume of {len(corner)} objectives needs moocore: "
            f"pip install 'nasbench-harness[pareto]'"
        ) from error
    return float(moocore.hypervolume(inside, ref=corner))
