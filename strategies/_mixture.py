"""What strategies of mixtures have in common: logits of all choices, and their steps."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Generator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import BadValue
from nasbench.search import Goal
from nasbench.search.step import Mixture, Schedule, SharingState, Step, StepOutcome
from nasbench.space import Space

from ._sharing import Planned, check_rates

__all__ = ["Descent", "Descents", "Mixing", "check_temperatures", "entering", "two_strongest"]

SPREAD = 1e-3
"""Deviation of the first logits, as in the release of DARTS."""

POWER_STEPS = 8
APART = 0.05
"""Of power iteration: how often, and how far from the logits slopes are taken on either side."""

Floats = NDArray[np.float64]


class Descents(NamedTuple):
    """How far weights and logits go a step.

    Attributes:
        learning_rate: of the first step of the weights; it falls as a cosine.
        least_rate: of the last.
        logit_rate: of Adam.
        logit_decay: of the logits.
    """

    learning_rate: float
    least_rate: float
    logit_rate: float
    logit_decay: float


class Mixing(Planned):
    """A logit for each choice of each decision, moved by Adam along slopes of the loss.

    Kingma & Ba, ICLR 2015, algorithm 1, with the decay of the weights in the slope, as PyTorch's
    Adam has it.

    Args:
        space: to search.
        goal: what is searched for.
        rng: the only source of randomness.
        schedule: how long the weights are trained.
        descents: of weights and logits.
    """

    def __init__(
        self,
        space: Space,
        goal: Goal,
        rng: np.random.Generator,
        schedule: Schedule,
        descents: Descents,
    ) -> None:
        super().__init__(space, goal, rng, schedule)
        learning_rate, least_rate, logit_rate, logit_decay = descents
        check_rates(learning_rate, least_rate)
        if not 0 < logit_rate < math.inf or not 0 <= logit_decay < math.inf:
            raise BadValue(
                f"logit_rate is above 0 and logit_decay 0 or more, got {logit_rate!r} and "
                f"{logit_decay!r}"
            )
        self._rates = schedule.cosine(learning_rate, least_rate)
        shape = (len(space.choices), max(space.choices))
        # Of decisions with fewer choices the rest stays impossible.
        self._there = np.arange(shape[1]) < np.asarray(space.choices)[:, None]
        self.logits: Floats = np.where(self._there, SPREAD * rng.standard_normal(shape), -np.inf)
        self._eigenvector: Floats | None = None
        self._descent = Descent(shape, logit_rate, logit_decay)

    def probabilities(self) -> Floats:
        """The softmax of the logits of each decision, `[decisions, most choices]`."""
        return softmax(self.logits)

    def mixture(self) -> Mixture:
        """The probabilities as a supernet takes them."""
        return self.probabilities().astype(np.float32)

    def state(self) -> SharingState:
        """The likeliest choice of each decision, once a slope was seen."""
        chosen = self.choose() if self._descent.moved else None
        return SharingState(chosen, self.probabilities().astype(np.float32))

    def choose(self) -> int:
        """The architecture of the likeliest choices."""
        return self.architecture_of(self.logits)

    def architecture_of(self, merits: Floats) -> int:
        """The architecture of the highest of each decision."""
        return int(self._space.index_of(merits.argmax(1)))

    def descend(self, slope: Floats) -> None:
        """One step of Adam on the logits; a slope that is no number is passed over."""
        self.logits = self._descent.step(self.logits, slope, self._there)

    def dominant(self, images: int) -> Generator[Step, StepOutcome, float]:
        """The dominant eigenvalue of the Hessian of the validation loss to the logits.

        By power iteration on central differences of slopes, all on the first so many validation
        examples: `2 * POWER_STEPS` slopes.
        """
        along = self._eigenvector
        if along is None:
            along = np.where(self._there, self._rng.standard_normal(self.logits.shape), 0)
            along /= np.linalg.norm(along)
        here, value = self.logits, 0.0
        for _ in range(POWER_STEPS):
            ends = []
            for sign in (1, -1):
                self.logits = here + sign * APART * along
                chances = self.probabilities()
                self.logits = here
                outcome = yield Step.slope(chances.astype(np.float32), images=images)
                assert outcome.gradient is not None
                ends.append(softmax_slope(chances, outcome.gradient))
            curved = np.where(self._there, (ends[0] - ends[1]) / (2 * APART), 0)
            value = float((along * curved).sum())
            size = float(np.linalg.norm(curved))
            if not 0 < size < math.inf:
                return value
            along = curved / size
        self._eigenvector = along
        return value

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


class Descent:
    """Adam with decay in the slope, as the release of DARTS uses it; betas .5 and .999.

    Args:
        shape: of what is moved.
        rate: of a step.
        decay: of what is moved.

    Attributes:
        moved: steps so far.
    """

    def __init__(self, shape: tuple[int, ...], rate: float, decay: float) -> None:
        self._rate, self._decay = rate, decay
        self._mean, self._square = np.zeros(shape), np.zeros(shape)
        self.moved = 0

    def step(self, values: Floats, slope: Floats, there: NDArray[np.bool_]) -> Floats:
        """The values after a step; a slope that is no number moves nothing.

        Args:
            values: that are moved.
            slope: of the loss to them.
            there: which of them exist; the others stay as they are.
        """
        if not np.isfinite(slope[there]).all():
            return values
        self.moved += 1
        slope = np.where(there, slope, 0) + self._decay * np.where(there, values, 0)
        first, second = 0.5, 0.999
        self._mean = first * self._mean + (1 - first) * slope
        self._square = second * self._square + (1 - second) * slope**2
        mean = self._mean / (1 - first**self.moved)
        square = self._square / (1 - second**self.moved)
        return values - self._rate * mean / (np.sqrt(square) + 1e-8)


def check_temperatures(tau: float, least_tau: float) -> None:
    """Refuse temperatures of draws that do not fall, from the first to the last."""
    if not 0 < least_tau <= tau < math.inf:
        raise BadValue(
            f"temperatures are above 0, the last no higher than the first, got {tau!r} and "
            f"{least_tau!r}"
        )


def two_strongest(space: Space, merits: Floats) -> Floats:
    """Merits of choices so that a cell's node keeps two edges, as DARTS discretises.

    `none` is left out; of the edges that enter a node the two whose best choice has most merit
    stay, the others become `none`.
    """
    merits = merits.copy()
    options = list(space.decisions.items())
    for place, (_, choices) in enumerate(options):
        if "none" in choices:
            merits[place, choices.index("none")] = -1.0
    best = merits.max(1)
    for places in entering(space).values():
        for place in sorted(places, key=lambda p: -best[p])[2:]:
            choices = options[place][1]
            if "none" in choices:
                merits[place, choices.index("none")] = 2.0
    return merits


def entering(space: Space) -> dict[str, list[int]]:
    """Which decisions are edges of a cell, `source>target`, by the node that they enter."""
    found = defaultdict(list)
    for place, decision in enumerate(space.decisions):
        if ">" in decision:
            found[decision.partition(">")[2]].append(place)
    return dict(found)


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
