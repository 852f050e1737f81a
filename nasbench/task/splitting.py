"""Splitting images and labels: stratified, seeded, and never what comes apart already."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasbench.errors import BadValue
from nasbench.task.base import Images, Split, Task, as_labels

__all__ = ["check_shares", "make_task"]

_SHARE = 0.2
"""Of the images that there are, where nothing else is said."""


def make_task(
    name: str,
    images: Images,
    labels: ArrayLike,
    *,
    classes: tuple[str, ...],
    own_valid: tuple[Images, ArrayLike] | None = None,
    test: tuple[Images, ArrayLike] | None = None,
    train: int = 0,
    valid: int | float | None = None,
    test_share: float | None = None,
    seed: int = 0,
    about: dict[str, Any] | None = None,
    notes: Sequence[str] = (),
) -> Task:
    """Split images into train, and into valid and test where none are given; stratified and seeded.

    Args:
        name: the task's name.
        images: uint8 `[n, channels, height, width]`.
        labels: integers `[n]`.
        classes: the classes' names.
        own_valid: validation images and labels that come apart; all of them are used.
        test: test images and labels that come apart; all of them are used.
        train: training images to keep; 0 keeps what valid (and test) leave.
        valid: how many images, or which share of them, select architectures; a fifth by default.
        test_share: the share that becomes the test split; a fifth by default.
        seed: of the split.
        about: source and licence.
        notes: what was not read, or not as it was: a sentence each.

    Raises:
        NasbenchError: where images and labels make no task, or a share is given of a split that
            comes apart.

    Example:
        >>> import numpy as np
        >>> images = np.zeros((30, 1, 4, 4), np.uint8)
        >>> make_task("blank", images, np.arange(30) % 2, classes=("even", "odd"))
        <Task blank: 19 train, 5 valid, 6 test, [1, 4, 4], 2 classes>
    """
    labels = as_labels(name, images, labels, len(classes))
    if seed < 0 or seed >= 2**63:
        bound = "is 0 or more" if seed < 0 else "is below 2**63"
        raise BadValue(f"task {name}: the seed of a split {bound}, got {seed}")
    apart = {split for split, own in (("valid", own_valid), ("test", test)) if own is not None}
    check_shares(name, apart, valid, test_share)
    rng = np.random.default_rng(seed)
    order = _stratified_order(labels, rng)
    parts = {}
    if test is None:
        n_test = round((_SHARE if test_share is None else test_share) * len(order))
        order, held = order[n_test:], order[:n_test]
        parts["test"] = Split(images[held], labels[held])
    else:
        parts["test"] = _given(name, "test", test, len(classes), rng)
    n_valid = 0
    if own_valid is None:
        share = _SHARE if valid is None else valid
        n_valid = share if isinstance(share, int) else round(share * len(order))
    n_train = train or len(order) - n_valid
    if (n_valid < 1 and own_valid is None) or n_train < 1 or n_valid + n_train > len(order):
        wanted = f"{n_train} train" + (f" and {n_valid} valid" if own_valid is None else "")
        raise BadValue(f"task {name}: {len(order)} images cannot give {wanted}")
    chosen, picked = order[:n_valid], order[n_valid : n_valid + n_train]
    split: dict[str, Any] = {"seed": seed, "stratified": True}
    if own_valid is None:
        parts["valid"] = Split(images[chosen], labels[chosen])
    else:
        parts["valid"] = _given(name, "valid", own_valid, len(classes), rng)
        split["valid"] = "given"
    return Task(
        name=name,
        train=Split(images[picked], labels[picked]),
        valid=parts["valid"],
        test=parts["test"],
        classes=classes,
        about={**(about or {}), "split": split},
        notes=tuple(notes),
    )


def check_shares(
    name: str,
    apart: Container[str],
    valid: int | float | None = None,
    test_share: float | None = None,
) -> None:
    """Refuse shares that are none, or of a split that comes apart, before images are read.

    Args:
        name: of the task.
        apart: the splits that come apart.
        valid: see `make_task`.
        test_share: see `make_task`.
    """
    for split, option, share in (("valid", "valid", valid), ("test", "test_share", test_share)):
        if share is not None and split in apart:
            raise BadValue(
                f"task {name} has {split} images of its own, all used: leave {option} out"
            )
    if test_share is not None and not 0 < test_share < 1:
        raise BadValue(f"task {name}: test_share must lie between 0 and 1, got {test_share}")
    if isinstance(valid, float) and not 0 < valid < 1:
        raise BadValue(
            f"task {name}: valid is a number of images, or a share between 0 and 1; got {valid}"
        )


def _given(
    name: str, split: str, own: tuple[Images, ArrayLike], classes: int, rng: np.random.Generator
) -> Split:
    """A split that comes apart, in an order of which every first part is stratified."""
    images, labels = own[0], as_labels(name, *own, classes, f"{split} labels")
    order = _stratified_order(labels, rng)
    return Split(images[order], labels[order])


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
