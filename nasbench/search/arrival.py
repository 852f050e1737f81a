"""What a strategy returns is copied as it arrives: afterwards only the copy is looked at."""

from __future__ import annotations

from typing import TypeGuard

import numpy as np

from nasbench.search.guard import in_a_sentence
from nasbench.search.strategy import Query

__all__ = ["NotAQuery", "arrived", "is_plain"]


class NotAQuery(Exception):  # noqa: N818 (it says what was asked for)
    """What a strategy returned in place of a query."""


def is_plain(query: object) -> TypeGuard[Query]:
    """Whether it is a query, of the exact types that a query's values have.

    It is asked of every query of every search, and so is written out.
    """
    if type(query) is not Query or len(query) != 4:  # a tuple can be made to have fewer
        return False
    architecture, recipe, epochs, resume = query
    return (
        type(architecture) is int
        and type(recipe) is str
        and type(epochs) is int
        and type(resume) is bool
    )


def arrived(query: object) -> Query | None:
    """A strategy's query in plain values, which stay what they are; None as it is.

    A subclass of `Query`, `int` or `str` can answer otherwise each time that it is looked at:
    its value is read once, past its own methods. Integers and truth values of numpy become
    Python's.

    Raises:
        NotAQuery: where there is no such value.
    """
    if query is None:
        return None
    if is_plain(query):
        return query
    if issubclass(type(query), Query):  # not isinstance: an object can lie about its class
        fields: tuple[object, ...] = tuple(tuple.__iter__(query))  # type: ignore[arg-type]
        if len(fields) == len(Query._fields):
            architecture, recipe, epochs, resume = fields
            try:
                return Query(_int(architecture), _str(recipe), _int(epochs), bool(_int(resume)))
            except TypeError:
                pass
    raise NotAQuery(_shown(query))


def _int(value: object) -> int:
    kind = type(value)
    if issubclass(kind, int):
        return int.__index__(value)  # type: ignore[arg-type]
    if issubclass(kind, (np.integer, np.bool_)):
        return int(value.item())  # type: ignore[attr-defined]
    raise TypeError


def _str(value: object) -> str:
    if issubclass(type(value), str):
        return str.__str__(value)
    raise TypeError


def _shown(value: object) -> str:
    try:
        return in_a_sentence(repr(value))
    except BaseException:  # a stranger's `__repr__` can raise anything
        return f"an object of class {in_a_sentence(type(value).__name__)}"
