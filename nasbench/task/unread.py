"""Saying what was not read, or not as it was: counted, and named as far as a sentence bears it."""

from __future__ import annotations

from collections.abc import Sequence

from nasbench import _words

__all__ = ["counted", "named"]

_NAMED = 5
"""Names that a sentence has room for."""
_LONGEST = 60


def counted(names: Sequence[str], what: str, several: str = "") -> str:
    """How many there are of what, and the first of their names.

    Example:
        >>> counted(["a.txt", "b.txt"], "file")
        '2 files (a.txt, b.txt)'
        >>> counted(["a.txt"], "class", "classes")
        '1 class (a.txt)'
    """
    return f"{_words.counted(len(names), what, several)} ({named(names)})"


def named(names: Sequence[str]) -> str:
    """The first of some names."""
    shown = [_printable(name) for name in names[:_NAMED]]
    return ", ".join(shown + ["..."] * (len(names) > _NAMED))


def _printable(name: str) -> str:
    """A stranger's name, fit for a terminal."""
    text = "".join(letter if letter.isprintable() else "?" for letter in name)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
