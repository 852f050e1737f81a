"""Rules of a space for many architectures at once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasbench.space.numbering import COUNTABLE, Ops

__all__ = ["Alike", "Condition", "Conditions"]

AT_ONCE = 1 << 22
"""Conditions of architectures that are judged at once."""


class Condition(NamedTuple):
    """`column` counts only where the decision `other` counts and takes a choice of `mask`."""

    column: int
    other: int
    mask: NDArray[np.bool_]


class _Level(NamedTuple):
    """Conditions that hang on nothing which has conditions of this level or a later one."""

    columns: NDArray[np.int64]  # decisions that have some
    starts: NDArray[np.int64]  # of each the first of its conditions
    others: NDArray[np.int64]  # of each condition the decision on which it hangs
    offsets: NDArray[np.int64]  # of each condition the place of its choices in `choices`
    choices: NDArray[np.bool_]

    @classmethod
    def of(cls, conditions: Sequence[Condition]) -> _Level:
        """Conditions in the order of their decisions, together."""
        columns, starts = np.unique([one.column for one in conditions], return_index=True)
        lengths = [len(one.mask) for one in conditions]
        return cls(
            columns,
            starts,
            np.asarray([one.other for one in conditions]),
            np.cumsum([0, *lengths[:-1]]),
            np.concatenate([one.mask for one in conditions]),
        )


class Conditions:
    """Which decisions count, where others take some of their choices.

    Args:
        conditions: in the order of their decisions, which hang on earlier ones.
    """

    def __init__(self, conditions: Sequence[Condition]) -> None:
        level: dict[int, int] = {}
        for column, of in groupby(conditions, lambda one: one.column):
            level[column] = 1 + max(level.get(one.other, 0) for one in of)
        self._levels = [
            _Level.of([one for one in conditions if level[one.column] == number])
            for number in range(1, max(level.values(), default=0) + 1)
        ]
        self._rows = max(1, AT_ONCE // max(1, len(conditions)))

    def active(self, ops: ArrayLike) -> NDArray[np.bool_]:
        """Which decisions count: bool like `ops`, `[..., decisions]`."""
        decisions = np.asarray(ops)
        counts = np.ones(decisions.shape, dtype=np.bool_)
        every, counted = (of.reshape(-1, decisions.shape[-1]) for of in (decisions, counts))
        for start in range(0, len(every), self._rows):
            rows = slice(start, start + self._rows)
            for level in self._levels:
                taken = level.offsets + every[rows, level.others]
                holds = level.choices[taken] & counted[rows, level.others]
                counted[rows, level.columns] = np.logical_and.reduceat(holds, level.starts, axis=-1)
        return counts


class Alike(NamedTuple):
    """Groups of decisions whose order makes no difference, of some rules of one form.

    Attributes:
        columns: the decisions of each group, `[rules, groups, decisions]`.
        weights: whose products with a group's decisions sum up to its key, `[rules, 1,
            decisions]`: int64, or Python ints where the keys would not fit.
        beyond: more than any key.
    """

    columns: NDArray[np.int64]
    weights: NDArray[Any]
    beyond: int

    @classmethod
    def of(cls, columns: NDArray[np.int64], counts: NDArray[Any]) -> Alike:
        """The groups at `columns`, of decisions with so many choices: Python ints."""
        own = counts[columns[:, :1]]
        beyond = int(own.prod(-1).max())
        ones = np.ones_like(own[..., :1])
        weights = np.cumprod(np.concatenate([ones, own[..., :0:-1]], -1), -1)[..., ::-1]
        return cls(columns, weights.astype(np.int64 if beyond < COUNTABLE else object), beyond)

    def sort(self, ops: Ops, counts: NDArray[np.bool_]) -> None:
        """Sort the groups in place; one that does not count stays where it is."""
        block = ops[..., self.columns]  # [..., rules, groups, decisions of each]
        present = counts[..., self.columns].any(-1)
        keys = (block * self.weights).sum(-1)
        # Those who are absent come last, and then go back to their places.
        order = np.argsort(np.where(present, keys, self.beyond), axis=-1, kind="stable")
        settled = np.take_along_axis(block, order[..., None], -2)
        if not present.all():
            places = np.argsort(~present, axis=-1, kind="stable")
            np.put_along_axis(settled, places[..., None], settled.copy(), -2)
        ops[..., self.columns] = settled
