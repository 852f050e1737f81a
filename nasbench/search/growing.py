"""Searches that begin in a smaller space and go on in a larger one, whatever the strategy."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from nasbench.errors import BadValue, unknown
from nasbench.search.among import among
from nasbench.search.arrival import arrived
from nasbench.search.strategy import Goal, Outcome, Query, Strategy, make_strategy, strategy_class
from nasbench.search.warm_start import OWN_WAY, drawing_first
from nasbench.space import Architectures, Space, from_description, get

__all__ = ["Growing", "SmallerSpace"]

GROWN = "grown"
"""A strategy whose constructor has a parameter of this name makes use of what was trained in a
smaller space itself."""


@dataclass(frozen=True, slots=True)
class SmallerSpace:
    """A space in which a search begins before it goes on in a larger one.

    Attributes:
        space: as it describes itself, `Space.describe`.
        evaluations: outcomes that the search sees before it goes on.
        choices: of decisions that the larger space has and this one lacks, see `Space.lift`.

    Example:
        >>> SmallerSpace.of("nb201-mini", 20, {"0>3": "none"}).opened.size
        125
    """

    space: Mapping[str, Any]
    evaluations: int
    choices: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if type(self.evaluations) is not int or self.evaluations < 1:
            raise BadValue(
                f"a search begins with 1 or more evaluations in a smaller space, got "
                f"{self.evaluations!r}"
            )

    @classmethod
    def of(
        cls, space: Space | str | Path, evaluations: int, choices: Mapping[str, Any] | None = None
    ) -> SmallerSpace:
        """That space, its name or its file, with the choices of what it lacks."""
        return cls(dict(get(space).describe()), evaluations, dict(choices or {}))

    @property
    def opened(self) -> Space:
        """The space itself."""
        return from_description(self.space)

    def lift(self, smaller: Space, larger: Space, architectures: Any) -> Architectures:
        """Architectures of this space as those of the next; see `Space.lift`."""
        needed = {
            name: choice
            for name, choice in self.choices.items()
            if name in larger.decisions and name not in smaller.decisions
        }
        return larger.lift(smaller, architectures, needed)


class Growing:
    """Any strategy, in spaces that grow.

    The strategy searches the smallest space first, and each of its queries is the architecture of
    the largest space that it is there. Once the outcomes of a space are seen, the strategy is made
    anew on the next larger one, whose first random draws are what was trained, the best of it
    first. Where it asks for the very training that was done, it is told the outcome at once, and
    nothing is paid again: so a population is born of the best of the smaller space. A strategy with
    a parameter `grown` or `warm_start` is handed them there.

    With several workers what would come of the larger space waits for the last of the smaller.

    Args:
        name: of the strategy.
        space: the largest.
        goal: gives recipes and what is better.
        rng: the strategy's.
        parameters: the strategy's own.
        begin_in: smaller spaces, the smallest first; each is a part of the next.
        rows: which architectures of the largest can be searched; None: all.

    Raises:
        NasbenchError: where a space is no part of the next, or the budget ends before the largest.
    """

    def __init__(
        self,
        name: str,
        space: Space,
        goal: Goal,
        rng: np.random.Generator,
        parameters: Mapping[str, Any],
        begin_in: Sequence[SmallerSpace],
        rows: Architectures | None = None,
    ) -> None:
        # What the strategy refuses is raised before anything is trained.
        make_strategy(name, space, goal, np.random.default_rng(0), parameters)
        self._made_of = name, goal, rng, parameters
        self._goal = goal
        self._begin_in = begin_in
        self._spaces = [*(smaller.opened for smaller in begin_in), space]
        self._rows = rows
        self._check()
        self._at = 0
        self._asked = 0  # in the space where it is
        self._running: dict[int, int] = {}  # of the largest space: of the one where it is
        self._waiting = 0
        self._seen: dict[Query, Outcome] = {}
        self._known: dict[Query, Outcome] = {}
        self._strategy = self._make([])

    def ask(self) -> Query | None:
        """What the strategy asks; None while the last of a smaller space trains."""
        while True:
            full = self._smaller is not None and self._asked >= self._smaller.evaluations
            query = None if full else self._next()
            if query is not None:
                self._asked += 1
                self._waiting += 1
                lifted = self._lifted(query.architecture)
                self._running[lifted] = query.architecture
                return query._replace(architecture=lifted)
            if self._waiting or self._smaller is None:
                return None
            self._grow()

    def tell(self, query: Query, outcome: Outcome) -> None:
        """What a query showed, for the strategy and for the next space."""
        own = query._replace(architecture=self._running[query.architecture])
        self._waiting -= 1
        self._seen[own._replace(resume=False)] = outcome
        self._strategy.tell(own, outcome)

    @property
    def _smaller(self) -> SmallerSpace | None:
        """Where it is, unless that is the largest."""
        return self._begin_in[self._at] if self._at < len(self._begin_in) else None

    def _next(self) -> Query | None:
        """What the strategy asks that is not known already."""
        while (query := arrived(self._strategy.ask())) is not None:
            outcome = self._known.pop(query._replace(resume=False), None)
            if outcome is None:
                return query
            self._strategy.tell(query, outcome)
        return None

    def _grow(self) -> None:
        """Go on in the next space with what is known."""
        smaller, (of, to) = self._begin_in[self._at], self._spaces[self._at : self._at + 2]
        numbers = smaller.lift(of, to, [query.architecture for query in self._seen]).tolist()
        self._seen = {
            query._replace(architecture=number): outcome
            for number, (query, outcome) in zip(numbers, self._seen.items(), strict=True)
        }
        self._known = dict(self._seen)
        self._at, self._asked, self._running = self._at + 1, 0, {}
        farthest: dict[int, tuple[int, float]] = {}
        for query, outcome in self._seen.items():
            showed = query.epochs, self._goal.reward(outcome)
            number = query.architecture
            farthest[number] = max(farthest.get(number, showed), showed)
        self._strategy = self._make(sorted(farthest, key=lambda a: farthest[a], reverse=True))

    def _make(self, trained: list[int]) -> Strategy:
        """The strategy in the space where it is; `trained` come first, the best first."""
        name, goal, rng, parameters = self._made_of
        space = self._searched()
        if trained:
            takes = inspect.signature(strategy_class(name)).parameters
            for own in (GROWN, OWN_WAY):
                if own in takes:
                    return make_strategy(name, space, goal, rng, {**parameters, own: trained})
            space = drawing_first(space, trained)
        return make_strategy(name, space, goal, rng, parameters)

    def _searched(self) -> Space:
        """The space where it is, among what can be searched of it."""
        space = self._spaces[self._at]
        if self._rows is None:
            return space
        if self._smaller is None:
            return among(space, self._rows)
        space.check_listable("a search that begins in it among the rows of a table")
        every, kept = np.arange(space.size), frozenset(self._rows.tolist())
        here = every[[number in kept for number in self._largest(every).tolist()]]
        if not len(here):
            raise BadValue(f"the table has no row that is an architecture of {space.name}")
        return among(space, here)

    def _lifted(self, architecture: int) -> int:
        """An architecture of the space where it is as one of the largest."""
        return int(self._largest(np.asarray([architecture]))[0])

    def _largest(self, architectures: Architectures) -> Architectures:
        for place in range(self._at, len(self._begin_in)):
            of, to = self._spaces[place : place + 2]
            architectures = self._begin_in[place].lift(of, to, architectures)
        return architectures

    def _check(self) -> None:
        """Refuse spaces that are no part of the next, and budgets that end too soon."""
        largest = self._spaces[-1]
        for smaller, (of, to) in zip(self._begin_in, pairwise(self._spaces), strict=True):
            for name in smaller.choices:
                if name not in largest.decisions:
                    raise unknown(f"decision of {largest.name}", name, largest.decisions)
            smaller.lift(of, to, [0])
        first = sum(smaller.evaluations for smaller in self._begin_in)
        most = self._goal.budget.evaluations
        if most is not None and most <= first:
            raise BadValue(
                f"the budget of {most} evaluations ends before {largest.name} is searched: "
                f"{first} of them are in smaller spaces"
            )
