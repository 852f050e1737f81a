"""A user's function or class: whether another process can import it, and what its code says."""

from __future__ import annotations

import functools
import hashlib
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from operator import attrgetter
from types import CodeType, FunctionType
from typing import Any

__all__ = ["digest", "found_at", "place_of"]

PLAIN = (bool, int, float, complex, str, bytes, type(None), tuple, list, dict, set, frozenset)


def place_of(thing: object, known_as: object = None) -> str:
    """Where any process finds a function or a class, `package.module:name`; empty where none does.

    Args:
        thing: the function or class.
        known_as: what its module has in its place, such as what a decorator made of it.

    Returns:
        The place: what a notebook, standard input or a script defines, a lambda and what stands
        inside of a function has none.

    Example:
        >>> place_of(digest), place_of(lambda: None)
        ('nasbench._code:digest', '')
    """
    module, name = getattr(thing, "__module__", None), getattr(thing, "__qualname__", "")
    if not isinstance(module, str) or module in ("__main__", "__mp_main__"):
        return ""
    found: Any = sys.modules.get(module)
    for part in name.split("."):  # of what stands inside of a function one is `<locals>`
        found = getattr(found, part, None)
    if found is None or (found is not thing and found is not known_as):
        return ""
    try:
        return f"{module}:{name}" if find_spec(module) else ""
    except (ImportError, ValueError):  # of a module that nobody can import anew
        return ""


def found_at(place: str) -> Any:
    """What is at a place; its module is imported.

    Example:
        >>> found_at("nasbench._code:digest") is digest
        True
    """
    module, _, name = place.partition(":")
    return attrgetter(name)(import_module(module))


def digest(thing: object) -> str:
    """The SHA-256 of what a function or class does, hex digits: of its code, whatever its place.

    Defaults, enclosed values, base classes and what it calls of its own module count; comments
    and line numbers do not.

    Example:
        >>> one, other, third = (lambda x: x + 1), (lambda x: x + 1), (lambda x: x + 2)
        >>> digest(one) == digest(other), digest(one) == digest(third)
        (True, False)
    """
    found = hashlib.sha256()
    for part in _parts(thing, set()):
        found.update(part.encode("utf-8", "surrogatepass") + b"\0")
    return found.hexdigest()


def _parts(thing: Any, seen: set[int]) -> Iterator[str]:
    """All that tells a piece of code from another, as texts."""
    if id(thing) in seen:
        return
    if isinstance(thing, FunctionType | type | CodeType):
        seen.add(id(thing))
    if isinstance(thing, functools.partial):
        yield from _parts(thing.func, seen)
        yield from _parts((thing.args, thing.keywords), seen)
    elif isinstance(thing, staticmethod | classmethod):
        yield from _parts(thing.__func__, seen)
    elif isinstance(thing, property):
        yield from _parts((thing.fget, thing.fset, thing.fdel), seen)
    elif isinstance(thing, type):
        yield from _of_class(thing, seen)
    elif isinstance(thing, FunctionType):
        yield from _of_function(thing, seen)
    elif isinstance(thing, CodeType):
        yield thing.co_code.hex()
        yield " ".join((*thing.co_names, *thing.co_varnames, *thing.co_freevars))
        yield from _parts(thing.co_consts, seen)
    elif isinstance(thing, set | frozenset):
        yield from sorted(map(repr, thing))
    elif isinstance(thing, tuple | list):
        yield f"{type(thing).__name__} {len(thing)}"
        for one in thing:
            yield from _parts(one, seen)
    elif isinstance(thing, dict):
        yield f"dict {len(thing)}"
        for key, value in thing.items():
            yield repr(key)
            yield from _parts(value, seen)
    elif isinstance(thing, PLAIN):
        yield repr(thing)
    else:  # an object by its class; what it holds may be anything
        yield re.sub(r" at 0x\w+", "", repr(type(thing)))


def _of_class(thing: type, seen: set[int]) -> Iterator[str]:
    yield thing.__name__
    for base in thing.__mro__:
        if base.__module__ != thing.__module__:
            yield f"{base.__module__}.{base.__qualname__}"
            continue
        for name, value in vars(base).items():
            if not name.startswith("__") or callable(value):
                yield name
                yield from _parts(value, seen)


def _of_function(thing: FunctionType, seen: set[int]) -> Iterator[str]:
    yield from _parts(thing.__code__, seen)
    yield from _parts((thing.__defaults__, thing.__kwdefaults__), seen)
    for cell in thing.__closure__ or ():
        try:
            yield from _parts(cell.cell_contents, seen)
        except ValueError:  # not filled yet
            yield "empty"
    for name in sorted(_names(thing.__code__)):
        used = thing.__globals__.get(name)
        own = isinstance(used, FunctionType | type) and used.__module__ == thing.__module__
        if own or isinstance(used, PLAIN):
            yield from _parts(used, seen)


def _names(code: CodeType) -> set[str]:
    """The global names that code uses, also in functions that stand inside of it."""
    inner = [const for const in code.co_consts if isinstance(const, CodeType)]
    return set(code.co_names).union(*map(_names, inner))
