"""FBNet: draws of a mixture, by the loss times a power of the expected cost's logarithm."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from nasbench.errors import BadValue
from nasbench.search import Goal
from nasbench.search.share_costs import Costs
from nasbench.search.step import Schedule, Step
from nasbench.space import Space

from ._mixture import Descents, Floats, Mixing, check_temperatures
from ._sharing import Plan

__all__ = ["Fbnet"]

LOGITS_SHARE = 0.25
"""Steps of the logits beside those of the weights: 80 % of the images were for weights."""


class Fbnet(Mixing):
    """Train draws of a mixture; logits by cross-entropy x alpha log(expected cost)^beta.

    Wu, Dai, Zhang, Wang, Sun, Wu, Tian, Vajda, Jia & Keutzer, "FBNet: Hardware-Aware Efficient
    ConvNet Design via Differentiable Neural Architecture Search", CVPR 2019: a mixture is drawn by
    Gumbel noise; an epoch of the weights, then one of the logits on other images, of which there
    are a quarter as many (equations 2 and 5; the cost is a sum over choices). Authors' code for the
    search is not public. The settings are those on which the public re-implementations that were
    read agree (JunrQ/NAS, NNI, forks of AnnaAraslanova/FBNet): a temperature of 5 that falls by
    exp(-.045) an epoch of 90, latencies in microseconds, logits by Adam .01 with decay 5e-4 and
    betas .5 and .999. They differ in alpha (.2; NNI has .25), in beta (.6; a fork has .3) and in
    how many epochs the logits wait (10; 0, 5 and 50 elsewhere). Here the temperature falls as far
    in a shorter schedule. The paper draws several networks in the end and trains each; here the
    likeliest choices are taken.

    Args:
        space: to search.
        goal: what is searched for.
        rng: the only source of randomness.
        schedule: how long the weights are trained.
        costs: what the columns of a table say of architectures; given where `cost` is named.
        cost: the column, as `raspi4/latency_ms`; empty: cross-entropy alone.
        alpha: multiplies the logarithm of the cost.
        beta: its power; larger trades more accuracy for cost.
        warm_up: the share of the epochs before the logits begin to move.
        tau: the first temperature.
        least_tau: the last.
        learning_rate: of the first step of the weights.
        least_rate: of the last.
        logit_rate: of Adam.
        logit_decay: of the logits.
    """

    heeds_limits: ClassVar[bool] = False
    """It weighs a cost, and keeps no bound."""

    def __init__(
        self,
        space: Space,
        goal: Goal,
        rng: np.random.Generator,
        *,
        schedule: Schedule,
        costs: Costs | None = None,
        cost: str = "",
        alpha: float = 0.2,
        beta: float = 0.6,
        warm_up: float = 1 / 9,
        tau: float = 5.0,
        least_tau: float = 0.087,
        learning_rate: float = 0.025,
        least_rate: float = 0.001,
        logit_rate: float = 0.01,
        logit_decay: float = 5e-4,
    ) -> None:
        descents = Descents(learning_rate, least_rate, logit_rate, logit_decay)
        super().__init__(space, goal, rng, schedule, descents)
        check_temperatures(tau, least_tau)
        if not 0 < alpha < math.inf or not 0 <= beta < math.inf or not 0 <= warm_up < 1:
            raise BadValue(
                f"alpha is above 0, beta 0 or more and warm_up 0 to below 1, got {alpha!r}, "
                f"{beta!r} and {warm_up!r}"
            )
        self._taus = np.geomspace(tau, least_tau, schedule.epochs)
        self._alpha, self._beta = alpha, beta
        self._warm_up = int(warm_up * schedule.epochs)
        self._base, self._of_choice = 0.0, np.zeros(self.logits.shape)
        self._costs = bool(cost)
        if cost:
            if costs is None:
                raise BadValue(f"{cost} is read from a table: name one that has it")
            # The paper's latencies are in microseconds, so that their logarithm is above 0.
            unit = 1000.0 if cost.endswith("_ms") else 1.0
            found = costs.per_choice(cost)
            self._base, self._of_choice = unit * found.base, unit * found.prices
            there = np.where(self._there, self._of_choice, np.inf)
            least = self._base + float(there.min(1).sum())
            if not least > 1:
                raise BadValue(
                    f"the logarithm of {cost} is taken, and the least is {least:.3g}: it must be "
                    f"above 1"
                )

    def plan(self) -> Plan:
        """An epoch of the weights, then a quarter of one of the logits."""
        steps = self._schedule.steps_per_epoch
        for epoch, tau in enumerate(self._taus.tolist()):
            for rate in self._schedule.epoch_of(self._rates, epoch).tolist():
                yield Step.mix(self.relaxed(tau).astype(np.float32), rate)
            if epoch < self._warm_up:
                continue
            for _ in range(max(1, round(LOGITS_SHARE * steps))):
                drawn = self.relaxed(tau)
                outcome = yield Step.slope(drawn.astype(np.float32))
                slope = self.with_cost(drawn, float(outcome.loss[0, 0]), outcome.gradient)
                self.descend(self.slope_through(drawn, slope, tau))

    def with_cost(self, drawn: Floats, loss: float, slope: Floats) -> Floats:
        """The slope of the whole loss to a drawn mixture, from that of the cross-entropy."""
        if not self._costs:
            return slope
        cost = self._base + float((drawn * self._of_choice).sum())
        power = math.log(cost) ** self._beta
        of_cost = self._beta * power / (math.log(cost) * cost) * self._of_choice
        found: Floats = self._alpha * (power * slope + loss * of_cost)
        return found
