"""Differentiable architecture search, of first and second order."""

from __future__ import annotations

from typing import Literal

import numpy as np

from nasbench.errors import BadValue
from nasbench.search import Goal
from nasbench.search.step import Schedule, SharingState, Step
from nasbench.space import Space

from ._checks import check_counts
from ._mixture import Descents, Floats, Mixing, softmax_slope, two_strongest
from ._sharing import Plan

__all__ = ["Darts"]


RISE = 0.75
"""The mean of then as a share of the mean of now, below which a search ends."""


class WatchedEigenvalue:
    """Eigenvalues over the epochs, and the logits to go back to.

    Args:
        window: epochs of a mean, and between two of them.

    Attributes:
        values: so far, one an epoch.
    """

    def __init__(self, window: int) -> None:
        self.values: list[float] = []
        self._window = window
        self._logits: list[Floats] = []

    def look(self, value: float, logits: Floats) -> Floats | None:
        """Note an epoch; the logits to go back to, where the value has risen too far."""
        self.values.append(value)
        self._logits.append(logits)
        window = self._window
        if len(self.values) < 2 * window:
            return None
        now = float(np.mean(self.values[-window:]))
        then = float(np.mean(self.values[-2 * window : -window]))
        return self._logits[-1 - window] if now > 0 and then < RISE * now else None


class Darts(Mixing):
    """Train a mixture of all choices, its probabilities by the validation loss's slope.

    Liu, Simonyan & Yang, "DARTS: Differentiable Architecture Search", ICLR 2019, algorithm 1: a
    step of the logits on a validation batch, then one of the weights on a training batch.
    Equation 2 is the mixture; the second order takes the slope at the weights after one more
    training step, through that step (equation 7, by autograd and not by the finite differences of
    equation 8); the first leaves the step out (xi = 0). Adam 3e-4, betas .5 and .999, decay 1e-3:
    section 3.1 of the appendix, and the release. Rates of the weights .025 to .001.

    With `early_stop` it ends as Zela et al. ("Understanding and Robustifying Differentiable
    Architecture Search", ICLR 2020, section 5) have it: after each epoch the dominant eigenvalue
    of the Hessian of the validation loss to the logits is taken; once its mean over `window`
    epochs is more than 1 / .75 times that mean `window` epochs ago, the search goes back to the
    logits of then. The paper has a window of 5 in 50 epochs.

    Args:
        space: to search.
        goal: what is searched for.
        rng: the only source of randomness.
        schedule: how long the weights are trained; the paper has 50 epochs.
        order: 1 or 2.
        discretise: `all` takes the likeliest choice of each decision, as NAS-Bench-201 does;
            `paper` leaves `none` out, and of a cell's node keeps the two edges whose likeliest
            choice is likeliest; the others become `none`.
        early_stop: by the eigenvalue, whose slopes are paid.
        window: epochs of its means.
        images: validation examples of its slopes.
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
        early_stop: bool = False,
        window: int = 5,
        images: int = 500,
        learning_rate: float = 0.025,
        least_rate: float = 0.001,
        logit_rate: float = 3e-4,
        logit_decay: float = 1e-3,
    ) -> None:
        descents = Descents(learning_rate, least_rate, logit_rate, logit_decay)
        super().__init__(space, goal, rng, schedule, descents)
        if order not in (1, 2):
            raise BadValue(f"DARTS is of order 1 or 2, got {order!r}")
        if discretise not in ("all", "paper"):
            raise BadValue(f"discretise is all or paper, got {discretise!r}")
        check_counts(window=window, images=images)
        self._watched = WatchedEigenvalue(window) if early_stop else None
        self._images = images
        self._order = order
        self._as_paper = discretise == "paper"

    def state(self) -> SharingState:
        """The likeliest choices, and the last eigenvalue where it is taken."""
        taken = self._watched and self._watched.values
        return super().state()._replace(eigenvalue=taken[-1] if taken else None)

    def plan(self) -> Plan:
        """Logits, weights, in turn; after each epoch maybe a look at the curvature."""
        for step, rate in enumerate(self._rates.tolist(), 1):
            ahead = rate if self._order == 2 else 0.0
            outcome = yield Step.slope(self.mixture(), unrolled=ahead)
            self.descend(softmax_slope(self.probabilities(), outcome.gradient))
            yield Step.mix(self.mixture(), rate)
            if self._watched is not None and step % self._schedule.steps_per_epoch == 0:
                value = yield from self.dominant(self._images)
                kept = self._watched.look(value, self.logits)
                if kept is not None:
                    self.logits = kept
                    return

    def choose(self) -> int:
        """By `discretise`."""
        if not self._as_paper:
            return super().choose()
        return self.architecture_of(two_strongest(self._space, self.probabilities()))
