"""Trainings that will not win are stopped early, whatever the strategy."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nasbench.errors import NasbenchError
from nasbench.search import Goal, Outcome, Query, make_strategy
from nasbench.space import Space

from ._checks import check_counts
from ._learning_curves import forecast
from ._pending import Pending

__all__ = ["CurveStopping"]

FEWEST = 5
"""Points of a curve without which nothing is said of its end: most of the paper's curves have
three or four parameters, and there is noise."""


@dataclass(slots=True)
class _Watched:
    """What the wrapped strategy asked for, and what came of it so far.

    Attributes:
        wanted: the query.
        seconds: paid.
        epochs: after which something was shown.
        values: of the metric after each of these, signed so that more is better.
    """

    wanted: Query
    seconds: float = 0.0
    epochs: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)


class CurveStopping:
    """Learning-curve extrapolation as a criterion of early termination, around any strategy.

    Domhan, Springenberg, Hutter, "Speeding Up Automatic Hyperparameter Optimization of Deep
    Neural Networks by Extrapolation of Learning Curves", IJCAI 2015. From the beginning of a
    curve follows a distribution of its end. A training whose chance to end above the best so
    far is below 0.05 is terminated, and the wrapped strategy is told the expected end instead.
    Before anything is finished, nothing is terminated.

    The paper samples a weighted sum of 11 parametric families and a noise term by MCMC. Here
    the posterior is a sum over a grid of curves, each exact (see `forecast`): that is fast and
    needs no random numbers, but it averages over which curve is right, where the paper adds
    curves up. Nine of the 11 families are in it: pow4 with pow3; exp4, Janoschek and Weibull,
    which are one family; MMF with Hill3 and log power, which are MMF from 0; and ilog2 (of
    x + 1, for the first epoch). Vapor pressure and log log linear are not. As in the paper a
    curve ends higher than it began. Priors are as wide as what the best training so far has
    risen, so that any metric will do, and the expected end that is told is no better than the
    best.

    A training is seen, and judged, at checkpoints, each of which continues it: the difference
    is paid. Of a budget in evaluations each checkpoint is one; give it in seconds. What the
    wrapped strategy asks for beside whole trainings by the first recipe goes on as it is. So
    does every query where the recipe shows no more than its end.

    Args:
        space: to search.
        goal: gives the recipe and what is better; of one objective.
        rng: the wrapped strategy's.
        strategy: the registered name of the wrapped strategy.
        parameters: its own.
        threshold: the paper's delta.
        interval: epochs between checkpoints; a twentieth of the recipe by default.
    """

    multi_fidelity = True

    def __init__(
        self,
        space: Space,
        goal: Goal,
        rng: np.random.Generator,
        *,
        strategy: str = "random_search",
        parameters: Mapping[str, Any] | None = None,
        threshold: float = 0.05,
        interval: int | None = None,
    ) -> None:
        if goal.objectives:
            raise NasbenchError("curve_stopping follows one curve: give a goal of one objective")
        if not isinstance(parameters or {}, Mapping):
            raise NasbenchError(f"parameters are values by name, got {parameters!r}")
        if not 0 <= threshold < 1:
            raise NasbenchError(f"threshold must be in [0, 1), got {threshold}")
        fidelity = goal.recipes[0]
        if interval is None:
            interval = max(1, fidelity.epochs // 20)
        check_counts(interval=interval)
        self._goal = goal
        self._wrapped = make_strategy(strategy, space, goal, rng, parameters)
        self._threshold = threshold
        steps = (*range(interval, fidelity.epochs, interval), fidelity.epochs)
        self._checkpoints = sorted({fidelity.at_least(step) for step in steps})
        self._sign = 1 if goal.maximize else -1
        self._best = -math.inf
        self._risen = 0.0  # by the best training
        self._ready: deque[_Watched] = deque()
        self._open = Pending[Query, _Watched]()

    def ask(self) -> Query | None:
        """The next checkpoint of a training that goes on; else what the wrapped strategy asks."""
        if self._ready:
            training = self._ready.popleft()
            after = training.epochs[-1]
        else:
            wanted = self._wrapped.ask()
            if wanted is None:
                return None
            training, after = _Watched(wanted), 0
        query = training.wanted
        if query == self._goal.query(query.architecture):
            epochs = next(epochs for epochs in self._checkpoints if epochs > after)
            query = query._replace(epochs=epochs, resume=after > 0)
        self._open.add(query, training)
        return query

    def tell(self, query: Query, outcome: Outcome) -> None:
        """The training goes on, unless it is over, diverged, or will hardly win."""
        training = self._open.pop(query)
        value = self._sign * outcome.values[self._goal.metric]
        training.seconds += outcome.seconds
        training.epochs.append(query.epochs)
        training.values.append(value)
        told = dict(outcome.values)
        if query.epochs < training.wanted.epochs and math.isfinite(value):
            expected = self._expected_of_loser(training, outcome)
            if expected is None:
                self._ready.append(training)
                return
            told[self._goal.metric] = self._sign * expected
        elif query._replace(resume=False) == self._goal.query(query.architecture):
            reward = self._goal.reward(outcome)
            if reward > self._best:
                self._best, self._risen = reward, float(np.ptp(training.values))
        self._wrapped.tell(training.wanted, Outcome(told, training.seconds))

    def _expected_of_loser(self, training: _Watched, outcome: Outcome) -> float | None:
        """The expected end of a training that will hardly win; None where it may."""
        if len(training.values) < FEWEST or self._best == -math.inf:
            return None
        costs = ((target, outcome.values[target.metric]) for target in self._goal.targets)
        # Soft targets multiply the reward: the metric itself must reach so much.
        needed = self._best / math.prod(target.factor(cost) for target, cost in costs)
        unit = max(self._risen, float(np.ptp(training.values))) or 1.0  # 1: all is flat
        end = forecast(training.epochs, training.values, training.wanted.epochs, unit)
        if not end.chance_above(needed) < self._threshold:
            return None
        return min(end.mean, needed)
