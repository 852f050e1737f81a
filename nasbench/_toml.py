"""TOML files, of a bounded size and depth."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nasbench._files import read_text
from nasbench.errors import BadValue, DamagedFile, shown

__all__ = ["MOST_TOML", "read_toml"]

MOST_TOML = 1 << 20
"""Bytes that a TOML file may have: a thousand times what one written by hand has."""
_DEEPEST = 32
"""Tables and lists within each other in a TOML file, and parts of a dotted key."""
_LONGEST = 60
"""Letters of a key that an error repeats."""
_TOO_LARGE = "an integer has more than 64 bits"

# What TOML's grammar makes of a text, as far as depth goes: a string or comment (which may hold
# any sign), a quote that nothing closes (no parser gets beyond it), and what nests or ends a key.
# Possessive throughout, so that the time is linear whatever the text.
_TOML_TOKENS = re.compile(
    r"""
    (?P<text> \"{3} (?> [^"\\]+ | \\. | "(?!"") )*+ "{3,5}
            | '{3} (?> [^']+ | '(?!'') )*+ '{3,5}
            | "(?!"") (?> [^"\\\n]+ | \\[^\n] )*+ "
            | '(?!'') [^'\n]*+ '
            | \#[^\n]*+ )
    | (?P<unclosed> ["'] )
    | (?P<opens> [\[{] ) | (?P<closes> [\]}] ) | (?P<dot> \. ) | (?P<ends> [=,\n] )
    """,
    re.VERBOSE | re.DOTALL,
)


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """What a TOML file holds, within `MOST_TOML` bytes and a bounded depth.

    Integers have 64 bits, as TOML says; Python would read a million digits. Numbers are finite:
    TOML has `inf` and `nan`, but nothing that we read has a use for them.

    Raises:
        NasbenchError: as `read_text`, and where it is not TOML, or a number is not finite.
    """
    text = read_text(path, what, most=MOST_TOML)
    too_deep = BadValue(f"{path} is nested more than {_DEEPEST} deep: no {what} is")
    if _toml_depth(text) > _DEEPEST:
        raise too_deep
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DamagedFile(f"{path} is not TOML: {error}") from error
    except ValueError as error:  # of thousands of digits
        raise DamagedFile(f"{path} is not TOML: {_TOO_LARGE}") from error
    depth = 0
    level: list[tuple[str, Any]] = [("", values)]
    while level := [inner for name, value in level for inner in _inside(name, value)]:
        depth += 1
        if depth > _DEEPEST:  # dotted keys in tables in lists
            raise too_deep
        for name, value in level:
            if type(value) is int and not -(2**63) <= value < 2**63:
                raise DamagedFile(f"{path} is not TOML: {_TOO_LARGE}")
            if type(value) is float and not math.isfinite(value):
                raise BadValue(f"{path}: {shown(name)} must be a finite number, got {value}")
    return values


def _toml_depth(text: str) -> int:
    """Brackets within brackets, or parts of a key: the most of either.

    tomllib recurses once a bracket, and takes quadratic time over the parts of a key.
    """
    depth = dots = deepest = 0
    for token in _TOML_TOKENS.finditer(text):
        kind = token.lastgroup
        if kind == "unclosed":
            break
        if kind == "dot":
            dots += 1
        elif kind != "text":
            dots = 0
            depth += (kind == "opens") - (kind == "closes")
        deepest = max(deepest, depth, dots + 1)
    return deepest


def _inside(name: str, value: Any) -> Iterable[tuple[str, Any]]:
    """What a table or a list of that name holds: the values of a list go by the list's name."""
    if isinstance(value, dict):
        within = f"{name}." if name else ""
        return ((within + key[:_LONGEST], inner) for key, inner in value.items())
    return ((name, inner) for inner in value) if isinstance(value, list) else ()
