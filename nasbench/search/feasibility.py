"""Whether a goal can be met at all, checked before anything is searched."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from nasbench._words import rounded
from nasbench.errors import BadValue
from nasbench.search.goal import Goal, Limit

__all__ = ["check_feasible"]


def check_feasible(goal: Goal, column: Callable[[str], NDArray[np.float64]], source: str) -> None:
    """Refuse a goal that nothing of a source can meet.

    Args:
        goal: what is searched for.
        column: gives the values of a metric for everything that can be found, float64 `[rows]`.
        source: what that is called.

    Raises:
        BadValue: where a metric that is optimised has no value at all, where a limit is kept by
            nothing, or where nothing has all the values and keeps all the limits.
    """
    optimised = [np.isfinite(column(metric)) for metric in goal.judged]
    for metric, has in zip(goal.judged, optimised, strict=True):
        if not has.any():
            raise BadValue(f"{source} has no value of {metric}: nothing can be found")
    possible = np.logical_and.reduce(optimised)
    for limit in goal.limits:
        values = column(limit.metric)
        kept = limit.kept(values)
        if not kept.any():
            raise BadValue(
                f"nothing in {source} keeps the limit {limit}: {_nearest(limit, values)}"
            )
        possible &= kept
    if not possible.any():
        known = f"has a value of {' and of '.join(goal.judged)}"
        limits = "".join(f" and keeps {limit}" for limit in goal.limits)
        raise BadValue(f"nothing in {source} {known}{limits}, all together: nothing can be found")


def _nearest(limit: Limit, values: NDArray[np.float64]) -> str:
    """The range that the limit misses."""
    known = values[np.isfinite(values)]
    if not len(known):
        return f"{limit.metric} has no value there"
    return f"its values are from {rounded(known.min(), 6)} to {rounded(known.max(), 6)}"
