"""ASHA: successive halving that waits for nobody."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from heapq import heappop, heappush

import numpy as np

from nasbench.search import Goal, Outcome, Query
from nasbench.space import Space

from ._rungs import hyperband

__all__ = ["Asha"]


class Asha:
    """Asynchronous successive halving, algorithm 2 of Li et al.

    Li, Jamieson, Rostamizadeh, Gonina, Ben-Tzur, Hardt, Recht, Talwalkar, "A System for
    Massively Parallel Hyperparameter Tuning", MLSys 2020. A free worker gets an architecture
    that is among the best 1 / eta of its rung, of the highest rung that has one; where none
    has, a new one for the lowest.

    eta is 4, as in the paper's experiments, and the early stopping rate s is 0. The paper's
    rungs are min_epochs eta^k; here they are R / eta^k, so that the highest is the whole recipe
    of R epochs, rounded up to epochs after which it shows something. A promoted training is
    continued. What diverged or breaks a limit counts in its rung, and is not promoted.

    Args:
        space: to search.
        goal: gives the recipe and what is better.
        rng: the only source of randomness.
        eta: of so many of a rung one goes on.
        min_epochs: no training is shorter.
    """

    multi_fidelity = True

    def __init__(
        self,
        space: Space,
        goal: Goal,
        rng: np.random.Generator,
        *,
        eta: int = 4,
        min_epochs: int = 1,
    ) -> None:
        longest, *_ = hyperband(goal.recipes[0], eta, min_epochs)
        self._space = space
        self._goal = goal
        self._rng = rng
        self._eta = eta
        self._epochs = [rung.epochs for rung in longest]
        self._rungs = {epochs: _Rung() for epochs in self._epochs}
        self._recipe = goal.recipes[0].recipe

    def ask(self) -> Query:
        """A promotion out of the highest rung that has one; else a new architecture."""
        for level in range(len(self._epochs) - 1, 0, -1):
            promoted = self._rungs[self._epochs[level - 1]].promote(self._eta)
            if promoted is not None:
                return Query(promoted, self._recipe, self._epochs[level], resume=True)
        return Query(self._space.sample(self._rng), self._recipe, self._epochs[0])

    def tell(self, query: Query, outcome: Outcome) -> None:
        """The outcome joins its rung."""
        self._rungs[query.epochs].add(query.architecture, self._goal.reward(outcome))


class _Rung:
    """What was trained so far and no farther is promoted once; of equals the first told."""

    def __init__(self) -> None:
        self._ranked: list[tuple[float, int]] = []
        self._waiting: list[tuple[float, int, int]] = []

    def add(self, architecture: int, reward: float) -> None:
        place = (-reward, len(self._ranked))
        insort(self._ranked, place)
        if reward > -math.inf:
            heappush(self._waiting, (*place, architecture))

    def promote(self, eta: int) -> int | None:
        """The best that was not promoted, if it is among the best 1 / eta of all."""
        if not self._waiting:
            return None
        rank = bisect_left(self._ranked, self._waiting[0][:2])
        return heappop(self._waiting)[2] if rank < len(self._ranked) // eta else None
