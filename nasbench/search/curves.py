"""Regret over a search: every run of every strategy on one common grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nasbench.stats import area_under, bootstrap_interval

__all__ = ["AXES", "Band", "Curves", "common_grid"]

POINTS = 201


AXES = {"seconds": "simulated time", "evaluations": "evaluations", "epochs": "epochs trained"}
"""What curves go over, in words."""


@dataclass(frozen=True, slots=True)
class Band:
    """What the runs of a strategy have in common at each point of a grid, each `[points]`.

    NaN until every run that ends with an incumbent has its first: a mean over those alone that
    were quick would be of other runs at each point.

    Attributes:
        mean: over runs.
        low: of the bootstrap interval of the mean (95 %).
        high: likewise.
        q25: quartiles over runs.
        median: likewise.
        q75: likewise.
        runs: that are counted; those that found nothing are not.
    """

    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    q25: NDArray[np.float64]
    median: NDArray[np.float64]
    q75: NDArray[np.float64]
    runs: int


@dataclass(frozen=True, slots=True)
class Curves:
    """Regret of the incumbents over simulated seconds or evaluations.

    Attributes:
        axis: one of `AXES`.
        grid: `[points]`.
        regret: for each strategy `[runs, points]`; NaN before a run's first incumbent.
    """

    axis: str
    grid: NDArray[np.float64]
    regret: Mapping[str, NDArray[np.float64]]

    def areas(self, strategy: str) -> NDArray[np.float64]:
        """Mean regret of each run over the grid, in points, `[runs]`: the area over its span.

        Before its first incumbent a run counts as with it. NaN for runs that found nothing.
        """
        regret = self.regret[strategy]
        return area_under(self.grid, regret) if len(self.grid) > 1 else regret[:, 0]

    def band(self, strategy: str) -> Band:
        """Mean, quartiles and interval at each point."""
        regret = self.regret[strategy]
        regret = regret[np.isfinite(regret[:, -1])]
        everywhere = np.isfinite(regret).all(0) & (len(regret) > 0)
        numbers = np.full((6, len(self.grid)), np.nan)
        if everywhere.any():
            known = regret[:, everywhere]
            quartiles = np.quantile(known, (0.25, 0.5, 0.75), axis=0)
            numbers[:, everywhere] = [known.mean(0), *bootstrap_interval(known), *quartiles]
        mean, low, high, q25, median, q75 = numbers
        return Band(mean, low, high, q25, median, q75, len(regret))


def common_grid(axis: str, budget: float | None, ends: NDArray[np.float64]) -> NDArray[np.float64]:
    """A grid for runs that may end at different places.

    It ends with the budget. On the axis that has none it ends where the median run does, so that
    no strategy is judged by how far a few runs of another got. A run that ends before keeps its
    incumbent to the end of the grid.

    Args:
        axis: one of `AXES`.
        budget: of a run on this axis, if there is one.
        ends: of every run on this axis.
    """
    end = float(np.median(ends)) if budget is None else float(budget)
    if axis == "seconds":
        return np.linspace(0, end, POINTS)
    # A small space may be known in full before the budget is spent.
    end = max(min(end, float(ends.max())), 1.0)
    return np.unique(np.linspace(1, end, POINTS - 1).round())
