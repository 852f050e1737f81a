"""How far off predictions are, and how far seeds are apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasbench.surrogate.document import need

__all__ = ["Calibration", "LocalSpread", "covered"]

Floats = NDArray[np.float64]

WINDOW = 15
"""A local spread is of so many rows, or of an eighth of them where that is more."""

KNOTS = 17
MOST = 1_000
"""Numbers of a description."""
LARGEST = 1e30
"""Of them: what is multiplied by another stays finite."""

LEVELS = np.linspace(0.005, 0.995, 199)
"""At which a calibration keeps the quantiles of its errors."""


@dataclass(frozen=True, eq=False, slots=True)
class LocalSpread:
    """A standard deviation that changes along a value: linear between knots, constant outside.

    Attributes:
        knots: ascending, float64 `[k]`; none where nothing is known of spreads.
        spreads: at the knots, float64 `[k]`.
    """

    knots: Floats
    spreads: Floats

    @classmethod
    def fit(cls, at: ArrayLike, squares: ArrayLike, freedom: ArrayLike) -> LocalSpread:
        """Pooled over the rows nearest in order.

        Args:
            at: the value of each row, `[n]`.
            squares: its sum of squared deviations, `[n]`.
            freedom: their degrees of freedom, `[n]`; rows with 0 say nothing.
        """
        said = np.asarray(freedom) > 0
        where = np.asarray(at, dtype=np.float64)[said]
        order = np.argsort(where, kind="stable")
        n = len(order)
        if not n:
            return cls(np.empty(0), np.empty(0))
        window = min(n, max(WINDOW, n // 8))
        total = np.cumsum([0.0, *np.asarray(squares, dtype=np.float64)[said][order]])
        count = np.cumsum([0.0, *np.asarray(freedom, dtype=np.float64)[said][order]])
        starts = np.unique(np.linspace(0, n - window, KNOTS).round().astype(int))
        middle = np.cumsum([0.0, *where[order]])
        knots = (middle[starts + window] - middle[starts]) / window
        pooled = (total[starts + window] - total[starts]) / (count[starts + window] - count[starts])
        knots, first = np.unique(knots, return_index=True)
        return cls(knots, np.sqrt(np.maximum(pooled[first], 0.0)))

    def at(self, values: ArrayLike) -> Floats:
        """The standard deviation there; 0 where nothing is known."""
        given = np.asarray(values, dtype=np.float64)
        if not len(self.knots):
            return np.zeros(given.shape)
        return np.asarray(np.interp(given, self.knots, self.spreads))

    def describe(self) -> dict[str, list[float]]:
        """The knots and their spreads; plain JSON values."""
        return {"knots": self.knots.tolist(), "spreads": self.spreads.tolist()}

    @classmethod
    def from_description(cls, said: Mapping[str, Any]) -> LocalSpread:
        """What `describe` says; raises ValueError for anything else."""
        knots, spreads = (_numbers(said, key) for key in ("knots", "spreads"))
        need(len(knots) == len(spreads) and (np.diff(knots) > 0).all(), "knots of a spread")
        need((spreads >= 0).all(), "spreads")
        return cls(knots, spreads)


@dataclass(frozen=True, eq=False, slots=True)
class Calibration:
    """Intervals from the errors of out-of-fold predictions, on the scale of fits.

    Vovk, "Cross-conformal predictors", 2015, in the plainest form: errors of all folds are
    pooled around the one model that is fitted on all rows. They are divided by a spread that
    changes with the prediction first (Lei et al., "Distribution-Free Predictive Inference For
    Regression", JASA 2018, section 5.2). Each single seed's value has its error, so that what
    is covered is the value of a training with a new seed.

    Attributes:
        spread: of the errors, along the prediction.
        quantiles: of the divided errors at `LEVELS`, ascending, float64 `[199]`.
    """

    spread: LocalSpread
    quantiles: Floats

    @classmethod
    def fit(cls, predicted: ArrayLike, values: ArrayLike) -> Calibration:
        """Calibrate out-of-fold predictions `[n]` by what seeds gave, `[n, seeds]`."""
        guess = np.asarray(predicted, dtype=np.float64)
        errors = np.asarray(values, dtype=np.float64) - guess[:, None]
        seeds = np.isfinite(errors).sum(1)
        squares = np.nansum(errors**2, axis=1)
        spread = LocalSpread.fit(guess, squares, seeds)
        # Errors of 0 throughout leave nothing to divide by.
        divided = errors / np.maximum(spread.at(guess), 1e-12)[:, None]
        known = np.isfinite(divided)
        weights = np.broadcast_to(1 / np.maximum(seeds, 1)[:, None], divided.shape)[known]
        return cls(spread, _quantiles(divided[known], weights, int((seeds > 0).sum())))

    def interval(self, predicted: ArrayLike, level: float) -> tuple[Floats, Floats]:
        """The ends between which a new seed's value is with this probability, `[n]` each."""
        guess = np.asarray(predicted, dtype=np.float64)
        tails = np.interp(((1 - level) / 2, (1 + level) / 2), LEVELS, self.quantiles)
        spread = self.spread.at(guess)
        return guess + tails[0] * spread, guess + tails[1] * spread

    def describe(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"spread": self.spread.describe(), "quantiles": self.quantiles.tolist()}

    @classmethod
    def from_description(cls, said: Mapping[str, Any]) -> Calibration:
        """What `describe` says; raises ValueError for anything else."""
        quantiles = _numbers(said, "quantiles")
        need(len(quantiles) == len(LEVELS), "number of quantiles")
        need((np.diff(quantiles) >= 0).all(), "order of quantiles")
        return cls(LocalSpread.from_description(said["spread"]), quantiles)


def _numbers(said: Mapping[str, Any], key: str) -> Floats:
    """Finite numbers of a description, float64 `[n]`."""
    found: Any = said.get(key)
    need(
        isinstance(found, list) and len(found) <= MOST and set(map(type, found)) <= {int, float},
        key,
    )
    values = np.asarray(found, dtype=np.float64)
    need((np.abs(values) <= LARGEST).all(), key)
    return values


def _quantiles(errors: Floats, weights: Floats, n: int) -> Floats:
    """Quantiles at `LEVELS`, of n cells: of n + 1 errors the last is the one to come.

    That puts the quantile at (n + 1) / n of its distance from the middle: a few cells have
    wider intervals than they show.
    """
    order = np.argsort(errors, kind="stable")
    share = (np.cumsum(weights[order]) - weights[order] / 2) / weights.sum()
    levels = 0.5 + (LEVELS - 0.5) * (n + 1) / n
    return np.asarray(np.interp(levels, share, errors[order]))


def covered(values: ArrayLike, low: ArrayLike, high: ArrayLike) -> float:
    """The share of trainings `[n, seeds]` between the ends `[n]`; each of the n counts once."""
    given = np.asarray(values, dtype=np.float64)
    known = np.isfinite(given)
    inside = (given >= np.asarray(low)[:, None]) & (given <= np.asarray(high)[:, None])
    seeds = known.sum(1)
    share = (inside & known).sum(1)[seeds > 0] / seeds[seeds > 0]
    return float(share.mean())
