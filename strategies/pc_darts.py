"""PC-DARTS: a mixture on part of the channels, with weights of edges beside those of operations."""

from __future__ import annotations

from typing import Literal

import numpy as np

from nasbench.errors import BadValue
from nasbench.search import Goal
from nasbench.search.step import Mixture, Schedule, Step
from nasbench.space import Space

from ._checks import check_counts
from ._mixture import (
    SPREAD,
    Descent,
    Descents,
    Floats,
    Mixing,
    entering,
    softmax_slope,
    two_strongest,
)
from ._sharing import Plan

__all__ = ["PcDarts"]


class PcDarts(Mixing):
    """DARTS of first order on one in `partial` channels of each edge, edges weighed, too.

    Xu, Xie, Zhang, Chen, Qi, Tian & Xiong, "PC-DARTS: Partial Channel Connections for
    Memory-Efficient Architecture Search", ICLR 2020: of an edge's channels one in K goes through
    the mixture, the others pass by, and channels are shuffled (equation 2); an edge's map is
    multiplied by the softmax of its own logit among the edges that enter the node (equation 3);
    logits are frozen at first. The release for DARTS' space: K = 4, 15 of 50 epochs of warm-up,
    Adam 6e-4 with decay 1e-3, weights .1 to .001 on batches of 256; here weights .025 to .001, as
    the others have it in this space. Cells alone have partial channels; their K divides the
    channels of the first stage.

    Args:
        space: of cells, to search.
        goal: what is searched for.
        rng: the only source of randomness.
        schedule: how long the weights are trained.
        partial: one in so many channels is mixed; 1: all.
        warm_up: the share of the epochs in which logits are frozen.
        discretise: `all` takes the likeliest operation of each edge, as NAS-Bench-201's cells
            have it; `paper` keeps two edges a node by the product of both softmaxes.
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
        partial: int = 4,
        warm_up: float = 0.3,
        discretise: Literal["all", "paper"] = "all",
        learning_rate: float = 0.025,
        least_rate: float = 0.001,
        logit_rate: float = 6e-4,
        logit_decay: float = 1e-3,
    ) -> None:
        descents = Descents(learning_rate, least_rate, logit_rate, logit_decay)
        super().__init__(space, goal, rng, schedule, descents)
        check_counts(partial=partial)
        if not 0 <= warm_up < 1:
            raise BadValue(f"warm_up is 0 to below 1, got {warm_up!r}")
        if discretise not in ("all", "paper"):
            raise BadValue(f"discretise is all or paper, got {discretise!r}")
        self._partial = partial
        self._frozen = int(warm_up * schedule.epochs) * schedule.steps_per_epoch
        self._as_paper = discretise == "paper"
        edges = len(space.choices)
        groups = entering(space)
        # [nodes, edges]: which edges enter a node; a decision that is no edge stands alone.
        alone = set(range(edges)) - {place for places in groups.values() for place in places}
        members = [*groups.values(), *([place] for place in sorted(alone))]
        self._enter = np.asarray([[place in of for place in range(edges)] for of in members])
        self.edge_logits: Floats = SPREAD * rng.standard_normal(edges)
        self._edge_descent = Descent((edges,), logit_rate, logit_decay)

    def edge_weights(self) -> Floats:
        """The softmax of each edge's logit among those that enter its node, `[edges]`."""
        powers = np.exp(self.edge_logits - self.edge_logits.max())
        weights: Floats = powers / (self._enter.T @ (self._enter @ powers))
        return weights

    def mixture(self) -> Mixture:
        """Probabilities times the weight of their edge."""
        return (self.edge_weights()[:, None] * self.probabilities()).astype(np.float32)

    def plan(self) -> Plan:
        """Logits, once they are free, and weights, in turn."""
        for step, rate in enumerate(self._rates.tolist()):
            if step >= self._frozen:
                outcome = yield Step.slope(self.mixture(), partial=self._partial)
                self._learn(outcome.gradient.astype(np.float64))
            yield Step.mix(self.mixture(), rate, partial=self._partial)

    def slopes(self, slope: Floats) -> tuple[Floats, Floats]:
        """The slopes to both kinds of logits, from that to their product."""
        chances, weights = self.probabilities(), self.edge_weights()
        of_edge = weights * (chances * np.where(self._there, slope, 0)).sum(1)
        mean = self._enter.T @ (self._enter @ of_edge)
        return softmax_slope(chances, weights[:, None] * slope), of_edge - weights * mean

    def _learn(self, slope: Floats) -> None:
        of_choices, of_edges = self.slopes(slope)
        self.descend(of_choices)
        there = np.ones(len(of_edges), dtype=bool)
        self.edge_logits = self._edge_descent.step(self.edge_logits, of_edges, there)

    def choose(self) -> int:
        """By `discretise`."""
        merits = self.edge_weights()[:, None] * self.probabilities()
        return self.architecture_of(
            two_strongest(self._space, merits) if self._as_paper else merits
        )
