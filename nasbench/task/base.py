"""Inputs and targets, split once into train, valid and test, and the hash that says so."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasbench._names import LONGEST, is_name
from nasbench._processes import memory
from nasbench._words import counted
from nasbench.errors import BadValue, NasbenchError, Unsupported
from nasbench.task.signal import Signal, Target, check_inputs, check_numbers, signal_of

__all__ = [
    "SPLITS",
    "Split",
    "Task",
    "as_labels",
    "check_classes",
    "check_names",
    "check_room",
]

SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("valid", "val", "validation"), "valid"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""What people call the three splits, in lower case."""

_IMAGES = Signal("image")
_CLASSES = Target("classes", ())


@dataclass(frozen=True, eq=False)
class Split:
    """Examples `[n, ...]`, what is to be answered for each, and to which groups each belongs.

    Any first part of a split holds the classes in nearly their overall shares, so that the
    first 1,000 examples are a stratified sample.

    Attributes:
        inputs: as the task's signal says, as in uint8 `[n, channels, height, width]`.
        targets: classes as int64 `[n]`, or numbers as float64 `[n]`.
        groups: by its name each grouping, int64 `[n]`: by speaker, say. Groups are kept for
            evaluation, and no network sees them; `Task.groups` has their names.

    Example:
        >>> split = Split(np.zeros((3, 1, 2, 2), np.uint8), np.array([0, 1, 0]))
        >>> len(split.first(2)), split.images is split.inputs
        (2, True)
    """

    inputs: NDArray[Any]
    targets: NDArray[Any]
    groups: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def images(self) -> NDArray[Any]:
        """The inputs, as image classification calls them."""
        return self.inputs

    @property
    def labels(self) -> NDArray[Any]:
        """The targets, as image classification calls them."""
        return self.targets

    def first(self, n: int) -> Split:
        """The first `n` examples, a stratified sample; 0 means all."""
        if n > len(self):
            what = "images" if self.inputs.ndim == 4 else "examples"
            raise NasbenchError(f"the split holds {len(self)} {what}, {n} were asked for")
        return self if n == 0 else self.take(slice(n))

    def take(self, which: slice | NDArray[np.intp]) -> Split:
        """Some of the examples, in this order."""
        groups = {name: of[which] for name, of in self.groups.items()}
        return Split(self.inputs[which], self.targets[which], groups)


@dataclass(frozen=True, eq=False)
class Task:
    """What architectures are trained on.

    Attributes:
        name: the task's name, as tables and recipes say it.
        train: what weights are fitted on.
        valid: what architectures are selected on.
        test: what the report looks up once the search is over.
        classes: the classes' names; label `k` is `classes[k]`. Empty where the target is none.
        about: where the examples come from, their licence, and how they were split.
        notes: what was not read, or not as it was: a sentence each.
        signal: what the inputs are; images by default.
        target: what is to be answered; the classes by default.
        groups: by the name of each grouping in the splits, the groups' names.
        legend: what numbers in the inputs stand for: `tokens` (the vocabulary), `columns` (their
            names) and, for each that has categories, `columns/NAME`.

    Example:
        >>> words = Split(np.array([[2, 3], [3, 0]], np.uint16), np.array([0, 1]))
        >>> Task("t", words, words, words, ("a", "b"), signal=Signal("tokens", vocabulary=4))
        <Task t: 2 train, 2 valid, 2 test, 2 tokens of 4, 2 classes>
    """

    name: str
    train: Split
    valid: Split
    test: Split
    classes: tuple[str, ...] = ()
    about: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    signal: Signal = _IMAGES
    target: Target = _CLASSES
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    legend: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.target.kind == "classes":
            object.__setattr__(self, "target", Target("classes", self.classes))
            check_names(self.name, self.classes)
        else:
            check_names(self.name, None)
        object.__setattr__(self, "signal", signal_of(self.signal, self.train.inputs))
        for name, split in self.splits.items():
            where = f"task {self.name}: {name}"
            check_inputs(where, self.signal, split.inputs)
            self._check_groups(where, split)
            if self.target.kind == "classes":
                as_labels(self.name, split.inputs, split.targets, len(self.classes))
            else:
                check_numbers(where, split.inputs, split.targets)
        if self.target.kind == "classes":
            what = "image" if self.signal.kind == "image" else "example"
            check_classes(self.name, "train", self.train, self.classes, what)

    def _check_groups(self, where: str, split: Split) -> None:
        if set(split.groups) != set(self.groups):
            raise BadValue(f"{where} has groups by {sorted(split.groups)}, not {list(self.groups)}")
        for name, names in self.groups.items():
            if not is_name(name) or not all(map(is_name, names)):
                raise BadValue(f"{where} groups by {name!r:.99} have names of printable letters")
        for name, groups in split.groups.items():
            count = len(self.groups[name])
            sound = groups.shape == (len(split),) and groups.dtype == np.int64
            if not sound or ((groups < 0) | (groups >= count)).any():
                raise BadValue(f"{where} groups by {name} must be one of {count} for each example")

    @property
    def _classifies_images(self) -> bool:
        return self.signal.kind == "image" and self.target.kind == "classes"

    def __repr__(self) -> str:
        sizes = ", ".join(f"{len(split):,} {name}" for name, split in self.splits.items())
        sizes = sizes if self.target.kind != "none" else "no examples"
        notes = "".join(f"; {note}" for note in self.notes)
        what = str(list(self.shape)) if self._classifies_images else str(self.signal)
        return f"<Task {self.name}: {sizes}, {what}, {self.target}{notes}>"

    @property
    def splits(self) -> dict[str, Split]:
        """The three splits by name."""
        return {"train": self.train, "valid": self.valid, "test": self.test}

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of an image, or of a spectrogram.

        Raises:
            Unsupported: where the task is made of something else.
        """
        if len(self.signal.shape) != 3:
            raise Unsupported(
                f"task {self.name} is made of {self.signal}: this takes images, which have "
                f"channels, height and width"
            )
        channels, height, width = self.signal.shape
        return channels, height, width

    @property
    def outputs(self) -> int:
        """How many numbers a network gives for an example: one a class, or 1 for a number."""
        return self.target.outputs

    @cached_property
    def hash(self) -> str:
        """SHA-256 over what is learned from and of, groups included: hex digits.

        Of a task without examples, over what goes in, what comes out, and its name.
        """
        digest = hashlib.sha256(json.dumps(self.classes).encode())
        if self.target.kind == "none":  # there is nothing else that tells two such tasks apart
            digest.update(json.dumps(self.name).encode())
        if not self._classifies_images:
            digest.update(json.dumps([self.signal.describe(), self.target.describe()]).encode())
        for name, split in self.splits.items():
            digest.update(f"{name} {split.inputs.shape}".encode())
            order = split.inputs.dtype.newbyteorder("<")
            digest.update(np.ascontiguousarray(split.inputs, dtype=order).data)
            digest.update(split.targets.astype(split.targets.dtype.newbyteorder("<")).tobytes())
            for by in sorted(split.groups):
                digest.update(json.dumps([by, self.groups[by]]).encode())
                digest.update(split.groups[by].astype("<i8").tobytes())
        return digest.hexdigest()

    def describe(self) -> dict[str, Any]:
        """What the task is; plain JSON values. Images in classes are what goes without saying.

        Of groups, which may be people, there is their number alone.
        """
        kinds: dict[str, Any] = {}
        if not self._classifies_images:
            kinds = {"signal": self.signal.describe(), "target": self.target.describe()}
        if self.groups:
            kinds["groups"] = {name: len(of) for name, of in self.groups.items()}
        return {
            "name": self.name,
            "hash": self.hash,
            "classes": list(self.classes),
            "shape": list(self.signal.shape),
            **kinds,
            "splits": {name: len(split) for name, split in self.splits.items()},
            "about": self.about,
        }

    def manifest(self) -> dict[str, Any]:
        """What a manifest says of the task: what it is, and what was not read where it was.

        The latter may change while the task stays what it is.
        """
        notes = {"notes": list(self.notes)} if self.notes else {}
        return {**self.describe(), **notes}


def check_names(name: str, classes: Sequence[str] | None) -> None:
    """Refuse a task that cannot be called so, or learned: names stand in tables, pages, terminals.

    Args:
        name: of the task.
        classes: their names; None where the target is no class.

    Raises:
        NasbenchError: where a name is too long or not printable, or classes are too few or alike.
    """
    for what, given in (("a task's name", [name]), (f"task {name}: a class's name", classes or ())):
        for one in given:
            if not is_name(one) or one.isspace():
                raise BadValue(f"{what} has 1 to {LONGEST} printable letters, got {one!r:.99}")
    if classes is None:
        return
    if len(set(classes)) < len(classes):
        raise BadValue(
            f"task {name}: two classes are called {Counter(classes).most_common(1)[0][0]!r}"
        )
    if len(classes) < 2:
        known = ", ".join(map(repr, classes)) or "none"
        raise BadValue(f"task {name} needs two classes or more, and has {known}")


def check_classes(
    name: str, split: str, examples: Split, classes: Sequence[str], what: str
) -> None:
    """Refuse a split of task `name` that has no example of a class; `what` examples are called."""
    counts = np.bincount(examples.targets, minlength=len(classes))
    if (counts == 0).any():
        raise BadValue(
            f"task {name}: class {classes[int(counts.argmin())]!r} has no {split} {what}: it needs "
            f"more {what}s, or a larger share of them there"
        )


def as_labels(
    name: str, inputs: NDArray[Any], labels: ArrayLike, classes: int, what: str = "labels"
) -> NDArray[np.int64]:
    """Labels as int64 `[n]`: as many as images, all below the number of classes."""
    given = np.asarray(labels)
    if given.ndim != 1 or given.dtype.kind not in "iu":
        raise NasbenchError(
            f"task {name}: {what} must be integers [n], got {given.dtype} {list(given.shape)}"
        )
    if len(given) != len(inputs):
        things = "images" if inputs.ndim == 4 else "examples"
        raise NasbenchError(f"task {name}: {len(inputs)} {things} but {len(given)} {what}")
    if len(given) and not 0 <= given.min() <= given.max() < classes:
        raise NasbenchError(
            f"task {name}: {what} run from {given.min()} to {given.max()}; "
            f"with {counted(classes, 'class', 'classes')} they must lie in 0 to {classes - 1}"
        )
    return given.astype(np.int64)


def check_room(n: int, each: int, what: str, advice: str) -> None:
    """Refuse more examples than memory holds twice: as they are read, and split.

    Args:
        n: how many there are.
        each: bytes of one.
        what: they are called.
        advice: what makes them smaller.
    """
    needed, there = 2 * n * each, memory()
    if there and needed > there:
        raise BadValue(
            f"{n:,} {what} take {needed / 2**30:,.1f} GiB while they are split, and this machine "
            f"has {there / 2**30:,.1f}: {advice}"
        )
