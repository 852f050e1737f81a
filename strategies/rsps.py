"""Random search with weight sharing."""

from __future__ import annotations

from typing import Literal

import numpy as np

from nasbench.search import Goal
from nasbench.search.share_costs import Costs
from nasbench.search.step import Schedule
from nasbench.space import Space

from ._sharing import PathTraining, Ranking

__all__ = ["Rsps"]


class Rsps(PathTraining):
    """Train one uniform path a step, then take the best of random ones by inherited accuracy.

    Li & Talwalkar, "Random Search and Reproducibility for Neural Architecture Search", UAI 2019,
    section 3.2. NAS-Bench-201's release draws 100 and scores each on a batch of 512 of its own,
    so that noise decides; here all are scored on the same examples.

    Args:
        space: to search.
        goal: what is searched for.
        rng: the only source of randomness.
        schedule: how long the weights are trained.
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
        candidates: int = 100,
        images: int = 2000,
        by: Literal["accuracy", "loss"] = "accuracy",
        train_best: int = 0,
    ) -> None:
        ranking = Ranking(candidates, images, by, train_best)
        super().__init__(space, goal, rng, schedule, (learning_rate, least_rate), ranking, costs)
