"""What every search space is: architectures are the integers below `size`."""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasbench.errors import BadValue, NasbenchError, Unsupported
from nasbench.space.drawing import DrawnStage
from nasbench.space.lifting import lifted
from nasbench.space.rules import Value

if TYPE_CHECKING:
    from nasbench._python_file import PythonFile

__all__ = ["LISTABLE", "Architectures", "Growth", "Ops", "Space"]

Architectures = NDArray[Any]
"""Architectures of a space, of any shape: int64 where its size is below 2**62, else Python ints
in an array of objects."""

Ops = NDArray[np.unsignedinteger[Any]]
"""Decisions of architectures, `[..., decisions]`: uint8, or uint16 where one has more than 256
choices."""

MOST_CHOICES = 2**16
"""Of a decision."""

MOST_DIGITS = 400
"""Of an architecture's number."""

COUNTABLE = 2**62
"""Below, architectures are numbered by int64."""

FEW = 2**32
"""Below, a number out of so many is drawn from one float of 53 bits: even to 2**-21."""

LISTABLE = 2**24
"""Architectures of the largest space that is listed as a whole; see `Space.check_listable`."""

CHUNK = 1 << 18
"""Architectures whose decisions are held at once."""

_NUMBER = re.compile(rf"0|[1-9][0-9]{{0,{MOST_DIGITS - 1}}}")
"""An architecture's number: `007` is none, and may be a string of a space."""


class Growth(NamedTuple):
    """`base` are the decisions not yet made; each of `steps` makes some of them."""

    base: list[int]
    steps: list[list[int]]


class Space(ABC):
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

    def __init__(
        self,
        name: str,
        choices: tuple[int, ...],
        order: ArrayLike | Callable[[], ArrayLike] | None = None,
    ) -> None:
        if not choices or min(choices) < 1:
            raise NasbenchError(f"space {name!r} needs at least one choice for each decision")
        if max(choices) > MOST_CHOICES:
            raise NasbenchError(
                f"a decision has {MOST_CHOICES} choices at most, "
                f"one of space {name!r} has {max(choices)}"
            )
        self.name = name
        self.choices = choices
        self.size = math.prod(choices)
        self.ops_dtype: np.dtype[Any] = np.dtype(np.uint8 if max(choices) <= 256 else np.uint16)
        self._dtype: np.dtype[Any] = np.dtype(np.int64 if self.size < COUNTABLE else object)
        self._weights: NDArray[Any] = np.cumprod((1, *choices[:0:-1]), dtype=self._dtype)[::-1]
        self._choices: NDArray[Any] = np.asarray(choices, dtype=self._dtype)
        self._make_order = order if callable(order) else None
        if order is not None and not callable(order):
            self._order = _permutation(name, order, self.size)

    @cached_property
    def _order(self) -> Architectures | None:
        make = self._make_order
        return None if make is None else _permutation(self.name, make(), self.size)

    @cached_property
    def _position(self) -> Architectures | None:
        if self._order is None:
            return None
        position = np.empty_like(self._order)
        position[self._order] = np.arange(self.size)
        return position

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
    def listable(self) -> bool:
        """Whether arrays over all architectures are possible: at most `LISTABLE` of them."""
        return self.size <= LISTABLE

    def check_listable(self, what: str) -> None:
        """Raise Unsupported where the space is too large for an array over all of it.

        Args:
            what: needs the array, as the subject of "lists them all".
        """
        if not self.listable:
            raise Unsupported(
                f"{self.name} has {self.size:,} architectures: {what} lists them all, of which "
                f"{LISTABLE:,} (2**24) are the most"
            )

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

    # Architectures as numbers and as decisions.

    def ops(self, architectures: ArrayLike) -> Ops:
        """The decisions of architectures: `ops_dtype`, the given shape + `[decisions]`."""
        if self._dtype.kind == "O":
            return self._large_ops(architectures)
        if type(architectures) is int:
            taken: Ops = self._code(architectures) // self._weights % self._choices
            return taken.astype(self.ops_dtype)
        codes = self.check(architectures)
        if self._order is not None:
            codes = self._order[codes]
        found: Ops = codes[..., None] // self._weights % self._choices
        return found.astype(self.ops_dtype)

    def index_of(self, ops: ArrayLike) -> Architectures:
        """The architectures with these decisions: `[..., decisions]` to `[...]`."""
        decisions = np.asarray(ops, dtype=np.int64)
        if decisions.shape[-1:] != self._choices.shape:
            raise NasbenchError(
                f"an architecture of {self.name} has {len(self.choices)} decisions, "
                f"got an array of shape {decisions.shape}"
            )
        if ((decisions < 0) | (decisions >= self._choices)).any():
            raise NasbenchError(f"a decision is outside the choices {self.choices} of {self.name}")
        if self._dtype.kind == "O":
            return self._large_index(decisions)
        found: Architectures = decisions @ self._weights
        return self._numbered(found)

    @cached_property
    def _blocks(self) -> list[tuple[slice, int, NDArray[np.int64], NDArray[np.int64]]]:
        """Decisions in runs that an int64 can number: their place, product, weights, choices."""
        found = []
        start = 0
        while start < len(self.choices):
            end = start + 1
            while end < len(self.choices) and math.prod(self.choices[start : end + 1]) < COUNTABLE:
                end += 1
            own = np.asarray(self.choices[start:end], dtype=np.int64)
            weights = np.cumprod((1, *own[:0:-1]), dtype=np.int64)[::-1]
            found.append((slice(start, end), math.prod(own.tolist()), weights, own))
            start = end
        return found

    def _large_ops(self, architectures: ArrayLike) -> Ops:
        """As `ops`, of Python ints: most of the arithmetic is on blocks of decisions, in int64."""
        rest: Any
        if type(architectures) is int:
            rest = self._code(architectures)
        else:
            rest = self.check(architectures)
        found = np.empty((*np.shape(rest), len(self.choices)), dtype=self.ops_dtype)
        for place, product, weights, choices in reversed(self._blocks):
            low = np.asarray(rest % product, dtype=np.int64)
            rest = rest // product
            found[..., place] = low[..., None] // weights % choices
        return found

    def _large_index(self, decisions: NDArray[np.int64]) -> Architectures:
        """As `index_of`, of Python ints."""
        code: Any = 0
        for place, product, weights, _ in self._blocks:
            code = code * product + np.asarray(decisions[..., place] @ weights).astype(object)
        return np.asarray(code, dtype=object)

    def check(self, architectures: ArrayLike) -> Architectures:
        """The architectures as an array; raises NasbenchError where one is not of this space.

        It is int64, or of Python ints where the space has 2**62 architectures or more.
        """
        given = np.asarray(architectures)
        if given.size and given.dtype.kind not in "iu":
            given = _whole(architectures)
        if given.size and (given.min() < 0 or given.max() >= self.size):
            worst = given.min() if given.min() < 0 else given.max()
            raise NasbenchError(
                f"{self.name} has architectures 0 to {self.size - 1}, got {int(worst)}"
            )
        if self._dtype.kind == "O" and given.dtype.kind in "iu":
            return np.asarray(given.tolist(), dtype=object)
        return given.astype(self._dtype, copy=False)

    def _numbered(self, codes: Architectures) -> Architectures:
        """The architectures at these places of the lexicographic order."""
        return codes if self._position is None else self._position[codes]

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
            return int(self.allowed(np.arange(self.size)).sum())
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

    # Moving about.

    def neighbors(self, architecture: int) -> Architectures:
        """Every architecture that differs in one decision, `[sum(choices - 1)]`."""
        ops = self.ops(architecture).astype(self._dtype)
        code = int(ops @ self._weights)
        steps = [
            code + (choice - int(op)) * int(weight)
            for op, count, weight in zip(ops, self.choices, self._weights, strict=True)
            for choice in range(count)
            if choice != op
        ]
        return self._numbered(np.asarray(steps, dtype=self._dtype))

    @overload
    def sample(self, rng: np.random.Generator) -> int: ...
    @overload
    def sample(self, rng: np.random.Generator, n: int) -> Architectures: ...
    def sample(self, rng: np.random.Generator, n: int | None = None) -> int | Architectures:
        """One architecture, or `n` with repeats, uniform over all of them."""
        if self.size < COUNTABLE:
            if n is not None:
                return rng.integers(self.size, size=n)
            if self.size < FEW:
                return int(rng.random() * self.size)
            return int(rng.integers(self.size))
        shape = (1 if n is None else n, len(self.choices))
        drawn = self.index_of(rng.integers(np.asarray(self.choices), size=shape))
        return int(drawn[0]) if n is None else drawn

    def mutate(self, architecture: int, rng: np.random.Generator) -> int:
        """One decision, chosen uniformly, changed to another choice, chosen uniformly.

        Decisions with a single choice cannot change and are not drawn.
        """
        free = self._free
        if not len(free):
            raise NasbenchError(f"{self.name} has one architecture: nothing can change")
        drawn = rng.random() * len(free)
        count, weight = free[int(drawn)]
        code = self._code(architecture)
        old = code // weight % count
        new = (old + 1 + int(drawn % 1 * (count - 1))) % count
        return self._architecture(code + (new - old) * weight)

    def crossover(self, first: int, second: int, rng: np.random.Generator) -> int:
        """Each decision from one parent or the other with equal chance (uniform crossover)."""
        take = rng.random(len(self.choices)) < 0.5
        ops = np.where(take, self.ops(first), self.ops(second)).astype(self._dtype)
        return self._architecture(int(ops @ self._weights))

    @cached_property
    def _free(self) -> list[tuple[int, int]]:
        """Choices and weight of each decision that can change."""
        weights = self._weights.tolist()
        return [(count, w) for count, w in zip(self.choices, weights, strict=True) if count > 1]

    # The same for one architecture, without the cost of an array.

    def _code(self, architecture: int) -> int:
        if not 0 <= architecture < self.size:
            self.check(architecture)
        return architecture if self._order is None else self._listed[0][architecture]

    def _architecture(self, code: int) -> int:
        return code if self._position is None else self._listed[1][code]

    @cached_property
    def _listed(self) -> tuple[list[int], list[int]]:
        """Order and position as lists: one number out of an array takes five times as long."""
        if self._order is None or self._position is None:
            return [], []
        return self._order.tolist(), self._position.tolist()

    # Features.

    def one_hot(self, architectures: ArrayLike) -> NDArray[np.float32]:
        """One column for each choice of each decision: float32 `[..., sum(choices)]`."""
        return self._one_hot(self.ops(architectures))

    def _one_hot(self, ops: Ops) -> NDArray[np.float32]:
        columns = [ops[..., d, None] == np.arange(count) for d, count in enumerate(self.choices)]
        return np.concatenate(columns, axis=-1).astype(np.float32)


def _whole(given: ArrayLike) -> NDArray[Any]:
    """Python ints of any size as an array of objects; raises NasbenchError for anything else."""
    array = np.asarray(given, dtype=object)
    for one in array.flat:
        if isinstance(one, bool | np.bool_) or not isinstance(one, int | np.integer):
            raise NasbenchError(f"architectures are integers, got {np.asarray(given).dtype}")
    return array


def _permutation(name: str, order: ArrayLike, size: int) -> Architectures:
    """The order as int64 `[size]`; raises NasbenchError where it is none."""
    if size > LISTABLE:
        raise Unsupported(
            f"space {name!r} has {size:,} architectures: {LISTABLE:,} (2**24) are the most that "
            f"are put in an order of their own"
        )
    try:
        given = np.asarray(order)
    except ValueError:  # ragged
        given = np.empty(0)
    if given.shape == (size,) and given.dtype.kind in "iu":
        codes = given.astype(np.int64)
        if ((codes >= 0) & (codes < size)).all() and (np.bincount(codes) == 1).all():
            return codes
    raise NasbenchError(f"the order of space {name!r} is no permutation of 0 to {size - 1}")
