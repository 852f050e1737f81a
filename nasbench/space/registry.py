"""Spaces by name, by file, and by what a manifest says of them."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nasbench import _python_file
from nasbench._python_file import PythonFile
from nasbench.errors import BadValue, NasbenchError, UnknownName, Unsupported, shown, unknown
from nasbench.space.base import Space
from nasbench.space.cell import CellSpace
from nasbench.space.cells import darts, darts_mini
from nasbench.space.choices import LONGEST, ChoiceSpace
from nasbench.space.file import read_space
from nasbench.space.layers import NBMacro, nats_size
from nasbench.space.mixed import Mixed
from nasbench.space.mlp import mlp, policy_mlp
from nasbench.space.mobile import efficientnet, mbv2_mini, mnasnet, mobilenetv2, proxyless
from nasbench.space.rules import read_value
from nasbench.space.transformer import transformer

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["from_description", "get", "names", "of_object"]

RULES = frozenset({"only_if", "alike", "never"})
"""Of a space of named decisions, as it describes itself."""

GROUP = "nasbench.spaces"
"""Entry points of other packages: a space's name, and what returns the space when called."""


def _release_order() -> NDArray[np.uint16]:
    """As the release shuffled the lexicographic list before it numbered the cells.

    It is kept as a file, since to shuffle takes ten times as long as to look all cells up.
    """
    order: NDArray[np.uint16] = np.load(Path(__file__).with_name("nb201_order.npy"))
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
    "mobilenetv2": mobilenetv2,
    "mbv2-mini": mbv2_mini,
    "proxyless": proxyless,
    "mnasnet": mnasnet,
    "efficientnet": efficientnet,
    "transformer": transformer,
    "mlp": mlp,
    "policy-mlp": policy_mlp,
}


@cache
def _registered() -> dict[str, EntryPoint]:
    """Entry points by name, looked for once and no sooner than needed: it takes milliseconds."""
    from importlib.metadata import entry_points

    found = {point.name: point for point in entry_points(group=GROUP)}
    return {name: found[name] for name in sorted(found.keys() - _SPACES.keys())}


def names() -> tuple[str, ...]:
    """The names that `get` knows: those of this package, then those of others.

    Example:
        >>> "nb201" in names()
        True
    """
    return (*_SPACES, *_registered())


def get(name: str | Path | object, network: Callable[..., Any] | None = None) -> Space:
    """The space of that name, or that a file ending in `.toml` or `.py` has.

    `nb201` numbers its 15,625 cells as the NAS-Bench-201 and NATS-Bench releases do;
    `nb201-mini` has 3 nodes and 125 cells in lexicographic order. `nats-size` has the 32,768
    widths of NATS-Bench, `nb-macro` the 6,561 networks of NAS-Bench-Macro. `darts` has the
    cells of DARTS; `mobilenetv2`, `proxyless`, `mnasnet` and `efficientnet` have networks for
    phones. For CPUs there are `darts-mini`, `mbv2-mini` and `mixed` (images and sound),
    `transformer` (texts), `mlp` (tables) and `policy-mlp` (reinforcement learning). Other
    packages name theirs in the entry point group `nasbench.spaces`; `package.module:name` is a
    space that a module has under that name.

    A file that ends in `.py` is run, and so is a module: they have a space called `space`, whose
    `source` they are from then on, and maybe the function that builds its networks.

    Args:
        name: a name or a file; or a space itself, a module or a class that has one as its `space`
            and the function of its networks as `build`.
        network: the function that builds the networks, `(choices, inputs, outputs, **sizes)`,
            where the space has none by its name.

    Raises:
        NasbenchError: where there is no such space, or the file cannot be run.

    Example:
        >>> get("nb201-mini").size
        125
    """
    if network is not None or not isinstance(name, str | Path):
        return of_object(get(name) if isinstance(name, str | Path) else name, network)
    text = str(name)
    if text.endswith(".toml"):
        # By way of what a table would say of it, so that both are the same space.
        return from_description(read_space(Path(name)).describe())
    if text.endswith(".py"):
        file = _python_file.read(Path(name))
        return _of_user(_python_file.load(file), "space", file)
    if ":" in text:
        return _of_module(*text.split(":", 1))
    return _named(text)


def _of_module(module: str, name: str) -> Space:
    """The space that an importable module has under that name."""
    try:
        found = import_module(module)
    except _python_file.FAILURES as error:  # anybody's module can fail in any way
        raise NasbenchError(f"module {module} cannot be loaded: {error}") from error
    path = getattr(found, "__file__", None)
    if path is None:
        raise Unsupported(f"module {module} has no file, by which a build could know it again")
    return _of_user(found, name, _python_file.read(Path(path))._replace(module=module))


def _of_user(module: ModuleType, name: str, file: PythonFile) -> Space:
    """The space that a user's module has, as a table would describe it, with its source."""
    found = getattr(module, name, None)
    if found is None:
        raise UnknownName(f"{file.name} has no {name}: it needs {name} = ChoiceSpace(...)")
    if type(found) not in (ChoiceSpace, CellSpace):
        kind = type(found).__name__
        what = f"an own kind of Space, {kind}" if isinstance(found, Space) else f"a {kind}"
        raise Unsupported(
            f"{name} of {file.name} is {what}: rules are data, so it must be a plain ChoiceSpace "
            f"or CellSpace (only_if, alike, never)"
        )
    return with_networks(found, file)


def with_networks(space: Space, file: PythonFile) -> Space:
    """A user's space, as a table would describe it, whose networks a function of a file builds.

    Raises:
        Unsupported: where it is called as a space of this package.
    """
    own = _plain(space.name, space.describe())
    if own is None or own.name in _SPACES:
        raise Unsupported(
            f"{file.name} calls its space {space.name}, as one of this package: name it otherwise"
        )
    own.source = file
    return own


def of_object(given: object, build: Callable[..., Any] | None = None) -> Space:
    """The space that a program hands over.

    Args:
        given: a space; or a module or a class that has one as its `space`, and its networks'
            function as `build`.
        build: the function that builds its networks, in place of that.

    Raises:
        NasbenchError: where it is none, or an own kind of Space.
    """
    space = given if isinstance(given, Space) else getattr(given, "space", None)
    if not isinstance(space, Space):
        raise BadValue(
            f"a space is a name, a file, a ChoiceSpace or CellSpace, or what has one as its "
            f"`space`; got {shown(given)}"
        )
    if not isinstance(given, Space):
        build = build or getattr(given, "build", None)
    if build is None:
        return space
    if type(space) not in (ChoiceSpace, CellSpace):
        raise Unsupported(
            f"networks of {space.name} are built by its own family: leave the function out"
        )
    function = _python_file.given(build)
    return with_networks(space, function.file._replace(build=function.name))


@cache
def _named(name: str) -> Space:
    if name in _SPACES:
        return _SPACES[name]()
    if name not in _registered():
        raise unknown("space", name, names())
    try:
        space = _registered()[name].load()()
    except _python_file.FAILURES as error:  # a third party's module can fail in any way
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

    Example:
        >>> space = get("nb201-mini")
        >>> from_description(space.describe()).size == space.size
        True
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


def _as_written(decisions: Any, written: Any) -> dict[str, Any]:
    """Choices with the types that their author gave them.

    A description has them as text. A whole number is one by itself; `written` has the choices
    of each decision where that is not so: fractions, true and false, texts of digits.
    """
    read = dict(decisions)
    for decision, texts in read.items():
        if isinstance(texts, list) and all(isinstance(text, str) for text in texts):
            read[decision] = list(map(read_value, texts))
    return {**read, **{decision: written[decision] for decision in read if decision in written}}


def _plain(name: str, description: Mapping[str, Any]) -> Space | None:
    """The space that is described in full; None where its class must be known."""
    said = {key: value for key, value in description.items() if key not in ("name", "order")}
    order = description.get("order")
    space: Space
    try:
        if said.keys() == {"nodes", "operations"}:
            space = CellSpace(name, said["nodes"], said["operations"], order)
        elif said.keys() - RULES - {"values"} == {"decisions", "separator"}:
            rules = {kind: said[kind] for kind in RULES & said.keys()}
            decisions = _as_written(said["decisions"], said.get("values", {}))
            space = ChoiceSpace(name, decisions, said["separator"], order, **rules)
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
