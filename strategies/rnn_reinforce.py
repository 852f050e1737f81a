"""REINFORCE with the LSTM controller of Zoph & Le."""

from __future__ import annotations

import numpy as np

from nasbench.search import Goal
from nasbench.space import Space

from ._lstm_controller import Floats, Integers, LstmController, LstmPolicy

__all__ = ["RnnReinforce"]


class RnnReinforce(LstmController):
    """Policy gradient on a recurrent controller.

    Zoph & Le, "Neural Architecture Search with Reinforcement Learning", ICLR 2017, section 3.2:
    the mean over a batch of m architectures of (R - b) times the gradient of
    log p(a_1) + ... + log p(a_T | a_1 ... a_(T-1)), with b an exponential moving average of the
    accuracies before. From section 4.1: two LSTM layers of 35 units, weights uniform in
    [-0.08, 0.08], Adam at rate 0.0006, and the reward is the cube of the accuracy (as a
    fraction).

    Where the paper has a hundred controllers that share their weights, each with m = 8
    architectures, here is one, with 8. The paper takes the best accuracy of the last five
    epochs; here it is that of the query's last epoch, and where the goal is no accuracy, its
    value is divided by 100 and cubed all the same. The paper names neither the average's decay
    nor an entropy bonus: both are those of Zoph, Vasudevan, Shlens, Le, CVPR 2018, appendix
    A.2, the bonus being the entropy of the softmaxes that an architecture went through. The
    paper trains 12,800 architectures; in a search of a hundred the policy hardly moves at the
    paper's rate.

    The gradient is taken where the policy stands when the batch is full; with one worker and no
    diverged training that is where it was drawn.

    Args:
        space: to search.
        goal: gives the recipe and what is better.
        rng: the only source of randomness.
        learning_rate: of Adam.
        batch_size: m, the architectures of a gradient.
        baseline_decay: of the moving average.
        entropy_weight: of the bonus for staying undecided.
    """

    def __init__(
        self,
        space: Space,
        goal: Goal,
        rng: np.random.Generator,
        *,
        learning_rate: float = 0.0006,
        batch_size: int = 8,
        baseline_decay: float = 0.95,
        entropy_weight: float = 0.00001,
    ) -> None:
        super().__init__(
            space,
            goal,
            rng,
            LstmPolicy(space.choices, rng, hidden=35, layers=2, spread=0.08),
            learning_rate=learning_rate,
            batch_size=batch_size,
            baseline_decay=baseline_decay,
            entropy_weight=entropy_weight,
            reward_power=3,
        )

    def _learn(self, decisions: Integers, advantages: Floats, log_chances: Floats) -> None:
        """One step up the gradient; where the batch was drawn does not matter to it."""
        rollout = self._policy.replay(decisions)
        self._climb(self._policy.gradient(rollout, advantages, self._entropy_weight))
