"""Drawing, changing and counting architectures of a space whose decisions have rules.

All of them are canonical, and none is one that can never be built.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import NasbenchError, Unsupported
from nasbench.space.numbering import CHUNK, LISTABLE, Architectures, Ops

if TYPE_CHECKING:
    from nasbench.space.choices import ChoiceSpace

__all__ = ["count", "crossover", "mutate", "neighbors", "sample"]

TRIES = 1000
"""Draws of which none can be built, before a space is given up."""


def sample(space: ChoiceSpace, rng: np.random.Generator, n: int) -> Architectures:
    """`n` architectures, each decision uniform; what cannot be built is drawn again."""
    ops = space.normal(_draw(space, rng, n))
    for _ in range(TRIES):
        redrawn = np.flatnonzero(~space.rules.allowed(ops))
        if not len(redrawn):
            return space.index_of(ops)
        ops[redrawn] = space.normal(_draw(space, rng, len(redrawn)))
    raise Unsupported(f"of {TRIES:,} draws from {space.name} none can be built: see never")


def _draw(space: ChoiceSpace, rng: np.random.Generator, n: int) -> Ops:
    drawn = rng.integers(np.asarray(space.choices), size=(n, len(space.choices)))
    return drawn.astype(space.ops_dtype)


def mutate(space: ChoiceSpace, architecture: int, rng: np.random.Generator) -> int:
    """One decision that counts changed to another choice; those that count anew are drawn."""
    own = space.normal(space.ops(architecture))
    counts = space.active(own)
    free = np.flatnonzero(counts & (np.asarray(space.choices) > 1))
    for _ in range(TRIES if len(free) else 0):
        child = own.copy()
        place = free[rng.integers(len(free))]
        child[place] = (child[place] + rng.integers(1, space.choices[place])) % space.choices[place]
        # Whichever count anew: those that still do not are put back by the normal form.
        child[~counts] = rng.integers(np.asarray(space.choices)[~counts])
        child = space.normal(child)
        if space.rules.allowed(child) and not np.array_equal(child, own):
            return int(space.index_of(child))
    raise NasbenchError(f"{space.name} has no architecture one change away that can be built")


def crossover(space: ChoiceSpace, first: int, second: int, rng: np.random.Generator) -> int:
    """Each decision from one parent or the other, from the one where it counts.

    Where no child of so many can be built, it is the first parent.
    """
    parents = space.normal(space.ops([first, second]))
    counts = space.active(parents)
    for _ in range(TRIES):
        take = rng.random(len(space.choices)) < 0.5
        take = np.where(counts[0] == counts[1], take, counts[0])
        child = space.normal(np.where(take, parents[0], parents[1]))
        if space.rules.allowed(child):
            return int(space.index_of(child))
    return int(space.index_of(parents[0]))


def neighbors(space: ChoiceSpace, architecture: int) -> Architectures:
    """All that differ in one decision that counts; one that counts anew takes its first choice."""
    own = space.normal(space.ops(architecture))
    places = np.flatnonzero(space.active(own))
    steps = [
        (place, choice)
        for place in places.tolist()
        for choice in range(space.choices[place])
        if choice != own[place]
    ]
    changed = np.repeat(own[None], len(steps), axis=0)
    for row, (place, choice) in enumerate(steps):
        changed[row, place] = choice
    changed = space.normal(changed)
    keep = space.rules.allowed(changed) & (changed != own).any(-1)
    found = space.index_of(changed[keep])
    return found[np.sort(np.unique(found, return_index=True)[1])]


def count(space: ChoiceSpace) -> int:
    """How many networks there are: what rules do not tie together is multiplied.

    Raises:
        Unsupported: where rules tie more decisions together than can be listed.
    """
    found = 1
    for columns in space.rules.components():
        counts = [space.choices[column] for column in columns]
        size = math.prod(counts)
        if size > LISTABLE:
            raise Unsupported(
                f"rules tie {len(columns)} decisions of {space.name} together, {size:,} ways to "
                f"choose: {LISTABLE:,} (2**24) are the most that are counted"
            )
        found *= sum(
            _standing(space, columns, np.arange(start, min(size, start + CHUNK)))
            for start in range(0, size, CHUNK)
        )
    return found


def _standing(space: ChoiceSpace, columns: list[int], codes: NDArray[np.int64]) -> int:
    """How many of these ways to choose are normal and can be built, all else at its first."""
    ops: NDArray[Any] = np.zeros((len(codes), len(space.choices)), dtype=space.ops_dtype)
    for column in reversed(columns):
        codes, ops[:, column] = np.divmod(codes, space.choices[column])
    normal = (space.normal(ops) == ops).all(-1)
    return int((normal & space.rules.allowed(ops, columns)).sum())
