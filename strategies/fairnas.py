"""FairNAS: every operation gets one gradient at each step."""

from __future__ import annotations

from typing import Literal

import numpy as np

from nasbench.search import Goal
from nasbench.search.share_costs import Costs
from nasbench.search.step import Paths, Schedule
from nasbench.space import Space

from ._sharing import PathTraining, Ranking

__all__ = ["FairNas"]


class FairNas(PathTraining):
    """Train every choice once a step, along paths of permutations; then rank random candidates.

    Chu, Zhang & Xu, "FairNAS: Rethinking Evaluation Fairness of Weight Sharing Neural
    Architecture Search", ICCV 2021, section 3.2 (strict fairness) and algorithm 1: a step is as
    many paths as a decision has choices, made of one permutation for each decision; their
    gradients are summed, and the weights move once. The paper then searches by NSGA-II on inherited
    accuracy and costs; here candidates are drawn at random and ranked, which on a space as small
    as nb201 finds as much. A decision of fewer choices than others begins its permutation anew.

    Args:
        space: to search.
        goal: what is searched for.
        rng: the only source of randomness.
        schedule: how long the weights are trained; an epoch is as many paths as choices.
        costs: what columns of a table say of architectures; given where the goal has limits.
        learning_rate: of the first step.
        least_rate: of the last.
        candidates: that are drawn and scored.
        images: validation examples of a score; 0: all.
        by: `accuracy`, as in the paper, or `loss`.
        train_best: so many of the best are trained alone, beyond the paper.
    """

    def __init__(
        self,
        space: Space,
        goal: Goal,
        rng: np.random.Generator,
        *,
        schedule: Schedule,
        costs: Costs | None = None,
        learning_rate: float = 0.025,
        least_rate: float = 0.001,
        candidates: int = 400,
        images: int = 2000,
        by: Literal["accuracy", "loss"] = "accuracy",
        train_best: int = 0,
    ) -> None:
        ranking = Ranking(candidates, images, by, train_best)
        super().__init__(space, goal, rng, schedule, (learning_rate, least_rate), ranking, costs)

    def draw(self, steps: int) -> Paths:
        """As many paths a step as the most choices of a decision."""
        most = max(self._space.choices)
        paths = np.empty((steps, most, len(self._space.choices)), dtype=np.int64)
        for decision, choices in enumerate(self._space.choices):
            rounds = -(-most // choices)
            drawn = self._rng.random((steps, rounds, choices)).argsort(-1)
            paths[:, :, decision] = drawn.reshape(steps, -1)[:, :most]
        return paths
