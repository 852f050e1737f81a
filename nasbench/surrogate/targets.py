"""The scale on which a metric is fitted."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["from_scale", "to_scale", "unit_of"]

FLOOR = 0.5
"""Points of error that every accuracy has on the scale of fits, so that 100 % is finite."""

SHORTEST = 1e-6
"""Seconds; a time of 0 has no logarithm."""

LONGEST = 60.0
"""Logarithm of seconds; beyond, what a model predicts would overflow."""


def to_scale(metric: str, values: ArrayLike) -> NDArray[np.float64]:
    """Values as models fit them: larger stays larger, spreads become more even.

    An accuracy in percent becomes minus the logarithm of its error: most cells of a space are
    within a few points of the best, where that scale is stretched, and the few that learn
    nothing come near enough not to rule the fit. Seconds become their logarithm.
    """
    given = np.asarray(values, dtype=np.float64)
    if metric.endswith("accuracy"):
        scaled: NDArray[np.float64] = -np.log(100 + FLOOR - given)
        return scaled
    if metric.endswith("_seconds"):
        return np.asarray(np.log(np.maximum(given, SHORTEST)))
    return given


def from_scale(metric: str, values: ArrayLike) -> NDArray[np.float64]:
    """Back from `to_scale`; accuracies stay within 0 and 100."""
    given = np.asarray(values, dtype=np.float64)
    if metric.endswith("accuracy"):
        # What a linear model predicts far from its rows would overflow; it is 0 % either way.
        return np.clip(100 + FLOOR - np.exp(np.minimum(-given, 10)), 0, 100)
    if metric.endswith("_seconds"):
        return np.asarray(np.exp(np.minimum(given, LONGEST)))
    return given


def unit_of(metric: str, scaled: NDArray[np.float64]) -> float:
    """What values on the scale of fits are divided by before trees see them: a power of two.

    Trees of XGBoost split nothing whose gain is below 1e-6: errors of thousandths would all be
    predicted alike. Accuracies and seconds have a scale that needs none.

    Example:
        >>> unit_of("valid_mse", np.asarray([0.001, 0.003])), unit_of("valid_accuracy", np.ones(2))
        (0.0009765625, 1.0)
    """
    spread = float(np.std(scaled))
    if metric.endswith(("accuracy", "_seconds")) or not spread > 0:
        return 1.0
    return float(2.0 ** np.clip(np.round(np.log2(spread)), -80, 80))
