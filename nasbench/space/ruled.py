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

__all__ = ["count", "crossover", "draw", "mutate", "neighbors", "sample"]

TRIES = 1000
"""Draws of which none can be built, before a space is given up."""

_NONE = "of {:,} draws from {} none can be built: see never"


def sample(space: ChoiceSpace, rng: np.random.Generator, n: int) -> Architectures:
    """`n` architectures, each decision uniform; what cannot be built is drawn again."""
    ops = space.normal(_draw(space, rng, n))
    for _ in range(TRIES):
        redrawn = np.flatnonzero(~space.rules.allowed(ops))
        if not len(redrawn):
            return space.index_of(ops)
        ops[redrawn] = space.normal(_draw(space, rng, len(redrawn)))
    raise Unsupported(_NONE.format(TRIES, space.name))


def draw(space: ChoiceSpace, rng: np.random.Generator) -> int:
    """One architecture, as `sample` draws it."""
    rules = space.rules.plain
    for _ in range(TRIES):
        ops = rules.normal(_draw(space, rng, 1)[0].tolist())
        if rules.allowed(ops):
            return space.number_of(ops)
    raise Unsupported(_NONE.format(TRIES, space.name))


def _draw(space: ChoiceSpace, rng: np.random.Generator, n: int) -> Ops:
    drawn = rng.integers(np.asarray(space.choices), size=(n, len(space.choices)))
    return drawn.astype(space.ops_dtype)


def mutate(space: ChoiceSpace, architecture: int, rng: np.random.Generator) -> int:
    """One decision that counts changed to another choice; those that count anew are drawn."""
    rules = space.rules.plain
    own = rules.normal(space.ops(architecture).tolist())
    counts = rules.active(own)
    free = [p for p, count in enumerate(space.choices) if counts[p] and count > 1]
    idle = [place for place, counted in enumerate(counts) if not counted]
    most = np.asarray([space.choices[place] for place in idle])
    for _ in range(TRIES if free else 0):
        child = own.copy()
        place = free[rng.integers(len(free))]
        child[place] = (own[place] + int(rng.integers(1, space.choices[place]))) % space.choices[
            place
        ]
        if idle:  # whichever count anew: those that still do not are put back by the normal form
            for other, op in zip(idle, rng.integers(most).tolist(), strict=True):
                child[other] = op
        child = rules.normal(child)
        if child != own and rules.allowed(child):
            return space.number_of(child)
    raise NasbenchError(f"{space.name} has no architecture one change away that can be built")


def crossover(space: ChoiceSpace, first: int, second: int, rng: np.random.Generator) -> int:
    """Each decision from one parent or the other, from the one where it counts.

    Where no child of so many can be built, it is the first parent.
    """
    rules = space.rules.plain
    one, other = (rules.normal(space.ops(parent).tolist()) for parent in (first, second))
    counts = list(zip(rules.active(one), rules.active(other), strict=True))
    for _ in range(TRIES):
        drawn = (rng.random(len(space.choices)) < 0.5).tolist()
        take = [d if a == b else a for d, (a, b) in zip(drawn, counts, strict=True)]
        child = rules.normal([a if t else b for t, a, b in zip(take, one, other, strict=True)])
        if rules.allowed(child):
            return space.number_of(child)
    return space.number_of(one)


def neighbors(space: ChoiceSpace, architecture: int) -> Architectures:
    """All that differ in one decision that counts; one that counts anew takes its first choice."""
    rules = space.rules.plain
    own = rules.normal(space.ops(architecture).tolist())
    steps = [
        (place, choice)
        for place, counted in enumerate(rules.active(own))
        for choice in range(space.choices[place] if counted else 0)
        if choice != own[place]
    ]
    changed = np.tile(np.asarray(own, dtype=space.ops_dtype), (len(steps), 1))
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
