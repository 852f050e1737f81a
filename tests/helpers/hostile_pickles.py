"""Pickles that would do harm were they Python's to read."""

from __future__ import annotations

import builtins
import collections
import os
import pickle
import subprocess
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["Call", "hostile", "places"]


class Call:
    """Pickles as a call of anything."""

    def __init__(self, called: Any, *arguments: Any) -> None:
        self.called, self.arguments = called, arguments

    def __reduce__(self) -> Any:
        return self.called, self.arguments


def hostile(canary: Path) -> list[Any]:
    """Objects whose unpickling, were it Python's, would write the canary or worse."""
    write = f"open({str(canary)!r}, 'w')"
    return [
        Call(os.system, f"touch {canary}"),
        Call(eval, write),
        Call(exec, write),
        Call(open, str(canary), "w"),
        Call(subprocess.Popen, ["touch", str(canary)]),
        Call(subprocess.check_output, ["touch", str(canary)]),
        Call(getattr, "", "upper"),
        Call(os.mkdir, str(canary)),
        Call(Path.touch, canary),
        Call(builtins.__import__, "antigravity"),
        Call(np.load, str(canary)),
        Call(np.fromfile, str(canary)),
        Call(pickle.loads, pickle.dumps(Call(os.system, f"touch {canary}"))),
        Call(bytearray, 2**40),
        Call(map, eval, [write]),
        Call(collections.Counter, "aa"),
        np.array([Call(os.system, f"touch {canary}")], dtype=object),
        np.array([1], dtype="datetime64[s]"),
        np.ma.masked_array([1.0]),
    ]


def places(thing: Any) -> list[Any]:
    """A thing at every kind of place in data."""
    return [
        thing,
        [1, [thing]],
        {"a": {"b": thing}},
        (1, thing),
        OrderedDict(a=thing),
        Call(OrderedDict, [["a", thing]]),
        {"a": [1.0] * 2000, "z": thing},
    ]
