"""Efficient neural architecture search: an LSTM controller over shared weights."""

from __future__ import annotations

import math

import numpy as np

from nasbench.errors import BadValue
from nasbench.search import Goal
from nasbench.search.step import Mixture, Schedule, SharingState, Step
from nasbench.space import Space

from ._checks import check_counts
from ._lstm_controller import LstmPolicy
from ._policy_gradient import Adam, MovingAverage
from ._sharing import Plan, Planned, check_rates

__all__ = ["Enas"]

SAMPLED = 64
"""Architectures by which the controller's probabilities are estimated."""


class Enas(Planned):
    """Train paths that a controller draws, and the controller by their inherited accuracy.

    Pham, Guan, Zoph, Le & Dean, "Efficient Neural Architecture Search via Parameter Sharing",
    ICML 2018, section 2.2: an epoch of the weights along paths of the controller, then steps of
    REINFORCE on the accuracy of a validation batch with a moving average as baseline and a bonus
    for entropy; in the end the best of some draws. NAS-Bench-201's release has 50 steps of 20
    draws an epoch, decay .99, entropy 1e-4 and Adam .001; by its settings the controller hardly
    moves in tens of epochs. Here are 10 steps, a rate of .01, and a warm-up of uniform paths.

    Args:
        space: to search.
        goal: what is searched for.
        rng: the only source of randomness.
        schedule: how long the weights are trained.
        warm_up: the share of the epochs that train uniform paths, before the controller begins.
        controller_steps: of an epoch.
        draws: of a controller's step.
        batch: validation examples of a reward, the same for the draws of a step.
        controller_rate: of Adam.
        baseline_decay: of the moving average of rewards.
        entropy_weight: of the bonus for staying undecided.
        hidden: units of the LSTM.
        candidates: draws of which the best is chosen.
        images: validation examples of their scores; 0: all.
        train_best: so many of the best are trained alone, beyond the paper.
        learning_rate: of the first step of the weights.
        least_rate: of the last.
    """

    def __init__(
        self,
        space: Space,
        goal: Goal,
        rng: np.random.Generator,
        *,
        schedule: Schedule,
        warm_up: float = 0.25,
        controller_steps: int = 10,
        draws: int = 20,
        batch: int = 128,
        controller_rate: float = 0.01,
        baseline_decay: float = 0.99,
        entropy_weight: float = 1e-4,
        hidden: int = 64,
        candidates: int = 100,
        images: int = 2000,
        train_best: int = 0,
        learning_rate: float = 0.025,
        least_rate: float = 0.001,
    ) -> None:
        super().__init__(space, goal, rng, schedule)
        check_rates(learning_rate, least_rate)
        check_counts(
            controller_steps=controller_steps, draws=draws, hidden=hidden, candidates=candidates
        )
        shares = (warm_up, baseline_decay)
        if not all(0 <= share < 1 for share in shares) or not 0 < controller_rate < math.inf:
            raise BadValue(
                f"warm_up and baseline_decay are 0 to below 1, controller_rate above 0, got "
                f"{warm_up!r}, {baseline_decay!r} and {controller_rate!r}"
            )
        if not 0 <= entropy_weight < math.inf or not 0 <= train_best <= candidates:
            raise BadValue("entropy_weight is 0 or more, train_best 0 to candidates")
        self._rates = schedule.cosine(learning_rate, least_rate)
        self._warm_up = math.ceil(warm_up * schedule.epochs)
        self._steps, self._draws, self._batch = controller_steps, draws, batch
        self._entropy_weight = entropy_weight
        self._candidates, self._images, self._train_best = candidates, images, train_best
        self._policy = LstmPolicy(space.choices, rng, hidden=hidden, layers=1, spread=0.1)
        self._adam = Adam(self._policy.parameters, controller_rate)
        self._baseline = MovingAverage(baseline_decay)
        # Draws that ask what it would do now leave those that count alone.
        self._seed = int(rng.integers(2**32))

    def plan(self) -> Plan:
        """Weights, controller, in turn; then the best of some draws."""
        for epoch in range(self._schedule.epochs):
            rates = self._schedule.epoch_of(self._rates, epoch)
            if epoch < self._warm_up:
                drawn = self._space.sample(self._rng, len(rates))
                paths = self._space.ops(drawn).astype(np.int64)
            else:
                paths = self._policy.sample(len(rates), self._rng).decisions.T
            yield Step.train(paths[:, None], rates)
            if epoch >= self._warm_up:
                yield from self._train_controller()
        paths = self._policy.sample(self._candidates, self._rng).decisions.T
        paths = np.unique(paths, axis=0)
        outcome = yield Step.score(paths, self._images)
        merit = np.nan_to_num(outcome.accuracy[:, 0], nan=-np.inf)
        order = np.argsort(-merit, kind="stable")
        ranked = list(dict.fromkeys(map(int, self._space.index_of(paths[order]))))
        self._chosen = ranked[0]
        yield from self.train_alone(ranked[: self._train_best])

    def _train_controller(self) -> Plan:
        """Steps of REINFORCE, each on one batch."""
        for _ in range(self._steps):
            rollout = self._policy.sample(self._draws, self._rng)
            outcome = yield Step.score(rollout.decisions.T, self._batch)
            rewards = outcome.accuracy[:, 0].astype(np.float64) / 100
            known = np.isfinite(rewards)
            if not known.any():
                continue
            mean = float(rewards[known].mean())
            advantages = np.where(known, rewards - mean + self._baseline.above(mean), 0.0)
            self._baseline.add(mean)
            self._adam.climb(self._policy.gradient(rollout, advantages, self._entropy_weight))

    def state(self) -> SharingState:
        """The controller's probabilities, estimated from draws."""
        return SharingState(self._chosen, self._probabilities())

    def _probabilities(self) -> Mixture:
        drawn = self._policy.sample(SAMPLED, np.random.default_rng(self._seed))
        found = np.zeros((len(self._space.choices), max(self._space.choices)), dtype=np.float32)
        for decision, logs in enumerate(drawn.logs):
            found[decision, : len(logs)] = np.exp(logs.astype(np.float64)).mean(1)
        return found
