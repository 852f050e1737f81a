"""Splits are disjoint, stratified in every first part, and hashed; bad arrays are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasbench.errors import NasbenchError
from nasbench.task import Split, Task, make_task, mean_pool
from nasbench.task.pixels import as_images


def numbered(n: int, size: int = 2) -> np.ndarray:
    """Images that can be told apart: the number of each in its first pixels."""
    images = np.zeros((n, 1, size, size), dtype=np.uint8)
    images[:, 0, 0, 0], images[:, 0, 0, 1] = np.arange(n) % 256, np.arange(n) // 256
    return images


def numbers(split: Split) -> list[int]:
    first = split.images[:, 0, 0].astype(int)
    return (first[:, 0] + 256 * first[:, 1]).tolist()


# Twenty of a class are enough for each split to get some, whatever the seed.
SHARES = st.lists(st.integers(20, 60), min_size=2, max_size=6)


@st.composite
def labelled(draw: st.DrawFn) -> np.ndarray:
    """Labels of classes of uneven sizes, in any order."""
    labels = np.repeat(np.arange(len(counts := draw(SHARES))), counts)
    return np.random.default_rng(draw(st.integers(0, 99))).permutation(labels)


def task_of(labels: np.ndarray, **options: Any) -> Task:
    classes = tuple(f"class {k}" for k in range(labels.max() + 1))
    return make_task("toy", numbered(len(labels)), labels, classes=classes, **options)


@given(labels=labelled(), seed=st.integers(0, 2**32))
def test_splits_are_disjoint_and_keep_every_image_with_its_label(
    labels: np.ndarray, seed: int
) -> None:
    task = task_of(labels, valid=0.25, test_share=0.25, seed=seed)
    held = [number for split in task.splits.values() for number in numbers(split)]
    assert sorted(held) == list(range(len(labels)))
    for split in task.splits.values():
        assert split.labels.tolist() == labels[numbers(split)].tolist()
        assert split.labels.dtype == np.int64
    assert len(task.test) == round(0.25 * len(labels))
    assert len(task.valid) == round(0.25 * (len(labels) - len(task.test)))


@given(labels=labelled(), seed=st.integers(0, 2**32))
def test_every_first_part_is_stratified(labels: np.ndarray, seed: int) -> None:
    """In the first k of a split a class has its share of k, give or take a few images.

    A stretch of a stratified order holds floor or ceiling of each class's share of a stretch
    of time; times of stretches with the same number of images differ by the classes' roundings.
    """
    task = task_of(labels, valid=0.25, test_share=0.25, seed=seed)
    shares = np.bincount(labels) / len(labels)
    for split in task.splits.values():
        k = np.arange(1, len(split) + 1)
        held = np.cumsum(np.eye(len(shares))[split.labels], axis=0)
        assert (np.abs(held - k[:, None] * shares) <= 2 * (1 + len(shares) * shares)).all()


@given(labels=labelled(), seed=st.integers(0, 2**32))
def test_a_split_is_its_seed_s(labels: np.ndarray, seed: int) -> None:
    first, again = task_of(labels, seed=seed), task_of(labels, seed=seed)
    assert first.hash == again.hash
    assert [numbers(s) for s in first.splits.values()] == [
        numbers(s) for s in again.splits.values()
    ]
    assert task_of(labels, seed=seed + 1).hash != first.hash


def test_train_and_valid_can_be_given_in_images() -> None:
    labels = np.arange(100) % 5
    task = task_of(labels, train=30, valid=20, test=(numbered(10), np.arange(10) % 5))
    assert {name: len(split) for name, split in task.splits.items()} == {
        "train": 30, "valid": 20, "test": 10,
    }  # fmt: skip
    assert not set(numbers(task.train)) & set(numbers(task.valid))
    for split in task.splits.values():
        assert len(set(np.bincount(split.labels))) == 1
    assert task.describe() == {
        "name": "toy",
        "hash": task.hash,
        "classes": [f"class {k}" for k in range(5)],
        "shape": [1, 2, 2],
        "splits": {"train": 30, "valid": 20, "test": 10},
        "about": {"split": {"seed": 0, "stratified": True}},
    }
    assert repr(task) == "<Task toy: 30 train, 20 valid, 10 test, [1, 2, 2], 5 classes>"


def test_the_first_of_a_split_is_a_split() -> None:
    train = task_of(np.arange(40) % 2).train
    assert train.first(0) is train
    assert numbers(train.first(3)) == numbers(train)[:3]
    with pytest.raises(NasbenchError, match="holds 26 images, 27 were asked for"):
        train.first(27)


def test_the_hash_sees_every_pixel_label_and_class() -> None:
    base = task_of(np.arange(40) % 2)

    def changed(**values: Any) -> str:
        return Task(
            **{"name": "toy", **base.splits, "classes": base.classes, "about": {}, **values}
        ).hash

    images = base.valid.images.copy()
    images[3, 0, 1, 1] ^= 1
    labels = base.test.labels.copy()
    labels[[0, 1]] = labels[[1, 0]]
    hashes = {
        changed(),
        changed(valid=Split(images, base.valid.labels)),
        changed(test=Split(base.test.images, labels)),
        changed(classes=("class 0", "class one")),
        changed(train=base.valid, valid=base.train),
    }
    assert len(hashes) == 5
    assert base.hash in hashes
    assert changed(name="other", about={"source": "elsewhere"}) == base.hash


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"images": np.zeros((40, 1, 2, 2))}, "must be uint8 .* got float64"),
        ({"images": np.zeros((40, 2, 2), np.uint8)}, r"must be uint8 \[n, channels"),
        ({"images": numbered(39)}, "39 images but 40 labels"),
        ({"labels": np.arange(40) % 3}, "labels run from 0 to 2; with 2 classes .* 0 to 1"),
        ({"labels": np.arange(40) % 2 - 1}, "labels run from -1 to 0"),
        ({"labels": np.arange(40) / 40}, "labels must be integers .* got float64"),
        ({"labels": np.eye(2, dtype=int)[np.arange(40) % 2]}, r"integers \[n\], got int64 \[40, 2"),
        ({"labels": np.zeros(40, int)}, "class 'b' has no train image: it needs more images"),
        ({"labels": np.zeros(40, int), "classes": ("a",)}, "two classes or more, and has 'a'"),
        ({"labels": np.r_[1, np.zeros(39, int)]}, "class 'b' has no"),
        ({"valid": 32}, "32 images cannot give 0 train and 32 valid"),
        ({"valid": 0}, "cannot give 32 train and 0 valid"),
        ({"train": 30, "valid": 3}, "32 images cannot give 30 train and 3 valid"),
        ({"train": -4}, "cannot give -4 train"),
        ({"test_share": -0.1}, "test_share must lie between 0 and 1, got -0.1"),
        ({"test_share": 1.0}, "test_share must lie between 0 and 1, got 1.0"),
        ({"seed": -1}, "seed of a split is 0 or more, got -1"),
        ({"test": (numbered(4, 3), np.arange(4) % 2)}, r"test images are \[1, 3, 3\], train"),
        ({"test": (numbered(4), np.arange(3) % 2)}, "4 images but 3 test labels"),
        ({"test": (numbered(4), np.zeros(4, int))}, "class 'b' has no test image"),
    ],
)
def test_what_makes_no_task_is_refused(changes: dict[str, Any], told: str) -> None:
    usual: dict[str, Any] = {"images": numbered(40), "labels": np.arange(40) % 2}
    with pytest.raises(NasbenchError, match=told):
        make_task("toy", **{**usual, "classes": ("a", "b"), **changes})


# Arrays as images.


def test_images_are_read_whichever_way_their_axes_lie() -> None:
    grey = np.random.default_rng(0).integers(256, size=(4, 5, 6), dtype=np.uint8)
    colour = np.random.default_rng(1).integers(256, size=(4, 3, 5, 6), dtype=np.uint8)
    assert as_images("t", grey).tolist() == grey[:, None].tolist()
    assert as_images("t", grey[..., None]).tolist() == grey[:, None].tolist()
    assert as_images("t", colour).tolist() == colour.tolist()
    assert as_images("t", np.moveaxis(colour, 1, 3)).tolist() == colour.tolist()


@pytest.mark.parametrize(
    ("array", "told"),
    [
        (np.zeros((4, 5, 6)), "must be uint8 .* got float64"),
        (np.zeros((4, 30), np.uint8), r"images must be .* got \[4, 30\]"),
        (np.zeros((4, 5, 6, 7), np.uint8), r"got \[4, 5, 6, 7\]"),
        (np.zeros((2, 4, 3, 5, 6), np.uint8), r"got \[2, 4, 3, 5, 6\]"),
    ],
)
def test_arrays_of_the_wrong_shape_are_refused(array: np.ndarray, told: str) -> None:
    with pytest.raises(NasbenchError, match=told):
        as_images("t", array)


@given(
    height=st.integers(1, 9), width=st.integers(1, 9), size=st.integers(1, 6),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_mean_pooling_is_the_mean_of_blocks(height: int, width: int, size: int, seed: int) -> None:
    images = np.random.default_rng(seed).integers(256, size=(2, 3, height, width), dtype=np.uint8)
    block = 1
    while block * size < max(height, width):
        block += 1
    top, left = (block * size - height) // 2, (block * size - width) // 2
    pooled = mean_pool(images, size)
    assert (pooled.shape, pooled.dtype) == ((2, 3, size, size), np.uint8)
    for row in range(size):
        for column in range(size):
            total = np.zeros((2, 3))
            for y in range(row * block - top, (row + 1) * block - top):
                for x in range(column * block - left, (column + 1) * block - left):
                    if 0 <= y < height and 0 <= x < width:
                        total += images[:, :, y, x]
            mean = total / block**2
            assert (np.abs(pooled[:, :, row, column] - mean) <= 0.5 + 1e-4).all()


def test_images_that_have_the_size_stay_as_they_are() -> None:
    images = numbered(3, 4)
    assert mean_pool(images, 4).tolist() == images.tolist()
    with pytest.raises(NasbenchError, match="size is 1 or more, got 0"):
        mean_pool(images, 0)
