"""Spaces of named decisions: a width or a block for each layer, or whatever there is to choose."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from numpy.typing import ArrayLike

from nasbench.errors import NasbenchError, unknown
from nasbench.space.base import Space

__all__ = ["ChoiceSpace"]

MOST_DECISIONS = 256
LONGEST = 100
"""Characters of a name."""


class ChoiceSpace(Space):
    """All ways to take one choice for each of some named decisions.

        ChoiceSpace("widths", {"stem": [16, 32], "body": [16, 32, 64]}).string(4)  # '32:32'

    Args:
        name: the space's name.
        decisions: for each decision, in order, its choices: text, or whole numbers for it.
        separator: what stands between choices in a string: one character that no choice
            contains, or nothing where no choice of a decision begins with another.
        order: see `Space`.

    Attributes:
        decisions: for each decision its choices, as text.
        separator: as given.
    """

    def __init__(
        self,
        name: str,
        decisions: Mapping[str, Sequence[str | int]],
        separator: str = ":",
        order: ArrayLike | None = None,
    ) -> None:
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
        self._places = [
            {choice: place for place, choice in enumerate(choices)}
            for choices in self.decisions.values()
        ]
        super().__init__(name, tuple(map(len, self._places)), order)

    def describe(self) -> Mapping[str, Any]:
        # Pairs, since the decisions have an order, and JSON objects lose theirs when sorted.
        decisions = [[decision, list(choices)] for decision, choices in self.decisions.items()]
        return self._described(ChoiceSpace, decisions=decisions, separator=self.separator)

    def choices_of(self, architecture: int) -> dict[str, str]:
        """What the architecture takes for each decision, in order."""
        ops = self.ops(architecture).tolist()
        return {name: of[op] for (name, of), op in zip(self.decisions.items(), ops, strict=True)}

    def string(self, architecture: int) -> str:
        ops = self.ops(architecture).tolist()
        taken = zip(self.decisions.values(), ops, strict=True)
        return self.separator.join(choices[op] for choices, op in taken)

    def index(self, string: str) -> int:
        """The architecture that `string` writes.

        Raises:
            NasbenchError: with the decision and the character at which the string stops being
                an architecture.
        """
        code = at = 0
        for decision, places in zip(self.decisions, self._places, strict=True):
            if at and not string.startswith(self.separator, at):
                why = f"expected {self.separator!r} and a choice of {decision}, found the end"
                raise self._malformed(string, at, why)
            at += len(self.separator) if at else 0
            choice = self._choice_at(string, at, places)
            if choice not in places:
                hint = unknown(f"choice of {decision}", choice, places)
                raise self._malformed(string, at, str(hint))
            code = code * len(places) + places[choice]
            at += len(choice)
        if at != len(string):
            raise self._malformed(string, at, f"expected the end, found {string[at]!r}")
        return self._architecture(code)

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


def _choices(decision: str, choices: Sequence[str | int], separator: str) -> tuple[str, ...]:
    """The choices of a decision as text; raises NasbenchError where they cannot be told apart."""
    if isinstance(choices, str) or not isinstance(choices, Sequence) or not choices:
        raise NasbenchError(
            f"decision {decision!r} needs a list of choices, got {reprlib.repr(choices)}"
        )
    kind = f"choice of {decision}"
    written = tuple(
        _name(kind, str(choice) if type(choice) is int else choice) for choice in choices
    )
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
