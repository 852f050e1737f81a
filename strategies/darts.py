"""Differentiable architecture search, of first and second order."""

from __future__ import annotations

from collections import defaultdict
from typing import Literal

import numpy as np

from nasbench.errors import BadValue
from nasbench.search import Goal
from nasbench.search.step import Schedule, Step
from nasbench.space import Space

from ._mixture import Mixing, softmax_slope
from ._sharing import Plan

__all__ = ["Darts"]


class Darts(Mixing):
    """Train a mixture of all choices, its probabilities by the validation loss's slope.

    Liu, Simonyan & Yang, "DARTS: Differentiable Architecture Search", ICLR 2019, algorithm 1: a
    step of the logits on a validation batch, then one of the weights on a training batch.
    Equation 2 is the mixture; the second order takes the slope at the weights after one more
    training step, through that step (equation 7, by autograd and not by the finite differences of
    equation 8); the first leaves the step out (xi = 0). Adam 3e-4, betas .5 and .999, decay 1e-3:
    section 3.1 of the appendix, and the release. Rates of the weights .025 to .001.

    Args:
        space: to search.
        goal: what is searched for.
        rng: the only source of randomness.
        schedule: how long the weights are trained; the paper has 50 epochs.
        order: 1 or 2.
        discretise: `all` takes the likeliest choice of each decision, as NAS-Bench-201 does;
            `paper` leaves `none` out, and of a cell's node keeps the two edges whose likeliest
            choice is likeliest; the others become `none`.
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
        order: int = 1,
        discretise: Literal["all", "paper"] = "all",
        learning_rate: float = 0.025,
        least_rate: float = 0.001,
        logit_rate: float = 3e-4,
        logit_decay: float = 1e-3,
    ) -> None:
        super().__init__(
            space,
            goal,
            rng,
            schedule=schedule,
            learning_rate=learning_rate,
            least_rate=least_rate,
            logit_rate=logit_rate,
            logit_decay=logit_decay,
        )
        if order not in (1, 2):
            raise BadValue(f"DARTS is of order 1 or 2, got {order!r}")
        if discretise not in ("all", "paper"):
            raise BadValue(f"discretise is all or paper, got {discretise!r}")
        self._order = order
        self._as_paper = discretise == "paper"

    def plan(self) -> Plan:
        """Logits, weights, in turn."""
        for rate in self._rates.tolist():
            ahead = rate if self._order == 2 else 0.0
            outcome = yield Step.slope(self.mixture(), unrolled=ahead)
            self.descend(softmax_slope(self.probabilities(), outcome.gradient))
            yield Step.mix(self.mixture(), rate)

    def choose(self) -> int:
        """By `discretise`."""
        if not self._as_paper:
            return super().choose()
        chances = self.probabilities()
        options = list(self._space.decisions.items())
        for place, (_, choices) in enumerate(options):
            if "none" in choices:
                chances[place, choices.index("none")] = -1.0
        best = chances.max(1)
        entering = defaultdict(list)
        for place, (decision, choices) in enumerate(options):
            if "none" in choices and ">" in decision:  # an edge of a cell, source>target
                entering[decision.partition(">")[2]].append(place)
        for places in entering.values():
            for place in sorted(places, key=lambda p: -best[p])[2:]:
                chances[place, options[place][1].index("none")] = 2.0
        return self.architecture_of(chances)
