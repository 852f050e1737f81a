"""Single path one-shot: one uniform path a step, then evolution on inherited accuracy."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import BadValue
from nasbench.search import Goal
from nasbench.search.share_costs import Costs
from nasbench.search.step import Schedule
from nasbench.space import Space

from ._checks import check_counts
from ._sharing import PathTraining, Plan, Ranking

__all__ = ["Spos"]


class Spos(PathTraining):
    """Train one uniform path a step, then evolve architectures by their inherited accuracy.

    Guo et al., "Single Path One-Shot Neural Architecture Search with Uniform Sampling", ECCV
    2020: section 3.2 (uniform sampling of paths, equation 7) and algorithm 1 (evolution): 20
    generations of 50; each is half crossovers and half mutants, one gene in ten, of the ten best
    ever scored. The paper takes BatchNorm's statistics anew for each path, `--norm recalibrated`.
    Rates are those of NAS-Bench-201's release for weight sharing: .025 to .001.

    Args:
        space: to search.
        goal: what is searched for.
        rng: the only source of randomness.
        schedule: how long the weights are trained.
        costs: what columns of a table say of architectures; given where the goal has limits.
        learning_rate: of the first step.
        least_rate: of the last.
        population: of each generation.
        generations: how many.
        parents: of the best, from which the next generation comes.
        mutation_rate: of each decision.
        images: validation examples of a score, drawn anew for each generation; 0: all.
        by: `accuracy`, as in the paper, or `loss`.
        train_best: so many of the best are trained alone, beyond the paper.
    """

    def __init__(
        self,
        space: Space,
        goal: Goal,
        rng: np.random.Generator,
        *,
        schedule: Schedule,
        costs: Costs | None = None,
        learning_rate: float = 0.025,
        least_rate: float = 0.001,
        population: int = 50,
        generations: int = 20,
        parents: int = 10,
        mutation_rate: float = 0.1,
        images: int = 2000,
        by: Literal["accuracy", "loss"] = "accuracy",
        train_best: int = 0,
    ) -> None:
        ranking = Ranking(population, images, by, train_best)
        super().__init__(space, goal, rng, schedule, (learning_rate, least_rate), ranking, costs)
        check_counts(generations=generations, parents=parents)
        if not 0 <= mutation_rate <= 1:
            raise BadValue(f"mutation_rate is 0 to 1, got {mutation_rate!r}")
        self._generations = generations
        self._parents = parents
        self._mutation_rate = mutation_rate

    def rank(self, ranked: list[int]) -> Plan:
        """Evolve, and append all that was scored, the best first."""
        scored: dict[int, float] = {}
        generation = self._begin()
        for number in range(self._generations):
            fresh = [a for a in dict.fromkeys(self._canonical(generation)) if a not in scored]
            if fresh:
                kept = self.keeps(np.asarray(fresh)).tolist()
                fresh = [a for a, keeps in zip(fresh, kept, strict=True) if keeps]
            if fresh:
                merits = yield from self.merits(np.asarray(fresh))
                scored.update(zip(fresh, merits.tolist(), strict=True))
            best = sorted(scored, key=lambda a: -scored[a])
            self._chosen = best[0]
            if number + 1 < self._generations:
                generation = self._offspring(best[: self._parents])
        ranked.extend(sorted(scored, key=lambda a: -scored[a]))

    def _begin(self) -> NDArray[np.int64]:
        """Random architectures that keep the limits."""
        if self.keeps_all:
            return self._space.sample(self._rng, self._candidates)
        return np.asarray(self.candidates(1))

    def _offspring(self, parents: list[int]) -> NDArray[np.int64]:
        """Half mutants, half crossovers of two of the best."""
        found = []
        for child in range(self._candidates):
            first, second = self._rng.choice(parents, 2).tolist()
            if child % 2:
                found.append(self._space.crossover(first, second, self._rng))
            else:
                found.append(self._mutant(first))
        return np.asarray(found)

    def _mutant(self, parent: int) -> int:
        """A parent of which each decision is drawn anew with the rate; of what may be built."""
        ops = self._space.ops(parent).astype(np.int64)
        changes = self._rng.random(len(ops)) < self._mutation_rate
        drawn = self._rng.integers(self._space.choices)
        child = int(self._space.index_of(np.where(changes, drawn, ops)))
        return child if bool(self._space.allowed([child])[0]) else parent
