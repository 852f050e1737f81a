"""Searches among some architectures of a space: those that a table of a part of it has."""

from __future__ import annotations

import numpy as np

from nasbench.errors import BadValue
from nasbench.search.oracle import Oracle, TableOracle
from nasbench.search.warm_start import drawing_from, moved_by
from nasbench.space import Architectures, Space
from nasbench.table import Table

__all__ = ["Buildable", "among", "is_whole", "searched_rows"]

_TRIES = 100
"""Of a crossover whose child the table does not have."""


def searched_rows(oracle: Oracle, *, among_rows: bool) -> Architectures | None:
    """Which architectures can be searched, ascending; None: all of the space.

    Raises:
        BadValue: where the table has a part of the space and nobody asks for a search among
            its rows, and where one is asked for of what is no table.
    """
    if not isinstance(oracle, TableOracle):
        if among_rows:
            raise BadValue("a search among rows is one on a table: leave --among-rows out")
        return None
    table = oracle.table
    if is_whole(table):
        return None
    if not among_rows:
        raise BadValue(
            f"{table.name} has {len(table.architectures):,} of the {table.space.size:,} "
            f"architectures of {table.space.name}: search among these with --among-rows "
            f"(among_rows=True), or on a surrogate fitted on them"
        )
    return table.architectures


def is_whole(table: Table) -> bool:
    """Whether a table answers for every architecture of its space that can be built."""
    return len(table.architectures) == table.space.buildable


class Buildable:
    """The architectures of a space that its rules do not forbid.

    Args:
        space: with rules.
    """

    def __init__(self, space: Space) -> None:
        self._space = space

    def __contains__(self, architecture: object) -> bool:
        return isinstance(architecture, int) and bool(self._space.allowed(architecture))


def among(space: Space, these: Architectures) -> Space:
    """The same space, whose draws and moves stay among some of its architectures.

    Draws are from these, neighbours are those of them that differ in one decision, a mutation is
    to one of these neighbours, all alike, and to any architecture of them where there is none. A
    crossover is drawn until it is one of them, and is a mutation where a hundred are not.

    After very many draws, a hundred for each of them and ten thousand, draws are from the whole
    space, see `drawing_from`.

    Args:
        space: to search.
        these: some of its architectures, one at least.
    """
    kept = frozenset(these.tolist())
    drawn = drawing_from(space, these, 100 * len(these) + 10_000)

    def neighbors(_self: Space, architecture: int) -> Architectures:
        near = space.neighbors(architecture)
        return near[[one in kept for one in near.tolist()]]

    def mutate(self: Space, architecture: int, rng: np.random.Generator) -> int:
        near = self.neighbors(architecture)
        return int(near[rng.integers(len(near))]) if len(near) else int(self.sample(rng))

    def crossover(self: Space, first: int, second: int, rng: np.random.Generator) -> int:
        for _ in range(_TRIES):
            child = space.crossover(first, second, rng)
            if child in kept:
                return child
        return self.mutate(first, rng)

    return moved_by(drawn, neighbors=neighbors, mutate=mutate, crossover=crossover)
