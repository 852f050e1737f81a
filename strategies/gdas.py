"""Searching for a robust architecture in four GPU hours: one drawn path, straight through."""

from __future__ import annotations

import numpy as np

from nasbench.search import Goal
from nasbench.search.step import Schedule, Step, one_hot
from nasbench.space import Space

from ._mixture import Descents, Mixing, check_temperatures
from ._sharing import Plan

__all__ = ["Gdas"]


class Gdas(Mixing):
    """Train one drawn path a step, and its probabilities straight through the draw.

    Dong & Yang, "Searching for a Robust Neural Architecture in Four GPU Hours", CVPR 2019,
    equations 3 to 6: a path is the argmax of the logits with Gumbel noise; its slope is passed
    to the softmax at temperature tau, as if that had run. As in the release, the weights of an
    edge's other choices, zeros, are added to its map and so have a slope, too; weights move
    first, on a draw of their own, then logits on another. tau falls linearly by epoch from 10 to
    .1. Adam 3e-4, betas .5 and .999, decay 1e-3, as in NAS-Bench-201's release, whose first
    protocol has 240 epochs.

    Args:
        space: to search.
        goal: what is searched for.
        rng: the only source of randomness.
        schedule: how long the weights are trained.
        tau: the first temperature.
        least_tau: the last.
        learning_rate: of the first step of the weights.
        least_rate: of the last.
        logit_rate: of Adam.
        logit_decay: of the logits.
    """

    def __init__(
        self,
        space: Space,
        goal: Goal,
        rng: np.random.Generator,
        *,
        schedule: Schedule,
        tau: float = 10.0,
        least_tau: float = 0.1,
        learning_rate: float = 0.025,
        least_rate: float = 0.001,
        logit_rate: float = 3e-4,
        logit_decay: float = 1e-3,
    ) -> None:
        descents = Descents(learning_rate, least_rate, logit_rate, logit_decay)
        super().__init__(space, goal, rng, schedule, descents)
        check_temperatures(tau, least_tau)
        self._taus = np.linspace(tau, least_tau, schedule.epochs)

    def plan(self) -> Plan:
        """Weights, logits, in turn."""
        for step, rate in enumerate(self._rates.tolist()):
            tau = float(self._taus[step // self._schedule.steps_per_epoch])
            path = self.relaxed(tau).argmax(1)
            yield Step.mix(one_hot(self._space, path), rate, path=path)
            drawn = self.relaxed(tau)
            path = drawn.argmax(1)
            outcome = yield Step.slope(one_hot(self._space, path), path=path)
            self.descend(self.slope_through(drawn, outcome.gradient, tau))
