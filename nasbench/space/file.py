"""A space of one's own as a TOML file: a cell, or named decisions."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nasbench._toml import read_toml
from nasbench.errors import NasbenchError, unknown
from nasbench.space.base import Space
from nasbench.space.cell import CellSpace
from nasbench.space.choices import ChoiceSpace

__all__ = ["read_space"]

_KEYS = {
    "name": (str, "text"),
    "nodes": (int, "a whole number"),
    "operations": (list, "a list of operations"),
    "decisions": (dict, "a table with a list of choices for each decision"),
    "separator": (str, "text"),
    "only_if": (dict, "a table: only_if.kernel2 = { depth = [2, 3] }"),
    "alike": (list, 'a list: alike = [["left", "right"]]'),
    "never": (list, "a list: never = [{ heads = 3, width = 32 }]"),
}
"""Of a file: the type of each key's value, and that type in words."""

_HAS = "a name, and either nodes and operations, or decisions"


def read_space(path: Path) -> Space:
    """The space that a TOML file describes.

    It has a `name`, and either `nodes` and `operations` of a cell, or a table `decisions`
    (each with its list of choices), maybe a `separator`, and the rules `only_if`, `alike` and
    `never` of `ChoiceSpace`.

    Raises:
        NasbenchError: naming the file and the key that is at fault.
    """
    values = read_toml(path, "space")
    try:
        return _parse(values)
    except NasbenchError as error:
        raise type(error)(f"{path}: {error}") from error


def _parse(values: Mapping[str, Any]) -> Space:
    for key, value in values.items():
        if key not in _KEYS:
            raise unknown("key", key, _KEYS)
        kind, words = _KEYS[key]
        if type(value) is not kind:
            raise NasbenchError(f"{key} is {words}, got {reprlib.repr(value)}")
    cell = "nodes" in values or "operations" in values
    own = ("name", "nodes", "operations") if cell else ("name", "decisions")
    for key in own:
        if key not in values:
            raise NasbenchError(f"{key!r} is missing: a space has {_HAS}")
    if not cell:
        return ChoiceSpace(**values)
    for key in values:
        if key not in own:
            raise NasbenchError(f"{key!r} is no key of a cell: a space has {_HAS}")
    return CellSpace(**values)
