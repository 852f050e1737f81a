"""Spaces by name, by file, and by what a manifest says of them."""

from __future__ import annotations

import random
import reprlib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasbench.errors import NasbenchError, unknown
from nasbench.space.base import Space
from nasbench.space.cell import NB201_OPERATIONS, CellSpace
from nasbench.space.cells import darts, darts_mini
from nasbench.space.choices import LONGEST, ChoiceSpace
from nasbench.space.file import read_space
from nasbench.space.layers import NBMacro, nats_size
from nasbench.space.mixed import Mixed

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["from_description", "get", "names"]

GROUP = "nasbench.spaces"
"""Entry points of other packages: a space's name, and what returns the space when called."""


def _release_order() -> list[int]:
    """As the release shuffled the lexicographic list before it numbered the cells: takes 10 ms."""
    order = list(range(len(NB201_OPERATIONS) ** 6))
    random.Random(88).shuffle(order)
    return order


class NB201(CellSpace):
    """The cells of NAS-Bench-201, numbered as its release and NATS-Bench's do."""

    def __init__(self) -> None:
        super().__init__("nb201", 4, order=_release_order)

    def describe(self) -> Mapping[str, Any]:
        # The order goes by the name: tables need not carry it.
        return {"name": self.name, "nodes": self.nodes, "operations": list(self.operations)}


_SPACES: Mapping[str, Callable[[], Space]] = {
    "nb201": NB201,
    "nb201-mini": lambda: CellSpace("nb201-mini", 3),
    "nats-size": nats_size,
    "nb-macro": NBMacro,
    "darts": darts,
    "darts-mini": darts_mini,
    "mixed": Mixed,
}


@cache
def _registered() -> dict[str, EntryPoint]:
    """Entry points by name, looked for once and no sooner than needed: it takes milliseconds."""
    from importlib.metadata import entry_points

    found = {point.name: point for point in entry_points(group=GROUP)}
    return {name: found[name] for name in sorted(found.keys() - _SPACES.keys())}


def names() -> tuple[str, ...]:
    """The names that `get` knows: those of this package, then those of others."""
    return (*_SPACES, *_registered())


def get(name: str | Path) -> Space:
    """The space of that name, or that a file ending in `.toml` describes.

    `nb201` numbers its 15,625 cells as the NAS-Bench-201 and NATS-Bench releases do;
    `nb201-mini` has 3 nodes and 125 cells in lexicographic order. `nats-size` has the 32,768
    widths of NATS-Bench, `nb-macro` the 6,561 networks of NAS-Bench-Macro; `darts` has the cells
    of DARTS, `darts-mini` smaller ones; `mixed` has 9,604 networks of unlike operations. Other
    packages name theirs in the entry point group `nasbench.spaces`.
    """
    if str(name).endswith(".toml"):
        # By way of what a table would say of it, so that both are the same space.
        return from_description(read_space(Path(name)).describe())
    return _named(str(name))


@cache
def _named(name: str) -> Space:
    if name in _SPACES:
        return _SPACES[name]()
    if name not in _registered():
        raise unknown("space", name, names())
    try:
        space = _registered()[name].load()()
    except Exception as error:  # a third party's module can fail in any way
        raise NasbenchError(f"space {name} cannot be loaded: {error}") from error
    if not isinstance(space, Space) or space.name != name:
        raise NasbenchError(
            f"entry point {name} of {GROUP} must return a Space of that name, got {space!r}"
        )
    return space


def from_description(description: Mapping[str, Any]) -> Space:
    """The space that `Space.describe` described.

    It is one known by name, or a plain `CellSpace` or `ChoiceSpace`. A description comes from
    a file that anyone may have written: it can name a space of an installed package, and no
    other code.
    """
    name = description.get("name")
    if not isinstance(name, str) or len(name) > LONGEST or not name.isprintable():
        raise NasbenchError(f"not the description of a space: {reprlib.repr(description)}")
    known = name in _SPACES or name in _registered()
    if known and _named(name).describe() == description:
        return _named(name)
    space = _plain(name, description)
    if space is None and known:
        raise NasbenchError(
            f"space {name!r} is here, but not as described: install the version of its package "
            f"that it was described with"
        )
    if space is None:
        raise NasbenchError(
            f"space {name!r} is neither known nor described in full: install the package that "
            f"registers it (entry point group {GROUP})"
        )
    return space


def _plain(name: str, description: Mapping[str, Any]) -> Space | None:
    """The space that is described in full; None where its class must be known."""
    said = {key: value for key, value in description.items() if key not in ("name", "order")}
    order = description.get("order")
    space: Space
    try:
        if said.keys() == {"nodes", "operations"}:
            space = CellSpace(name, said["nodes"], said["operations"], order)
        elif said.keys() == {"decisions", "separator"}:
            space = ChoiceSpace(name, dict(said["decisions"]), said["separator"], order)
        else:
            return None
        same = space.describe() == description
    except (TypeError, ValueError) as error:
        if isinstance(error, NasbenchError):
            raise
        same = False
    if not same:
        raise NasbenchError(f"not the description of a space: {reprlib.repr(description)}")
    return space
