"""What strategies share that fit a model to what they were told and ask in batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from nasbench.search import Goal, Outcome, Query
from nasbench.space import Architectures, Space
from nasbench.surrogate.features import LISTABLE, stand_ins, structure_blocks

__all__ = ["BatchSearch", "features", "paths_or_decisions"]

MOST_IN_VAIN = 1000
"""Draws from a space too large to list, after which nothing in it is new."""


class BatchSearch(ABC):
    """Random architectures first, then batches of what a model makes of all that was told.

    No architecture is asked for twice, nor two of one class, which are the same network (where
    a space is small enough to know its classes); the search ends when all were asked for. A
    batch is made when the last of the one before was asked for, from what was told by then.

    Args:
        space: to search.
        goal: gives the recipe and what is better.
        rng: the only source of randomness.
        initial: how many random architectures come first.
        warm_start: architectures that come before these.
    """

    def __init__(
        self,
        space: Space,
        goal: Goal,
        rng: np.random.Generator,
        initial: int,
        warm_start: Sequence[int] = (),
    ) -> None:
        self._space = space
        self._goal = goal
        self._rng = rng
        self._rewards: dict[int, float] = {}
        self._asked: set[int] = set()  # identities
        first = self._unasked(space.check(list(warm_start)).tolist()) if warm_start else []
        self._queue = deque(dict.fromkeys((*first, *self._fresh(initial))))

    @abstractmethod
    def _batch(self) -> Iterable[int]:
        """What to ask for next, best first; called once something was told."""

    def ask(self) -> Query | None:
        """The next of the batch; None when all were asked for."""
        if not self._queue and self._rewards:
            self._queue.extend(self._batch())
        if not self._queue:
            self._queue.extend(self._fresh(1))
        if not self._queue:
            return None
        architecture = self._queue.popleft()
        self._asked.add(int(self._identities(architecture)))
        return self._goal.query(architecture)

    def tell(self, query: Query, outcome: Outcome) -> None:
        """Remember the reward."""
        self._rewards[query.architecture] = self._goal.reward(outcome)

    def _identities(self, architectures: ArrayLike) -> Architectures:
        """Equal for architectures of which one is enough: those of one class, here."""
        return stand_ins(self._space, architectures)

    def _unasked(self, architectures: Iterable[int]) -> list[int]:
        """The first of each class that can be built and was not asked for."""
        drawn = self._space.check(list(architectures))
        drawn = drawn[self._space.allowed(drawn)]
        first = dict[int, int]()
        for found, architecture in zip(
            self._identities(drawn).tolist(), drawn.tolist(), strict=True
        ):
            if found not in self._asked:
                first.setdefault(found, architecture)
        return list(first.values())

    def _fresh(self, most: int) -> list[int]:
        """Random architectures that were not asked for, up to so many."""
        if self._space.size <= LISTABLE:
            every = self._rng.permutation(self._space.size)
            return self._unasked(every[self._space.drawn(every)].tolist())[:most]
        found: list[int] = []
        in_vain = 0  # draws in a row
        while len(found) < most and in_vain < MOST_IN_VAIN:
            known = len(found)
            found = self._unasked([*found, *self._space.sample(self._rng, most).tolist()])
            in_vain = in_vain + most if len(found) == known else 0
        return found[:most]

    def _children(self, parents: Iterable[int]) -> list[int]:
        """A mutant of each parent, those not asked for."""
        if max(self._space.choices) == 1:
            return []
        return self._unasked(self._space.mutate(parent, self._rng) for parent in parents)

    def _told(self) -> tuple[list[int], NDArray[np.float64]]:
        """The architectures told and, for a model, the ranks of their rewards.

        Ranks are scaled to a mean of 0 and a deviation of 1. A model of the rewards themselves
        would spend itself on the few that are far off; ranks also give a place, the lowest, to
        a training that diverged or broke a limit.
        """
        ranks = rankdata(np.fromiter(self._rewards.values(), dtype=np.float64))
        return list(self._rewards), (ranks - ranks.mean()) / (ranks.std() or 1)


def paths_or_decisions(space: Space, architectures: ArrayLike) -> NDArray[np.float32]:
    """The path encoding of cells, of anything else one-hot decisions: float32 `[n, features]`."""
    return structure_blocks(space, architectures, ("one_hot", "path"))[-1]


def features(space: Space, architectures: ArrayLike) -> NDArray[np.float32]:
    """Decisions and, of cells, paths and counts of operations: float32 `[n, features]`."""
    return np.concatenate(structure_blocks(space, architectures), axis=1)
