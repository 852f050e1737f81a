"""NSGA-II: generations that keep what is least dominated, and of that what is least crowded."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nasbench.errors import NasbenchError
from nasbench.search import Goal, Outcome, Query
from nasbench.space import Space

from ._checks import checked_mutation_rate

__all__ = ["Nsga2"]


class Nsga2:
    """The non-dominated sorting genetic algorithm, by pymoo's `NSGA2`.

    Deb, Pratap, Agarwal, Meyarivan, "A Fast and Elitist Multiobjective Genetic Algorithm:
    NSGA-II", IEEE Transactions on Evolutionary Computation 6(2), 2002. Parents win binary
    tournaments, by their fronts and then by crowding distance; of the population and its
    children together the first fronts survive, and of the last of these that finds room the
    least crowded. The sorting, survival and mating are those of pymoo (Blank & Deb, "pymoo:
    Multi-Objective Optimization in Python", IEEE Access 8, 2020).

    Architectures that diverged or break a limit are infeasible: worse than any that is not, as
    in the paper's section VI. Crossover is uniform, and a decision that mutates changes to
    another choice, each equally likely: the paper's operators are for numbers and bits. Their
    rates are the paper's, 0.9 and 1 / decisions. The population is 20, for about a hundred
    trainings; the paper has 100, for 25,000. As in pymoo, what is in the population or in the
    generation already is not trained once more; where no child is new the search ends.

    A generation trains side by side. What is selected depends on all of it, so that a worker
    which has nothing left to do waits for the last of them.

    Args:
        space: to search.
        goal: gives the recipe and what is better.
        rng: the only source of randomness.
        population_size: architectures that survive, and children of a generation.
        crossover_rate: the chance that a pair of children has two parents each.
        mutation_rate: the chance that a decision of a child changes; None is 1 / decisions.
    """

    several_objectives = True

    def __init__(
        self,
        space: Space,
        goal: Goal,
        rng: np.random.Generator,
        *,
        population_size: int = 20,
        crossover_rate: float = 0.9,
        mutation_rate: float | None = None,
    ) -> None:
        if type(population_size) is not int or population_size < 2:
            raise NasbenchError(
                f"population_size must be an integer of 2 or more, got {population_size!r}"
            )
        self._space = space
        self._goal = goal
        self._rng = rng
        self._choices = np.asarray(space.choices)
        self._mutation_rate = checked_mutation_rate(space, crossover_rate, mutation_rate)
        self._algorithm = self._pymoo(population_size, crossover_rate)
        self._generation: Any = None  # pymoo's Population that is being trained
        self._to_ask: list[int] = []
        self._rewards: dict[int, tuple[float, ...] | None] = {}  # of it; None: not told yet

    def ask(self) -> Query | None:
        """One of the generation; None while the last of it are trained, or when none is new."""
        if not self._to_ask:
            if None in self._rewards.values():
                return None
            if self._rewards:
                self._select()
            self._generation = self._algorithm.ask()
            if self._generation is None:
                return None
            self._to_ask = self._space.index_of(self._generation.get("X")).tolist()[::-1]
            self._rewards = dict.fromkeys(reversed(self._to_ask))
        return self._goal.query(self._to_ask.pop())

    def tell(self, query: Query, outcome: Outcome) -> None:
        """What one of the generation is worth."""
        if query.architecture in self._rewards:
            self._rewards[query.architecture] = self._goal.rewards(outcome)

    def _pymoo(self, population_size: int, crossover_rate: float) -> Any:
        """The algorithm, set up on the space's decisions; it draws from `rng` alone."""
        try:
            from pymoo.algorithms.moo.nsga2 import NSGA2
            from pymoo.core.problem import Problem
            from pymoo.core.termination import NoTermination
            from pymoo.operators.crossover.ux import UniformCrossover
        except ImportError as error:
            raise NasbenchError(
                "nsga2 needs pymoo: pip install 'nasbench-harness[pareto]'"
            ) from error
        problem = Problem(
            n_var=len(self._choices),
            n_obj=len(self._goal.every_objective),
            n_ieq_constr=1,
            xl=0,
            xu=self._choices - 1,
            vtype=int,
        )
        start = self._space.sample(self._rng, population_size)
        algorithm = NSGA2(
            pop_size=population_size,
            sampling=self._space.ops(start).astype(np.int64),
            crossover=UniformCrossover(prob=crossover_rate),
            mutation=self._mutate,
        )
        algorithm.tournament_type = "comp_by_rank_and_crowding"  # as the paper has it
        algorithm.setup(problem, seed=self._rng, termination=NoTermination())
        return algorithm

    def _mutate(self, _problem: Any, children: Any, **_context: Any) -> Any:
        """Each decision changed to another choice, chosen uniformly, with `mutation_rate`."""
        decisions = children.get("X")
        changes = self._rng.random(decisions.shape) < self._mutation_rate
        steps = 1 + (self._rng.random(decisions.shape) * (self._choices - 1)).astype(np.int64)
        children.set("X", (decisions + changes * steps) % self._choices)
        return children

    def _select(self) -> None:
        """Give pymoo what the generation is worth, to be kept low, and let it select."""
        from pymoo.core.evaluator import Evaluator
        from pymoo.problems.static import StaticProblem

        rewards = np.asarray(list(self._rewards.values()), dtype=np.float64)
        failed = rewards[:, 0] == -math.inf
        costs = np.where(failed[:, None], 0.0, -rewards)
        known = StaticProblem(self._algorithm.problem, F=costs, G=1.0 * failed[:, None])
        Evaluator().eval(known, self._generation)
        self._algorithm.tell(infills=self._generation)
