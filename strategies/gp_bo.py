"""Bayesian optimisation with a Gaussian process."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nasbench.search import Goal
from nasbench.space import Space

from ._checks import check_counts
from .optuna_sampler import OptunaSampler

__all__ = ["GpBo"]


class GpBo(OptunaSampler):
    """A Gaussian process and expected improvement, by Optuna's `GPSampler`.

    Snoek, Larochelle, Adams, "Practical Bayesian Optimization of Machine Learning Algorithms",
    NIPS 2012: a Matérn 5/2 kernel with a length scale for each dimension, and expected
    improvement. Optuna maximises its logarithm (Ament et al., "Unexpected Improvements to
    Expected Improvement for Bayesian Optimization", NeurIPS 2023), and with queries that are
    not answered yet that of the batch.

    Two choices of a decision are at distance 1 when they differ, so the kernel knows no order
    of choices. The length scales are the most likely ones, with Optuna's priors; the paper
    integrates over them. As for trainings that diverge, see `optuna_sampler`.

    An ask fits the process anew, in time that grows as the cube of what was told: meant for
    some hundred evaluations, not for thousands.

    Args:
        space: to search.
        goal: gives the recipe and what is better.
        rng: gives the sampler its seed.
        n_startup_trials: so many are drawn uniformly first.
        deterministic: fit no noise: for one training seed, or the mean over all.
        warm_start: architectures that come first, such as the winners of earlier tasks.
    """

    def __init__(
        self,
        space: Space,
        goal: Goal,
        rng: np.random.Generator,
        *,
        n_startup_trials: int = 10,
        deterministic: bool = False,
        warm_start: Sequence[int] = (),
    ) -> None:
        check_counts(n_startup_trials=n_startup_trials)
        arguments = {
            "n_startup_trials": n_startup_trials,
            "deterministic_objective": deterministic,
        }
        super().__init__(
            space, goal, rng, sampler="GPSampler", arguments=arguments, warm_start=warm_start
        )
