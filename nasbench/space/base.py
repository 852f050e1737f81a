"""What every search space is: architectures are the integers below `size`."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasbench.errors import BadValue, NasbenchError
from nasbench.space.drawing import DrawnStage
from nasbench.space.lifting import lifted
from nasbench.space.moving import Moves
from nasbench.space.numbering import CHUNK, LISTABLE, Architectures, Ops
from nasbench.space.rules import Value

if TYPE_CHECKING:
    from nasbench._python_file import PythonFile
    from nasbench.space.cell import CellGraph

__all__ = ["LISTABLE", "Architectures", "Encoding", "Growth", "Ops", "Space"]

QUICK = 50_000
"""Architectures of a space whose classes are listed on the way, as for what a model sees."""

MOST_DIGITS = 400
"""Of an architecture's number."""

_NUMBER = re.compile(rf"0|[1-9][0-9]{{0,{MOST_DIGITS - 1}}}")
"""An architecture's number: `007` is none, and may be a string of a space."""

Encoding = Callable[[ArrayLike], NDArray[np.float32]]
"""Architectures `[n]` as columns of numbers: float32 `[n, features]`."""


class Growth(NamedTuple):
    """`base` are the decisions not yet made; each of `steps` makes some of them."""

    base: list[int]
    steps: list[list[int]]


class Space(Moves, ABC):
    """A set of architectures, each a vector of decisions and an `int` in `range(size)`.

    A space of one's own says how many choices each decision has, how an architecture is
    written, and which architectures are the same network. Everything else is derived;
    `nasbench.space.testing.check_space` says whether it is right.

    Args:
        name: the name under which tables and recipes refer to the space.
        choices: the number of choices of each decision.
        order: of a space that can be listed, a permutation of `range(size)`, where a published
            numbering is not the lexicographic one: architecture `i` is the `order[i]`-th in
            lexicographic order. A function that makes it is called when a number is first turned
            into decisions.

    Attributes:
        name: as given.
        choices: as given.
        size: how many architectures there are: a Python int without bound.
        ops_dtype: of decisions: uint8, or uint16 where one has more than 256 choices.
        source: the user's file that made the space; None for any other.
        stages: how its networks are drawn; empty where pages list decisions instead.

    Example:
        >>> from nasbench.space import ChoiceSpace
        >>> space = ChoiceSpace("widths", {"depth": [1, 2], "width": [8, 16, 32]})
        >>> space.size, space.ops(4).tolist(), sorted(map(int, space.neighbors(4)))
        (6, [1, 1], [1, 3, 5])
    """

    source: PythonFile | None = None
    stages: tuple[DrawnStage, ...] = ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}: {self.size:,} architectures>"

    # What a space says of itself.

    @cached_property
    def decisions(self) -> Mapping[str, tuple[str, ...]]:
        """For each decision, in order, its choices as text.

        Example:
            >>> import nasbench as nb
            >>> list(nb.space("nb201-mini").decisions)
            ['0>1', '0>2', '1>2']
        """
        numbered = (tuple(map(str, range(count))) for count in self.choices)
        return {f"decision {number}": of for number, of in enumerate(numbered)}

    @cached_property
    def values(self) -> Mapping[str, tuple[Any, ...]]:
        """The same choices as they were written: text, numbers, True or False."""
        return self.decisions

    def choices_of(self, architecture: int) -> Mapping[str, Any]:
        """The decisions that count, in order, each with the choice taken, as it was written.

        Example:
            >>> import nasbench as nb
            >>> nb.space("nb201-mini").choices_of(1)
            {'0>1': 'none', '0>2': 'none', '1>2': 'skip_connect'}
        """
        taken = zip(self.values.items(), self.ops(architecture).tolist(), strict=True)
        return {name: values[op] for (name, values), op in taken}

    @abstractmethod
    def string(self, architecture: int) -> str:
        """The architecture as text; `index` reads it back."""

    @abstractmethod
    def index(self, string: str) -> int:
        """The architecture that `string` writes; raises NasbenchError naming the fault."""

    @abstractmethod
    def describe(self) -> Mapping[str, Any]:
        """What a manifest needs to name the space again; plain JSON values.

        `name` is among them. Only a space that is registered is found by them again, and the
        plain ones: those whose class is `CellSpace` or `ChoiceSpace` itself.
        """

    def _described(self, plain: type[Space], **said: Any) -> dict[str, Any]:
        """What is `said`, with the name, the order, and the class where it is not `plain`.

        `plain` is the class that can make the space again from what is said.
        """
        described: dict[str, Any] = {"name": self.name, **said}
        if self._order is not None:
            described["order"] = self._order.tolist()
        if type(self) is not plain:
            described["class"] = type(self).__qualname__
        return described

    @cached_property
    def classes(self) -> Architectures:
        """For each architecture, int64 `[size]`, the one that stands for its class.

        Architectures are in one class where their networks compute the same function with
        the same weights. Unless a space says otherwise, each stands for itself.
        """
        self.check_listable("finding which of them are the same network")
        found = np.arange(self.size)
        if not self._all_distinct:
            for start in range(0, self.size, CHUNK):
                part = found[start : start + CHUNK]
                part[:] = self.index_of(self.normal(self.ops(part)))
        return found

    @property
    def lists_classes(self) -> bool:
        """Whether it takes a list of the whole space to know which are the same network."""
        return type(self).classes is not Space.classes

    @property
    def quick_classes(self) -> bool:
        """Whether it is quickly said which architectures are the same network.

        Else it takes a list of the space that is long, or each of its lines is.
        """
        return not self.lists_classes or self.size <= QUICK

    def parse(self, text: str) -> int:
        """The architecture that a user's text means: its string, or its number in digits.

        `number:7` and `string:7` say which of the two it is. That is needed where digits are
        the string of one architecture and the number of another.

        Raises:
            NasbenchError: where it is neither, or where it is both and they differ.

        Example:
            >>> from nasbench.space import ChoiceSpace
            >>> ChoiceSpace("widths", {"stem": [16, 32], "body": [16, 32]}).parse("32:16")
            2
            >>> ChoiceSpace("depths", {"depth": [1, 2, 3]}).parse("number:1")
            1
        """
        try:
            string = self.index(text)
        except NasbenchError as error:
            kind, said, rest = text.partition(":")
            if said and kind == "string":
                return self.index(rest)
            number = rest if said and kind == "number" else text
            if not _NUMBER.fullmatch(number):
                raise BadValue(str(error)) from None
            return self._number(number)
        if _NUMBER.fullmatch(text) and int(text) < self.size and int(text) != string:
            raise BadValue(
                f"{text} is the string of architecture {string} of {self.name} and the number of "
                f"another: write string:{text} or number:{text}"
            )
        return string

    def _number(self, text: str) -> int:
        """An architecture's number in digits, which may be more than an int64 holds."""
        if int(text) >= self.size:
            raise BadValue(
                f"{self.name} has architectures 0 to {self.size - 1}, got "
                f"{text if len(text) <= 40 else f'a number of {len(text)} digits'}"
            )
        return int(text)

    # What counts of an architecture's decisions.

    def active(self, ops: ArrayLike) -> NDArray[np.bool_]:
        """Which decisions count, bool `[..., decisions]`: all, unless a space has rules."""
        return np.ones(np.shape(ops), dtype=np.bool_)

    def normal(self, ops: Ops) -> Ops:
        """The decisions that stand for all that make the same network, like `ops`.

        Those that do not count take their first choice, and what is alike is sorted. They stay
        as they are unless a space has rules.
        """
        return ops

    def allowed(self, architectures: ArrayLike) -> NDArray[np.bool_]:
        """Which architectures can be built, bool of the given shape: all, unless rules say no."""
        return np.ones(self.check(architectures).shape, dtype=np.bool_)

    def drawn(self, architectures: ArrayLike) -> NDArray[np.bool_]:
        """Which architectures `sample` can draw, bool of the given shape.

        All, unless a space has rules: then one for each network that can be built.
        """
        return self.allowed(architectures)

    def growth(self) -> Growth:
        """How architectures grow from small to large: a base, and the decisions of each step.

        Example:
            >>> import nasbench as nb
            >>> nb.space("nb201-mini").growth().steps
            [[1], [0, 2]]
        """
        free = [[decision] for decision, count in enumerate(self.choices) if count > 1]
        return Growth([0] * len(self.choices), free)

    def lift(
        self, smaller: Space, architectures: ArrayLike, defaults: Mapping[str, Value] | None = None
    ) -> Architectures:
        """The architectures of a smaller space as those of this one, by names.

        Args:
            smaller: whose every decision this space has by name, and every choice by text.
            architectures: of `smaller`, of any shape.
            defaults: the choice of a decision that `smaller` does not have. One with a single
                choice, or that does not count, needs none.

        Returns:
            Architectures of this space, of the given shape.

        Raises:
            UnknownName: where a decision or a choice of `smaller` is not in this space.
            BadValue: where a decision that counts is left without a choice.

        Example:
            >>> from nasbench.space import ChoiceSpace
            >>> small = ChoiceSpace("small", {"depth": [1, 2]})
            >>> large = ChoiceSpace("large", {"depth": [1, 2, 3], "kernel": [3, 5]})
            >>> [large.string(a) for a in large.lift(small, [0, 1], {"kernel": 5}).tolist()]
            ['1:5', '2:5']
        """
        return self.index_of(lifted(self, smaller, smaller.ops(architectures), defaults or {}))

    @property
    def forbids(self) -> bool:
        """Whether rules say of some architectures that they cannot be built."""
        return False

    @cached_property
    def buildable(self) -> int:
        """How many architectures no rule forbids; of a space too large to be listed, all.

        Example:
            >>> from nasbench.space import ChoiceSpace
            >>> ChoiceSpace("s", {"a": [1, 2], "b": [1, 2]}, never=[{"a": 1, "b": 2}]).buildable
            3
        """
        if self.forbids and self.listable:
            starts = range(0, self.size, CHUNK)
            parts = (np.arange(start, min(self.size, start + CHUNK)) for start in starts)
            return sum(int(self.allowed(part).sum()) for part in parts)
        return self.size

    # Classes of equal networks.

    @overload
    def canonical(self, architectures: int) -> int: ...
    @overload
    def canonical(self, architectures: ArrayLike) -> Architectures: ...
    def canonical(self, architectures: int | ArrayLike) -> int | Architectures:
        """The architecture that stands for the class of each (see `classes`)."""
        checked = self.check(architectures)
        if self._all_distinct:
            found = checked
        elif not self.lists_classes:
            found = self.index_of(self.normal(self.ops(checked)))
        else:
            found = self.classes[checked]
        return int(found) if np.ndim(found) == 0 else found

    @cached_property
    def representatives(self) -> Architectures:
        """The architectures that stand for a class and can be built, ascending: `[unique]`."""
        found = np.unique(self.classes)
        return found[self.allowed(found)]

    @property
    def unique(self) -> int:
        """How many classes of equal networks the space has."""
        return self.size if self._all_distinct else len(self.representatives)

    @property
    def _all_distinct(self) -> bool:
        """Whether each architecture stands for itself: then no list is needed to say so."""
        return not self.lists_classes

    # What others see.

    def drawn_graph(self, architecture: int) -> CellGraph | None:
        """The graph by which an architecture is drawn; None where `stages` or a list show it.

        Example:
            >>> import nasbench as nb
            >>> len(nb.space("nb201").drawn_graph(1462).edges), nb.space("mlp").drawn_graph(0)
            (6, None)
        """
        return None

    def spelling(self) -> Mapping[str, Any]:
        """How the text of an architecture follows from its decisions; plain JSON values.

        For whoever writes many of them without this package, as a page does. `cell`: as cells
        are written, with `nodes` and the number of the operation `none`, or -1. `join`: the
        choices with `separator` between them, and a dash where `dashes` says that a decision can
        have one and does not count. Empty where only `string` knows.

        Example:
            >>> import nasbench as nb
            >>> nb.space("nb201").spelling()
            {'cell': {'nodes': 4, 'none': 0}}
        """
        return {}

    def encodings(self) -> Mapping[str, Encoding]:
        """By name, what a model can see of architectures of this space; each as it is written.

        `one_hot`: a column for each choice of each decision. Spaces add their own.

        Example:
            >>> import nasbench as nb
            >>> space = nb.space("nb201-mini")
            >>> list(space.encodings()), space.encodings()["path"]([5, 7]).shape
            (['one_hot', 'adjacency', 'operations', 'path', 'graph'], (2, 20))
        """
        return {"one_hot": self.one_hot}

    def operation_counts(self, architectures: ArrayLike) -> dict[str, NDArray[np.float64]]:
        """What the cost of networks is a sum of, in one or several ways: each `[n, operations]`.

        `decisions`: 1 for the choice of each decision that counts. Spaces count as they know.
        """
        seen = np.atleast_1d(self.check(architectures))
        return {"decisions": self.one_hot(seen).astype(np.float64)}

    def one_hot(self, architectures: ArrayLike) -> NDArray[np.float32]:
        """One column for each choice of each decision: float32 `[..., sum(choices)]`."""
        return self._one_hot(self.ops(architectures))

    def _one_hot(self, ops: Ops) -> NDArray[np.float32]:
        columns = [ops[..., d, None] == np.arange(count) for d, count in enumerate(self.choices)]
        return np.concatenate(columns, axis=-1).astype(np.float32)
