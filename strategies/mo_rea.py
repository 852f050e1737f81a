"""Regularized evolution for several objectives: the oldest dies, the least dominated breeds."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from nasbench.search import Goal, Outcome, Query
from nasbench.space import Space
from nasbench.stats import crowding_distance, pareto_rank

from .regularized_evolution import RegularizedEvolution

__all__ = ["MoRea"]


class MoRea(RegularizedEvolution):
    """Aging evolution whose tournaments are won by the crowded comparison of NSGA-II.

    Regularized evolution (Real et al., AAAI 2019, algorithm 1) needs one number to choose a
    parent by. Here it is the standing in the population: first by the front that a member is
    on, then, of one front, by how far its neighbours are (Deb et al., "A Fast and Elitist
    Multiobjective Genetic Algorithm: NSGA-II", IEEE Transactions on Evolutionary Computation
    6(2), 2002, section III). Standings change with every birth. The rest is as it was.

    Syne Tune (Salinas et al., "Syne Tune: A Library for Large Scale Hyperparameter Tuning and
    Reproducible Research", AutoML 2022) has this as `MultiObjectiveRegularizedEvolution`, with a
    population of 100 and samples of 10; it orders a front by an epsilon-net instead, so that the
    next is the farthest from all before it. The defaults here are those of
    `regularized_evolution`, and with one objective it is that strategy, query by query.
    Architectures that diverged or break a limit are on the last front.

    Args:
        space: to search.
        goal: gives the recipe and what is better.
        rng: the only source of randomness.
        population_size: architectures alive at a time.
        sample_size: how many compete to be the parent.
    """

    several_objectives = True

    def __init__(
        self,
        space: Space,
        goal: Goal,
        rng: np.random.Generator,
        *,
        population_size: int = 10,
        sample_size: int = 3,
    ) -> None:
        super().__init__(space, goal, rng, population_size=population_size, sample_size=sample_size)
        self._rewards: deque[tuple[float, ...]] = deque(maxlen=population_size)

    def tell(self, query: Query, outcome: Outcome) -> None:
        """The newest joins, a full population loses its oldest, and all are ranked anew."""
        super().tell(query, outcome)
        if not self._goal.objectives:
            return  # of one objective the reward is a standing
        self._rewards.append(self._goal.rewards(outcome))
        rewards = np.asarray(self._rewards)
        ranks = pareto_rank(rewards)
        crowding = crowding_distance(rewards, ranks)
        standings: list[Any] = list(zip((-ranks).tolist(), crowding.tolist(), strict=True))
        alive = [architecture for _, architecture in self._population]
        self._population.clear()
        self._population.extend(zip(standings, alive, strict=True))
