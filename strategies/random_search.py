"""Random search: the baseline that every other strategy has to beat."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nasbench.search import Goal, Outcome, Query
from nasbench.space import Space

__all__ = ["RandomSearch"]

MOST_IN_VAIN = 1000
"""Draws of what was drawn before, in a row, after which a search without repeats ends."""


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
        self._left = None if repeats else self._each_once()

    def ask(self) -> Query | None:
        """An architecture drawn now, its whole training."""
        if self._left is None:
            return self._goal.query(self._space.sample(self._rng))
        architecture = next(self._left, None)
        return None if architecture is None else self._goal.query(architecture)

    def _each_once(self) -> Iterator[int]:
        """All in random order; of a space too large to list, until so many draws were in vain."""
        if self._space.listable:
            every = self._rng.permutation(self._space.size)
            yield from every[self._space.drawn(every)].tolist()
            return
        seen: set[int] = set()
        in_vain = 0
        while in_vain < MOST_IN_VAIN:
            drawn = self._space.sample(self._rng)
            in_vain = in_vain + 1 if drawn in seen else 0
            if not in_vain:
                seen.add(drawn)
                yield drawn

    def tell(self, query: Query, outcome: Outcome) -> None:
        """Nothing is learnt."""
