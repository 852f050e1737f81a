"""MetaQNN: Q-learning over the decisions, one after the other."""

from __future__ import annotations

import math
from bisect import bisect_right

import numpy as np

from nasbench.errors import NasbenchError
from nasbench.search import Goal, Outcome, Query
from nasbench.space import Space

from ._checks import check_counts

__all__ = ["MetaQNN"]

EPSILONS = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)
"""Chance of a random action, in each stage of table 2 of the paper."""

STAGE_ENDS = (1500, 1600, 1700, 1800, 1950, 2100, 2250, 2400, 2550, 2700)
"""Distinct models trained at the end of each stage."""


class MetaQNN:
    """Tabular Q-learning with an epsilon-greedy policy and experience replay.

    Baker, Gupta, Naik, Raskar, "Designing Neural Network Architectures using Reinforcement
    Learning", ICLR 2017, algorithms 1 to 3. As there, a state knows the depth and the last
    choice, not all choices before it (theirs also what size the image has shrunk to), and the
    action is the next choice: what follows a choice well in one network is taken to follow it
    well in others. After each training, 100
    trainings are drawn from memory with replacement, and for each of them equation 3 is
    applied from the last decision to the first,

        Q(s, u) <- (1 - a) Q(s, u) + a (r + max over u' of Q(s', u')),

    with a = 0.01 and discount 1; the reward r is the accuracy after the last decision, where
    no state follows, and 0 before. Q starts at 0.5, or 50 %. Of equal actions the greedy one
    is drawn.

    The paper's table 2 gives epsilon by distinct models trained, 2,700 in all. Here it is
    stretched over the budget: over its evaluations or the trainings that its epochs are (or the
    space, where that is smaller), or
    its seconds, whichever is used up more. Seconds are shared among as many workers as were
    seen to be busy at a time.

    The paper does not train a network twice, but learns from it again; here it is asked for
    again, and `repeats="free"` of a run is the paper's way. An outcome without a reward (a
    training that diverged, a limit that was broken) counts as the worst told before, so that
    the greedy policy leaves it.

    Args:
        space: to search; decisions are taken in its order.
        goal: gives the recipe, what is better, and the budget.
        rng: the only source of randomness.
        learning_rate: a in equation 3.
        replays: trainings drawn from memory after each one.
        initial_value: of Q, in units of the goal's reward: about an average architecture's,
            rather below it. A goal that is not an accuracy in percent needs one of its own.
    """

    def __init__(
        self,
        space: Space,
        goal: Goal,
        rng: np.random.Generator,
        *,
        learning_rate: float = 0.01,
        replays: int = 100,
        initial_value: float = 50.0,
    ) -> None:
        if not 0 < learning_rate <= 1 or not math.isfinite(initial_value):
            raise NasbenchError("learning_rate must be in (0, 1], initial_value finite")
        check_counts(replays=replays)
        self._space = space
        self._goal = goal
        self._rng = rng
        self._learning_rate = learning_rate
        self._replays = replays
        # _q[decision][choice before it][choice]; nothing comes before the first. Each row ends
        # with its maximum: to look for it anew at each step would double the time of a replay.
        befores = (1, *space.choices[:-1])
        self._q = [
            [[initial_value] * (count + 1) for _ in range(before)]
            for before, count in zip(befores, space.choices, strict=True)
        ]
        # Each training as its reward and its transitions: the row of Q and the choice, last first.
        self._memory: list[tuple[float, list[tuple[list[float], int]]]] = []
        self._worst = math.inf
        self._distinct: set[int] = set()
        self._seconds = 0.0
        self._running = 0
        self._most_running = 0

    def ask(self) -> Query:
        """An architecture by the epsilon-greedy policy (algorithm 2)."""
        epsilon = self._epsilon()
        ops: list[int] = []
        before = 0
        draws = self._rng.random((len(self._q), 2)).tolist()
        for rows, (explore, pick) in zip(self._q, draws, strict=True):
            row = rows[before]
            among = [u for u in range(len(row) - 1) if row[u] == row[-1] or explore < epsilon]
            before = among[int(pick * len(among))]
            ops.append(before)
        architecture = int(self._space.index_of(ops))
        self._distinct.add(architecture)
        self._running += 1
        self._most_running = max(self._most_running, self._running)
        return self._goal.query(architecture)

    def tell(self, query: Query, outcome: Outcome) -> None:
        """Remember the training and learn from memory (algorithms 1 and 3)."""
        self._running -= 1
        self._seconds += outcome.seconds
        reward = self._goal.reward(outcome)
        if math.isfinite(reward):
            self._worst = min(self._worst, reward)
        elif math.isfinite(self._worst):
            reward = self._worst
        else:
            return
        self._memory.append((reward, self._transitions(query.architecture)))
        rate = self._learning_rate
        for place in self._rng.integers(len(self._memory), size=self._replays).tolist():
            target, transitions = self._memory[place]
            for row, choice in transitions:
                old = row[choice]
                new = row[choice] = old + rate * (target - old)
                target = row[-1]  # the best of this state, where the decision before leads to
                if new > target:
                    row[-1] = target = new
                elif old == target:
                    row[-1] = target = max(row[:-1])

    def _transitions(self, architecture: int) -> list[tuple[list[float], int]]:
        ops = self._space.ops(architecture).tolist()
        steps = zip(self._q, [0, *ops], ops, strict=False)
        return [(rows[before], choice) for rows, before, choice in steps][::-1]

    def _epsilon(self) -> float:
        """The stage of table 2, by the share of the budget that was used."""
        budget = self._goal.budget
        models = 0.0  # of the paper's
        if budget.evaluations is not None:
            most = min(budget.evaluations, self._space.size)
            models = STAGE_ENDS[-1] * len(self._distinct) / most
        if budget.epochs is not None:
            trainings = min(budget.epochs / self._goal.recipes[0].epochs, self._space.size)
            models = max(models, STAGE_ENDS[-1] * len(self._distinct) / trainings)
        if budget.seconds is not None:
            seconds = self._seconds / max(self._most_running, 1)
            models = max(models, STAGE_ENDS[-1] * seconds / budget.seconds)
        return EPSILONS[bisect_right(STAGE_ENDS[:-1], models)]
