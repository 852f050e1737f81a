"""Rules of a space for one architecture at a time: lists in place of arrays, many times as fast."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["PlainRules"]

STEPS = 100_000
"""Of the search for an architecture that can be built: about a tenth of a second."""

Mask = NDArray[np.bool_]


class PlainRules:
    """What `Rules` says of many architectures, of one; decisions are a list of Python ints.

    Args:
        conditions: a decision, the earlier one on which it depends, and at which of its choices.
        groups: for each rule of what is alike the decisions of each group, `[groups, decisions]`.
        combinations: that cannot be built: decisions, each with some choices.
    """

    def __init__(
        self,
        conditions: Sequence[tuple[int, int, Mask]],
        groups: Sequence[NDArray[np.int64]],
        combinations: Sequence[Sequence[tuple[int, Mask]]],
    ) -> None:
        self._conditions = [(column, other, mask.tolist()) for column, other, mask in conditions]
        self._groups: list[list[list[int]]] = [columns.tolist() for columns in groups]
        self._combinations: list[list[tuple[int, Any]]] = [
            [(column, mask.tolist()) for column, mask in rule] for rule in combinations
        ]

    def active(self, ops: Sequence[int]) -> list[bool]:
        """Which decisions count."""
        counts = [True] * len(ops)
        for column, other, mask in self._conditions:
            if not (mask[ops[other]] and counts[other]):
                counts[column] = False
        return counts

    def normal(self, ops: Sequence[int]) -> list[int]:
        """The decisions that stand for all that make the same network."""
        counts = self.active(ops)
        found = [op if count else 0 for op, count in zip(ops, counts, strict=True)]
        for groups in self._groups:
            present = [columns for columns in groups if any(counts[c] for c in columns)]
            blocks = sorted([found[column] for column in columns] for columns in present)
            for columns, block in zip(present, blocks, strict=True):
                for column, op in zip(columns, block, strict=True):
                    found[column] = op
        return found

    def allowed(self, ops: Sequence[int]) -> bool:
        """Whether a normal form can be built."""
        if not self._combinations:
            return True
        counts = self.active(ops)
        return not any(
            all(mask[ops[column]] and counts[column] for column, mask in rule)
            for rule in self._combinations
        )

    def leaves_some(self, choices: Sequence[int], columns: Sequence[int]) -> bool:
        """Whether some decisions can be taken so that their combinations can be built.

        They are taken one after the other, and back where a combination is complete that cannot.
        Where `STEPS` steps do not tell, it is said that they can.

        Args:
            choices: the number of choices of each decision.
            columns: decisions, ascending, that no rule ties to others.
        """
        ends: dict[int, list[list[tuple[int, Any]]]] = {column: [] for column in columns}
        for rule in self._combinations:
            last = max(column for column, _ in rule)
            if last in ends:
                ends[last].append(rule)
        ops, counts, left = [0] * len(choices), [True] * len(choices), STEPS

        def broken(rule: list[tuple[int, Any]]) -> bool:
            return all(mask[ops[column]] and counts[column] for column, mask in rule)

        def found(place: int) -> bool:
            nonlocal left
            if place == len(columns):
                return self.normal(ops) == ops
            column = columns[place]
            counts[column] = all(
                mask[ops[other]] and counts[other]
                for at, other, mask in self._conditions
                if at == column
            )
            for op in range(choices[column] if counts[column] else 1):
                left -= 1 + len(ends[column])
                if left < 0:
                    return True
                ops[column] = op
                if not any(map(broken, ends[column])) and found(place + 1):
                    return True
            return False

        return found(0)
