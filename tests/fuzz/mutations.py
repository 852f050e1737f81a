"""Mutations by structure: of plain JSON values, of text, of bytes."""

from __future__ import annotations

import copy
import zlib
from random import Random
from typing import Any

TEXTS = (
    *("", " ", ".", "..", "/", "../../etc/passwd", "a/b", "nul\0in", "new\nline", "\ufeff", "|"),
    *("$x_1$", "$", "=cmd|' /C calc'!A1", "<img src=x onerror=alert(1)>", "`rm`", "nan", "inf"),
    *("1e999", "-1", "0x10", "true", "null", "é", "数", "\ud7ff", "\ud800", "\x1b[2J"),
    *("a" * 255, "x" * 300, "x" * 70_000),
)
NUMBERS = (
    *(0, 1, -1, 2, 7, 255, 256, 2**31 - 1, 2**31, -(2**31) - 1, 2**32, 2**53 + 1, 2**63, -(2**63)),
    *(10**18, 10**30, 10**400, 0.0, -0.0, 0.5, 1e-300, 1e300, 3.5e38, -1e9),
)
PNG = b"\x89PNG\r\n\x1a\n"
"""How a PNG begins."""
CONSTANTS = (float("nan"), float("inf"), float("-inf"))


def value(rng: Random, *, strict: bool = False) -> Any:
    """A value that hardly anybody expects; without NaN and infinities where strict."""
    kind = rng.randrange(9)
    if kind < 3:
        return rng.choice(NUMBERS)
    if kind < 5:
        return rng.choice(TEXTS)
    if kind == 5 and not strict:
        return rng.choice(CONSTANTS)
    if kind == 6:
        return nested(rng.choice((3, 40, 150)), rng)
    return rng.choice(
        (None, True, False, [], {}, [[]], [None], {"": 0}, [1, "a", None], [0] * 5000)
    )


def nested(depth: int, rng: Random) -> Any:
    """Lists or tables within each other."""
    inner: Any = 0
    for _ in range(depth):
        inner = [inner] if rng.random() < 0.5 else {"a": inner}
    return inner


def places(document: Any, under: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all that is in a document, itself included."""
    found = [under]
    if isinstance(document, dict):
        for key, inner in document.items():
            found += places(inner, (*under, key))
    elif isinstance(document, list):
        shown = range(len(document)) if len(document) <= 20 else (0, 1, len(document) - 1)
        for place in shown:
            found += places(document[place], (*under, place))
    return found


def mutate(document: Any, rng: Random, *, strict: bool = False) -> Any:
    """A copy of plain JSON values in which one place, or a few, are something else."""
    changed = copy.deepcopy(document)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        every = places(changed)
        path = rng.choice(every)
        if not path:
            if rng.random() < 0.02:
                return value(rng, strict=strict)
            continue
        holder = changed
        for step in path[:-1]:
            holder = holder[step]
        _change(holder, path[-1], rng, changed, strict)
    return changed


def _change(holder: Any, key: Any, rng: Random, document: Any, strict: bool) -> None:
    kind = rng.randrange(8)
    if kind < 3:
        holder[key] = value(rng, strict=strict)
    elif kind == 3:
        del holder[key]
    elif kind == 4 and isinstance(holder, dict):
        holder[rng.choice(TEXTS)] = holder[key]
    elif kind == 4:
        holder.insert(key, copy.deepcopy(holder[key]))
    elif kind == 5:  # something of the right kind from elsewhere in the document
        others = places(document)
        holder[key] = copy.deepcopy(_at(document, rng.choice(others)))
    elif kind == 6 and isinstance(holder[key], (int, float)):
        holder[key] = holder[key] + rng.choice((-1, 1, 0.5, 1e9, -1e9))
    elif isinstance(holder[key], list) and holder[key]:
        holder[key] = holder[key][: rng.randrange(len(holder[key]))] * rng.choice((1, 1, 3))
    elif isinstance(holder[key], str):
        holder[key] = text(holder[key], rng)
    else:
        holder[key] = [holder[key]]


def _at(document: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        document = document[step]
    return document


def text(original: str, rng: Random) -> str:
    """The text with something cut out, doubled, put in or replaced."""
    cut, other = sorted((rng.randrange(len(original) + 1), rng.randrange(len(original) + 1)))
    kind = rng.randrange(4)
    if kind == 0:
        return original[:cut] + original[other:]
    if kind == 1:
        return original[:other] + original[cut:]
    if kind == 2:
        return original[:cut] + str(rng.choice((*TEXTS, *NUMBERS))) + original[cut:]
    return original[:cut] + str(rng.choice((*TEXTS, *NUMBERS))) + original[other:]


def data(original: bytes, rng: Random) -> bytes:
    """The bytes with some flipped, cut out, doubled or put in."""
    changed = bytearray(original)
    for _ in range(rng.choice((1, 1, 2, 8))):
        place = rng.randrange(len(changed) + 1)
        kind = rng.randrange(4)
        if kind == 0 and place < len(changed):
            changed[place] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del changed[place : place + rng.randrange(1, 64)]
        elif kind == 2:
            changed[place:place] = rng.randbytes(rng.randrange(1, 16))
        elif place < len(changed):
            changed[place] = rng.choice((0, 0x7F, 0x80, 0xFF))
    return bytes(changed)


def png(original: bytes, rng: Random) -> bytes:
    """A PNG with one chunk changed, its pixels before they are compressed; checksums are right."""
    chunks = []
    place = len(PNG)
    while place < len(original):
        end = place + 12 + int.from_bytes(original[place : place + 4])
        chunks.append((original[place + 4 : place + 8], original[place + 8 : end - 4]))
        place = end
    number = rng.randrange(len(chunks))
    kind, held = chunks[number]
    if kind == b"IDAT" and rng.random() < 0.7:
        held = zlib.compress(data(zlib.decompress(held), rng))
    else:
        held = data(held, rng)
    chunks[number] = (kind, held)
    return PNG + b"".join(
        len(held).to_bytes(4) + kind + held + zlib.crc32(kind + held).to_bytes(4)
        for kind, held in chunks
    )
