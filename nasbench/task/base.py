"""Images and labels, split once into train, valid and test, and the hash that says so."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasbench._names import LONGEST, is_name
from nasbench._processes import memory
from nasbench.errors import BadValue, NasbenchError

__all__ = [
    "SPLITS",
    "Images",
    "Split",
    "Task",
    "as_images",
    "as_labels",
    "check_memory",
    "check_names",
    "check_size",
    "mean_pool",
]

MOST_SIZE = 4096
"""Pixels that the side of a square image may have."""
SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("valid", "val", "validation"), "valid"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""What people call the three splits, in lower case."""

Images = NDArray[np.uint8]
"""Images, uint8 `[n, channels, height, width]`."""


@dataclass(frozen=True, eq=False)
class Split:
    """Images uint8 `[n, channels, height, width]` and labels int64 `[n]`.

    Any first part of a split holds the classes in nearly their overall shares, so that the
    first 1,000 images are a stratified sample.
    """

    images: Images
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, n: int) -> Split:
        """The first `n` images, a stratified sample; 0 means all."""
        if n > len(self):
            raise NasbenchError(f"the split holds {len(self)} images, {n} were asked for")
        return self if n == 0 else Split(self.images[:n], self.labels[:n])


@dataclass(frozen=True, eq=False)
class Task:
    """What architectures are trained on.

    Attributes:
        name: the task's name, as tables and recipes say it.
        train: what weights are fitted on.
        valid: what architectures are selected on.
        test: what the report looks up once the search is over.
        classes: the classes' names; label `k` is `classes[k]`.
        about: where the images come from, their licence, and how they were split.
        notes: what was not read, or not as it was: a sentence each.
    """

    name: str
    train: Split
    valid: Split
    test: Split
    classes: tuple[str, ...]
    about: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_names(self.name, self.classes)
        shape = self.train.images.shape[1:]
        for name, split in self.splits.items():
            images, labels = split.images, split.labels
            if images.dtype != np.uint8 or images.ndim != 4:
                raise NasbenchError(
                    f"task {self.name}: {name} images must be uint8 [n, channels, height, width], "
                    f"got {images.dtype} {list(images.shape)}"
                )
            if images.shape[1:] != shape:
                raise NasbenchError(
                    f"task {self.name}: {name} images are {list(images.shape[1:])}, "
                    f"train images {list(shape)}"
                )
            as_labels(self.name, images, labels, len(self.classes))
            counts = np.bincount(labels, minlength=len(self.classes))
            if (counts == 0).any():
                empty = self.classes[int(counts.argmin())]
                raise NasbenchError(
                    f"task {self.name}: class {empty!r} has no {name} image: it needs more images, "
                    f"or a larger share of them there"
                )

    def __repr__(self) -> str:
        sizes = ", ".join(f"{len(split):,} {name}" for name, split in self.splits.items())
        notes = "".join(f"; {note}" for note in self.notes)
        return (
            f"<Task {self.name}: {sizes}, {list(self.shape)}, {len(self.classes)} classes{notes}>"
        )

    @property
    def splits(self) -> dict[str, Split]:
        """The three splits by name."""
        return {"train": self.train, "valid": self.valid, "test": self.test}

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of an image."""
        channels, height, width = self.train.images.shape[1:]
        return channels, height, width

    @cached_property
    def hash(self) -> str:
        """SHA-256 over the splits' images, labels and the classes' names: hex digits."""
        digest = hashlib.sha256(json.dumps(self.classes).encode())
        for name, split in self.splits.items():
            digest.update(f"{name} {split.images.shape}".encode())
            digest.update(np.ascontiguousarray(split.images).data)
            digest.update(split.labels.astype("<i8").tobytes())
        return digest.hexdigest()

    def describe(self) -> dict[str, Any]:
        """What the task is; plain JSON values."""
        return {
            "name": self.name,
            "hash": self.hash,
            "classes": list(self.classes),
            "shape": list(self.shape),
            "splits": {name: len(split) for name, split in self.splits.items()},
            "about": self.about,
        }

    def manifest(self) -> dict[str, Any]:
        """What a manifest says of the task: what it is, and what was not read where it was.

        The latter may change while the task stays what it is.
        """
        notes = {"notes": list(self.notes)} if self.notes else {}
        return {**self.describe(), **notes}


def check_names(name: str, classes: Sequence[str]) -> None:
    """Refuse a task that cannot be called so, or learned: names stand in tables, pages, terminals.

    Raises:
        NasbenchError: where a name is too long or not printable, or classes are too few or alike.
    """
    for what, given in (("a task's name", [name]), (f"task {name}: a class's name", classes)):
        for one in given:
            if not is_name(one) or one.isspace():
                raise BadValue(f"{what} has 1 to {LONGEST} printable letters, got {one!r:.99}")
    if len(set(classes)) < len(classes):
        raise BadValue(
            f"task {name}: two classes are called {Counter(classes).most_common(1)[0][0]!r}"
        )
    if len(classes) < 2:
        known = ", ".join(map(repr, classes)) or "none"
        raise BadValue(f"task {name} needs two classes or more, and has {known}")


def as_labels(
    name: str, images: Images, labels: ArrayLike, classes: int, what: str = "labels"
) -> NDArray[np.int64]:
    """Labels as int64 `[n]`: as many as images, all below the number of classes."""
    given = np.asarray(labels)
    if given.ndim != 1 or given.dtype.kind not in "iu":
        raise NasbenchError(
            f"task {name}: {what} must be integers [n], got {given.dtype} {list(given.shape)}"
        )
    if len(given) != len(images):
        raise NasbenchError(f"task {name}: {len(images)} images but {len(given)} {what}")
    if len(given) and not 0 <= given.min() <= given.max() < classes:
        raise NasbenchError(
            f"task {name}: {what} run from {given.min()} to {given.max()}; "
            f"with {classes} classes they must lie in 0 to {classes - 1}"
        )
    return given.astype(np.int64)


def as_images(name: str, array: ArrayLike) -> Images:
    """uint8 `[n, h, w]`, `[n, h, w, c]` or `[n, c, h, w]`, c 1 or 3, as `[n, c, h, w]`."""
    images = np.asarray(array)
    if images.dtype != np.uint8:
        raise NasbenchError(f"task {name}: images must be uint8 (0 to 255), got {images.dtype}")
    if images.ndim == 3:
        return images[:, None]
    if images.ndim == 4 and images.shape[3] in (1, 3):
        return np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    if images.ndim == 4 and images.shape[1] in (1, 3):
        return images
    raise NasbenchError(
        f"task {name}: images must be [n, height, width], [n, height, width, 1 or 3] or "
        f"[n, 1 or 3, height, width], got {list(images.shape)}"
    )


def check_size(size: int) -> None:
    """Refuse a number that no image's side has."""
    if size < 1 or size > MOST_SIZE:
        bound = "1 or more" if size < 1 else f"{MOST_SIZE:,} at most"
        raise BadValue(f"an image size is {bound}, got {size}")


def check_memory(n: int, channels: int, size: int) -> None:
    """Refuse more images of this size than memory holds twice: as they are read, and split."""
    needed, there = 2 * n * channels * size**2, memory()
    if there and needed > there:
        raise BadValue(
            f"{n:,} images of {channels} x {size} x {size} take {needed / 2**30:,.1f} GiB while "
            f"they are split, and this machine has {there / 2**30:,.1f}: give a smaller size"
        )


def mean_pool(images: Images, size: int) -> Images:
    """Square images of `size`: zero-padded to a multiple of it, then mean-pooled, rounded."""
    check_size(size)
    n, channels, height, width = images.shape
    check_memory(n, channels, size)
    factor = -(-max(height, width) // size)
    pad = [(size * factor - side) for side in (height, width)]
    padded = np.pad(images, ((0, 0), (0, 0), *((p // 2, p - p // 2) for p in pad)))
    if factor == 1:
        return padded
    blocks = padded.reshape(n, channels, size, factor, size, factor)
    pooled: Images = np.rint(blocks.mean((3, 5), dtype=np.float32)).astype(np.uint8)
    return pooled
