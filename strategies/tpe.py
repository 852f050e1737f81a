"""The tree-structured Parzen estimator."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nasbench.errors import NasbenchError
from nasbench.search import Goal
from nasbench.space import Space

from .optuna_sampler import OptunaSampler

__all__ = ["Tpe"]


class Tpe(OptunaSampler):
    """TPE by Optuna's `TPESampler`.

    Bergstra, Bardenet, Bengio, Kégl, "Algorithms for Hyper-Parameter Optimization", NIPS 2011:
    one density of the better part of what was tried, one of the rest, and the candidate drawn
    from the first where their ratio is largest.

    The densities are the paper's: a re-weighted count for each choice of each decision, and
    decisions are independent of each other; `multivariate` is Optuna's own extension. Optuna
    takes the best tenth, at most 25 trials, as the better part, where the paper's gamma is
    0.15; takes 24 candidates; and its constant liar counts running trials among the rest, so
    that several workers do not ask for the same. As for trainings that diverge, see
    `optuna_sampler`.

    Args:
        space: to search.
        goal: gives the recipe and what is better.
        rng: gives the sampler its seed.
        n_startup_trials: so many are drawn uniformly first.
        n_ei_candidates: the best of so many is asked for.
        multivariate: model decisions together, as Optuna 5 does by default for one objective.
        warm_start: architectures that come first, such as the winners of earlier tasks.
    """

    def __init__(
        self,
        space: Space,
        goal: Goal,
        rng: np.random.Generator,
        *,
        n_startup_trials: int = 10,
        n_ei_candidates: int = 24,
        multivariate: bool = False,
        warm_start: Sequence[int] = (),
    ) -> None:
        for count in (n_startup_trials, n_ei_candidates):
            if type(count) is not int or count < 1:
                raise NasbenchError(
                    f"n_startup_trials and n_ei_candidates must be integers of 1 or more, "
                    f"got {count!r}"
                )
        arguments = {
            "n_startup_trials": n_startup_trials,
            "n_ei_candidates": n_ei_candidates,
            "multivariate": multivariate,
            "constant_liar": True,
        }
        super().__init__(
            space, goal, rng, sampler="TPESampler", arguments=arguments, warm_start=warm_start
        )
