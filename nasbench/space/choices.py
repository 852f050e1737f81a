"""Spaces of named decisions: a width or a block for each layer, or whatever there is to choose."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasbench.errors import NasbenchError, unknown
from nasbench.space import ruled
from nasbench.space.base import Architectures, Ops, Space
from nasbench.space.rules import Rules, Value, read_value, text_of

__all__ = ["ChoiceSpace", "Choices"]

MOST_DECISIONS = 256
LONGEST = 100
"""Characters of a name."""
NOT_COUNTED = "-"
"""What a string says of a decision that does not count, unless that is one of its choices."""


class Choices(dict[str, Value]):
    """The decisions of an architecture that count, each with the choice taken, as written.

    Reading another raises KeyError, which says that it does not count here: a network that reads
    it would be another one where the space says that they are the same.

    Example:
        >>> from nasbench.space import ChoiceSpace
        >>> decisions = {"depth": [1, 2], "kernel": [3, 5]}
        >>> space = ChoiceSpace("w", decisions, only_if={"kernel": {"depth": [2]}})
        >>> dict(space.choices_of(0)), dict(space.choices_of(3))
        ({'depth': 1}, {'depth': 2, 'kernel': 5})
    """

    def __missing__(self, name: str) -> Value:
        here = ", ".join(self) or "none"
        raise KeyError(f"{name} does not count here (only_if), or is no decision; those: {here}")


class ChoiceSpace(Space):
    """All ways to take one choice for each of some named decisions.

    Rules say which decisions count, which orders are alike and what cannot be built. An
    architecture is still a number of all the ways to choose; those of one normal form are one
    network, and `canonical` gives the one that stands for them. Samples, neighbors and children
    of a space with rules are such ones, and can be built. Each decision is drawn uniformly where
    samples are drawn, so that not all networks have one chance: depth 1 comes as often as depth 3.

    Args:
        name: the space's name.
        decisions: for each decision, in order, its choices: text, numbers, True or False.
        separator: what stands between choices in a string: one character that no choice
            contains, or nothing where no choice of a decision begins with another.
        order: see `Space`.
        only_if: for a decision, the earlier ones on which it depends, each with the choices where
            it counts.
        alike: decisions, or groups of them, whose order makes no difference.
        never: combinations that cannot be built; see `nasbench.space.rules.Rules` for all three.

    Attributes:
        decisions: for each decision its choices, as text.
        values: the same choices as they were written.
        separator: as given.
        rules: all of them; false where there is none.

    Example:
        >>> space = ChoiceSpace("mine", {"depth": [1, 2], "kernel2": [3, 5], "drop": [0.0, 0.2]},
        ...     only_if={"kernel2": {"depth": [2]}})
        >>> space.size, space.unique
        (8, 6)
        >>> space.string(1), space.choices_of(1)
        ('1:-:0.2', {'depth': 1, 'drop': 0.2})
    """

    def __init__(
        self,
        name: str,
        decisions: Mapping[str, Sequence[Value]],
        separator: str = ":",
        order: ArrayLike | None = None,
        *,
        only_if: Mapping[str, Mapping[str, Sequence[Value]]] | None = None,
        alike: Sequence[Sequence[str | Sequence[str]]] = (),
        never: Sequence[Mapping[str, Value | Sequence[Value]]] = (),
    ) -> None:
        name = _name("space's name", name)
        if not isinstance(decisions, Mapping) or not 1 <= len(decisions) <= MOST_DECISIONS:
            raise NasbenchError(
                f"space {name!r} needs 1 to {MOST_DECISIONS} decisions, each with its choices"
            )
        if not isinstance(separator, str) or len(separator) > 1 or not separator.isprintable():
            raise NasbenchError("a separator is one printable character or none")
        self.separator = separator
        self.decisions = {
            _name("decision", decision): _choices(decision, choices, separator)
            for decision, choices in decisions.items()
        }
        self.values = {
            decision: tuple(str(one) if isinstance(one, str) else one for one in choices)
            for decision, choices in decisions.items()
        }
        self._places = [
            {choice: place for place, choice in enumerate(choices)}
            for choices in self.decisions.values()
        ]
        try:
            self.rules = Rules(self.decisions, only_if or {}, alike, never)
        except NasbenchError as error:
            raise type(error)(f"space {name!r}: {error}") from None
        super().__init__(name, tuple(map(len, self._places)), order)

    def describe(self) -> Mapping[str, Any]:
        # Pairs, since the decisions have an order, and JSON objects lose theirs when sorted.
        decisions = [[decision, list(choices)] for decision, choices in self.decisions.items()]
        written = {
            decision: list(values)
            for decision, values in self.values.items()
            if any(type(read_value(text_of(decision, one))) is not type(one) for one in values)
        }
        said = {"values": written} if written else {}
        return self._described(
            ChoiceSpace,
            decisions=decisions,
            separator=self.separator,
            **said,
            **self.rules.describe(),
        )

    def choices_of(self, architecture: int) -> Choices:
        ops = self.normal(self.ops(architecture))
        taken = zip(self.values.items(), ops.tolist(), self.active(ops).tolist(), strict=True)
        return Choices({name: values[op] for (name, values), op, counts in taken if counts})

    def string(self, architecture: int) -> str:
        ops = self.ops(architecture).tolist()
        taken = zip(self.decisions.values(), ops, strict=True)
        written = [choices[op] for choices, op in taken]
        if self._marks:
            counts = self.active(np.asarray(ops)).tolist()
            for place in self._marks:
                if not counts[place] and not ops[place]:
                    written[place] = NOT_COUNTED
        return self.separator.join(written)

    def spelling(self) -> Mapping[str, Any]:
        if type(self).string is not ChoiceSpace.string:
            return {}
        dashes = [place in self._marks for place in range(len(self.choices))]
        return {"join": {"separator": self.separator, "dashes": dashes}}

    @cached_property
    def _marks(self) -> tuple[int, ...]:
        """Decisions that may not count, where a string can say so."""
        if not self.separator or self.separator == NOT_COUNTED:
            return ()
        known = enumerate(self.decisions.items())
        return tuple(
            place
            for place, (name, choices) in known
            if name in self.rules.only_if and NOT_COUNTED not in choices
        )

    def index(self, string: str) -> int:
        """The architecture that `string` writes.

        Of a decision that does not count, `-` and any of its choices are read.

        Raises:
            NasbenchError: with the decision and the character at which the string stops being
                an architecture.
        """
        code = at = 0
        unsaid: list[tuple[int, int]] = []
        for place, (decision, places) in enumerate(zip(self.decisions, self._places, strict=True)):
            if at and not string.startswith(self.separator, at):
                why = f"expected {self.separator!r} and a choice of {decision}, found the end"
                raise self._malformed(string, at, why)
            at += len(self.separator) if at else 0
            choice = self._choice_at(string, at, places)
            op = places.get(choice)
            if op is None and choice == NOT_COUNTED and place in self._marks:
                op = 0
                unsaid.append((place, at))
            if op is None:
                hint = unknown(f"choice of {decision}", choice, places)
                raise self._malformed(string, at, str(hint))
            code = code * len(places) + op
            at += len(choice)
        if at != len(string):
            raise self._malformed(string, at, f"expected the end, found {string[at]!r}")
        found = self._architecture(code)
        counts = self.active(self.ops(found)) if unsaid else None
        for place, start in unsaid:
            if counts is not None and counts[place]:
                name = tuple(self.decisions)[place]
                raise self._malformed(string, start, f"{name} counts here and has no choice")
        return found

    def _choice_at(self, string: str, at: int, places: Mapping[str, int]) -> str:
        """What is written there: up to the separator, or else the choice that it begins with."""
        if self.separator:
            end = string.find(self.separator, at)
            return string[at:] if end < 0 else string[at:end]
        longest = max(map(len, places))
        return next((c for c in places if string.startswith(c, at)), string[at : at + longest])

    def _malformed(self, string: str, at: int, why: str) -> NasbenchError:
        shown = string if len(string) <= 120 else string[:117] + "..."
        return NasbenchError(
            f"not an architecture of {self.name}: {why} at character {at} of {shown!r}"
        )

    # What rules change.

    def active(self, ops: ArrayLike) -> NDArray[np.bool_]:
        return self.rules.active(ops)

    def normal(self, ops: Ops) -> Ops:
        return self.rules.normal(ops) if self.rules else ops

    def allowed(self, architectures: ArrayLike) -> NDArray[np.bool_]:
        if not self.rules:
            return super().allowed(architectures)
        return self.rules.allowed(self.normal(self.ops(architectures)))

    def drawn(self, architectures: ArrayLike) -> NDArray[np.bool_]:
        if not self.rules:
            return super().drawn(architectures)
        ops = self.ops(architectures)
        normal: NDArray[np.bool_] = (self.normal(ops) == ops).all(-1)
        return normal & self.rules.allowed(ops)

    @property
    def forbids(self) -> bool:
        return bool(self.rules.never)

    @property
    def _all_distinct(self) -> bool:
        return not self.rules and super()._all_distinct

    @property
    def unique(self) -> int:
        if not self.rules or self.lists_classes:
            return super().unique
        return ruled.count(self)

    def neighbors(self, architecture: int) -> Architectures:
        if not self.rules:
            return super().neighbors(architecture)
        return ruled.neighbors(self, architecture)

    @overload
    def sample(self, rng: np.random.Generator) -> int: ...
    @overload
    def sample(self, rng: np.random.Generator, n: int) -> Architectures: ...
    def sample(self, rng: np.random.Generator, n: int | None = None) -> int | Architectures:
        if not self.rules:
            return super().sample(rng) if n is None else super().sample(rng, n)
        return ruled.draw(self, rng) if n is None else ruled.sample(self, rng, n)

    def mutate(self, architecture: int, rng: np.random.Generator) -> int:
        if not self.rules:
            return super().mutate(architecture, rng)
        return ruled.mutate(self, architecture, rng)

    def crossover(self, first: int, second: int, rng: np.random.Generator) -> int:
        if not self.rules:
            return super().crossover(first, second, rng)
        return ruled.crossover(self, first, second, rng)

    def one_hot(self, architectures: ArrayLike) -> NDArray[np.float32]:
        if not self.rules:
            return super().one_hot(architectures)
        ops = self.normal(self.ops(architectures))
        counts = self.active(ops).astype(np.float32)
        return self._one_hot(ops) * np.repeat(counts, self.choices, axis=-1)


def _choices(decision: str, choices: Sequence[Value], separator: str) -> tuple[str, ...]:
    """The choices of a decision as text; raises NasbenchError where they cannot be told apart."""
    if isinstance(choices, str) or not isinstance(choices, Sequence) or not choices:
        raise NasbenchError(
            f"decision {decision!r} needs a list of choices, got {reprlib.repr(choices)}"
        )
    kind = f"choice of {decision}"
    written = tuple(_name(kind, text_of(f"a {kind}", choice)) for choice in choices)
    ordered = sorted(written)
    for first, second in pairwise(ordered):
        if first == second:
            raise NasbenchError(f"decision {decision!r} names choice {first!r} twice")
        # Whatever begins with a text follows it in sorted order.
        if not separator and second.startswith(first):
            raise NasbenchError(
                f"choice {second!r} of decision {decision!r} begins with {first!r}: "
                f"a separator must keep them apart"
            )
    for choice in written:
        if separator and separator in choice:
            raise NasbenchError(
                f"choice {choice!r} of decision {decision!r} contains the separator {separator!r}"
            )
    return written


def _name(kind: str, text: object) -> str:
    """The text of a decision or a choice, as long as it can stand in a line."""
    if not isinstance(text, str) or not text.isprintable() or not 1 <= len(text) <= LONGEST:
        raise NasbenchError(
            f"a {kind} is 1 to {LONGEST} printable characters, got {reprlib.repr(text)}"
        )
    return text
