"""Tasks by name, or as a recipe file describes them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from nasbench._files import local
from nasbench.errors import BadValue, unknown
from nasbench.task.adult import adult
from nasbench.task.base import Task
from nasbench.task.readers import cifar10, digits, fashion16, folder, npz
from nasbench.task.rows import RowOptions
from nasbench.task.shipped import TABLES, banking77, spoken_digits, spoken_digits_speakers
from nasbench.task.sounds import sounds
from nasbench.task.splitting import SplitPlan
from nasbench.task.street import street_digits
from nasbench.task.tables import table
from nasbench.task.texts import texts
from nasbench.task.without import without_examples

__all__ = ["KINDS", "from_spec", "get", "names"]

_TASKS: Mapping[str, Callable[[], Task]] = {
    "fashion16": fashion16,
    "digits": digits,
    "street-digits": street_digits,
    "spoken-digits": spoken_digits,
    "spoken-digits-speakers": spoken_digits_speakers,
    "banking77": banking77,
    **TABLES,
}
_SOURCES: Mapping[str, Callable[..., Task]] = {
    "folder": folder,
    "npz": npz,
    "cifar10": cifar10,
    "sound": sounds,
    "text": texts,
    "table": table,
    "adult": adult,
    "none": without_examples,
}
_NEEDED = {
    "path": "a path",
    "size": "a size, as in size = 32: so many pixels wide and high images are made",
    "name": 'a name, as in name = "cartpole"',
    "inputs": "inputs, the shape of one example, as in inputs = [4]",
    "outputs": "outputs, as in outputs = 2: so many numbers a network gives",
}
_NAMES = 'a list of names, as in ["one", "other"]'
KINDS: Mapping[str, tuple[tuple[type, ...], str]] = {
    "path": ((str,), "a file or a folder, in quotes"),
    "name": ((str,), "a name of printable letters, in quotes"),
    "size": ((int,), "a whole number of pixels"),
    "channels": ((int,), "1 (grey) or 3 (colour)"),
    "background": ((str, int, list), 'a colour, as in "white", "#808080" or [255, 255, 255]'),
    "classes": ((list,), 'a list of names, as in ["cat", "dog"]'),
    "train": ((int,), "a number of images"),
    "valid": ((int, float), "a number of images, or a share of them"),
    "test_share": ((int, float), "a share of the images"),
    "seed": ((int,), "a whole number"),
    "files": ((str,), 'what is in names, as in "{class}_{speaker}_{take}"'),
    "form": ((str,), '"log-mel" or "waveform"'),
    "mels": ((int,), "a number of bands"),
    "frames": ((int,), "a number of windows"),
    "window_ms": ((int, float), "milliseconds"),
    "hop_ms": ((int, float), "milliseconds"),
    "text": ((str,), "the column of texts, in quotes"),
    "length": ((int,), "a number of words"),
    "vocabulary": ((int,), "a number of words"),
    "target": ((str,), "the column of what is to be answered, in quotes"),
    "kind_of_target": ((str,), '"classes" or "number"'),
    "columns": ((list,), _NAMES),
    "separator": ((str,), 'what is between cells, as in ";"'),
    "splits": ((str,), "the column that says each row's split, in quotes"),
    "group": ((str,), "what no two splits share, in quotes"),
    "time": ((str,), "what train is earlier by, in quotes"),
    "groups": ((list,), _NAMES),
    "categories": ((list,), _NAMES),
    "leave_out": ((list,), _NAMES),
    "inputs": ((list,), "the shape of one example, as in [4] or [3, 32, 32]"),
    "outputs": ((int,), "a number of outputs"),
    "kind": ((str,), '"image", "tokens", "audio" or "features"'),
}
"""Which types the values of [task] have, and what they are."""
_NUMBERS = frozenset({"background", "inputs"})
"""Lists that are of whole numbers; the others are of names."""


def names() -> tuple[str, ...]:
    """The names that `get` knows.

    Example:
        >>> "banking77" in names()
        True
    """
    return tuple(_TASKS)


@cache
def get(name: str) -> Task:
    """The shipped task of that name.

    Example:
        >>> get("iris")
        <Task iris: 96 train, 24 valid, 30 test, 4 features, 3 classes>
    """
    if name not in _TASKS:
        raise unknown("task", name, _TASKS)
    return _TASKS[name]()


def from_spec(spec: object, base: Path = Path()) -> Task:
    """The task that a recipe file names: a shipped one's name, or a table of its source.

    Args:
        spec: a name, or `{"source": "folder" | "npz" | "text" | "table" | ..., "path": ..., ...}`
            with the reader's other arguments.
        base: the folder that a relative path starts from.

    Raises:
        NasbenchError: where a key or a value is none of these, in one sentence.

    Example:
        >>> from_spec({"source": "none", "name": "cartpole", "inputs": [4], "outputs": 2})
        <Task cartpole: no examples, 4 features, 2 outputs>
    """
    if isinstance(spec, str):
        return get(spec)
    if not isinstance(spec, Mapping):
        raise BadValue(f"task is a name or a table [task], got {spec!r:.99}")
    options = dict(spec)
    source = options.pop("source", None)
    if not isinstance(source, str) or source not in _SOURCES:
        raise unknown("task source", source, _SOURCES)
    reader = _SOURCES[source]
    parameters = inspect.signature(reader).parameters
    known = _keys(parameters)
    for key, value in options.items():
        if key not in known:
            raise unknown("key of [task]", key, known)
        _check_kind(key, value)
    for key, needed in _NEEDED.items():
        required = key in parameters and parameters[key].default is inspect.Parameter.empty
        if required and key not in options:
            raise BadValue(f"[task] with source {source!r} needs {needed}")
    options = {
        key: tuple(value) if isinstance(value, list) and key != "background" else value
        for key, value in options.items()
    }
    for parameter, kind in _TOGETHER.items():
        if parameter in parameters:
            mine = {key: options.pop(key) for key in kind.known() & options.keys()}
            options[parameter] = kind(**mine)
    if "path" in options:
        return reader(base / local(options.pop("path")), **options)
    return reader(**options)


_TOGETHER: Mapping[str, type[RowOptions | SplitPlan]] = {"rows": RowOptions, "plan": SplitPlan}
"""Parameters of readers that hold several keys."""


def _keys(parameters: Mapping[str, inspect.Parameter]) -> frozenset[str]:
    """The keys of [task] that a reader with these parameters knows."""
    own = parameters.keys() - {"split", "about", *_TOGETHER}
    held = {key for name, kind in _TOGETHER.items() if name in parameters for key in kind.known()}
    return frozenset(own | held | (SplitPlan.known() if "split" in parameters else set()))


_LONGEST = 4096
"""Letters of a path, of all texts in [task] the longest."""
_UNUSUAL = re.compile("[\\x00-\\x1f\\x7f\\ud800-\\udfff]")
"""What no path has that can be shown in one line, or written at all."""


def _check_kind(key: str, value: object) -> None:
    kinds, expected = KINDS[key]
    sound = isinstance(value, kinds) and not isinstance(value, bool)
    if isinstance(value, list):
        kind = int if key in _NUMBERS else str
        sound = sound and bool(value) and all(type(one) is kind for one in value)
    elif isinstance(value, str):
        sound = sound and 0 < len(value) <= _LONGEST and not _UNUSUAL.search(value)
    if not sound:
        raise BadValue(f"[task]: {key} is {expected}, got {value!r:.99}")
