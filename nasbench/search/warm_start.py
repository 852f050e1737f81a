"""Searches that begin with given architectures, whatever the strategy."""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from nasbench.errors import NasbenchError
from nasbench.search.arrival import arrived
from nasbench.search.strategy import (
    Goal,
    Outcome,
    Query,
    Strategy,
    make_strategy,
    strategy_class,
)
from nasbench.space import Architectures, Space

__all__ = ["OWN_WAY", "begin", "drawing_first", "drawing_from", "moved_by"]

OWN_WAY = "warm_start"
"""A strategy whose constructor has a parameter of this name asks for the start itself."""


def begin(
    name: str,
    space: Space,
    goal: Goal,
    rng: np.random.Generator,
    parameters: Mapping[str, Any] | None = None,
    start: Sequence[int] = (),
) -> Strategy:
    """The strategy of that name, at the start of a search.

    Args:
        name: registered.
        space: to search.
        goal: what is searched for.
        rng: the strategy's.
        parameters: the strategy's own.
        start: architectures that come before anything else. A strategy that has a parameter
            `warm_start` gets them there; for any other they are asked for by `WarmStart`.

    Raises:
        NasbenchError: what the strategy refuses, or a start that is not of the space.
    """
    if not start:
        return make_strategy(name, space, goal, rng, parameters)
    first = tuple(dict.fromkeys(space.check(list(start)).tolist()))
    if OWN_WAY not in inspect.signature(strategy_class(name)).parameters:
        return WarmStart(name, space, goal, rng, parameters, first)
    if OWN_WAY in (parameters or {}):
        raise NasbenchError(f"{name} is given a start twice: leave its {OWN_WAY} out")
    return make_strategy(name, space, goal, rng, {**(parameters or {}), OWN_WAY: first})


class WarmStart:
    """Any strategy, after the outcomes of given architectures.

    The given architectures are asked for first, each its whole training by the first recipe.
    Then the strategy is made, on a space whose first random draws are these architectures, the
    best of them first; and where it asks for the very training that was done, it is told the
    outcome at once, and nothing is paid again. So a population is born from the start, a climb
    begins at its best, rungs are filled with it. Strategies that never draw from the space (a
    policy, a predictor that lists all architectures) begin as they would without; the start is
    trained, and counts, all the same.

    With several workers the start trains side by side, and what would come after it waits for
    the last of it.

    Args:
        name: of the strategy.
        space: to search.
        goal: gives the recipe and what is better.
        rng: the strategy's.
        parameters: the strategy's own.
        start: distinct architectures of the space.
    """

    def __init__(
        self,
        name: str,
        space: Space,
        goal: Goal,
        rng: np.random.Generator,
        parameters: Mapping[str, Any] | None,
        start: Sequence[int],
    ) -> None:
        # What the strategy refuses is raised before anything is trained.
        make_strategy(name, space, goal, np.random.default_rng(0), parameters)
        self._made_of = name, space, goal, rng, parameters
        self._goal = goal
        self._to_ask = deque(start)
        self._running = 0
        self._known: dict[Query, Outcome] = {}
        self._strategy: Strategy | None = None

    def ask(self) -> Query | None:
        """One of the start; None while the last of it trains; then what the strategy asks."""
        if self._to_ask:
            self._running += 1
            return self._goal.query(self._to_ask.popleft())
        if self._strategy is None:
            if self._running:
                return None
            self._strategy = self._make()
        while (query := arrived(self._strategy.ask())) is not None:
            # Once each: a strategy that asks again pays as in any other search.
            outcome = self._known.pop(query._replace(resume=False), None)
            if outcome is None:
                return query
            self._strategy.tell(query, outcome)
        return None

    def tell(self, query: Query, outcome: Outcome) -> None:
        """Keep what the start showed; all else is the strategy's."""
        if self._strategy is None:
            self._running -= 1
            self._known[query] = outcome
        else:
            self._strategy.tell(query, outcome)

    def _make(self) -> Strategy:
        name, space, goal, rng, parameters = self._made_of
        rewards = {query.architecture: goal.reward(of) for query, of in self._known.items()}
        ranked = sorted(rewards, key=lambda a: -rewards[a])
        return make_strategy(name, drawing_first(space, ranked), goal, rng, parameters)


def drawing_first(space: Space, first: Iterable[int]) -> Space:
    """The same space, but that its first random draws are these architectures."""
    waiting = deque(first)

    def sample(_self: Space, rng: np.random.Generator, n: int | None = None) -> int | Architectures:
        if n is None:
            return waiting.popleft() if waiting else space.sample(rng)
        given = [waiting.popleft() for _ in range(min(n, len(waiting)))]
        drawn = space.sample(rng, n - len(given))
        return np.concatenate((space.check(given), drawn))

    return moved_by(space, sample=sample)


def drawing_from(space: Space, these: Architectures, draws: int) -> Space:
    """The same space, but that its first random draws are from some of its architectures.

    Later ones are from the whole space: a strategy that draws until it finds one that it has not
    asked for must come to an end.

    Args:
        space: to draw from.
        these: some of its architectures, one at least.
        draws: how many are from these.
    """
    left = draws

    def sample(_self: Space, rng: np.random.Generator, n: int | None = None) -> int | Architectures:
        nonlocal left
        if left <= 0:
            return space.sample(rng) if n is None else space.sample(rng, n)
        left -= 1 if n is None else n
        drawn = rng.integers(len(these), size=n)
        return int(these[drawn]) if n is None else these[drawn]

    return moved_by(space, sample=sample)


def moved_by(space: Space, **methods: Callable[..., Any]) -> Space:
    """The same space but for some methods, which these stand for."""
    kind = type(f"{type(space).__name__}MovedOtherwise", (type(space),), methods)
    view: Space = object.__new__(kind)
    view.__dict__ = space.__dict__  # what either works out (classes, orders), both know
    return view
