"""Arrays of any signal in a `.npz` file: tokens, sound, features and images, with what they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench._files import utf8
from nasbench._npz import Npz, open_npz
from nasbench.errors import BadValue
from nasbench.task.array_names import (
    SIGNS,
    Pairs,
    find_pairs,
    lower_keys,
    numbered,
    pair_of,
    square_images,
)
from nasbench.task.base import SPLITS, Split, Task, as_labels, check_room
from nasbench.task.columns import Coded, code_groups, code_targets, kind_of_target
from nasbench.task.examples import as_float32, check_options
from nasbench.task.signal import Signal, Target, check_inputs, id_type
from nasbench.task.splitting import SplitPlan, check_shares, split_task
from nasbench.task.unread import counted

__all__ = ["ArrayOptions", "signal_task"]

_BESIDE = frozenset({"kind", "classes", "groups", *SIGNS})
_MOST_NAMES = 1 << 26
"""Bytes of a list of names."""


@dataclass(frozen=True, slots=True)
class ArrayOptions:
    """What `[task]` says of arrays.

    Attributes:
        kind: of the signal; nothing: as the file says it.
        size: mean-pool images to this size.
        vocabulary: how many ids tokens have, where the file does not say.
        classes: the classes' names, before those of the file.
        target: what a number is called.
        kind_of_target: `classes`, `number`, or nothing: floats are numbers.
        group: the arrays whose values no two splits may share.
        time: the arrays by whose order train comes before valid, and valid before test.
        groups: arrays, or columns with categories, that are kept for evaluation.
    """

    kind: str = ""
    size: int = 0
    vocabulary: int = 0
    classes: tuple[str, ...] = ()
    target: str = ""
    kind_of_target: str = ""
    group: str = ""
    time: str = ""
    groups: tuple[str, ...] = ()


def signal_task(
    path: Path,
    name: str,
    options: ArrayOptions,
    plan: SplitPlan,
    most: int,
    about: Mapping[str, Any],
) -> Task:
    """The task that the arrays of a file are.

    Args:
        path: of the file.
        name: of the task.
        options: see `ArrayOptions`.
        plan: of the splits.
        most: bytes of all arrays that are read.
        about: source and licence.

    Raises:
        NasbenchError: where the file is damaged, lacks an array, or an array is not what it is
            said to be.
    """
    plan = check_options(options.group, options.time, plan)
    along = {name.lower() for name in ("group", options.group, options.time, *options.groups)}
    along.discard("")

    def wanted(key: str) -> bool:
        lower = key.lower()
        stem, _, last = lower.rpartition("_")
        beside = lower in _BESIDE or lower.startswith("names_") or lower in along
        several = lower.removesuffix("s") in along
        return beside or several or pair_of(key) is not None or (last in SPLITS and stem in along)

    with open_npz(path, wanted=wanted, most=most) as file:
        pairs = find_pairs(file)
        check_shares(name, set(pairs) - {"train"}, plan.valid, plan.test_share, "example")
        reader = _Reader(file, name, options, pairs)
        signal, inputs, legend = reader.signal()
        target, targets = reader.targets(inputs)
        groups, keys = reader.groups(signal, inputs, legend)
        unread = [key for key in file.arrays if key not in reader.read] + file.passed_over
    parts = {
        split: Split(
            inputs[split], targets[split], {by: of.codes[split] for by, of in groups.items()}
        )
        for split in inputs
    }
    return split_task(
        name,
        parts,
        plan,
        signal=signal,
        target=target,
        keys=keys,
        about=about,
        notes=[f"not read: {counted(unread, 'array')} of {utf8(path.name)}"] if unread else (),
        groups={by: of.names for by, of in groups.items()},
        legend=legend,
    )


class _Reader:
    """Reads the arrays of one file, and remembers which."""

    def __init__(self, file: Npz, name: str, options: ArrayOptions, pairs: Pairs) -> None:
        self._file, self._name, self._options, self._pairs = file, name, options, pairs
        self._keys = lower_keys(file)
        self.read: set[str] = {self._keys["kind"]} if "kind" in self._keys else set()

    def _array(self, key: str) -> NDArray[Any]:
        self.read.add(key)
        return self._file.array(key)

    def _names(self, key: str) -> tuple[str, ...]:
        """A list of names, if the file has it."""
        if key not in self._keys:
            return ()
        header = self._file.arrays[self._keys[key]]
        if header.dtype.kind != "U" or len(header.shape) != 1 or header.size > _MOST_NAMES:
            raise self._file.fault(f"holds {key!r} that is {header}, not a list of names")
        return tuple(str(name) for name in self._array(self._keys[key]))

    def signal(self) -> tuple[Signal, dict[str, NDArray[Any]], dict[str, tuple[str, ...]]]:
        """What the inputs are, themselves by split, and what their numbers stand for."""
        inputs = {split: self._array(key) for split, (key, _) in self._pairs.items()}
        legend: dict[str, tuple[str, ...]] = {}
        kind = self._options.kind
        if kind == "image":
            size = self._options.size
            images = {s: square_images(self._name, of, size) for s, of in inputs.items()}
            return Signal("image"), images, legend
        if kind == "audio":
            return Signal("audio"), {s: self._as_sound(s, of) for s, of in inputs.items()}, legend
        if kind == "tokens":
            vocabulary = self._vocabulary(legend)
            signal = Signal("tokens", vocabulary=vocabulary)
            for split, of in inputs.items():
                check_inputs(
                    self._where(split), replace(signal, shape=of.shape[1:], dtype=of.dtype.name), of
                )
                inputs[split] = of.astype(id_type(vocabulary))
            return signal, inputs, legend
        rows, count = sum(map(len, inputs.values())), inputs["train"].shape[-1]
        check_room(rows, 12 * count, f"rows of {count:,} columns", "use fewer columns")
        inputs = {split: self._as_columns(split, of) for split, of in inputs.items()}
        return self._features(inputs["train"].shape[1], legend), inputs, legend

    def _where(self, split: str) -> str:
        return f"task {self._name}: {split}"

    def _as_sound(self, split: str, array: NDArray[Any]) -> NDArray[Any]:
        """uint8 `[n, 1, mels, frames]` or float32 `[n, 1, samples]`, with or without the 1."""
        if array.dtype.kind == "f":
            array = as_float32(self._where(split), array)
        sides = 3 if array.dtype == np.uint8 else 2
        return array[:, None] if array.ndim == sides else array

    def _as_columns(self, split: str, array: NDArray[Any]) -> NDArray[Any]:
        if array.ndim != 2 or array.dtype.kind not in "iuf":
            raise BadValue(
                f"{self._where(split)} features must be numbers [n, columns], got {array.dtype} "
                f"{list(array.shape)}"
            )
        return as_float32(self._where(split), array.astype(np.float64))

    def _vocabulary(self, legend: dict[str, tuple[str, ...]]) -> int:
        key = self._keys.get("vocabulary")
        if key and self._file.arrays[key].dtype.kind == "U":
            legend["tokens"] = self._names("vocabulary")
            return len(legend["tokens"])
        if key:
            self.read.add(key)
            return self._file.integers(key)[0]
        if not self._options.vocabulary:
            raise BadValue(
                f"task {self._name}: how many ids do tokens have? Say vocabulary in [task], or put "
                f"an array of the words, called vocabulary, into the file"
            )
        return self._options.vocabulary

    def _features(self, count: int, legend: dict[str, tuple[str, ...]]) -> Signal:
        columns = self._names("columns")
        categories = (0,) * count
        if key := self._keys.get("categories"):
            self.read.add(key)
            categories = tuple(self._file.integers(key))
        if columns and len(columns) != count:
            raise self._file.fault(f"names {len(columns)} columns, and has {count}")
        if columns:
            legend["columns"] = columns
        for column, several in zip(columns, categories, strict=False):
            if several and (names := self._names(f"names_{column.lower()}")):
                legend[f"columns/{column}"] = names
        return Signal("features", categories=categories)

    def targets(self, inputs: Mapping[str, NDArray[Any]]) -> tuple[Target, dict[str, NDArray[Any]]]:
        """What is to be answered, by split: floats are numbers, all else is classes."""
        found = {split: self._column(key) for split, (_, key) in self._pairs.items()}
        asked, name = self._options.kind_of_target, self._options.target or "target"
        kind_of_target((), asked)
        kinds = {of.dtype.kind for of in found.values()}
        if kinds == {"U"}:
            cells = {split: [str(cell) for cell in of] for split, of in found.items()}
            return code_targets(self._name, name, cells, asked or "classes")
        if asked == "number" or (not asked and "f" in kinds):
            return Target("number", (name,)), {s: of.astype(float) for s, of in found.items()}
        classes = self._options.classes or self._names("classes")
        classes = classes or numbered(self._file.source, found["train"])
        return Target("classes", classes), {
            split: as_labels(self._name, inputs[split], of, len(classes), f"{split} labels")
            for split, of in found.items()
        }

    def _column(self, key: str) -> NDArray[Any]:
        """An array `[n]`, or `[n, 1]` as one column."""
        array = self._array(key)
        return array.reshape(-1) if array.shape[1:] == (1,) else array

    def groups(
        self,
        signal: Signal,
        inputs: Mapping[str, NDArray[Any]],
        legend: Mapping[str, tuple[str, ...]],
    ) -> tuple[dict[str, Coded], Mapping[str, NDArray[Any]]]:
        """The groupings that are kept, and what the splits go by."""
        options = self._options
        found: dict[str, Coded] = {}
        there = ["group"] if self._of("group") else []
        for by in dict.fromkeys(
            [*there, *([options.group] * bool(options.group)), *options.groups]
        ):
            arrays = self._of(by)
            if not arrays and by in legend.get("columns", ()):
                place = legend["columns"].index(by)
                if count := signal.categories[place]:
                    names = legend.get(f"columns/{by}") or tuple(map(str, range(count)))
                    codes = {s: of[:, place].astype(np.int64) for s, of in inputs.items()}
                    found[by] = Coded(names, codes)
                    continue
            found[by] = self._grouping(by, self._complete(by, arrays, inputs))
        keys: Mapping[str, NDArray[Any]] = {}
        if options.group:
            keys = found[options.group].codes
        elif options.time:
            keys = self._complete(options.time, self._of(options.time), inputs)
            if any(of.dtype.kind not in "iuf" or not np.isfinite(of).all() for of in keys.values()):
                raise self._file.fault(f"has times {options.time} that are no numbers")
        return found, keys

    def _of(self, name: str) -> dict[str, str]:
        """By split the key of an array that goes with the inputs."""
        found: dict[str, str] = {}
        keys = [(name.lower(), "train"), *((f"{name.lower()}_{s}", of) for s, of in SPLITS.items())]
        for key, split in keys:
            if key in self._keys and split in found:
                raise self._file.fault(f"has {split} {name} twice: leave one out")
            if key in self._keys:
                found[split] = self._keys[key]
        return found

    def _complete(
        self, name: str, arrays: Mapping[str, str], inputs: Mapping[str, NDArray[Any]]
    ) -> dict[str, NDArray[Any]]:
        for split in inputs:
            if split not in arrays:
                raise self._file.fault(
                    f"has no array {name}_{split}: every split that comes apart needs {name}"
                )
        found = {split: self._column(arrays[split]) for split in inputs}
        for split, of in found.items():
            if of.shape != (n := len(inputs[split]),):
                raise self._file.fault(
                    f"has {n} {split} examples, and {arrays[split]} is {list(of.shape)}"
                )
        return found

    def _grouping(self, by: str, arrays: Mapping[str, NDArray[Any]]) -> Coded:
        names = self._names(f"names_{by.lower()}") or self._names(f"{by.lower()}s")
        if not names:
            return code_groups({s: [str(group) for group in of] for s, of in arrays.items()})
        for split, of in arrays.items():
            if of.dtype.kind not in "iu" or ((of < 0) | (of >= len(names))).any():
                raise BadValue(
                    f"{self._where(split)} groups by {by} must be whole numbers from 0 to "
                    f"{len(names) - 1}, as many as there are names"
                )
        return Coded(names, {split: of.astype(np.int64) for split, of in arrays.items()})
