"""What things may be called: names stand in tables, files, pages and terminals."""

from __future__ import annotations

__all__ = ["LONGEST", "is_name"]

LONGEST = 200
"""Characters of a name."""


def is_name(value: object) -> bool:
    """Whether a table, recipe, device, data set, task or class can be called so.

    Example:
        >>> [is_name(text) for text in ("T-shirt/top", "", "two\\nlines")]
        [True, False, False]
    """
    return isinstance(value, str) and 1 <= len(value) <= LONGEST and value.isprintable()
