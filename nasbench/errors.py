"""The errors that bad input raises, and the sentence that names the near misses."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterable

__all__ = [
    "BadValue",
    "DamagedFile",
    "NasbenchError",
    "StrategyError",
    "UnknownName",
    "Unsupported",
    "shown",
    "unknown",
]


class NasbenchError(ValueError):
    """Bad input, in one sentence: what was expected and what to do.

    The command line prints it on stderr and exits with status 2; nothing half-written is left.

    Example:
        >>> import nasbench as nb
        >>> try:
        ...     nb.space("nb20l")
        ... except nb.NasbenchError as error:
        ...     type(error).__name__
        'UnknownName'
    """


class UnknownName(NasbenchError):  # noqa: N818 (named as readers say it)
    """A name that is not registered, or that a file does not have."""


class DamagedFile(NasbenchError):  # noqa: N818
    """A file that is not what it should be: cut short, changed, or of another kind."""


class Unsupported(NasbenchError):  # noqa: N818
    """What is well said and cannot be done: beyond a limit, or without what it needs."""


class BadValue(NasbenchError):  # noqa: N818
    """A value outside what is allowed: a number, a name, an option, a combination."""


class StrategyError(NasbenchError):
    """A strategy that does not keep its contract: other strategies can go on without it."""


def unknown(kind: str, name: object, known: Iterable[str]) -> UnknownName:
    """The error for a name that is not known: the near names first, else all of them.

    Example:
        >>> str(unknown("device", "cpu-trch", ["cpu-torch", "cpu-onnxruntime"]))
        "unknown device 'cpu-trch'; did you mean cpu-torch?"
    """
    names = sorted(known)
    shown_name = shown(name)
    asked = name[:_LONGEST] if isinstance(name, str) else shown_name
    near = difflib.get_close_matches(asked, names, n=3, cutoff=0.5)
    if near:
        hint = f"did you mean {' or '.join(near)}?"
    elif names:
        listed = ", ".join(names)
        hint = f"known: {listed if len(listed) <= 20 * _LONGEST else listed[: 20 * _LONGEST]}"
        hint += "" if hint.endswith(names[-1]) else f" ... ({len(names)} in all)"
    else:
        hint = "none is known"
    return UnknownName(f"unknown {kind} {shown_name}; {hint}")


def shown(value: object) -> str:
    """A value as a sentence repeats it: as Python writes it, cut where that is long.

    Example:
        >>> shown("epochs"), shown(10**5000)
        ("'epochs'", 'an integer of 16610 bits')
    """
    if isinstance(value, int) and value.bit_length() > 128:  # Python does not write the longest
        return f"an integer of {value.bit_length()} bits"
    try:
        text = reprlib.repr(value) if isinstance(value, dict | list | tuple) else repr(value)
    except ValueError:  # such an integer inside
        text = f"a {type(value).__name__}"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


_LONGEST = 100
"""Letters of a name that a sentence repeats."""
