"""Images and labels, split once into train, valid and test, and the hash that says so."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasbench.errors import NasbenchError

__all__ = ["Images", "Split", "Task", "as_images", "make_task", "mean_pool"]

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
    """

    name: str
    train: Split
    valid: Split
    test: Split
    classes: tuple[str, ...]
    about: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.classes) < 2:
            known = ", ".join(map(repr, self.classes)) or "none"
            raise NasbenchError(f"task {self.name} needs two classes or more, and has {known}")
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
            _as_labels(self.name, images, labels, len(self.classes))
            counts = np.bincount(labels, minlength=len(self.classes))
            if (counts == 0).any():
                empty = self.classes[int(counts.argmin())]
                raise NasbenchError(
                    f"task {self.name}: class {empty!r} has no {name} image: it needs more images, "
                    f"or a larger share of them there"
                )

    def __repr__(self) -> str:
        sizes = ", ".join(f"{len(split):,} {name}" for name, split in self.splits.items())
        return f"<Task {self.name}: {sizes}, {list(self.shape)}, {len(self.classes)} classes>"

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
        """What a manifest says of the task; plain JSON values."""
        return {
            "name": self.name,
            "hash": self.hash,
            "classes": list(self.classes),
            "shape": list(self.shape),
            "splits": {name: len(split) for name, split in self.splits.items()},
            "about": self.about,
        }


def make_task(
    name: str,
    images: Images,
    labels: ArrayLike,
    *,
    classes: tuple[str, ...],
    test: tuple[Images, ArrayLike] | None = None,
    train: int = 0,
    valid: int | float = 0.2,
    test_share: float = 0.2,
    seed: int = 0,
    about: dict[str, Any] | None = None,
) -> Task:
    """Split images into train and valid, and test where none are given; stratified and seeded.

    Args:
        name: the task's name.
        images: uint8 `[n, channels, height, width]`.
        labels: integers `[n]`.
        classes: the classes' names.
        test: test images and labels that come apart; without them `test_share` is split off.
        train: training images to keep; 0 keeps what valid (and test) leave.
        valid: how many images, or which share of them, select architectures.
        test_share: the share that becomes the test split where `test` is None.
        seed: of the split.
        about: source and licence.
    """
    labels = _as_labels(name, images, labels, len(classes))
    if seed < 0:
        raise NasbenchError(f"task {name}: the seed of a split is 0 or more, got {seed}")
    if test is None and not 0 < test_share < 1:
        raise NasbenchError(f"task {name}: test_share must lie between 0 and 1, got {test_share}")
    rng = np.random.default_rng(seed)
    order = _stratified_order(labels, rng)
    if test is None:
        n_test = round(test_share * len(order))
        order, held = order[n_test:], order[:n_test]
        held_out = Split(images[held], labels[held])
    else:
        test_labels = _as_labels(name, test[0], test[1], len(classes))
        shuffled = _stratified_order(test_labels, rng)
        held_out = Split(test[0][shuffled], test_labels[shuffled])
    n_valid = valid if isinstance(valid, int) else round(valid * len(order))
    n_train = train or len(order) - n_valid
    if n_valid < 1 or n_train < 1 or n_valid + n_train > len(order):
        raise NasbenchError(
            f"task {name}: {len(order)} images cannot give {n_train} train and {n_valid} valid"
        )
    chosen, picked = order[:n_valid], order[n_valid : n_valid + n_train]
    split = {"seed": seed, "stratified": True}
    return Task(
        name=name,
        train=Split(images[picked], labels[picked]),
        valid=Split(images[chosen], labels[chosen]),
        test=held_out,
        classes=classes,
        about={**(about or {}), "split": split},
    )


def _as_labels(name: str, images: Images, labels: ArrayLike, classes: int) -> NDArray[np.int64]:
    given = np.asarray(labels)
    if given.ndim != 1 or given.dtype.kind not in "iu":
        raise NasbenchError(
            f"task {name}: labels must be integers [n], got {given.dtype} {list(given.shape)}"
        )
    if len(given) != len(images):
        raise NasbenchError(f"task {name}: {len(images)} images but {len(given)} labels")
    if len(given) and not 0 <= given.min() <= given.max() < classes:
        raise NasbenchError(
            f"task {name}: labels run from {given.min()} to {given.max()}; "
            f"with {classes} classes they must lie in 0 to {classes - 1}"
        )
    return given.astype(np.int64)


def _stratified_order(labels: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """A random order in which every first part holds the classes in their shares.

    The i-th of a class's n images, in random order, goes to the place (i + u) / n with u
    uniform: each class is spread evenly over the order.
    """
    place = np.empty(len(labels))
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        place[members] = (np.arange(len(members)) + rng.random(len(members))) / len(members)
    return np.argsort(place, kind="stable")


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


def mean_pool(images: Images, size: int) -> Images:
    """Square images of `size`: zero-padded to a multiple of it, then mean-pooled, rounded."""
    if size < 1:
        raise NasbenchError(f"an image size is 1 or more, got {size}")
    n, channels, height, width = images.shape
    factor = -(-max(height, width) // size)
    pad = [(size * factor - side) for side in (height, width)]
    padded = np.pad(images, ((0, 0), (0, 0), *((p // 2, p - p // 2) for p in pad)))
    if factor == 1:
        return padded
    blocks = padded.reshape(n, channels, size, factor, size, factor)
    pooled: Images = np.rint(blocks.mean((3, 5), dtype=np.float32)).astype(np.uint8)
    return pooled
