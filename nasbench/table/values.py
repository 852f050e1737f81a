"""Which numbers a data set can hold, whoever wrote it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["LARGEST", "impossible"]

LARGEST = 1e30
"""Of any value: the square of it, and a sum of squares, are finite float64."""


def impossible(name: str, values: NDArray[Any]) -> str:
    """What no training or measurement gives among a data set's values, or nothing.

    NaN is missing. What is counted or computed of a network may be any number.

    Args:
        name: of the data set.
        values: of any shape.

    Example:
        >>> impossible("recipe/5ep/train_seconds", np.asarray([91.5, np.inf, np.nan]))
        'has values from 91.5 to inf where 0 to 1e+30 are expected'
        >>> impossible("recipe/5ep/valid_accuracy", np.asarray([91.5, 55.0, np.nan]))
        ''
    """
    room, metric = name.split("/")[0], name.rpartition("/")[2]
    if values.dtype.kind != "f" or not values.size or room not in ("recipe", "last", "device"):
        return ""
    low, high = 0.0 if metric.endswith("_seconds") else -LARGEST, LARGEST
    # Unlike `nanmin`, without a warning where all are missing.
    least, most = float(np.fmin.reduce(values, axis=None)), float(np.fmax.reduce(values, axis=None))
    if not (least < low or most > high):
        return ""
    return f"has values from {least:g} to {most:g} where {low:g} to {high:g} are expected"
