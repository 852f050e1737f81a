"""Which of several are not beaten in everything at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["pareto_front"]


def pareto_front(cost: ArrayLike, value: ArrayLike) -> NDArray[np.int64]:
    """Positions of those that no other beats: none costs less or as much and is worth more.

    Args:
        cost: to keep low, `[n]`.
        value: to keep high, `[n]`; NaN in either is never on the front.

    Returns:
        Positions by ascending cost; of equals the first.
    """
    costs = np.asarray(cost, dtype=np.float64)
    values = np.asarray(value, dtype=np.float64)
    known = np.flatnonzero(np.isfinite(costs) & np.isfinite(values))
    order = known[np.lexsort((-values[known], costs[known]))]
    best_before = np.concatenate(([-np.inf], np.maximum.accumulate(values[order])[:-1]))
    return order[values[order] > best_before]
