"""Random search: the baseline that every other strategy has to beat."""

from __future__ import annotations

import numpy as np

from nasbench.search import Goal, Outcome, Query
from nasbench.space import Space

__all__ = ["RandomSearch"]


class RandomSearch:
    """Architectures drawn uniformly.

    Li & Talwalkar, "Random Search and Reproducibility for Neural Architecture Search",
    UAI 2019. NAS-Bench-201 runs it with repeats.

    Args:
        space: to draw from.
        goal: gives the recipe.
        rng: the only source of randomness.
        repeats: draw independently; otherwise no architecture is drawn twice, and the search
            ends when all were.
    """

    several_objectives = True  # no more and no less than one: it searches for none

    def __init__(
        self, space: Space, goal: Goal, rng: np.random.Generator, *, repeats: bool = True
    ) -> None:
        self._space = space
        self._goal = goal
        self._rng = rng
        if not repeats:
            space.check_listable("drawing each architecture once")
        self._left = None if repeats else iter(rng.permutation(space.size).tolist())

    def ask(self) -> Query | None:
        """An architecture drawn now, its whole training."""
        if self._left is None:
            return self._goal.query(self._space.sample(self._rng))
        architecture = next(self._left, None)
        return None if architecture is None else self._goal.query(architecture)

    def tell(self, query: Query, outcome: Outcome) -> None:
        """Nothing is learnt."""
