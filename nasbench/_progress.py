"""How long work says how far it is."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Progress", "silent"]

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many of its parts are done and how many there are."""


def silent(what: str, done: int, total: int) -> None:
    """Say nothing."""
