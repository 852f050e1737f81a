"""What one search saves beside another, in evaluations or in seconds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench.search.curves import Curves
from nasbench.stats import Estimate
from nasbench.stats.interval import FEWEST, resample_means

__all__ = ["Saving", "saving"]

Floats = NDArray[np.float64]

ROUNDING = 1e-9
"""Points: mean regrets that differ by less are equal."""


@dataclass(frozen=True, slots=True)
class Saving:
    """A warm search beside the cold one, at one budget.

    Attributes:
        variant: of the warm search.
        axis: `evaluations` or `seconds`.
        at: the budget, on that axis.
        cold: mean regret of the cold search there, points.
        warm: likewise.
        difference: warm less cold, with its bootstrap interval over seeds; below 0 is better.
        saved: how much sooner the warm search has the regret that both have by then, with its
            interval; below 0 it has it later.
    """

    variant: str
    axis: str
    at: float
    cold: float
    warm: float
    difference: Estimate
    saved: Estimate

    def describe(self) -> dict[str, Any]:
        """The fields by name; plain JSON values."""
        means = {"cold": self.cold, "warm": self.warm}
        estimates = {"difference": self.difference.describe(), "saved": self.saved.describe()}
        return {"variant": self.variant, "axis": self.axis, "at": self.at, **means, **estimates}


def saving(curves: Curves, cold: str, warm: str, share: float) -> Saving:
    """Two searches beside each other at a share of the curves' grid.

    The regret that both have by a budget B is the worse of the two mean regrets there. Each
    search has it first at some point of its mean curve; what is saved is the difference. Where
    the warm one is better at B, that is how much sooner it gets as far as the cold one; where
    it is worse, it is how much later, a negative number, it gets as far as itself at B.

    Intervals resample seeds; the runs of one seed stay together. Before its first incumbent a
    run counts as with the worst of all regrets.
    """
    first, second = curves.regret[cold], curves.regret[warm]
    both = np.isfinite(first[:, -1]) & np.isfinite(second[:, -1])
    worst = np.nanmax(np.concatenate((first[both], second[both])), initial=0.0)
    end = int(np.searchsorted(curves.grid, share * curves.grid[-1], side="right"))
    grid = curves.grid[:end]
    # [seeds, points, 2]: both searches of a seed are resampled together.
    stacked = np.stack(
        [np.where(np.isfinite(of[both]), of[both], worst)[:, :end] for of in (first, second)], 2
    )

    def saved(means: Floats) -> Floats:
        """Of mean curves, `[..., points, 2]` to `[...]`."""
        by_then = means[..., -1:, :].max(-1, keepdims=True)
        sooner = grid[(means <= by_then + ROUNDING).argmax(-2)]
        return np.asarray(sooner[..., 0] - sooner[..., 1])

    def difference(means: Floats) -> Floats:
        return np.asarray(means[..., -1, 1] - means[..., -1, 0])

    means = stacked.mean(0)
    resampled = resample_means(stacked, np.random.default_rng(0))

    def estimate(statistic: Callable[[Floats], Floats]) -> Estimate:
        n, low, high = len(stacked), np.nan, np.nan
        if n >= FEWEST:
            low, high = np.quantile(statistic(resampled), (0.025, 0.975))
        return Estimate(float(statistic(means)), float(low), float(high), n)

    at, (of_cold, of_warm) = float(grid[-1]), means[-1].tolist()
    return Saving(warm, curves.axis, at, of_cold, of_warm, estimate(difference), estimate(saved))
