"""DEHB: differential evolution at each rung of Hyperband's brackets."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import NasbenchError
from nasbench.search import Goal, Outcome, Query
from nasbench.space import Space

from ._pending import Pending
from ._rungs import Brackets, Turn, hyperband

__all__ = ["Dehb"]

Floats = NDArray[np.floating[Any]]

ALONE = 20
"""Members of a subpopulation that is the only one."""


@dataclass(slots=True)
class _Member:
    """Of a subpopulation; its reward is -inf until it was trained."""

    vector: Floats
    reward: float = -math.inf


@dataclass(frozen=True, slots=True)
class _Trial:
    """A training under way: what it tries, and whom it may replace."""

    turn: Turn
    vector: Floats
    target: int


class Dehb:
    """DEHB of Awad et al., with rand/1 mutation and binomial crossover.

    Awad, Mallik, Hutter, "DEHB: Evolutionary Hyperband for Scalable, Robust and Efficient
    Hyperparameter Optimization", IJCAI 2021. Each number of epochs that a bracket of Hyperband
    trains for has a subpopulation of vectors in [0, 1]^decisions, as many as its largest rung.
    The k-th of a decision's c choices is [k / c, (k + 1) / c).

    A bracket's first rung goes through the subpopulation of its epochs. The first time round,
    it trains the members as they were drawn, uniformly; thereafter, for each target in turn, a
    mutant a + F (b - c) of three distinct parents is crossed with it, and takes its place
    unless it is worse. The higher rungs promote, as Hyperband's do, during the first cycle of
    brackets; later they evolve too, with the best of the subpopulation one rung below as
    parents, as many as the rung has places. Fewer parents than three are filled up at random
    from all subpopulations. A coordinate that left [0, 1] is drawn anew.

    F and CR are the paper's 0.5, eta its 3. A bracket promotes out of its own rung; in the
    authors' code out of the whole subpopulation, what the higher one does not hold already. As
    for the brackets, see `hyperband`; where they
    have but one rung, this is the differential evolution that the paper compares with, and has
    its population of 20. Evolved architectures are trained from their start, promoted ones
    are continued. What diverged or breaks a limit never takes the place of what did not.

    Args:
        space: to search.
        goal: gives the recipe and what is better.
        rng: the only source of randomness.
        eta: of so many of a rung one goes on.
        min_epochs: no training is shorter.
        mutation_factor: F.
        crossover_rate: CR, the chance of a decision to be the mutant's.
    """

    multi_fidelity = True

    def __init__(
        self,
        space: Space,
        goal: Goal,
        rng: np.random.Generator,
        *,
        eta: int = 3,
        min_epochs: int = 1,
        mutation_factor: float = 0.5,
        crossover_rate: float = 0.5,
    ) -> None:
        if not 0 < mutation_factor <= 1 or not 0 <= crossover_rate <= 1:
            raise NasbenchError("mutation_factor must be in (0, 1], crossover_rate in [0, 1]")
        plan = hyperband(goal.recipes[0], eta, min_epochs)
        self._space = space
        self._goal = goal
        self._rng = rng
        self._mutation_factor = mutation_factor
        self._crossover_rate = crossover_rate
        self._choices = np.asarray(space.choices)
        self._cycle = len(plan)
        self._brackets = Brackets(plan)
        self._recipe = goal.recipes[0].recipe
        sizes: dict[int, int] = {}
        for rungs in plan:
            for rung in rungs:
                sizes[rung.epochs] = max(sizes.get(rung.epochs, 0), rung.size)
        if len(sizes) == 1:
            sizes = dict.fromkeys(sizes, ALONE)
        self._populations = {
            epochs: [_Member(vector) for vector in rng.random((size, len(space.choices)))]
            for epochs, size in sizes.items()
        }
        self._visits = dict.fromkeys(sizes, 0)
        # The vector that an architecture came from, for when it is promoted.
        self._vectors: dict[int, Floats] = {}
        self._open = Pending[Query, _Trial]()

    def ask(self) -> Query:
        """A promoted architecture, a random member not trained yet, or a child."""
        turn = self._brackets.next()
        population = self._populations[turn.epochs]
        lap, target = divmod(self._visits[turn.epochs], len(population))
        self._visits[turn.epochs] += 1
        if turn.promoted is not None and turn.number < self._cycle:
            vector = self._vectors[turn.promoted]
            query = Query(turn.promoted, self._recipe, turn.epochs, resume=True)
        else:
            vector = population[target].vector
            if lap:
                vector = self._child(vector, self._parents(turn))
            architecture = self._decode(vector)
            query = Query(architecture, self._recipe, turn.epochs)
            self._vectors[architecture] = vector
        self._open.add(query, _Trial(turn, vector, target))
        return query

    def tell(self, query: Query, outcome: Outcome) -> None:
        """The trial takes its target's place unless it is worse."""
        trial = self._open.pop(query)
        reward = self._goal.reward(outcome)
        member = self._populations[query.epochs][trial.target]
        if reward >= member.reward:
            member.vector, member.reward = trial.vector, reward
        self._brackets.tell(trial.turn, query.architecture, reward)

    def _parents(self, turn: Turn) -> list[Floats]:
        """Those that a rung's mutants are made of, three at least."""
        if turn.below is None:
            pool = self._populations[turn.epochs]
        else:
            pool = sorted(self._populations[turn.below], key=lambda member: -member.reward)
            pool = pool[: turn.size]
        if len(pool) < 3:
            everyone = [member for some in self._populations.values() for member in some]
            drawn = self._rng.random(3 - len(pool)).tolist()
            pool = pool + [everyone[int(u * len(everyone))] for u in drawn]
        return [member.vector for member in pool]

    def _child(self, target: Floats, parents: list[Floats]) -> Floats:
        """rand/1/bin: a mutant of three parents, crossed with the target."""
        first, second, third = self._three(len(parents))
        mutant = parents[first] + self._mutation_factor * (parents[second] - parents[third])
        out = (mutant < 0) | (mutant > 1)
        if out.any():
            mutant[out] = self._rng.random(int(out.sum()))
        takes = self._rng.random(len(target)) < self._crossover_rate
        takes[int(self._rng.random() * len(target))] = True  # one at least is the mutant's
        return np.where(takes, mutant, target)

    def _three(self, count: int) -> tuple[int, int, int]:
        """Three different numbers below `count`."""
        draws = self._rng.random(3).tolist()
        first = int(draws[0] * count)
        second = (first + 1 + int(draws[1] * (count - 1))) % count
        low, high = sorted((first, second))
        third = int(draws[2] * (count - 2))
        third += third >= low
        third += third >= high
        return first, second, third

    def _decode(self, vector: Floats) -> int:
        """The architecture in whose cell the vector lies; 1 belongs to the last choice."""
        ops = np.minimum((vector * self._choices).astype(np.int64), self._choices - 1)
        return int(self._space.index_of(ops))
