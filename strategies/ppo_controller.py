"""NASNet's controller: an LSTM trained by proximal policy optimisation."""

from __future__ import annotations

import numpy as np

from nasbench.errors import NasbenchError
from nasbench.search import Goal
from nasbench.space import Space

from ._checks import check_counts
from ._lstm_controller import Floats, Integers, LstmController, LstmPolicy

__all__ = ["PpoController"]


class PpoController(LstmController):
    """Clipped policy gradient on a recurrent controller.

    Zoph, Vasudevan, Shlens, Le, "Learning Transferable Architectures for Scalable Image
    Recognition", CVPR 2018, appendices A.2 and A.3: one LSTM layer of 100 units, weights
    uniform in [-0.1, 0.1], PPO at rate 0.00035 on minibatches of 20 architectures, the joint
    probability of an architecture's decisions, an exponential moving average of the rewards
    before as baseline (decay 0.95), an entropy bonus of weight 0.00001; the reward is the
    accuracy (as a fraction).

    Schulman, Wolski, Dhariwal, Radford, Klimov, "Proximal Policy Optimization Algorithms",
    2017, equation 7: with r the chance of an architecture over its chance when it was drawn and
    A its reward less the baseline, climb the mean of min(r A, clip(r, 1 - e, 1 + e) A), several
    times over the same batch, by Adam. NASNet's paper names neither e nor how often; e = 0.2
    is the best of Schulman et al.'s table 1, 3 times is that of their table 5.

    Where the goal is no accuracy in percent its value is divided by 100 all the same. The
    paper trains 20,000 architectures; in a search of a hundred the policy hardly moves at the
    paper's rate.

    Args:
        space: to search.
        goal: gives the recipe and what is better.
        rng: the only source of randomness.
        learning_rate: of Adam.
        batch_size: architectures of a minibatch.
        baseline_decay: of the moving average.
        entropy_weight: of the bonus for staying undecided.
        clip: e, how far r may leave 1 before it stops teaching.
        epochs: how often a minibatch is learned from.
    """

    def __init__(
        self,
        space: Space,
        goal: Goal,
        rng: np.random.Generator,
        *,
        learning_rate: float = 0.00035,
        batch_size: int = 20,
        baseline_decay: float = 0.95,
        entropy_weight: float = 0.00001,
        clip: float = 0.2,
        epochs: int = 3,
    ) -> None:
        if not 0 < clip < 1:
            raise NasbenchError(f"clip must be between 0 and 1, got {clip}")
        check_counts(epochs=epochs)
        super().__init__(
            space,
            goal,
            rng,
            LstmPolicy(space.choices, rng, hidden=100, layers=1, spread=0.1),
            learning_rate=learning_rate,
            batch_size=batch_size,
            baseline_decay=baseline_decay,
            entropy_weight=entropy_weight,
            reward_power=1,
        )
        self._clip = clip
        self._epochs = epochs

    def _learn(self, decisions: Integers, advantages: Floats, log_chances: Floats) -> None:
        """Several steps up equation 7's gradient."""
        for _ in range(self._epochs):
            rollout = self._policy.replay(decisions)
            ratios = np.exp(rollout.log_chances - log_chances)
            # The derivative of r A by log p is r A. Where the clipped term is the smaller one, r
            # has gone as far as A drives it, and the term is constant.
            clipped = np.where(advantages > 0, ratios > 1 + self._clip, ratios < 1 - self._clip)
            weights = np.where(clipped, 0.0, ratios * advantages)
            self._climb(self._policy.gradient(rollout, weights, self._entropy_weight))
