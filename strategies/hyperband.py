"""Hyperband: brackets of successive halving, from the most aggressive to none."""

from __future__ import annotations

import numpy as np

from nasbench.search import Goal
from nasbench.space import Space

from ._rungs import BracketStrategy, hyperband

__all__ = ["Hyperband"]


class Hyperband(BracketStrategy):
    """Hyperband, algorithm 1 of Li et al.

    Li, Jamieson, DeSalvo, Rostamizadeh, Talwalkar, "Hyperband: A Novel Bandit-Based Approach to
    Hyperparameter Optimization", JMLR 18(185), 2018. Bracket s starts many architectures for
    few epochs, and rung by rung keeps the best of eta and trains them eta times as far, up to
    the whole recipe. Brackets go from s_max to 0, and then from s_max again.

    The paper's default eta is 3, its unit of resource is ours with `min_epochs` of 1. Where the
    paper is silent: a rung's epochs are rounded up to those after which the recipe shows
    something, and rungs that coincide are one; a promoted training is continued, not started
    anew; what diverged or breaks a limit is not promoted, so a rung may have fewer; several
    workers that would wait for a rung begin the next bracket.

    Args:
        space: to search.
        goal: gives the recipe and what is better.
        rng: the only source of randomness.
        eta: of so many of a rung one goes on.
        min_epochs: no training is shorter.
    """

    def __init__(
        self,
        space: Space,
        goal: Goal,
        rng: np.random.Generator,
        *,
        eta: int = 3,
        min_epochs: int = 1,
    ) -> None:
        super().__init__(space, goal, rng, hyperband(goal.recipes[0], eta, min_epochs))
