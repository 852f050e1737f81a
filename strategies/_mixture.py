"""What strategies of mixtures have in common: logits of all choices, and their steps."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import BadValue
from nasbench.search import Goal
from nasbench.search.step import Mixture, Schedule, SharingState
from nasbench.space import Space

from ._sharing import Planned, check_rates

__all__ = ["Mixing", "check_temperatures"]

SPREAD = 1e-3
"""Deviation of the first logits, as in the release of DARTS."""

Floats = NDArray[np.float64]


class Mixing(Planned):
    """A logit for each choice of each decision, moved by Adam along slopes of the loss.

    Kingma & Ba, ICLR 2015, algorithm 1, with the decay of the weights in the slope, as PyTorch's
    Adam has it.

    Args:
        space: to search.
        goal: what is searched for.
        rng: the only source of randomness.
        schedule: how long the weights are trained.
        learning_rate: of the first step of the weights; it falls as a cosine.
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
        learning_rate: float,
        least_rate: float,
        logit_rate: float,
        logit_decay: float,
    ) -> None:
        super().__init__(space, goal, rng, schedule)
        check_rates(learning_rate, least_rate)
        if not 0 < logit_rate < math.inf or not 0 <= logit_decay < math.inf:
            raise BadValue(
                f"logit_rate is above 0 and logit_decay 0 or more, got {logit_rate!r} and "
                f"{logit_decay!r}"
            )
        self._rates = schedule.cosine(learning_rate, least_rate)
        self._logit_rate = logit_rate
        self._logit_decay = logit_decay
        shape = (len(space.choices), max(space.choices))
        # Of decisions with fewer choices the rest stays impossible.
        self._there = np.arange(shape[1]) < np.asarray(space.choices)[:, None]
        self.logits: Floats = np.where(self._there, SPREAD * rng.standard_normal(shape), -np.inf)
        self._mean, self._square = np.zeros(shape), np.zeros(shape)
        self._moved = 0

    def probabilities(self) -> Floats:
        """The softmax of the logits of each decision, `[decisions, most choices]`."""
        return softmax(self.logits)

    def mixture(self) -> Mixture:
        """The probabilities as a supernet takes them."""
        return self.probabilities().astype(np.float32)

    def state(self) -> SharingState:
        """The likeliest choice of each decision, once a slope was seen."""
        chosen = self.choose() if self._moved else None
        return SharingState(chosen, self.mixture())

    def choose(self) -> int:
        """The architecture of the likeliest choices."""
        return self.architecture_of(self.logits)

    def architecture_of(self, merits: Floats) -> int:
        """The architecture of the highest of each decision."""
        return int(self._space.index_of(merits.argmax(1)))

    def descend(self, slope: Floats, betas: tuple[float, float] = (0.5, 0.999)) -> None:
        """One step of Adam on the logits; a slope that is no number is passed over."""
        if not np.isfinite(slope[self._there]).all():
            return
        self._moved += 1
        logits = np.where(self._there, self.logits, 0)
        slope = np.where(self._there, slope, 0) + self._logit_decay * logits
        first, second = betas
        self._mean = first * self._mean + (1 - first) * slope
        self._square = second * self._square + (1 - second) * slope**2
        mean = self._mean / (1 - first**self._moved)
        square = self._square / (1 - second**self._moved)
        self.logits = self.logits - self._logit_rate * mean / (np.sqrt(square) + 1e-8)

    def gumbel(self) -> Floats:
        """Gumbel noise for each choice."""
        drawn = self._rng.random(self.logits.shape).clip(1e-12, 1 - 1e-12)
        noise: Floats = -np.log(-np.log(drawn))
        return noise

    def relaxed(self, tau: float) -> Floats:
        """A draw from the concrete distribution of the logits at a temperature."""
        return softmax((log_softmax(self.logits) + self.gumbel()) / tau)

    def slope_through(self, drawn: Floats, slope: Floats, tau: float) -> Floats:
        """The slope to the logits of what was `relaxed`, from the slope to that."""
        return softmax_slope(self.probabilities(), softmax_slope(drawn, slope) / tau, log=True)


def check_temperatures(tau: float, least_tau: float) -> None:
    """Refuse temperatures of draws that do not fall, from the first to the last."""
    if not 0 < least_tau <= tau < math.inf:
        raise BadValue(
            f"temperatures are above 0, the last no higher than the first, got {tau!r} and "
            f"{least_tau!r}"
        )


def softmax(logits: Floats) -> Floats:
    """Of each row."""
    found: Floats = np.exp(log_softmax(logits))
    return found


def log_softmax(logits: Floats) -> Floats:
    """Its logarithm; -inf of what is impossible."""
    shifted = logits - logits.max(1, keepdims=True)
    found: Floats = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    return found


def softmax_slope(p: Floats, slope: NDArray[np.floating[Any]], *, log: bool = False) -> Floats:
    """The slope to the logits, from that to their softmax p (or to its logarithm)."""
    slope = np.where(p > 0, slope, 0.0).astype(np.float64)
    if log:
        found: Floats = slope - p * slope.sum(1, keepdims=True)
    else:
        found = p * (slope - (p * slope).sum(1, keepdims=True))
    return found
