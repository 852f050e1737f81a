"""The few names that the pickles of measured data need, and what each is taken for.

Nothing is imported on behalf of a pickle: a name in it is a key of this list, and what it
makes is built here from checked arguments.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["NAMES", "WEIGHTS", "Name", "Names", "RefusedError", "Weights", "fill", "is_key"]

Names = Mapping[tuple[str, str], Callable[..., Any] | None]
"""What a pickle may name: what calling it makes, None where it is never called."""


class RefusedError(Exception):
    """What a pickle asks for and does not get; says it as the end of a sentence."""


class Name:
    """A global of a pickle: inert but for `make`, which stands for calling it."""

    __slots__ = ("make", "text")

    def __init__(self, text: str, make: Callable[..., Any] | None) -> None:
        self.text = text
        self.make = make

    def __repr__(self) -> str:
        return f"<{self.text}>"


class Weights:
    """A tensor of which nothing is read: results are numbers, weights are not looked at."""

    __slots__ = ()


class _Type:
    """A numpy dtype in the making: its byte order comes after it, as its state."""

    __slots__ = ("code", "order")

    def __init__(self, code: str) -> None:
        self.code = code
        self.order = "|"

    def get(self) -> np.dtype[Any]:
        return np.dtype(self.order + self.code)


_TYPE = re.compile(r"b1|[iu][1248]|f[248]|[SU][0-9]{1,4}")


def is_key(key: object) -> bool:
    """Whether a pickle may use it as a key of a dict or an item of a set.

    Only strings, bytes, integers and flat tuples of them: hashing deeper tuples overflows the
    C stack, or takes for ever where they share their parts.
    """
    if type(key) is tuple:
        # Their hash is known beforehand and easy to make equal, unless a string is in it.
        return all(type(part) in (str, int) for part in key) and str in map(type, key)
    return key is None or type(key) in (str, int, bytes, bool)


def _dict(pairs: object = ()) -> dict[Any, Any]:
    made: dict[Any, Any] = {}
    for pair in _sequence(pairs):
        key, value = _sequence(pair)
        if not is_key(key):
            raise RefusedError("uses something else than a string or a number as a key")
        if key in made:
            raise RefusedError(f"has the key {str(key)[:60]!r} twice")
        made[key] = value
    return made


def _defaultdict(factory: object = None) -> dict[Any, Any]:
    """A plain dict: what is missing is missing."""
    if factory is not None and not isinstance(factory, Name):
        raise RefusedError("has a defaultdict with an unknown factory")
    return {}


def _set(items: object = ()) -> set[Any]:
    members = _sequence(items)
    if not all(map(is_key, members)):
        raise RefusedError("has something else than strings and numbers in a set")
    return set(members)


def _encode(text: object, encoding: object) -> bytes:
    """How protocols 0 to 2 write bytes."""
    if type(text) is not str or encoding not in ("latin1", "latin-1"):
        raise RefusedError("has bytes in an unknown encoding")
    return text.encode("latin-1")


def _dtype(code: object, align: object = False, copy: object = True) -> _Type:
    if type(code) is not str or not _TYPE.fullmatch(code):
        raise RefusedError(f"has an array of type {str(code)[:20]!r}, which is not plain numbers")
    return _Type(code)


def _scalar(dtype: object, raw: object) -> Any:
    """A numpy number as Python's own, which holds every value of these types."""
    return _numbers(dtype, raw, (1,))[0].item()


def _reconstruct(kind: object, shape: object, code: object) -> NDArray[Any]:
    """An array that is still empty: its state comes after it, see `fill`."""
    if not isinstance(kind, Name) or kind.text != "numpy.ndarray":
        raise RefusedError("has an array of an unknown class")
    return np.zeros(0, dtype=np.uint8)


def _frombuffer(raw: object, dtype: object, shape: object, order: object) -> NDArray[Any]:
    return _numbers(dtype, raw, shape, "F" if order == "F" else "C")


def _numbers(dtype: object, raw: object, shape: object, order: Any = "C") -> NDArray[Any]:
    """An array of a copy of these bytes, which must be exactly as many as it takes.

    Python 2 wrote them as a string, of which each letter is a byte.
    """
    if type(raw) is str:
        raw = raw.encode("latin-1")
    if not isinstance(dtype, _Type) or not isinstance(raw, bytes | bytearray):
        raise RefusedError("has an array that is not made of a type and bytes")
    sizes = _sequence(shape)
    if len(sizes) > 8 or not all(type(n) is int and n >= 0 for n in sizes):
        raise RefusedError("has an array of an impossible shape")
    kind = dtype.get()
    if kind.kind == "U" and (np.frombuffer(raw, kind.str[0] + "u4") > 0x10FFFF).any():
        raise RefusedError("has an array of text that is none")
    if int(np.prod(sizes, dtype=object)) * kind.itemsize != len(raw) or not kind.itemsize:
        raise RefusedError("has an array whose bytes do not fill its shape")
    return np.frombuffer(bytearray(raw), kind).reshape(sizes, order=order)


def fill(made: object, state: object) -> None:
    """Give a state to what a name made: dtypes and arrays have one.

    That of an OrderedDict is attributes beside its items, such as torch gives them: dropped.
    """
    if isinstance(made, _Type):
        order = _sequence(state)[1]
        if order not in ("<", ">", "|", "="):
            raise RefusedError("has an array type of an unknown byte order")
        made.order = str(order)
    elif isinstance(made, np.ndarray):
        _, shape, dtype, fortran, raw = _sequence(state)
        filled = _numbers(dtype, raw, shape, "F" if fortran else "C")
        if made.shape != (0,):
            raise RefusedError("fills an array twice")
        # The pickle may hold the empty array elsewhere already: it is this one that is filled.
        made.__setstate__((1, filled.shape, filled.dtype, False, filled.tobytes()))  # type: ignore[arg-type]
    elif type(made) is not dict or type(state) is not dict:
        what = made.text if isinstance(made, Name) else f"a {type(made).__name__}"
        raise RefusedError(f"sets the state of {what}")


def _sequence(value: object) -> tuple[Any, ...] | list[Any]:
    if not isinstance(value, tuple | list):
        raise RefusedError("has something else where a sequence belongs")
    return value


_NUMPY: Mapping[str, Callable[..., Any]] = {
    "multiarray.scalar": _scalar,
    "multiarray._reconstruct": _reconstruct,
    "numeric._frombuffer": _frombuffer,
}

_BUILTINS: Mapping[str, Callable[..., Any] | None] = {
    "set": _set,
    "bytes": lambda: b"",  # how protocols 0 to 2 write no bytes; with arguments it is refused
    "list": None,
    "dict": None,
    "int": None,
    "float": None,
}

NAMES: Names = {
    ("collections", "OrderedDict"): _dict,
    ("collections", "defaultdict"): _defaultdict,
    ("_codecs", "encode"): _encode,
    ("numpy", "dtype"): _dtype,
    ("numpy", "ndarray"): None,
    **{
        (f"numpy.{core}.{place}", name): make
        for core, (path, make) in product(("core", "_core"), _NUMPY.items())
        for place, name in [path.split(".")]
    },
    **{
        (module, name): make
        for module in ("builtins", "__builtin__")
        for name, make in _BUILTINS.items()
    },
}
"""What every pickle may name."""

WEIGHTS: Names = {
    ("torch._utils", "_rebuild_tensor"): lambda *_: Weights(),
    ("torch._utils", "_rebuild_tensor_v2"): lambda *_: Weights(),
    ("torch._utils", "_rebuild_parameter"): lambda *_: Weights(),
    ("torch.storage", "_load_from_bytes"): lambda *_: Weights(),
    **{
        ("torch", f"{kind}Storage"): None
        for kind in ("Float", "Double", "Half", "BFloat16", "Long", "Int", "Byte", "Bool")
    },
}
"""What files with trained weights name beside: the weights are passed over."""
