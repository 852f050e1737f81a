"""Which family makes the networks of a space; no module of networks is loaded sooner."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from nasbench import _python_file
from nasbench._python_file import PythonFile
from nasbench.errors import NasbenchError, Unsupported
from nasbench.network.family import CELL, Family, FunctionFamily, SharingFunctionFamily
from nasbench.space import CellSpace, Space
from nasbench.space import get as get_space
from nasbench.space import names as space_names

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["SUPERNETS", "family_of", "names"]

GROUP = "nasbench.families"
"""Entry points of other packages: a space's name, and a family or a `build` function for it."""

_OWN = "supernet"
"""What a user's file calls the function that makes the one network of all architectures."""

_SHIPPED: Mapping[str, str] = {
    "nats-size": "layers:nats_size",
    "nb-macro": "layers:nb_macro",
    "darts": "cells:darts",
    "darts-mini": "cells:darts_mini",
    "mixed": "mixed:build",
    "mobilenetv2": "mobile:mobilenetv2",
    "mbv2-mini": "mobile:mbv2_mini",
    "proxyless": "mobile:proxyless",
    "mnasnet": "mobile:mnasnet",
    "efficientnet": "mobile:efficientnet",
    "transformer": "transformer:build",
    "mlp": "mlp:mlp",
    "policy-mlp": "mlp:policy_mlp",
}
"""By the name of a space that ships: the module here, and its function that builds networks."""

SUPERNETS: Mapping[str, str] = {
    "mixed": "mixed:supernet",
    "mbv2-mini": "elastic_mobile:mbv2_mini",
    "nb-macro": "elastic_mobile:nb_macro",
    "darts": "elastic_cells:darts",
    "darts-mini": "elastic_cells:darts_mini",
}
"""Likewise, of those that have one, the function that makes the supernet."""


@cache
def _registered() -> dict[str, EntryPoint]:
    """Entry points by name, looked for once and no sooner than needed: it takes milliseconds."""
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=GROUP)}


def names() -> tuple[str, ...]:
    """The spaces, by name, whose networks can be built; every space of cells is besides.

    Example:
        >>> "mbv2-mini" in names()
        True
    """
    cells = (name for name in space_names() if isinstance(get_space(name), CellSpace))
    return tuple(dict.fromkeys((*cells, *_SHIPPED, *sorted(_registered()))))


def family_of(space: Space) -> Family:
    """The family that makes the networks of a space.

    Raises:
        Unsupported: where none is known.

    Example:
        >>> import nasbench as nb
        >>> family_of(nb.space("nb201")).name
        'cell'
    """
    if space.source is not None and (family := _of_file(space.source)) is not None:
        return family
    if isinstance(space, CellSpace):
        return _shipped(CELL)
    if space.name in _SHIPPED and _is_named(space):
        return _shipped(space.name)
    if space.name in _registered() and _is_named(space):
        return _entered(space.name)
    if space.source is not None:
        raise Unsupported(
            f"{space.source.name} has no build: it needs def build(choices, inputs, outputs) that "
            f"returns a torch.nn.Module"
        )
    raise Unsupported(
        f"no network is known for architectures of {space.name}: bring measurements of them with "
        f"nasbench import csv, or name the Python file that builds them"
    )


def _is_named(space: Space) -> bool:
    """Whether the space is the one that goes by its name, and no other of that name."""
    if space.name not in space_names():
        return True
    named = get_space(space.name)
    return named is space or named.describe() == space.describe()


@cache
def _shipped(name: str) -> Family:
    if name == CELL:
        from nasbench.network.cell_family import CellFamily

        return CellFamily()
    module_name, function = _SHIPPED[name].split(":")
    module = import_module(f"nasbench.network.{module_name}")
    family = FunctionFamily(name, getattr(module, function), module.SIGNALS)
    if name not in SUPERNETS:
        return family
    module_name, function = SUPERNETS[name].split(":")
    supernet = getattr(import_module(f"nasbench.network.{module_name}"), function)
    return SharingFunctionFamily(family, supernet)


@cache
def _of_file(file: PythonFile) -> Family | None:
    """The family that a user's file has, where it has one."""
    module = _python_file.load(file)
    build = _python_file.member(module, file.build)
    if build is None:
        return None
    said = {"sha256": file.sha256, "text": file.text}
    family = FunctionFamily(file.name, build, said=said)
    # Beside the function, or in the class, that builds single networks.
    beside = (*file.build.split(".")[:-1], _OWN)
    supernet = _python_file.member(module, ".".join(beside))
    return family if supernet is None else SharingFunctionFamily(family, supernet)


@cache
def _entered(name: str) -> Family:
    try:
        found = _registered()[name].load()
    except _python_file.FAILURES as error:  # a third party's module can fail in any way
        raise NasbenchError(f"the family of {name} cannot be loaded: {error}") from error
    if isinstance(found, type):
        found = found()
    return found if isinstance(found, Family) else FunctionFamily(name, found)
