"""Images from where they lie: what is shipped, published files, one's own; and damaged ones."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import nasbench as nb
from nasbench.errors import NasbenchError
from nasbench.task.readers import folder, npz

# What is shipped.


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


# One's own arrays.


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
        (GOOD[: len(GOOD) // 2], "cannot read .* as .npz of plain arrays"),
        (b"", "cannot read .* as .npz"),
        (own(images=IMAGES, labels=LABELS.astype(object)), "cannot read .* as .npz"),
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
        with pytest.raises(NasbenchError, match=r"cannot read .* as \.npz"):
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


# One's own pictures.


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for cls in ("cat", "dog"):
        (tmp_path / cls).mkdir()
        for i, suffix in enumerate(["png", "PNG", "bmp", "gif", "webp", "png", "png", "ppm"] * 2):
            pixels = rng.integers(256, size=(9, 12, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / cls / f"{i}.{suffix}", lossless=True)
    return tmp_path


def test_a_folder_of_class_folders_is_a_task(pictures: Path) -> None:
    (pictures / "cat" / "notes.txt").write_text("no image")
    task = folder(pictures, size=9, valid=4)
    assert (task.classes, task.shape, task.name) == (("cat", "dog"), (3, 9, 9), pictures.name)
    assert sum(map(len, task.splits.values())) == 32
    assert folder(pictures, size=4, channels=1).shape == (1, 4, 4)


def test_pictures_are_shrunk_by_the_mean_of_their_pixels(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    means = set()
    for cls in ("a", "b"):
        (tmp_path / cls).mkdir()
        for i in range(4):
            pixels = rng.integers(256, size=(8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / cls / f"{i}.png")
            blocks = pixels.reshape(2, 4, 2, 4, 3).mean((1, 3))
            means.add(tuple(np.rint(blocks.transpose(2, 0, 1)).astype(int).ravel().tolist()))
    task = folder(tmp_path, size=2, valid=2, test_share=0.25)
    images = np.concatenate([split.images for split in task.splits.values()]).reshape(8, -1)
    distance = np.abs(images[:, None].astype(int) - np.asarray(sorted(means))).max(2)
    assert (distance.min(1) <= 1).all()
    assert len(set(distance.argmin(1).tolist())) == 8


def test_what_systems_leave_in_a_folder_is_no_class(pictures: Path) -> None:
    for name in (".git", ".ipynb_checkpoints", "__MACOSX"):
        (pictures / name).mkdir()
    assert folder(pictures, size=6).classes == ("cat", "dog")


def test_a_folder_with_train_and_test_keeps_them_apart(pictures: Path, tmp_path: Path) -> None:
    apart = tmp_path / "apart"
    for part, numbers in (("train", range(12)), ("test", range(12, 16))):
        for cls in ("cat", "dog"):
            (apart / part / cls).mkdir(parents=True)
            for i in numbers:
                (source,) = (pictures / cls).glob(f"{i}.*")
                source.rename(apart / part / cls / source.name)
    task = folder(apart, size=6)
    assert len(task.test) == 8
    assert len(task.train) + len(task.valid) == 24


def test_a_folder_that_is_no_task_is_refused(pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(NasbenchError, match="is not a folder of class folders"):
        folder(tmp_path / "nowhere", size=8)
    with pytest.raises(NasbenchError, match="has no class folders in it"):
        folder(pictures / "cat", size=8)
    with pytest.raises(NasbenchError, match="1 or 3 channels, got 2"):
        folder(pictures, size=8, channels=2)
    with pytest.raises(NasbenchError, match="size is 1 or more, got 0"):
        folder(pictures, size=0)
    (pictures / "emu").mkdir()
    with pytest.raises(NasbenchError, match="emu has no image in it"):
        folder(pictures, size=8)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.png", b"not an image"),
        ("a.png", b""),
        ("a.ppm", b"P6 3 3 2x5 " + bytes(27)),  # Pillow raises a bare ValueError
        ("a.tif", b"II*\0\x08\0\0\0\x01\0"),
    ],
)
def test_a_file_that_is_no_image_is_named(pictures: Path, name: str, content: bytes) -> None:
    (pictures / "dog" / name).write_bytes(content)
    with pytest.raises(NasbenchError, match=f"cannot read .*{name} as an image"):
        folder(pictures, size=8)


def test_a_picture_cut_short_is_named(pictures: Path) -> None:
    victim = pictures / "dog" / "0.png"
    victim.write_bytes(victim.read_bytes()[:-40])
    with pytest.raises(NasbenchError, match=r"cannot read .*0\.png as an image"):
        folder(pictures, size=8)
