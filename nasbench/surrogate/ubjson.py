"""UBJSON as XGBoost writes it (https://ubjson.org): texts, whole numbers, arrays of one type."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["big_endian", "head", "text_of", "ubjson", "whole"]

_MARKS = {"float32": b"d", "int32": b"l", "int64": b"L", "uint8": b"U"}


def ubjson(value: Any) -> bytes:
    """A document in UBJSON; bytes are a part that is written already."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, dict):
        return b"{" + b"".join(text_of(key) + ubjson(entry) for key, entry in value.items()) + b"}"
    if isinstance(value, np.ndarray):
        return head(value) + whole(len(value)) + big_endian(value)
    if isinstance(value, list):
        return b"[#" + whole(len(value)) + b"".join(map(ubjson, value))
    if isinstance(value, str):
        return b"S" + text_of(value)
    return b"l" + int(value).to_bytes(4, "big")


def text_of(text: str) -> bytes:
    """A text with its length, as the keys of an object are written."""
    return whole(len(text)) + text.encode("ascii")


def whole(number: int) -> bytes:
    """A length, or another whole number of 64 bits."""
    return b"L" + number.to_bytes(8, "big")


def head(array: NDArray[Any]) -> bytes:
    """What precedes the length of an array of one type."""
    return b"[$" + _MARKS[array.dtype.name] + b"#"


def big_endian(array: NDArray[Any]) -> bytes:
    """The numbers of an array as they follow its length."""
    return array.astype(array.dtype.newbyteorder(">")).tobytes()
