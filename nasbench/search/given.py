"""Strategies that are given as classes or functions, beside those that packages register."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from nasbench._code import digest, found_at
from nasbench.errors import BadValue, shown

__all__ = ["GivenStrategy", "give", "given_strategy", "hear", "is_instance", "spoken"]


LONGEST = 80
"""Letters of a name, after which files are called, too."""


@dataclass(frozen=True, slots=True, eq=False)
class GivenStrategy:
    """What makes a strategy when it is called as one: a class, a function, a partial of them.

    Attributes:
        name: under which it runs in this process.
        place: where another process finds it, `package.module:name`; empty where none does.
        made_by: the class or function, where this process has it.
    """

    name: str
    place: str
    made_by: Any = None

    def load(self) -> Any:
        """What makes the strategy; its module is imported, where it is not here."""
        return found_at(self.place) if self.made_by is None else self.made_by

    @property
    def code(self) -> str:
        """A hash of what it does: its runs are none of another class of the same name."""
        return digest(self.load())


_given: dict[str, GivenStrategy] = {}


def is_instance(strategy: object) -> bool:
    """Whether it is a strategy that was made already."""
    made = hasattr(strategy, "ask") and hasattr(strategy, "tell")
    return made and not isinstance(strategy, type | str)


def give(strategy: Any, place: str, taken: Collection[str]) -> str:
    """Have a strategy under the name of its class or function; gives the name.

    Args:
        strategy: what makes it.
        place: where other processes find that.
        taken: names of registered strategies.

    Raises:
        BadValue: for what makes no strategy, or has the name of another.
    """
    if is_instance(strategy):
        raise BadValue(
            f"an instance of {type(strategy).__name__} is one run's: give its class, or a function "
            f"that takes (space, goal, rng) and makes one"
        )
    if not callable(strategy):
        raise BadValue(
            f"a strategy is a name, a class, or a function of (space, goal, rng), got "
            f"{shown(strategy)}"
        )
    name = _called(strategy)
    if name in taken:
        raise BadValue(f"{name} is a registered strategy: call your own otherwise")
    _given[name] = GivenStrategy(name, place, strategy)
    return name


def _called(strategy: Any) -> str:
    """The name of a function or class; of a partial one with what it fills in."""
    if isinstance(strategy, functools.partial):
        filled = [*map(str, strategy.args), *(f"{k}={v}" for k, v in strategy.keywords.items())]
        name = f"{_called(strategy.func)}({','.join(filled)})"
    else:
        name = getattr(strategy, "__name__", type(strategy).__name__)
    return re.sub(r"[^\w.()=,+-]+", "", name)[:LONGEST] or "strategy"


def given_strategy(name: str) -> GivenStrategy | None:
    """The strategy that was given under that name, if one was."""
    return _given.get(name)


def spoken(name: str) -> str:
    """A strategy's name, with its place where it was given, for `hear` in another process."""
    given = _given.get(name)
    return json.dumps([name, given.place if given else None])


def hear(said: str) -> str:
    """The name that another process has spoken; where it said a place, it is found there."""
    name, place = json.loads(said)
    if place is not None:
        _given[name] = GivenStrategy(name, place)
    return str(name)
