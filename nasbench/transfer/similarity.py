"""How similar two tasks are: by landmarks, or by meta-features."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nasbench.stats import Estimate, bootstrap_estimate, spearman
from nasbench.transfer.description import LOGARITHMIC

__all__ = ["FEWEST_LANDMARKS", "Similarity", "distances", "landmark_agreement"]

FEWEST_LANDMARKS = 5
"""A rank correlation of fewer says next to nothing."""


MOST_DRAWS = 2_000_000
"""Of landmarks in all resamples: those of a whole table would fill the memory."""


@dataclass(frozen=True, slots=True)
class Similarity:
    """How similar an earlier task is to another one.

    Attributes:
        name: the earlier task's.
        agreement: Spearman's correlation of the accuracies of the landmarks, with its bootstrap
            interval over landmarks; NaN of fewer than five.
        distance: of the meta-features that both have, see `distances`; NaN of none.
        features: how many both have.

    Example:
        >>> from nasbench.stats import Estimate
        >>> Similarity("cifar10", Estimate(0.8, 0.6, 0.9, 10), 1.5, 12).agreement.value
        0.8
    """

    name: str
    agreement: Estimate
    distance: float
    features: int

    def describe(self) -> dict[str, Any]:
        """The fields by name, None for NaN: plain JSON values."""
        far = self.distance if math.isfinite(self.distance) else None
        shown = {"spearman": self.agreement.describe(), "distance": far}
        return {"task": self.name, **shown, "features": self.features}


def landmark_agreement(landmarks: Mapping[int, float], accuracies: Mapping[int, float]) -> Estimate:
    """Spearman's correlation of landmarks with the accuracies of another task.

    Architectures that the other task does not know are left out.
    """
    mine = np.asarray(list(landmarks.values()), dtype=np.float64)
    other = np.asarray([accuracies.get(a, math.nan) for a in landmarks])
    known = np.isfinite(mine) & np.isfinite(other)
    n = int(known.sum())
    if n < FEWEST_LANDMARKS:
        return Estimate(math.nan, math.nan, math.nan, n)
    few = max(100, min(1_000, MOST_DRAWS // n))  # of a whole table the interval is narrow anyway
    return bootstrap_estimate(spearman, mine[known], other[known], resamples=few)


def distances(
    target: Mapping[str, float], others: Sequence[Mapping[str, float]]
) -> list[tuple[float, int]]:
    """The distance of a task's meta-features to those of others, and of how many features.

    Each feature's difference is divided by its standard deviation over all tasks that have it,
    counts being logarithms; the distance is the mean over the features that both tasks have. A
    feature that is equal everywhere adds 0. What is unknown of either is left out; without any
    in common the distance is NaN.
    """
    tasks = [{name: _scaled(name, value) for name, value in of.items()} for of in (target, *others)]
    spread = {
        name: float(np.std([task[name] for task in tasks if name in task])) for name in tasks[0]
    }
    found = []
    for other in tasks[1:]:
        common = [name for name in tasks[0] if name in other]
        apart = [abs(tasks[0][n] - other[n]) / spread[n] if spread[n] else 0.0 for n in common]
        found.append((float(np.mean(apart)) if apart else math.nan, len(common)))
    return found


def _scaled(name: str, value: float) -> float:
    return math.log(value) if name in LOGARITHMIC else value
