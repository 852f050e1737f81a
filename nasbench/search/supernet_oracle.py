"""Answers of steps by real shared weights, and of queries by a table or the trainer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import NasbenchError
from nasbench.search.goal import Outcome, Query
from nasbench.search.oracle import Oracle
from nasbench.search.share_prices import Prices
from nasbench.search.step import Mixture, Paths, Step, StepOutcome, check_step
from nasbench.space import Space

if TYPE_CHECKING:
    from nasbench.train.shared import SharedState, SharedWeights

__all__ = ["StepOracle", "SupernetOracle"]


class StepOracle(Protocol):
    """What answers a strategy that shares weights, and goes on from a checkpoint.

    Attributes:
        space: of the architectures.
        steps_per_epoch: batches of a pass over the training examples.
    """

    space: Space
    steps_per_epoch: int

    @property
    def queries(self) -> Oracle:
        """What answers trainings of single architectures."""

    @property
    def prices(self) -> Prices | None:
        """Of steps; None: their measured seconds."""

    @property
    def judges(self) -> bool:
        """Whether reports are told what the weights know at moments of the training."""

    @property
    def sharing(self) -> Mapping[str, Any]:
        """How weights are shared; plain JSON values."""

    @property
    def trained(self) -> int:
        """Training batches so far."""

    @property
    def pass_seconds(self) -> float:
        """Seconds in passes so far, measured."""

    def price(self, step: Step) -> float | None:
        """What a step will cost; None where that is measured."""

    def run(self, step: Step) -> StepOutcome:
        """Train or score."""

    def evaluate(self, query: Query) -> Outcome:
        """What training an architecture alone shows."""

    def judge(self, paths: Paths, images: int) -> NDArray[np.float32]:
        """Losses of paths for reports: it changes nothing."""

    def judge_mixture(self, mixture: Mixture, images: int) -> float | None:
        """Loss of a whole mixture, likewise; None where BatchNorm has no statistics for it."""

    def state(self) -> SharedState:
        """A checkpoint of the weights."""

    def restore(self, state: SharedState) -> None:
        """Go on from a checkpoint."""


class SupernetOracle:
    """One set of shared weights, and what trains the best alone.

    Args:
        shared: the weights.
        queries: answers trainings of single architectures.
        prices: of steps; None: their measured seconds.
    """

    judges = True

    def __init__(self, shared: SharedWeights, queries: Oracle, prices: Prices | None) -> None:
        self.shared = shared
        self.space = queries.space
        self.steps_per_epoch = shared.feed.steps_per_epoch
        self.queries = queries
        self.prices = prices

    @property
    def sharing(self) -> Mapping[str, Any]:
        """How weights are shared; plain JSON values."""
        return {**asdict(self.shared.sharing), "engine": self.shared.engine}

    @property
    def trained(self) -> int:
        """Training batches so far."""
        return self.shared.feed.trained

    @property
    def pass_seconds(self) -> float:
        """Seconds in passes so far, measured."""
        return self.shared.seconds

    def price(self, step: Step) -> float | None:
        """What a step will cost; None where that is measured."""
        if self.prices is None:
            return None
        valid = step.split == "valid"
        data = self.shared.feed.data
        return self.prices.of(step, len((data.valid if valid else data.train)[0]))

    def evaluate(self, query: Query) -> Outcome:
        """What training an architecture alone shows, at its own price."""
        return self.queries.evaluate(query)

    def run(self, step: Step) -> StepOutcome:
        """Train or score, now.

        Raises:
            NasbenchError: for a step that cannot be run.
        """
        check_step(self.space, step)
        price = self.price(step)
        before = self.shared.seconds
        loss, accuracy, gradient = self._run(step)
        paid = self.shared.seconds - before if price is None else price
        return StepOutcome(loss, accuracy, gradient, paid)

    def _run(
        self, step: Step
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None, NDArray[np.float32] | None]:
        shared = self.shared
        if step.mixture is None:
            assert step.paths is not None
            if step.rates is not None:
                return shared.train(step.paths, step.rates, distil=step.distil), None, None
            flat = step.paths.reshape(-1, step.paths.shape[-1])
            loss, accuracy = shared.score(flat, step.images, step.split)
            shape = step.paths.shape[:2]
            return loss.reshape(shape), accuracy.reshape(shape), None
        path = None if step.paths is None else step.paths[0, 0].tolist()
        if step.rates is not None:
            losses, slope = shared.mix(
                step.mixture,
                step.rates,
                path=path,
                gradient=step.gradient,
                partial=step.partial,
            )
            return losses, None, slope
        if step.gradient:
            if step.split != "valid":
                raise NasbenchError("a slope without a rate is on the validation split")
            value, slope = shared.slope(
                step.mixture,
                path=path,
                unrolled=step.unrolled,
                images=step.images,
                partial=step.partial,
            )
            return _one(value), None, slope
        if path is not None:
            raise NasbenchError("a score is of paths, or of a whole mixture")
        value, right = shared.score_mixture(step.mixture, step.images, step.split)
        return _one(value), _one(right), None

    def judge(self, paths: Paths, images: int) -> NDArray[np.float32]:
        """Losses `[n]` on the first validation examples, for reports: it changes nothing."""
        return self.shared.judge(paths, images)[0]

    def judge_mixture(self, mixture: Mixture, images: int) -> float | None:
        """Loss of a mixture on the same examples; None with running statistics."""
        if self.shared.sharing.norm == "running":
            return None
        return self.shared.judge_mixture(mixture, images)

    def state(self) -> SharedState:
        """A checkpoint of the weights."""
        return self.shared.state()

    def restore(self, state: SharedState) -> None:
        """Go on from a checkpoint."""
        self.shared.restore(state)


def _one(value: float) -> NDArray[np.float32]:
    return np.full((1, 1), value, dtype=np.float32)
