"""Which of several are not beaten in everything at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasbench.errors import NasbenchError

__all__ = ["crowding_distance", "non_dominated", "pareto_front", "pareto_rank"]


def pareto_front(cost: ArrayLike, value: ArrayLike) -> NDArray[np.int64]:
    """Positions of those that no other beats: none costs less or as much and is worth more.

    Args:
        cost: to keep low, `[n]`.
        value: to keep high, `[n]`; NaN in either is never on the front.

    Returns:
        Positions by ascending cost; of equals the first.

    Example:
        >>> pareto_front(cost=[5.0, 3.0, 9.0], value=[90.0, 85.0, 88.0]).tolist()
        [1, 0]
    """
    costs = np.asarray(cost, dtype=np.float64)
    values = np.asarray(value, dtype=np.float64)
    known = np.flatnonzero(np.isfinite(costs) & np.isfinite(values))
    order = known[np.lexsort((-values[known], costs[known]))]
    best_before = np.concatenate(([-np.inf], np.maximum.accumulate(values[order])[:-1]))
    return order[values[order] > best_before]


def non_dominated(values: ArrayLike) -> NDArray[np.int64]:
    """Positions of the points that no other dominates, of any number of objectives.

    Args:
        values: to keep high, `[n, objectives]`; a point with one that is not finite is never
            among them.

    Returns:
        Positions, ascending; of equal points the first.

    Example:
        >>> non_dominated([[90, 1], [91, 3], [89, 1]]).tolist()
        [1]
    """
    points = np.asarray(values, dtype=np.float64)
    known = np.flatnonzero(np.isfinite(points).all(1))
    # In this order none is dominated by a later one, and of equals the first comes first.
    left = known[np.lexsort(-points[known].T[::-1])]
    found = []
    while len(left):
        first, left = left[0], left[1:]
        found.append(first)
        left = left[~(points[left] <= points[first]).all(1)]
    return np.sort(np.asarray(found, dtype=np.int64))


def pareto_rank(values: ArrayLike) -> NDArray[np.int64]:
    """The front that each point is on, 0 for those that none dominates, `[n]`.

    Non-dominated sorting: Deb et al., "A Fast and Elitist Multiobjective Genetic Algorithm:
    NSGA-II", IEEE Transactions on Evolutionary Computation 6(2), 2002. A front is what none
    dominates once the fronts before it are taken away. Every pair is compared, n^2 numbers.

    Args:
        values: to keep high, `[n, objectives]`; -inf is the worst, NaN is refused.

    Example:
        >>> pareto_rank([[2, 2], [1, 1], [3, 0]]).tolist()
        [0, 1, 0]
    """
    points = np.asarray(values, dtype=np.float64)
    if np.isnan(points).any():
        raise NasbenchError("points that are ranked must be numbers, got NaN: -inf is the worst")
    # [n, n]: i no worse than j in anything
    no_worse = np.asarray((points[:, None] >= points).all(-1))
    dominates = no_worse & ~no_worse.T
    ranks = np.full(len(points), -1)
    front = 0
    while (left := ranks < 0).any():
        ranks[left & ~dominates[left].any(0)] = front
        front += 1
    return ranks


def crowding_distance(values: ArrayLike, ranks: ArrayLike) -> NDArray[np.float64]:
    """How far each point's neighbours on its own front are from each other, `[n]`.

    Deb et al. 2002, as `pareto_rank`: for each objective the distance between the next lower
    and the next higher point, as a share of the front's range, summed over objectives; inf for
    the ends. An objective in which a front has no range says nothing about it.

    Args:
        values: `[n, objectives]`; on one front all finite, or all the same.
        ranks: the front of each, from 0, `[n]`.

    Example:
        >>> points = [[0, 2], [1, 1], [2, 0]]
        >>> crowding_distance(points, pareto_rank(points)).tolist()
        [inf, 2.0, inf]
    """
    points = np.asarray(values, dtype=np.float64)
    fronts = np.asarray(ranks)
    distance = np.zeros(len(points))
    for rank in np.unique(fronts):
        members = np.flatnonzero(fronts == rank)
        for column in points[members].T:
            order = column.argsort(kind="stable")
            ascending = column[order]
            if ascending[0] < ascending[-1]:
                padded = np.concatenate(([-np.inf], ascending, [np.inf]))
                gaps = padded[2:] - padded[:-2]
                distance[members[order]] += gaps / (ascending[-1] - ascending[0])
    return distance
