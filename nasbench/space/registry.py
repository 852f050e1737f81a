"""Spaces by name."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np

from nasbench.errors import NasbenchError, unknown
from nasbench.space.base import Space
from nasbench.space.cell import NB201_OPERATIONS, CellSpace

__all__ = ["from_description", "get", "names"]


def _nb201() -> CellSpace:
    size = len(NB201_OPERATIONS) ** 6
    order = list(range(size))
    # The release shuffled the lexicographic list this way before it numbered the cells.
    random.Random(88).shuffle(order)
    return CellSpace("nb201", 4, order=np.asarray(order, dtype=np.int64))


_SPACES: Mapping[str, Callable[[], Space]] = {
    "nb201": _nb201,
    "nb201-mini": lambda: CellSpace("nb201-mini", 3),
}


def names() -> tuple[str, ...]:
    """The names that `get` knows."""
    return tuple(_SPACES)


@cache
def get(name: str) -> Space:
    """The space of that name.

    `nb201` numbers its 15,625 cells as the NAS-Bench-201 and NATS-Bench releases do;
    `nb201-mini` has 3 nodes and 125 cells in lexicographic order.
    """
    if name not in _SPACES:
        raise unknown("space", name, _SPACES)
    return _SPACES[name]()


def from_description(description: Mapping[str, Any]) -> Space:
    """The space that `Space.describe` described: one known by name, or a cell space."""
    if description.get("name") in _SPACES and get(description["name"]).describe() == description:
        return get(description["name"])
    try:
        return CellSpace(description["name"], description["nodes"], description["operations"])
    except (KeyError, TypeError) as error:
        raise NasbenchError(f"not the description of a space: {description!r}") from error
