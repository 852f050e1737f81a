"""Once for all: train every size of one network, then specialise it for each limit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import BadValue
from nasbench.search import Goal
from nasbench.search.share_costs import Costs
from nasbench.search.step import Paths, Schedule, SharingState, Step
from nasbench.space import Space

from ._sharing import Plan
from .spos import Spos

__all__ = ["Ofa"]


class Ofa(Spos):
    """Train the largest network, then ever smaller ones beside it; evolve for each limit.

    Cai, Gan, Wang, Zhang & Han, "Once-for-All: Train One Network and Specialize it for Efficient
    Deployment", ICLR 2020: progressive shrinking frees kernels first, then depths, then
    expansions, and smaller networks learn the outputs of the largest. Of a step the paths are, as
    Yu et al. ("BigNAS", ECCV 2020) have it, the largest, the smallest and random ones
    (sandwich rule; the largest is trained beside the others and teaches by its outputs of the
    moment, where the first paper trains it beforehand). The release then evolves a population of
    100 for 500 generations, a quarter of them parents, half mutants with one gene in ten, on a
    predictor of accuracy; here 20 generations are scored with the shared weights themselves.

    A decision whose choices are no numbers has no largest and no smallest: it is drawn.

    Args:
        space: to search.
        goal: what is searched for; architectures that break its limits are not scored.
        rng: the only source of randomness.
        schedule: how long the weights are trained.
        costs: what the columns of a table say of architectures; given where a limit or `cost`
            names one.
        cost: the column that `at` limits, as `raspi4/latency_ms`.
        at: upper limits on the cost: the weights are trained once, and an architecture is evolved
            for each. What is chosen at the end is the one for the highest.
        largest: the share of the epochs in which the largest network is trained alone.
        shrink: what is freed in turn, by the last word of a decision's name; the rest with the
            last of them.
        together: paths of a step.
        learning_rate: of the first step.
        least_rate: of the last.
        population: of each generation.
        generations: how many.
        parents: of the best, from which the next generation comes.
        mutation_rate: of each decision.
        images: validation examples of a score, drawn anew for each generation; 0: all.
        by: `accuracy`, or `loss`.
        train_best: so many of the best are trained alone, for each limit, beyond the paper.
    """

    ranks_at_the_end: ClassVar[bool] = False  # smaller networks learn from the largest

    def __init__(
        self,
        space: Space,
        goal: Goal,
        rng: np.random.Generator,
        *,
        schedule: Schedule,
        costs: Costs | None = None,
        cost: str = "",
        at: Sequence[float] = (),
        largest: float = 0.25,
        shrink: Sequence[str] = ("kernel", "depth", "expand"),
        together: int = 4,
        learning_rate: float = 0.025,
        least_rate: float = 0.001,
        population: int = 100,
        generations: int = 20,
        parents: int = 25,
        mutation_rate: float = 0.1,
        images: int = 2000,
        by: Literal["accuracy", "loss"] = "accuracy",
        train_best: int = 0,
    ) -> None:
        super().__init__(
            space,
            goal,
            rng,
            schedule=schedule,
            costs=costs,
            learning_rate=learning_rate,
            least_rate=least_rate,
            population=population,
            generations=generations,
            parents=parents,
            mutation_rate=mutation_rate,
            images=images,
            by=by,
            train_best=train_best,
        )
        if not 0 <= largest < 1:
            raise BadValue(f"largest is 0 to below 1, got {largest!r}")
        if type(together) is not int or together < 2:
            raise BadValue(f"together is 2 paths or more, got {together!r}")
        bounds = [at] if isinstance(at, int | float) else list(at)
        if bounds and not cost:
            raise BadValue("at limits a cost: name its column with cost")
        if cost and not bounds:
            raise BadValue(f"{cost} has no limit: give some with at")
        self._cost, self._bounds = cost, sorted(float(bound) for bound in bounds)
        if cost and costs is None:
            raise BadValue(f"{cost} is read from a table: name one that has it")
        if cost and costs is not None and not costs.lowest(cost) <= self._bounds[0]:
            raise BadValue(
                f"nothing has {cost} of {self._bounds[0]:g} or less: the least is "
                f"{costs.lowest(cost):.6g}"
            )
        self._alone = int(largest * schedule.epochs)
        self._together = together
        self._ends = np.stack([_extremes(space, np.argmax), _extremes(space, np.argmin)])
        self._freed = _stages(space, shrink)
        self._bound: float | None = None  # that is evolved for
        self._for: dict[str, int] = {}

    def state(self) -> SharingState:
        """What would be chosen now, and what was for each limit."""
        return SharingState(self._chosen, also=dict(self._for))

    def plan(self) -> Plan:
        """The largest, then all that is freed; then evolution, once or for each limit."""
        free = np.zeros(len(self._space.choices), dtype=bool)
        for epoch in range(self._schedule.epochs):
            rates = self._schedule.epoch_of(self._rates, epoch)
            if epoch < self._alone:
                yield Step.train(self._mixed(len(rates), free)[:, :1], rates)
                continue
            done = (epoch - self._alone) / (self._schedule.epochs - self._alone)
            for stage in self._freed[: int(done * len(self._freed)) + 1]:
                free |= stage
            yield Step.train(self._mixed(len(rates), free), rates, distil=True)
        each: list[float | None] = [*self._bounds] or [None]
        for bound in each:
            self._bound = bound
            ranked: list[int] = []
            yield from self.rank(ranked)
            self._chosen = ranked[0]
            yield from self.train_alone(ranked[: self._train_best])
            if bound is not None:
                self._for[f"{self._cost}<={bound:g}"] = self._chosen

    @property
    def keeps_all(self) -> bool:
        """Whether there are no limits."""
        return super().keeps_all and self._bound is None

    def keeps(self, architectures: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which keep the goal's limits, and the one that is evolved for."""
        kept = super().keeps(architectures)
        if self._bound is not None and self._costs is not None:
            kept = kept & (self._costs.of(self._cost, architectures) <= self._bound)
        return kept

    def _mixed(self, steps: int, free: NDArray[np.bool_]) -> Paths:
        """The largest, the smallest and random paths, `[steps, together, decisions]`.

        What is not free stays the largest; what has no largest is drawn for each path.
        """
        shape = (steps, self._together, len(free))
        drawn = self._rng.integers(self._space.choices, size=shape)
        sizes = self._ends[0] >= 0
        paths = np.where(sizes & ~free, self._ends[0], drawn)
        paths[:, 0] = np.where(sizes, self._ends[0], paths[:, 0])
        paths[:, 1] = np.where(sizes & free, self._ends[1], paths[:, 1])
        return paths


def _extremes(space: Space, end: Callable[[Any], Any]) -> NDArray[np.int64]:
    """Of each decision the choice of the largest number, or of the smallest; -1 without numbers."""
    found = []
    for choices in space.values.values():
        numbers = all(isinstance(c, int | float) and not isinstance(c, bool) for c in choices)
        found.append(int(end(choices)) if numbers else -1)
    return np.asarray(found, dtype=np.int64)


def _stages(space: Space, shrink: Sequence[str]) -> list[NDArray[np.bool_]]:
    """Which decisions are freed in turn, bool `[decisions]` each."""
    words = [name.rpartition(".")[2] for name in space.decisions]
    stages = [np.asarray([word == of for word in words]) for of in shrink]
    stages = [stage for stage in stages if stage.any()]
    rest = ~np.logical_or.reduce(stages) if stages else np.ones(len(words), dtype=bool)
    if not stages:
        return [rest]
    stages[-1] = stages[-1] | rest
    return stages
