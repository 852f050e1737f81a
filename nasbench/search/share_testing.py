"""The contract of strategies that share weights, and a made-up supernet to try them on.

`nasbench.search.testing.check_strategy` puts a strategy to it; as a class of tests:

    from nasbench.search.share_testing import SharingContract

    class TestMyStrategy(SharingContract):
        strategy = "my_strategy"
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from nasbench.search.goal import Budget, Fidelity, Goal, Outcome, Query
from nasbench.search.share_journal import fingerprint
from nasbench.search.step import (
    Schedule,
    SharingState,
    SharingStrategy,
    Step,
    StepOutcome,
    check_step,
)
from nasbench.search.strategy import make_strategy
from nasbench.space import Space, get

__all__ = ["SharingContract", "SharingTrial", "ToySupernet", "drive"]

EPOCHS = 4
MOST_REQUESTS = 20_000


class ToySupernet:
    """A made-up supernet: every choice has a quality, which training brings out.

    The loss of a path falls with the mean quality of its choices times how far they were
    trained; that of a mixture is its weighed mean, so that the slope is known exactly.

    Args:
        space: any.
        broken: the share of losses that are NaN.

    Example:
        >>> import nasbench as nb
        >>> toy = ToySupernet(nb.space("nb201-mini"))
        >>> toy.run(Step.score(np.zeros((2, 3), dtype=np.int64))).loss.shape
        (2, 1)
    """

    def __init__(self, space: Space, broken: float = 0.0) -> None:
        self.space = space
        rng = np.random.default_rng(0)
        shape = (len(space.choices), max(space.choices))
        self.quality = rng.random(shape).astype(np.float32)
        self.practice = np.zeros(shape, dtype=np.float32)
        self.steps = 0
        self._broken = broken
        self._drawn = np.random.default_rng(1)

    def run(self, step: Step) -> StepOutcome:
        """Train or score."""
        check_step(self.space, step)
        decisions = np.arange(len(self.space.choices))
        if step.mixture is not None:
            loss = np.full((1, 1), 3 - float((step.mixture * self._merit).mean()))
            if step.rates is not None:
                self.steps += len(step.rates)
                self.practice += 1
        else:
            assert step.paths is not None
            loss = 3 - self._merit[decisions, step.paths].mean(-1)
            if step.rates is not None:
                self.steps += len(step.rates)
                np.add.at(self.practice, (decisions, step.paths), 1)
        loss = np.where(self._drawn.random(loss.shape) < self._broken, np.nan, loss)
        gradient = -self._merit / self._merit.size if step.gradient else None
        accuracy = 100 - 20 * loss if step.rates is None and not step.gradient else None
        return StepOutcome(
            loss.astype(np.float32),
            None if accuracy is None else accuracy.astype(np.float32),
            None if gradient is None else gradient.astype(np.float32),
            float(loss.size),
        )

    def evaluate(self, query: Query) -> Outcome:
        """What training an architecture alone shows."""
        ops = self.space.ops(query.architecture).astype(np.int64)
        value = 100 * float(self.quality[np.arange(len(ops)), ops].mean())
        diverges = self._drawn.random() < self._broken
        return Outcome({"valid_accuracy": math.nan if diverges else value}, 1.0)

    @property
    def _merit(self) -> NDArray[np.float32]:
        return self.quality * self.practice / (1 + self.practice)


class SharingTrial(NamedTuple):
    """What a strategy did.

    Attributes:
        asked: fingerprints of all its requests.
        steps: the weights moved.
        queries: single trainings.
        state: at the end.
    """

    asked: list[Any]
    steps: int
    queries: int
    state: SharingState


def drive(
    name: str,
    parameters: Mapping[str, Any],
    toy: ToySupernet,
    schedule: Schedule,
    seed: int = 7,
) -> SharingTrial:
    """Run a strategy to its end.

    Raises:
        AssertionError: where it breaks its contract on the way.
    """
    goal = Goal("valid_accuracy", Budget(evaluations=1000), (Fidelity("toy", EPOCHS),))
    rng = np.random.default_rng(seed)
    given = {**parameters, "schedule": schedule}
    strategy = cast("SharingStrategy", make_strategy(name, toy.space, goal, rng, given))
    assert strategy.state().architecture is None, f"{name} chooses before it asked for anything"
    asked: list[Any] = []
    queries = 0
    while (request := strategy.ask()) is not None:
        asked.append(fingerprint(request))
        outcome: StepOutcome | Outcome
        if isinstance(request, Step):
            outcome = toy.run(request)
        else:
            assert isinstance(request, Query), f"{name} asked for {request!r}"
            assert 0 <= request.architecture < toy.space.size, f"{name} asked for {request}"
            assert request.recipe == "toy", f"{name} asked for {request}"
            assert 1 <= request.epochs <= EPOCHS, f"{name} asked for {request}"
            outcome = toy.evaluate(request)
            queries += 1
        strategy.tell(request, outcome)
        first, again = strategy.state(), strategy.state()
        assert first.architecture == again.architecture, f"asking {name} for its state changes it"
        assert len(asked) < MOST_REQUESTS, f"{name} does not end"
    return SharingTrial(asked, toy.steps, queries, strategy.state())


class SharingContract:
    """Tests of a registered strategy that shares weights: inherit, and pytest runs them.

    Attributes:
        strategy: its name.
        parameters: of its own.
        spaces: to try it on.

    Example:
        >>> class TestFairNas(SharingContract):
        ...     strategy = "fairnas"
        ...     spaces = ("nb201-mini",)
        >>> TestFairNas().test_it_asks_the_same_for_the_same_seed()
    """

    strategy: ClassVar[str] = ""
    parameters: ClassVar[Mapping[str, Any]] = {}
    spaces: ClassVar[Sequence[str]] = ("nb201-mini", "nb201")
    schedule: ClassVar[Schedule] = Schedule(3, 5)

    def test_it_keeps_to_its_schedule_and_chooses(self) -> None:
        for space in self.spaces:
            trial = self._trial(space)
            most = self.schedule.steps
            assert 0 < trial.steps <= most, f"{self.strategy} moved weights {trial.steps} times"
            chosen = trial.state.architecture
            assert chosen is not None, f"{self.strategy} chose nothing"
            assert 0 <= chosen < get(space).size

    def test_it_asks_the_same_for_the_same_seed(self) -> None:
        for space in self.spaces:
            first, again, other = (self._trial(space, seed=seed) for seed in (3, 3, 4))
            assert first.asked == again.asked, f"{self.strategy} asks differently"
            assert first.asked != other.asked, f"{self.strategy} does not draw from its rng"

    def test_it_bears_losses_that_are_no_numbers(self) -> None:
        for space in self.spaces:
            for share in (0.3, 1.0):
                self._trial(space, broken=share)

    def test_its_probabilities_are_some(self) -> None:
        for space in self.spaces:
            found = self._trial(space).state.probabilities
            if found is not None:
                assert found.shape == (len(get(space).choices), max(get(space).choices))
                assert np.allclose(found.sum(1), 1, atol=1e-5)
                assert (found >= 0).all()

    def test_it_leaves_global_random_numbers_alone(self) -> None:
        self._trial(self.spaces[0])  # imports draw what they will
        kept = np.random.get_state(legacy=False), random.getstate()  # noqa: NPY002
        self._trial(self.spaces[0])
        now = np.random.get_state(legacy=False), random.getstate()  # noqa: NPY002
        assert str(kept) == str(now), f"{self.strategy} draws from global random numbers"

    @classmethod
    def _trial(cls, space: str, seed: int = 3, broken: float = 0.0) -> SharingTrial:
        toy = ToySupernet(get(space), broken)
        return drive(cls.strategy, cls.parameters, toy, cls.schedule, seed)
