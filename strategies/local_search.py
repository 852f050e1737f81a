"""Local search: climb to the best neighbour until none is better, then start elsewhere."""

from __future__ import annotations

import math

import numpy as np

from nasbench.search import Goal, Outcome, Query
from nasbench.space import Space

__all__ = ["LocalSearch"]

MOST_IN_VAIN = 200_000
"""Draws of what was trained, in a row, after which all of the space was."""


class LocalSearch:
    """Steepest ascent with random restarts.

    White, Nolen, Savani, "Exploring the Loss Landscape in Neural Architecture Search", UAI
    2021, algorithm 1: from a random architecture go to the best of its neighbours, all those
    that differ in one decision, while that one is better; at a local optimum start again. The
    algorithm has no parameters.

    What was trained is remembered and not asked for again, so that a budget is spent on
    distinct architectures, and a new start is drawn among those not trained yet. Neighbours
    are asked for in random order: how operations are numbered earns nothing. Several workers
    train them side by side, and wait for the last of them: the best is known only then. A
    start without a reward (its training diverged, or broke a limit) is left at once: the
    algorithm's first step needs something better than nothing. The search ends when the whole
    space was trained.

    Args:
        space: to search.
        goal: gives the recipe and what is better.
        rng: the only source of randomness.
    """

    def __init__(self, space: Space, goal: Goal, rng: np.random.Generator) -> None:
        self._space = space
        self._goal = goal
        self._rng = rng
        self._rewards: dict[int, float] = {}
        self._reward = -math.inf  # of the architecture whose neighbours are considered
        self._running = 0
        self._consider([space.sample(rng)])

    def ask(self) -> Query | None:
        """A neighbour of the current one; None while the last of them are trained."""
        while not self._to_ask:
            if self._running or not self._move():
                return None
        architecture = self._to_ask.pop()
        self._running += 1
        return self._goal.query(architecture)

    def tell(self, query: Query, outcome: Outcome) -> None:
        """Remember the reward."""
        self._rewards[query.architecture] = self._goal.reward(outcome)
        self._running -= 1

    def _move(self) -> bool:
        """To the best of those considered where it is better, else to a start; False at the end."""
        best = max(self._considered, key=self._rewards.__getitem__)
        if self._rewards[best] > self._reward:
            self._reward = self._rewards[best]
            self._consider([best, *self._space.neighbors(best).tolist()])
        elif (start := self._start()) is not None:
            self._reward = -math.inf
            self._consider([start])
        else:
            return False
        return True

    def _start(self) -> int | None:
        """One that was not trained; None where all were, as far as draws find out."""
        left = self._space.size - len(self._rewards)
        for _ in range(min(MOST_IN_VAIN, 100 * self._space.size) if left > 0 else 0):
            if (start := self._space.sample(self._rng)) not in self._rewards:
                return start
        return None

    def _consider(self, architectures: list[int]) -> None:
        """The best of these is gone to where it is better, once all of them are trained."""
        self._considered = architectures
        unknown = [a for a in architectures if a not in self._rewards]
        self._to_ask: list[int] = self._rng.permutation(unknown).tolist()
