"""What multi-fidelity strategies share: rungs and brackets."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from nasbench.errors import NasbenchError
from nasbench.search import Fidelity, Goal, Outcome, Query
from nasbench.space import Space

from ._pending import Pending

__all__ = ["BracketStrategy", "Brackets", "Rung", "Turn", "hyperband", "merged"]


class Rung(NamedTuple):
    """How many architectures of a bracket are trained how far."""

    epochs: int
    size: int


def merged(fidelity: Fidelity, rungs: Sequence[tuple[float, int]]) -> tuple[Rung, ...]:
    """Rungs of (epochs, size), each moved up to where the recipe shows something.

    Of rungs that fall on the same epochs the last stands, the smallest: the others would show
    nothing more, and with their size a bracket would cost many times what it should. Where
    the last epoch alone is shown, one rung is left.
    """
    sizes = {fidelity.at_least(epochs): size for epochs, size in rungs}
    return tuple(Rung(epochs, size) for epochs, size in sizes.items())


def hyperband(fidelity: Fidelity, eta: int, min_epochs: int) -> tuple[tuple[Rung, ...], ...]:
    """The brackets of Hyperband, from s = s_max, with the most rungs, to s = 0, with one.

    Li et al., JMLR 2018, algorithm 1: with R epochs and s_max = floor(log_eta(R / min_epochs)),
    bracket s starts n = ceil((s_max + 1) eta^s / (s + 1)) architectures; rung i trains
    floor(n / eta^i) of them for R eta^(i - s) epochs. That is the algorithm; the paper's table 1,
    and the code of BOHB's and DEHB's authors, have floor((s_max + 1) / (s + 1)) eta^s, which
    are fewer: with R = 81 and eta = 3 they start 81, 27, 9, 6 and 5, the algorithm 81, 34, 15,
    8 and 5.

    Raises:
        NasbenchError: for an `eta` below 2 or `min_epochs` that the recipe does not have.
    """
    if type(eta) is not int or eta < 2:
        raise NasbenchError(f"eta must be an integer of 2 or more, got {eta!r}")
    if type(min_epochs) is not int or not 1 <= min_epochs <= fidelity.epochs:
        raise NasbenchError(
            f"min_epochs must be an integer from 1 to the recipe's {fidelity.epochs}, "
            f"got {min_epochs!r}"
        )
    s_max = 0
    while min_epochs * eta ** (s_max + 1) <= fidelity.epochs:
        s_max += 1
    brackets = []
    for s in range(s_max, -1, -1):
        n = -(-(s_max + 1) * eta**s // (s + 1))
        rungs = [(fidelity.epochs / eta ** (s - i), n // eta**i) for i in range(s + 1)]
        brackets.append(merged(fidelity, rungs))
    return tuple(brackets)


class _Bracket:
    """One successive halving: a rung is complete before the next begins."""

    def __init__(self, number: int, rungs: Sequence[Rung]) -> None:
        self.number = number
        self.rungs = rungs
        self.level = 0
        self.to_ask: deque[int | None] = deque([None] * rungs[0].size)
        self.asked = 0
        self.results: list[tuple[float, int, int]] = []

    def tell(self, slot: int, architecture: int, reward: float) -> bool:
        """What the `slot`-th of the rung got; whether the bracket is over."""
        self.results.append((-reward, slot, architecture))
        if len(self.results) < self.asked or self.to_ask:
            return False
        self.level += 1
        if self.level < len(self.rungs):
            # Of equals the one asked for first; what has no reward has nothing to continue.
            best = sorted(self.results)[: self.rungs[self.level].size]
            self.to_ask.extend(place[2] for place in best if place[0] < math.inf)
        self.asked, self.results = 0, []
        return not self.to_ask


class Turn(NamedTuple):
    """A place in a rung that waits for a training.

    Attributes:
        bracket: that it is in.
        slot: its number in the rung.
        promoted: the architecture that has earned it; None in a bracket's first rung.
        epochs: of the rung.
        size: of the rung.
        below: the epochs of the rung below; None in a bracket's first.
        number: of the bracket, the first begun being 0.
    """

    bracket: _Bracket
    slot: int
    promoted: int | None
    epochs: int
    size: int
    below: int | None
    number: int


class Brackets:
    """Brackets one after the other, in a cycle; each rung is complete before the next begins.

    While a rung waits for outcomes, and a worker for work, the next bracket begins (as in
    Falkner et al., ICML 2018, section 4.2), so that there is always something to ask.

    Args:
        plan: the rungs of each bracket of the cycle.
    """

    def __init__(self, plan: Sequence[Sequence[Rung]]) -> None:
        self._plan = plan
        self._running: list[_Bracket] = []
        self._begun = 0

    def next(self) -> Turn:
        """The place to fill: the oldest bracket first."""
        bracket = next((bracket for bracket in self._running if bracket.to_ask), None)
        if bracket is None:
            bracket = _Bracket(self._begun, self._plan[self._begun % len(self._plan)])
            self._running.append(bracket)
            self._begun += 1
        promoted = bracket.to_ask.popleft()
        slot = bracket.asked
        bracket.asked += 1
        epochs, size = bracket.rungs[bracket.level]
        below = bracket.rungs[bracket.level - 1].epochs if bracket.level else None
        return Turn(bracket, slot, promoted, epochs, size, below, bracket.number)

    def tell(self, turn: Turn, architecture: int, reward: float) -> None:
        """What the training in this place got; -inf is not promoted."""
        if turn.bracket.tell(turn.slot, architecture, reward):
            self._running.remove(turn.bracket)


class BracketStrategy:
    """A strategy that draws architectures and puts them through brackets.

    Args:
        space: to search.
        goal: gives the recipe and what is better.
        rng: the only source of randomness.
        plan: the rungs of each bracket of the cycle.
    """

    multi_fidelity = True

    def __init__(
        self, space: Space, goal: Goal, rng: np.random.Generator, plan: Sequence[Sequence[Rung]]
    ) -> None:
        self._space = space
        self._goal = goal
        self._rng = rng
        self._brackets = Brackets(plan)
        self._recipe = goal.recipes[0].recipe
        self._open = Pending[Query, Turn]()

    def draw(self) -> int:
        """An architecture for the first rung of a bracket: uniform over the space."""
        return self._space.sample(self._rng)

    def ask(self) -> Query:
        """A promoted architecture, trained further, or a new one."""
        turn = self._brackets.next()
        if turn.promoted is None:
            query = Query(self.draw(), self._recipe, turn.epochs)
        else:
            query = Query(turn.promoted, self._recipe, turn.epochs, resume=True)
        self._open.add(query, turn)
        return query

    def tell(self, query: Query, outcome: Outcome) -> None:
        """The outcome takes its place in the rung."""
        self._brackets.tell(self._open.pop(query), query.architecture, self._goal.reward(outcome))
