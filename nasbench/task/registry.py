"""Tasks by name, or as a recipe file describes them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from nasbench.errors import NasbenchError, unknown
from nasbench.task.base import Task
from nasbench.task.readers import cifar10, digits, fashion16, folder, npz

__all__ = ["from_spec", "get", "names"]

_TASKS: Mapping[str, Callable[[], Task]] = {"fashion16": fashion16, "digits": digits}
_SOURCES: Mapping[str, Callable[..., Task]] = {"cifar10": cifar10, "npz": npz, "folder": folder}
_SPLIT = {"train", "valid", "test_share", "seed"}


def names() -> tuple[str, ...]:
    """The names that `get` knows."""
    return tuple(_TASKS)


@cache
def get(name: str) -> Task:
    """The shipped task of that name."""
    if name not in _TASKS:
        raise unknown("task", name, _TASKS)
    return _TASKS[name]()


def from_spec(spec: str | Mapping[str, Any], base: Path = Path()) -> Task:
    """The task that a recipe file names: a shipped one's name, or a table of its source.

    Args:
        spec: a name, or `{"source": "cifar10" | "npz" | "folder", "path": ..., ...}` with the
            reader's other arguments.
        base: the folder that a relative path starts from.
    """
    if isinstance(spec, str):
        return get(spec)
    options = dict(spec)
    source = options.pop("source", None)
    if source not in _SOURCES:
        raise unknown("task source", source, _SOURCES)
    reader = _SOURCES[source]
    known = (set(inspect.signature(reader).parameters) | _SPLIT) - {"split", "about"}
    for key in options:
        if key not in known:
            raise unknown("key of [task]", key, known)
    if "path" not in options:
        raise NasbenchError(f"[task] with source {source!r} needs a path")
    if "classes" in options:
        options["classes"] = tuple(options["classes"])
    try:
        return reader(base / options.pop("path"), **options)
    except TypeError as error:
        raise NasbenchError(f"[task]: {error}") from error
