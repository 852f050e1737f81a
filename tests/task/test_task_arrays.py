"""Images in `.npz` files: own splits are used as they are, damaged and lying files are refused."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nasbench.errors import NasbenchError
from nasbench.task import arrays, base
from nasbench.task.readers import npz


def pairs(images: np.ndarray, labels: np.ndarray) -> set[tuple[bytes, int]]:
    return {(image.tobytes(), int(k)) for image, k in zip(images, labels, strict=True)}


def own(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


IMAGES = np.random.default_rng(0).integers(256, size=(60, 6, 6), dtype=np.uint8)
LABELS = np.arange(60) % 3
GOOD = own(images=IMAGES, labels=LABELS)


def test_an_npz_of_images_and_labels_is_a_task(tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    path.write_bytes(GOOD)
    task = npz(path, valid=0.5)
    assert (task.name, task.classes, task.shape) == ("mine", ("0", "1", "2"), (1, 6, 6))
    assert (len(task.train), len(task.valid), len(task.test)) == (24, 24, 12)
    held = set().union(*(pairs(s.images, s.labels) for s in task.splits.values()))
    assert held == pairs(IMAGES, LABELS)


def test_an_npz_with_test_images_of_its_own_keeps_them(tmp_path: Path) -> None:
    path = tmp_path / "keras.npz"
    path.write_bytes(
        own(
            x_train=np.stack([IMAGES] * 3, 3),
            y_train=LABELS[:, None].astype(np.uint8),
            x_test=np.stack([IMAGES[:9]] * 3, 3),
            y_test=LABELS[:9, None],
        )
    )
    task = npz(path, name="other", size=3, classes=("x", "y", "z"))
    assert (task.name, task.classes, task.shape) == ("other", ("x", "y", "z"), (3, 3, 3))
    assert sorted(task.test.labels.tolist()) == sorted(LABELS[:9].tolist())


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (GOOD[: len(GOOD) // 2], "cannot be read as an .npz file"),
        (b"", "cannot be read as an .npz file"),
        (own(images=IMAGES, labels=LABELS.astype(object)), "'labels', no array of plain numbers"),
        (own(images=IMAGES), "has no array 'labels'; it holds images"),
        (own(), "has no array 'images'; it holds nothing"),
        (own(x_train=IMAGES, labels=LABELS), "has no array 'y_train'"),
        (own(images=IMAGES / 255, labels=LABELS), "images must be uint8"),
        (own(images=IMAGES[0], labels=LABELS), "images must be"),
        (own(images=IMAGES[:, :5], labels=LABELS), "images are 5 x 6; give a size"),
        (own(images=IMAGES, labels=LABELS / 2), "labels must be integers"),
        (own(images=IMAGES, labels=LABELS[:0]), "labels must be integers"),
        (own(images=IMAGES, labels=LABELS[:50]), "60 images but 50 labels"),
        (own(images=IMAGES, labels=LABELS - 1), "labels run from -1 to 1"),
        (own(images=IMAGES, labels=2 * LABELS), "class '1' has no train image"),
    ],
)
def test_an_npz_that_is_no_task_is_refused(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "bad.npz"
    path.write_bytes(content)
    with pytest.raises(NasbenchError, match=told):
        npz(path)


def test_files_that_are_no_npz_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "single.npy", IMAGES)
    for path in (tmp_path / "single.npy", tmp_path / "absent.npz", tmp_path):
        with pytest.raises(NasbenchError, match=r"cannot be read as an \.npz|cannot read \.npz"):
            npz(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bit=st.integers(0, 8 * len(GOOD) - 1))
def test_a_flipped_bit_is_refused_or_changes_nothing(tmp_path: Path, bit: int) -> None:
    """Zip checks what it stores, but not all that it says of it."""
    damaged = bytearray(GOOD)
    damaged[bit // 8] ^= 1 << bit % 8
    path = tmp_path / "mine.npz"
    path.write_bytes(GOOD)
    whole = npz(path).hash
    path.write_bytes(damaged)
    try:
        assert npz(path).hash == whole
    except NasbenchError as error:
        assert str(path) in str(error)  # noqa: PT017


# Splits of one's own, told apart by their grey levels.


def grey(level: int, n: int = 40) -> np.ndarray:
    return np.full((n, 4, 4), level, np.uint8)


def labels(n: int = 40) -> np.ndarray:
    return np.arange(n) % 2


def levels(path: Path, **options: Any) -> dict[str, tuple[int, set[int]]]:
    """How many images of which grey levels each split has."""
    task = npz(path, **options)
    return {k: (len(s), set(s.images.ravel().tolist())) for k, s in task.splits.items()}


@pytest.mark.parametrize(
    ("train", "valid", "test"),
    [
        ("x_train y_train", "x_val y_val", "x_test y_test"),
        ("x_train y_train", "x_valid y_valid", ""),
        ("X_train Y_train", "X_Validation y_validation", "X_TEST Y_TEST"),
        ("train_images train_labels", "val_images val_labels", "test_images test_labels"),
        ("images labels", "valid_images valid_labels", "test_images test_labels"),
        ("images labels", "x_val y_val", ""),
        ("images labels", "", "test_images test_labels"),
        ("Training_Images Training_Labels", "", "Testing_images Testing_labels"),
        ("x_train y_train", "", ""),
    ],
)
def test_splits_that_are_there_are_used_and_only_the_others_drawn(
    tmp_path: Path, train: str, valid: str, test: str
) -> None:
    held = {}
    for names, level, n in ((train, 10, 40), (valid, 100, 20), (test, 200, 12)):
        if names:
            images, classes = names.split()
            held[images], held[classes] = grey(level, n), labels(n)[:, None]  # [n, 1]: MedMNIST
    path = tmp_path / "own.npz"
    path.write_bytes(own(**held))
    tested = 0 if test else 8  # a fifth of 40
    assert levels(path, train=20) == {
        "train": (20, {10}),
        "valid": (20, {100}) if valid else (round((40 - tested) / 5), {10}),
        "test": (12, {200}) if test else (tested, {10}),
    }


def test_a_split_that_is_there_takes_no_share(tmp_path: Path) -> None:
    path = tmp_path / "own.npz"
    held = {"x_train": grey(10), "y_train": labels(), "x_val": grey(9), "y_val": labels()}
    path.write_bytes(own(**held, x_test=grey(8), y_test=labels()))
    with pytest.raises(NasbenchError, match="has valid images of its own, all used: leave valid"):
        npz(path, valid=0.2)
    with pytest.raises(NasbenchError, match="has test images of its own, all used: leave test_sh"):
        npz(path, test_share=0.2)
    described = npz(path).describe()
    assert described["about"]["split"] == {"seed": 0, "stratified": True, "valid": "given"}
    assert npz(path).manifest() == described


@pytest.mark.parametrize(
    ("held", "told"),
    [
        ("images labels x_train y_train", "has train images twice, 'images' and 'x_train'"),
        ("images labels x_val y_val x_valid y_valid", "has valid images twice, 'x_val' and"),
        ("images labels x_test y_test test_images test_labels", "has test images twice"),
        ("images labels x_val", "has no array 'y_val'"),
        ("images labels test_labels", "has no array 'test_images'"),
        ("x_val y_val x_test y_test", "has no array 'images'; it holds x_val, y_val, x_test"),
        ("x_train Y_train y_train", "holds 'Y_train' and 'y_train': which of the two"),
    ],
)
def test_splits_that_are_not_clear_are_refused(tmp_path: Path, held: str, told: str) -> None:
    path = tmp_path / "own.npz"
    images = {key: key.lower().endswith("images") or key.lower()[0] == "x" for key in held.split()}
    path.write_bytes(own(**{key: grey(1) if of else labels() for key, of in images.items()}))
    with pytest.raises(NasbenchError, match=told):
        npz(path)


def test_arrays_that_are_not_read_are_named_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "more.npz"
    held = {"images": IMAGES, "labels": LABELS}
    path.write_bytes(own(**held))
    plain = npz(path)
    assert plain.notes == ()
    more = {"who": np.array([{"a": 1}], object), "x_extra": IMAGES, "y": LABELS, "mask": IMAGES > 3}
    path.write_bytes(own(**held, **more))
    task = npz(path)
    assert task.notes == ("not read: 4 arrays (who, x_extra, y, mask) of more.npz",)
    assert repr(task).endswith("3 classes; not read: 4 arrays (who, x_extra, y, mask) of more.npz>")
    assert task.hash == plain.hash
    assert task.describe() == {**plain.describe(), "name": "more"}
    assert task.manifest() == {**task.describe(), "notes": list(task.notes)}


@pytest.mark.parametrize("split", ["val", "test"])
def test_a_class_that_only_another_split_has_is_refused(tmp_path: Path, split: str) -> None:
    path = tmp_path / "own.npz"
    apart = {f"x_{split}": grey(1, 9), f"y_{split}": np.arange(9) % 3}
    path.write_bytes(own(images=grey(2), labels=labels(), **apart))
    with pytest.raises(NasbenchError, match=r"(valid|test) labels run from 0 to 2; with 2 classes"):
        npz(path)


# Files that say more of themselves than they hold.


def test_an_archive_that_unfolds_beyond_memory_is_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bomb.npz"
    path.write_bytes(own(images=np.zeros((4_000, 64, 64), np.uint8), labels=np.arange(4_000) % 2))
    assert path.stat().st_size < 1 << 17
    monkeypatch.setattr(arrays, "memory", lambda: 1 << 24)
    with pytest.raises(NasbenchError, match=r"bomb\.npz unfolds to 16,416,000 bytes; 5,592,405 at"):
        npz(path)


def rewritten(path: Path, old: bytes, new: bytes) -> None:
    """A good file, but that something else stands in its headers."""
    assert len(old) == len(new)
    with zipfile.ZipFile(io.BytesIO(GOOD)) as good, zipfile.ZipFile(path, "w") as other:
        for name in good.namelist():
            other.writestr(name, good.read(name).replace(old, new))


def test_shapes_are_read_as_python_2_wrote_them(tmp_path: Path) -> None:
    (tmp_path / "mine.npz").write_bytes(GOOD)
    rewritten(tmp_path / "old.npz", b"(60, 6, 6), }   ", b"(60L, 6L, 6L), }")
    assert npz(tmp_path / "old.npz").hash == npz(tmp_path / "mine.npz").hash


def test_a_header_that_lies_of_its_shape_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "lies.npz"
    rewritten(path, b"(60, 6, 6)", b"(9**9, 6,)")
    with pytest.raises(NasbenchError, match=r"lies\.npz holds 'images', no array of plain numbers"):
        npz(path)
    rewritten(path, b"(60, 6, 6)", b"(99, 6, 6)")
    with pytest.raises(NasbenchError, match=r"lies\.npz is damaged: 'images' is \[99, 6, 6\]"):
        npz(path)


def test_names_are_judged_before_anything_is_read(tmp_path: Path) -> None:
    path = tmp_path / "absent.npz"
    with pytest.raises(NasbenchError, match="a task's name has 1 to 200 printable letters"):
        npz(path, name="a\nb")
    with pytest.raises(NasbenchError, match="two classes are called 'a'"):
        npz(path, classes=("a", "b", "a"))
    with pytest.raises(NasbenchError, match="an image size is 4,096 at most"):
        npz(path, size=5_000)


def test_sizes_are_bounded_before_memory_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mine.npz"
    path.write_bytes(GOOD)
    with pytest.raises(NasbenchError, match="an image size is 4,096 at most, got 100000"):
        npz(path, size=100_000)
    monkeypatch.setattr(base, "memory", lambda: 1 << 20)
    with pytest.raises(NasbenchError, match=r"60 images of 1 x 200 x 200 take .* smaller size"):
        npz(path, size=200)


def test_a_pipe_is_no_archive_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.npz")
    with pytest.raises(NasbenchError, match=r"pipe\.npz: it is no regular file"):
        npz(tmp_path / "pipe.npz")
