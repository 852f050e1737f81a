"""What things may be called: names stand in tables, files, pages and terminals."""

from __future__ import annotations

from contextlib import suppress

__all__ = ["KEYS", "LONGEST", "is_key", "is_name", "printable"]

LONGEST = 200
"""Characters of a name."""
KEYS = (
    f"1 to {LONGEST} printable characters, without backslashes, spaces or slashes at its ends, "
    f"and . or .. between slashes"
)
"""What `is_key` asks for, in words."""


def is_name(value: object) -> bool:
    """Whether a table, recipe, device, data set, task or class can be called so.

    Example:
        >>> [is_name(text) for text in ("T-shirt/top", "", "two\\nlines")]
        [True, False, False]
    """
    return isinstance(value, str) and 1 <= len(value) <= LONGEST and value.isprintable()


def is_key(value: object) -> bool:
    """Whether it is a name that can be part of the path of a data set, and of a file.

    No spaces at its ends, no backslash, and between slashes neither nothing nor `.` nor `..`.

    Example:
        >>> [is_key(text) for text in ("200ep", "cifar10/200ep", "..", "/etc", " 200ep")]
        [True, True, False, False, False]
    """
    return (
        isinstance(value, str)
        and is_name(value)
        and value == value.strip()
        and "\\" not in value
        and not {"", ".", ".."} & set(value.split("/"))
    )


def printable(text: str) -> str:
    """A stranger's text on one line, for terminals, tables and pages.

    What would move a cursor, change the direction of writing or cannot be encoded is a space;
    names of files that the locale could not read are shown in UTF-8, which they mostly are.

    Example:
        >>> printable("Who,\\n2026\\x1b[2J")
        'Who, 2026 [2J'
    """
    with suppress(UnicodeError):
        text = text.encode("utf-8", "surrogateescape").decode("utf-8")
    return "".join(letter if letter.isprintable() else " " for letter in text)
