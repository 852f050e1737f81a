"""Rules of a space for one architecture at a time: lists in place of arrays, many times as fast."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["PlainRules"]

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
