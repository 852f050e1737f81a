"""Folders of pictures, a folder for each class."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nasbench.errors import NasbenchError
from nasbench.task.readers import folder


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
