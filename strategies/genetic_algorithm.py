"""A genetic algorithm: the fit mate, children mutate, the best survive."""

from __future__ import annotations

from operator import itemgetter

import numpy as np

from nasbench.errors import NasbenchError
from nasbench.search import Goal, Outcome, Query
from nasbench.space import Space

from ._checks import checked_mutation_rate

__all__ = ["GeneticAlgorithm"]

_reward = itemgetter(0)


class GeneticAlgorithm:
    """Generations by selection, crossover and mutation, with elitism.

    A random population; then each child has two parents, each the best of a tournament drawn
    with replacement (Goldberg & Deb, "A Comparative Analysis of Selection Schemes Used in
    Genetic Algorithms", FOGA 1991). With some chance it takes each decision from one or the
    other (uniform crossover: Syswerda, "Uniform Crossover in Genetic Algorithms", ICGA 1989),
    else it is a copy of the first; then each decision changes to another choice with a small
    chance. The best survive into the next generation without being trained again (De Jong,
    "An Analysis of the Behavior of a Class of Genetic Adaptive Systems", 1975, plan R2), the
    children take the other places.

    A generation is full once enough children were told, whichever they are, so no worker
    waits: what still trains then is born into the next one. With one worker this is the
    generational algorithm.

    De Jong's best plans have a population of 50, crossover at 0.6, one elite and mutation at
    0.001 a bit, for thousands of evaluations. Here the population is 10, as in NAS-Bench-201's
    evolution, for about a hundred trainings, with binary tournaments; and decisions, fewer
    than bits, mutate at 1 / their number: one in a child, on average (Muehlenbein, "How
    Genetic Algorithms Really Work: Mutation and Hillclimbing", PPSN 1992).

    Args:
        space: to search.
        goal: gives the recipe and what is better.
        rng: the only source of randomness.
        population_size: architectures of a generation.
        elites: how many of the best survive; fewer than the population.
        tournament_size: how many compete to be a parent.
        crossover_rate: the chance that a child has two parents.
        mutation_rate: the chance that a decision of a child changes; None is
            1 / decisions.
    """

    def __init__(
        self,
        space: Space,
        goal: Goal,
        rng: np.random.Generator,
        *,
        population_size: int = 10,
        elites: int = 1,
        tournament_size: int = 2,
        crossover_rate: float = 0.6,
        mutation_rate: float | None = None,
    ) -> None:
        for size, least in ((population_size, 1), (elites, 0), (tournament_size, 1)):
            if type(size) is not int or size < least:
                raise NasbenchError(
                    f"population_size and tournament_size must be integers of 1 or more, elites "
                    f"of 0 or more, got {size!r}"
                )
        if elites >= population_size:
            raise NasbenchError(
                f"elites must be fewer than population_size, got {elites} of {population_size}"
            )
        self._space = space
        self._goal = goal
        self._rng = rng
        self._population_size = population_size
        self._elites = elites
        self._tournament_size = tournament_size
        self._crossover_rate = crossover_rate
        self._mutation_rate = checked_mutation_rate(space, crossover_rate, mutation_rate)
        self._population: list[tuple[float, int]] = []  # (reward, architecture)
        self._next: list[tuple[float, int]] = []

    def ask(self) -> Query:
        """A random architecture while there is no population, then a child of it."""
        if not self._population:
            return self._goal.query(self._space.sample(self._rng))
        first, second = self._parents()
        child = first
        if self._rng.random() < self._crossover_rate:
            child = self._space.crossover(first, second, self._rng)
        return self._goal.query(self._mutated(child))

    def tell(self, query: Query, outcome: Outcome) -> None:
        """One more of the next generation; once full it replaces the last, but for the elites."""
        self._next.append((self._goal.reward(outcome), query.architecture))
        if len(self._next) == self._population_size:
            self._population = self._next
            ranked = sorted(self._population, key=_reward, reverse=True)
            self._next = ranked[: self._elites]

    def _parents(self) -> list[int]:
        """The winners of two tournaments; the first drawn of equals wins."""
        shape = (2, self._tournament_size)
        size = self._population_size
        return [
            max([self._population[int(size * u)] for u in drawn], key=_reward)[1]
            for drawn in self._rng.random(shape).tolist()
        ]

    def _mutated(self, architecture: int) -> int:
        """Each decision changed to another choice, chosen uniformly, with `mutation_rate`."""
        rate = self._mutation_rate
        drawn = self._rng.random(len(self._space.choices)).tolist()
        if min(drawn) >= rate:
            return architecture
        ops = self._space.ops(architecture).tolist()
        for decision, (u, count) in enumerate(zip(drawn, self._space.choices, strict=True)):
            if u < rate:  # then u / rate is uniform in [0, 1) and says which of the others
                ops[decision] = (ops[decision] + 1 + int(u / rate * (count - 1))) % count
        return int(self._space.index_of(ops))
