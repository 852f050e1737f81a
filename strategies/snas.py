"""Stochastic neural architecture search: weights and probabilities by one loss."""

from __future__ import annotations

import numpy as np

from nasbench.search import Goal
from nasbench.search.step import Schedule, Step
from nasbench.space import Space

from ._mixture import Descents, Mixing, check_temperatures
from ._sharing import Plan

__all__ = ["Snas"]


class Snas(Mixing):
    """Train weights and probabilities together, on draws from a concrete distribution.

    Xie, Zheng, Liu & Lin, "SNAS: Stochastic Neural Architecture Search", ICLR 2019, equations 2
    to 7: a mixture is drawn by softmax((log p + Gumbel noise) / tau), and both weights and
    logits move along the training loss: one level, no validation split. Its resource constraint
    is left out. DrNAS's code for NAS-Bench-201 calls a two-level search on validation batches
    SNAS, too: not this one. tau falls from 1 to .03, geometrically.

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
        tau: float = 1.0,
        least_tau: float = 0.03,
        learning_rate: float = 0.025,
        least_rate: float = 0.001,
        logit_rate: float = 3e-4,
        logit_decay: float = 1e-3,
    ) -> None:
        descents = Descents(learning_rate, least_rate, logit_rate, logit_decay)
        super().__init__(space, goal, rng, schedule, descents)
        check_temperatures(tau, least_tau)
        self._taus = np.geomspace(tau, least_tau, schedule.steps)

    def plan(self) -> Plan:
        """Both at each step."""
        for rate, tau in zip(self._rates.tolist(), self._taus.tolist(), strict=True):
            drawn = self.relaxed(tau)
            outcome = yield Step.mix(drawn.astype(np.float32), rate, gradient=True)
            self.descend(self.slope_through(drawn, outcome.gradient, tau))
