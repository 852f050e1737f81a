"""The tasks that are shipped are those that tables name."""

from __future__ import annotations

import numpy as np
import pytest

import nasbench as nb
from nasbench.task.handwritten import handwritten


def test_fashion16_is_the_task_that_tables_name() -> None:
    task = nb.task("fashion16")
    assert task.hash == "e6e90f2502b84ad32d06885546aa2319b558443ed870699d18d724d77558d54b"
    assert {name: len(split) for name, split in task.splits.items()} == {
        "train": 10_000, "valid": 5_000, "test": 10_000,
    }  # fmt: skip
    assert (task.shape, len(task.classes)) == ((1, 16, 16), 10)
    assert task.about["licence"] == "MIT"
    assert np.bincount(task.test.labels).tolist() == [1_000] * 10
    # Of a class as many as its share, to a few images, in any first part of a split.
    for split, n in ((task.train, 10_000), (task.valid, 5_000)):
        for k in (100, 1_000, 1_500, 3_333, n):
            assert np.abs(np.bincount(split.labels[:k]) - k / 10).max() <= 4


def test_no_image_of_fashion16_is_in_two_splits() -> None:
    task = nb.task("fashion16")
    seen = {name: {image.tobytes() for image in s.images} for name, s in task.splits.items()}
    # A few images are in Fashion-MNIST twice; split at random, hundreds would show.
    assert len(seen["train"] & seen["valid"]) + len(seen["train"] & seen["test"]) < 10


@pytest.mark.parametrize("elsewhere", [False, True])
def test_the_file_of_digits_is_read_as_scikit_learn_reads_it(
    elsewhere: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sklearn.datasets import load_digits

    if elsewhere:
        monkeypatch.setattr("nasbench.task.handwritten.find_spec", lambda name: None)
    images, labels = handwritten()
    np.testing.assert_array_equal(images, load_digits().images)
    np.testing.assert_array_equal(labels, load_digits().target)


def test_digits_are_scikit_learn_s() -> None:
    from sklearn.datasets import load_digits

    task, source = nb.task("digits"), load_digits()
    assert (task.shape, len(task.classes)) == ((1, 8, 8), 10)
    assert sum(map(len, task.splits.values())) == 1_797
    levels = {np.rint(image * 255 / 16).astype(np.uint8).tobytes(): int(label)
              for image, label in zip(source.images, source.target, strict=True)}  # fmt: skip
    for split in task.splits.values():
        for image, label in zip(split.images, split.labels, strict=True):
            assert levels[image.tobytes()] == label
