"""The numbers of architectures, and the decisions that each stands for."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasbench.errors import NasbenchError, Unsupported

__all__ = ["CHUNK", "COUNTABLE", "LISTABLE", "MOST_CHOICES", "Architectures", "Numbering", "Ops"]

Architectures = NDArray[Any]
"""Architectures of a space, of any shape: int64 where its size is below 2**62, else Python ints
in an array of objects."""

Ops = NDArray[np.unsignedinteger[Any]]
"""Decisions of architectures, `[..., decisions]`: uint8, or uint16 where one has more than 256
choices."""

MOST_CHOICES = 2**16
"""Of a decision."""

COUNTABLE = 2**62
"""Below, architectures are numbered by int64."""

LISTABLE = 2**24
"""Architectures of the largest space that is listed as a whole; see `Space.check_listable`."""

MANY = 1 << 14
"""Decisions of architectures, from which on they are numbered a decision at a time."""

CHUNK = 1 << 18
"""Architectures whose decisions are held at once."""


class Numbering:
    """Vectors of decisions, numbered from 0 in lexicographic order or in one of their own.

    Args:
        name: of what is numbered, for sentences.
        choices: the number of choices of each decision.
        order: see `Space`.

    Attributes:
        name: as given.
        choices: as given.
        size: how many there are: a Python int without bound.
        ops_dtype: of decisions: uint8, or uint16 where one has more than 256 choices.
    """

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
        decisions = np.asarray(ops)
        if decisions.dtype not in (np.uint8, np.uint16):
            decisions = np.asarray(ops, dtype=np.int64)
        if decisions.shape[-1:] != self._choices.shape:
            raise NasbenchError(
                f"an architecture of {self.name} has {len(self.choices)} decisions, "
                f"got an array of shape {decisions.shape}"
            )
        found = self._large_index if self._dtype.kind == "O" else self._index
        return found(decisions)

    def _index(self, decisions: NDArray[Any]) -> Architectures:
        """As `index_of`, of whole numbers `[..., decisions]` in int64."""
        if decisions.size < MANY:
            self._check_choices((decisions < 0) | (decisions >= self._choices))
            return self._numbered(decisions @ self._weights)
        # A decision at a time: long rows take half the time of short ones.
        columns = np.ascontiguousarray(np.moveaxis(decisions, -1, 0))
        rows = columns.reshape(len(columns), -1)
        self._check_choices((rows.min(1) < 0) | (rows.max(1) >= self._choices))
        codes = np.zeros(columns.shape[1:], dtype=np.int64)
        for column, count in zip(columns, self.choices, strict=True):
            codes *= count
            codes += column
        return self._numbered(codes)

    def _check_choices(self, outside: NDArray[np.bool_]) -> None:
        if outside.any():
            raise NasbenchError(f"a decision is outside the choices {self.choices} of {self.name}")

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

    def _large_index(self, decisions: NDArray[Any]) -> Architectures:
        """As `index_of`, of Python ints."""
        decisions = decisions.astype(np.int64, copy=False)
        self._check_choices((decisions < 0) | (decisions >= self._choices))
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

    # The same for one architecture, without the cost of an array.

    def _code(self, architecture: int) -> int:
        if not 0 <= architecture < self.size:
            self.check(architecture)
        return architecture if self._order is None else self._listed[0][architecture]

    def number_of(self, ops: Sequence[int]) -> int:
        """The architecture with these decisions, which are Python ints within their choices."""
        code = 0
        for count, op in zip(self.choices, ops, strict=True):
            code = code * count + op
        return self._architecture(code)

    def _architecture(self, code: int) -> int:
        return code if self._position is None else self._listed[1][code]

    @cached_property
    def _listed(self) -> tuple[list[int], list[int]]:
        """Order and position as lists: one number out of an array takes five times as long."""
        if self._order is None or self._position is None:
            return [], []
        return self._order.tolist(), self._position.tolist()


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
