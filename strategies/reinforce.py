"""REINFORCE with one softmax for each decision."""

from __future__ import annotations

import math

import numpy as np

from nasbench.errors import NasbenchError
from nasbench.search import Goal, Outcome, Query
from nasbench.space import Space

from ._policy_gradient import Adam, MovingAverage

__all__ = ["Reinforce"]


class Reinforce:
    """Policy gradient on independent softmax policies, as NAS-Bench-201 runs it.

    Williams, "Simple Statistical Gradient-Following Algorithms for Connectionist
    Reinforcement Learning", Machine Learning 8, 1992; Dong & Yang, "NAS-Bench-201", ICLR 2020:
    no controller network, logits drawn from N(0, 0.001^2), the reward less an exponential
    moving average of rewards (momentum 0.9, bias-corrected) that already holds it. Adam
    (Kingma & Ba, ICLR 2015, algorithm 1) at rate 0.01, as their scripts for NATS-Bench (Dong,
    Liu, Musial, Gabrys, TPAMI 2021) have it.

    The gradient is taken where the policy stands when the outcome comes; with one worker
    that is where the architecture was drawn. An outcome without a reward (a training that
    diverged, a limit that was broken) teaches nothing.

    Args:
        space: to search.
        goal: gives the recipe and what is better.
        rng: the only source of randomness.
        learning_rate: of Adam.
        baseline_momentum: of the moving average.
    """

    def __init__(
        self,
        space: Space,
        goal: Goal,
        rng: np.random.Generator,
        *,
        learning_rate: float = 0.01,
        baseline_momentum: float = 0.9,
    ) -> None:
        if not 0 < learning_rate < math.inf or not 0 <= baseline_momentum < 1:
            raise NasbenchError("learning_rate must be above 0, baseline_momentum in [0, 1)")
        self._space = space
        self._goal = goal
        self._rng = rng
        self._baseline = MovingAverage(baseline_momentum)
        counts = np.asarray(space.choices)
        shape = (len(counts), int(counts.max()))
        self._logits = 1e-3 * rng.standard_normal(shape)
        # Decisions with fewer choices than the most have no chance of the rest.
        self._logits[np.arange(shape[1]) >= counts[:, None]] = -np.inf
        self._adam = Adam(self._logits, learning_rate)
        self._policy = self._softmax()

    def ask(self) -> Query:
        """An architecture drawn from the policy."""
        cumulative = self._policy.cumsum(1)
        drawn = self._rng.random((len(cumulative), 1)) * cumulative[:, -1:]
        ops = (cumulative <= drawn).sum(1)
        return self._goal.query(int(self._space.index_of(ops)))

    def tell(self, query: Query, outcome: Outcome) -> None:
        """One step of Adam up the gradient of (reward - baseline) log p(architecture)."""
        reward = self._goal.reward(outcome)
        if not math.isfinite(reward):
            return
        self._baseline.add(reward)
        advantage = self._baseline.above(reward)
        chosen = self._space.ops(query.architecture)[:, None] == np.arange(self._logits.shape[1])
        self._adam.climb(advantage * (chosen - self._policy))
        self._policy = self._softmax()

    def _softmax(self) -> np.ndarray:
        """Chances of each choice by the logits, `[decisions, most choices]`."""
        powers = np.exp(self._logits - self._logits.max(1, keepdims=True))
        policy: np.ndarray = powers / powers.sum(1, keepdims=True)
        return policy
