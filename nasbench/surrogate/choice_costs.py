"""A cost as a sum over decisions: what a mixture of choices costs, with a slope.

Wu et al., "FBNet: Hardware-Aware Efficient ConvNet Design via Differentiable Neural Architecture
Search", CVPR 2019: the expected latency of a supernet is the sum over its operations of their
latency times their probability.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasbench.errors import BadValue
from nasbench.space import Space

__all__ = ["ChoiceCosts"]

Floats = NDArray[np.float64]

FOLDS = 5


@dataclass(frozen=True, eq=False, slots=True)
class ChoiceCosts:
    """What each choice of each decision adds to a cost.

    Attributes:
        base: what every architecture costs, in the unit of the costs.
        prices: of choices, float64 `[decisions, most choices]`, as mixtures have them; 0 past a
            decision's own choices. They are the slope of `expected` to a mixture.
        error: mean of |sum / cost - 1| over architectures that the prices had not seen, by five
            folds: a cost of which choices change each other's share is no sum.

    Example:
        >>> from nasbench.space import get
        >>> space = get("nb201-mini")
        >>> rows = np.random.default_rng(0).permutation(space.size)[:63]
        >>> found = ChoiceCosts.fit(space, rows, 3.0 + space.ops(rows).sum(1))
        >>> found.prices.shape, round(found.error, 6)
        ((3, 5), 0.0)
        >>> even = np.full(found.prices.shape, 1 / 5)
        >>> round(found.expected(even), 6)
        9.0
    """

    base: float
    prices: Floats
    error: float

    @classmethod
    def fit(cls, space: Space, architectures: ArrayLike, costs: ArrayLike) -> ChoiceCosts:
        """The prices whose sums are nearest to known costs, by relative error.

        Args:
            space: of the architectures.
            architectures: `[n]`, drawn at random, more than the space has choices.
            costs: of each, above 0: a table's column, sums of tags, or estimates. NaN is left out.

        Raises:
            BadValue: for costs that are not above 0, or fewer than ten.
        """
        given, values = space.check(architectures), np.asarray(costs, dtype=np.float64)
        known = np.isfinite(values)
        if values.shape != given.shape or known.sum() < 2 * FOLDS or (values[known] <= 0).any():
            raise BadValue(
                f"prices of choices need a cost above 0 of each architecture, and of "
                f"{2 * FOLDS} at least"
            )
        values = values[known]
        seen = _one_hot(space, given[known])
        # By lot: numbers of architectures that are listed in order repeat their choices.
        folds = np.random.default_rng(0).permutation(len(values)) % FOLDS
        errors = np.empty(len(values))
        for fold in range(FOLDS):
            out = folds == fold
            base, prices = _fitted(seen[~out], values[~out])
            errors[out] = np.abs((base + seen[out] @ prices) / values[out] - 1)
        base, prices = _fitted(seen, values)
        shape = len(space.choices), max(space.choices)
        return cls(base, prices.reshape(shape), float(errors.mean()))

    def expected(self, mixture: ArrayLike) -> float:
        """What an architecture costs on average that is drawn by a mixture.

        Args:
            mixture: `[decisions, most choices]`, the probability of each choice; each decision's
                sum to 1.
        """
        return self.base + float(np.sum(self.prices * np.asarray(mixture, dtype=np.float64)))


def _one_hot(space: Space, architectures: NDArray[np.int64]) -> Floats:
    """Float64 `[n, decisions * most choices]` of what stands for each architecture's network."""
    ops = space.normal(space.ops(architectures))
    found = np.zeros((*ops.shape, max(space.choices)))
    np.put_along_axis(found, ops[..., None].astype(np.int64), 1.0, axis=-1)
    return found.reshape(len(ops), -1)


def _fitted(seen: Floats, values: Floats) -> tuple[float, Floats]:
    """The shortest of the least-squares solutions: choices that nobody has seen add nothing."""
    weighed = np.column_stack([np.ones(len(values)), seen]) / values[:, None]
    solution = np.linalg.lstsq(weighed, np.ones(len(values)), rcond=None)[0].astype(np.float64)
    return float(solution[0]), solution[1:]
