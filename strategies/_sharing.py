"""What strategies that share weights have in common: a plan that is written from top to bottom."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import BadValue
from nasbench.search import Goal, Outcome, Query
from nasbench.search.share_costs import Costs
from nasbench.search.step import Paths, Schedule, SharingState, Step, StepOutcome
from nasbench.space import Space

from ._checks import check_counts

__all__ = ["PathTraining", "Plan", "Planned", "Ranking", "check_rates", "paths_of"]

MANY, MORE = 1000, 20
"""Draws at once, and how often, in search of one that keeps the limits."""

Plan = Generator[Step | Query, Any, None]
"""Yields requests; each is answered by its outcome."""


class Planned(ABC):
    """A sharing strategy as a generator: `plan` yields a request and gets what it showed.

    Args:
        space: to search.
        goal: what is searched for.
        rng: the only source of randomness.
        schedule: how long the weights are trained.
    """

    shares_weights: ClassVar[bool] = True

    def __init__(
        self, space: Space, goal: Goal, rng: np.random.Generator, schedule: Schedule
    ) -> None:
        self._space = space
        self._goal = goal
        self._rng = rng
        self._schedule = schedule
        self._chosen: int | None = None
        self._plan: Plan | None = None
        self._next: Step | Query | None = None

    @abstractmethod
    def plan(self) -> Plan:
        """All requests, in their order; `_chosen` is what would be chosen."""

    def ask(self) -> Step | Query | None:
        """The next request of the plan; None at its end."""
        if self._plan is None:
            self._plan = self.plan()
            self._next = next(self._plan, None)
        return self._next

    def tell(self, asked: Step | Query, outcome: StepOutcome | Outcome) -> None:
        """Go on with what a request showed."""
        assert self._plan is not None
        try:
            self._next = self._plan.send(outcome)
        except StopIteration:
            self._next = None

    def state(self) -> SharingState:
        """What would be chosen now."""
        return SharingState(self._chosen)

    def train_alone(self, architectures: list[int]) -> Plan:
        """Train these, the best by inherited weights, alone; the best of them is chosen."""
        best = -np.inf
        for architecture in architectures:
            query = self._goal.query(architecture)
            outcome = yield query
            reward = self._goal.reward(outcome)
            if reward > best:
                best, self._chosen = reward, architecture


class Ranking(NamedTuple):
    """How candidates are ranked by inherited scores.

    Attributes:
        candidates: architectures that are scored.
        images: validation examples of a score; 0: all.
        by: `accuracy` or `loss`, what ranks candidates. Loss tells more of them apart.
        train_best: so many of the best candidates are trained alone, and the best of these is
            chosen; 0: the best candidate is.
    """

    candidates: int
    images: int
    by: Literal["accuracy", "loss"]
    train_best: int


class PathTraining(Planned):
    """Train along paths for the whole schedule, then choose by inherited scores.

    So scores that were computed before can stand in the place of the weights.

    Args:
        space: to search.
        goal: what is searched for.
        rng: the only source of randomness.
        schedule: how long the weights are trained.
        rates: the learning rate of the first step and of the last; it falls as a cosine.
        ranking: of candidates.
        costs: what columns of a table say of architectures, where the goal has limits or soft
            targets: candidates keep the limits, and soft targets weigh their accuracy.
    """

    ranks_at_the_end: ClassVar[bool] = True

    def __init__(
        self,
        space: Space,
        goal: Goal,
        rng: np.random.Generator,
        schedule: Schedule,
        rates: tuple[float, float],
        ranking: Ranking,
        costs: Costs | None,
    ) -> None:
        super().__init__(space, goal, rng, schedule)
        check_rates(*rates)
        candidates, images, by, train_best = ranking
        check_counts(candidates=candidates)
        if by not in ("accuracy", "loss"):
            raise BadValue(f"candidates are ranked by accuracy or loss, got {by!r}")
        if not 0 <= train_best <= candidates:
            raise BadValue(f"of {candidates} candidates 0 to all are trained, got {train_best}")
        if goal.targets and by != "accuracy":
            raise BadValue(
                "a soft target weighs accuracy: rank candidates by accuracy, not by loss"
            )
        self._costs = costs
        self._rates = schedule.cosine(*rates)
        self._candidates = candidates
        self._images = images
        self._by = by
        self._train_best = train_best

    def draw(self, steps: int) -> Paths:
        """Paths of so many training steps, `[steps, together, decisions]`.

        One a step, uniform over the space.
        """
        return paths_of(self._space, self._space.sample(self._rng, steps))[:, None]

    def plan(self) -> Plan:
        """Train, score, and train the best alone."""
        for epoch in range(self._schedule.epochs):
            rates = self._schedule.epoch_of(self._rates, epoch)
            yield Step.train(self.draw(len(rates)), rates)
        ranked: list[int] = []
        yield from self.rank(ranked)
        self._chosen = ranked[0]
        yield from self.train_alone(ranked[: self._train_best])

    def rank(self, ranked: list[int]) -> Plan:
        """Append the candidates, the best first: so many distinct draws from the space."""
        candidates = np.asarray(self.candidates(10))
        merit = yield from self.merits(candidates)
        ranked.extend(candidates[np.argsort(-merit, kind="stable")].tolist())

    def candidates(self, rounds: int) -> list[int]:
        """So many distinct draws that keep the limits; fewer where few draws do.

        Raises:
            BadValue: where none does.
        """
        wanted, drawn = self._candidates, dict[int, None]()
        for _ in range(rounds):  # a small space has fewer
            found = np.asarray(self._canonical(self._space.sample(self._rng, wanted)))
            drawn.update(dict.fromkeys(found[self.keeps(found)].tolist()))
        if self.keeps_all:
            return list(drawn)[:wanted]
        for _ in range(MORE):
            if len(drawn) >= wanted:
                break
            found = np.asarray(self._canonical(self._space.sample(self._rng, MANY)))
            drawn.update(dict.fromkeys(found[self.keeps(found)].tolist()))
        if not drawn:
            raise BadValue(f"none of {MORE * MANY:,} random architectures keeps the limits")
        return list(drawn)[:wanted]

    @property
    def keeps_all(self) -> bool:
        """Whether there are no limits."""
        return not self._goal.limits

    def keeps(self, architectures: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which architectures keep the goal's limits, bool `[n]`."""
        kept = np.ones(len(architectures), dtype=bool)
        for limit in self._goal.limits:
            if self._costs is None:
                raise BadValue(f"the limit {limit} is of a table's column: name one that has it")
            kept &= limit.kept(self._costs.of(limit.metric, architectures))
        return kept

    def _weighed(
        self, accuracy: NDArray[np.float64], architectures: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Accuracy times the factors of soft targets."""
        for target in self._goal.targets:
            if self._costs is None:
                raise BadValue(f"{target.metric} is a table's column: name one that has it")
            costs = self._costs.of(target.metric, architectures).tolist()
            accuracy = accuracy * np.asarray([target.factor(cost) for cost in costs])
        return accuracy

    def merits(
        self, architectures: NDArray[np.int64]
    ) -> Generator[Step, StepOutcome, NDArray[np.float64]]:
        """Inherited scores, the higher the better, all on the same examples."""
        outcome = yield Step.score(paths_of(self._space, architectures), self._images)
        if self._by == "loss":
            merit = -outcome.loss[:, 0].astype(np.float64)
        else:
            assert outcome.accuracy is not None
            accuracy = outcome.accuracy[:, 0].astype(np.float64)
            merit = self._weighed(accuracy, architectures)
        return np.where(np.isfinite(merit), merit, -np.inf)

    def _canonical(self, architectures: NDArray[np.int64]) -> list[int]:
        return [int(a) for a in self._space.canonical(architectures)]


def paths_of(space: Space, architectures: NDArray[np.int64]) -> Paths:
    """Architectures as paths `[n, decisions]`."""
    paths: Paths = space.ops(architectures).astype(np.int64)
    return paths


def check_rates(learning_rate: float, least_rate: float) -> None:
    """Refuse rates that no training has."""
    if not 0 <= least_rate <= learning_rate < np.inf or not learning_rate:
        raise BadValue(
            f"learning_rate is above 0 and least_rate from 0 to it, got {learning_rate!r} and "
            f"{least_rate!r}"
        )
