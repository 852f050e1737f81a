"""Folders of pictures, a folder for each class."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from raw_images import png

from nasbench.errors import NasbenchError
from nasbench.task import base
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


def test_what_systems_leave_in_a_folder_is_passed_over_without_a_word(pictures: Path) -> None:
    for name in (".git", ".ipynb_checkpoints", "__MACOSX"):
        (pictures / name).mkdir()
    for place in (pictures, pictures / "cat"):
        for name in (".DS_Store", "Thumbs.db", "desktop.ini"):
            (place / name).write_bytes(b"")
    task = folder(pictures, size=6)
    assert task.classes == ("cat", "dog")
    assert task.notes == ()


# What is not read.


def flat(path: Path, level: int = 0, n: int = 1) -> None:
    """Pictures of one grey level, in a folder that is made."""
    path.mkdir(parents=True, exist_ok=True)
    for k in range(n):
        Image.fromarray(np.full((4, 4), level, np.uint8)).save(path / f"{k:02}.png")


def test_everything_that_is_not_read_is_counted_and_named(pictures: Path) -> None:
    plain = folder(pictures, size=6)
    flat(pictures, n=7)  # loose
    flat(pictures / "cat" / "session2", n=3)
    flat(pictures / "dog" / "deep" / "deeper", n=2)
    flat(pictures / "__old", n=1)
    for name in ("cat/a.jfif", "cat/b.JFIF", "dog/c.heic", "labels.csv", "dog/README"):
        (pictures / name).write_bytes(b"")
    for name in ("cat/._00.png", "cat/.hidden"):
        (pictures / name).write_bytes(bytes.fromhex("00051607") + bytes(78))
    task = folder(pictures, size=6)
    assert task.hash == plain.hash
    assert task.describe() == plain.describe()
    assert set(task.notes) == {
        "not read: 7 images (00.png, 01.png, 02.png, 03.png, 04.png, ...) beside class folders",
        "not read: 5 files (labels.csv, cat/a.jfif, cat/b.JFIF, dog/README, dog/c.heic) of other "
        "kinds: 2 .jfif, 1 .csv, 1 without suffix, 1 .heic",
        "not read: 2 folders (cat/session2, dog/deep) within class folders, with 5 images",
        "not read: 1 folder (__old) whose names begin with a dot or __, with 1 image",
        "not read: 2 hidden files (cat/._00.png, cat/.hidden)",
    }


# Splits of one's own, told apart by their grey levels.

LEVELS = {"train": 10, "valid": 100, "test": 200}


def levels(path: Path, **options: object) -> dict[str, tuple[int, set[int]]]:
    """How many images of which grey levels each split has."""
    task = folder(path, size=4, channels=1, **options)  # type: ignore[arg-type]
    return {k: (len(s), set(s.images.ravel().tolist())) for k, s in task.splits.items()}


@pytest.mark.parametrize(
    "names",
    [
        {"train": "train", "valid": "valid", "test": "test"},
        {"train": "Train", "valid": "Val", "test": "TEST"},
        {"train": "training", "valid": "validation", "test": "testing"},
        {"train": "train", "valid": "val"},
        {"train": "Train", "test": "Test"},
        {"train": "train"},
    ],
)
def test_splits_that_are_there_are_used_and_only_the_others_drawn(
    tmp_path: Path, names: dict[str, str]
) -> None:
    for split, name in names.items():
        for cls in "ab":
            flat(tmp_path / name / cls, LEVELS[split], 10)
    tested = 20 if "test" in names else 4  # a fifth of what is there
    left = 20 if "test" in names else 16
    validated = 20 if "valid" in names else round(left / 5)
    assert levels(tmp_path) == {
        "train": (left if "valid" in names else left - validated, {10}),
        "valid": (validated, {LEVELS["valid" if "valid" in names else "train"]}),
        "test": (tested, {LEVELS["test" if "test" in names else "train"]}),
    }


def test_what_lies_beside_splits_and_classes_that_one_lacks_is_said(tmp_path: Path) -> None:
    for place in ("train/a", "train/b", "test/a", "test/b", "test/c", "raw/a"):
        flat(tmp_path / place, n=6)
    flat(tmp_path, n=1)
    task = folder(tmp_path, size=4)
    assert task.classes == ("a", "b")
    assert set(task.notes) == {
        "not read: 1 class (test/c) that only test has, with 6 images",
        "not read: 1 folder (raw) beside the splits, with 6 images",
        "not read: 1 image (00.png) beside the splits",
    }


@pytest.mark.parametrize(
    ("places", "told"),
    [
        ("train/Cat train/dog val/cat val/dog", r"val has no folder of class Cat, and has cat, "),
        ("train/a train/b train/c test/a", r"test has no folder of class b, c: every split needs"),
        ("train/a train/b val/a val/b valid/a", r"has valid images twice, in val, valid"),
        ("train/a Train/a test/a", r"has train images twice, in Train, train"),
        ("a b test/a test/b", r"has test, but no train beside it: call the folder of the training"),
        ("train test/a", r"train has no class folders in it"),
    ],
)
def test_splits_that_are_not_clear_are_refused(tmp_path: Path, places: str, told: str) -> None:
    for place in places.split():
        flat(tmp_path / place)
    with pytest.raises(NasbenchError, match=told):
        folder(tmp_path, size=4)


def test_a_class_may_be_called_as_a_split_and_that_is_said(tmp_path: Path) -> None:
    for cls in ("invalid", "valid"):
        flat(tmp_path / cls, n=10)
    task = folder(tmp_path, size=4)
    assert task.classes == ("invalid", "valid")
    assert task.notes == ("valid is taken for a class: there is no train beside it",)


def test_a_share_of_a_split_that_is_there_is_refused(tmp_path: Path) -> None:
    for split in ("train", "val", "test"):
        for cls in "ab":
            flat(tmp_path / split / cls, n=4)
    (tmp_path / "train" / "a" / "00.png").write_bytes(b"not an image")  # none is read before
    with pytest.raises(NasbenchError, match="has valid images of its own, all used: leave valid"):
        folder(tmp_path, size=4, valid=0.5)
    with pytest.raises(NasbenchError, match="has test images of its own, all used: leave test_sh"):
        folder(tmp_path, size=4, test_share=0.5)


# What had to be done to images.


def icons(path: Path, colour: int, n: int = 10) -> None:
    """Discs and bars, whose shape is in their transparency alone."""
    y, x = np.mgrid[:8, :8]
    for cls, shape in (("disc", (y - 4) ** 2 + (x - 4) ** 2 < 9), ("bars", x % 4 < 2)):
        (path / cls).mkdir()
        for k in range(n):
            alpha = np.roll(shape, k % 4, 1) * 255
            pixels = np.dstack([np.full((8, 8, 3), colour), alpha]).astype(np.uint8)
            Image.fromarray(pixels).save(path / cls / f"{k}.png")


def test_icons_show_on_white_and_where_they_do_not_the_task_is_refused(tmp_path: Path) -> None:
    icons(tmp_path, 0)
    task = folder(tmp_path, size=8, channels=1)
    assert len({image.tobytes() for image in task.train.images}) > 2
    assert task.notes == (
        "20 images (bars/0.png, bars/1.png, bars/2.png, bars/3.png, bars/4.png, ...) with "
        "transparency, laid on white",
    )
    told = "20 images .* with transparency are of one colour on black, in all classes: give another"
    for black in ("black", "#000000", 0, [0, 0, 0]):
        with pytest.raises(NasbenchError, match=told.replace("black", ".*")):
            folder(tmp_path, size=8, background=black)
    grey = folder(tmp_path, size=8, channels=1, background="#808080")
    assert set(np.unique(grey.train.images)) == {0, 128}


def test_icons_that_are_lost_in_some_classes_are_counted(tmp_path: Path) -> None:
    icons(tmp_path, 255)
    with pytest.raises(NasbenchError, match="of one colour on white, in all classes"):
        folder(tmp_path, size=8)
    flat(tmp_path / "disc", 7, 10)
    for file in (tmp_path / "disc").glob("?.png"):
        file.unlink()
    assert folder(tmp_path, size=8).notes[1].startswith("10 images (bars/0.png, bars/1.png")
    assert "of one colour now, which they were not before" in folder(tmp_path, size=8).notes[1]


def deep(path: Path, top: int) -> None:
    for cls in "ab":
        (path / cls).mkdir()
        for k in range(8):
            values = np.linspace(0, top, 64).astype(np.uint16).reshape(8, 8)
            Image.fromarray(np.roll(values, k, 1)).save(path / cls / f"{k}.png")


def test_grey_of_16_bits_says_how_bright_it_is(tmp_path: Path) -> None:
    deep(tmp_path, 4_095)
    task = folder(tmp_path, size=8, channels=1)
    assert task.train.images.max() == round(4_095 / 257)
    assert task.notes[0].endswith("of more than 8 bits, scaled to 8, the brightest value is 4,095")


@pytest.mark.parametrize("bands", [2, 3, 4])
def test_colours_and_alpha_of_16_bits_say_that_they_are_scaled(tmp_path: Path, bands: int) -> None:
    for cls in "ab":
        (tmp_path / cls).mkdir()
        for k in range(8):
            values = np.linspace(0, 65_535, 64 * bands).astype(np.uint16).reshape(8, 8 * bands)
            image = png(np.roll(values, k * bands, 1), {2: 4, 3: 2, 4: 6}[bands], 16)
            (tmp_path / cls / f"{k}.png").write_bytes(image)
    notes = folder(tmp_path, size=8).notes
    assert notes[-1].startswith("16 images (a/0.png, ")
    assert notes[-1].endswith(" of more than 8 bits, scaled to 8")
    assert [" with transparency, laid on white" in note for note in notes] == (
        [False] if bands == 3 else [True, False]
    )


def test_8_bits_in_16_are_refused(tmp_path: Path) -> None:
    """They would be black: what writes masks and levels as 16 bits is common."""
    deep(tmp_path, 255)
    with pytest.raises(
        NasbenchError, match=r"16 images .* of 16 bits hold no value above 255: sav"
    ):
        folder(tmp_path, size=8)


@pytest.mark.parametrize("colour", ["whit", [1, 2], 300])
def test_a_background_that_is_no_colour_is_refused(pictures: Path, colour: object) -> None:
    with pytest.raises(NasbenchError, match="background is a colour, as in"):
        folder(pictures, size=8, background=colour)  # type: ignore[arg-type]


# What is no task.


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


def test_sizes_and_names_are_bounded_before_an_image_is_read(
    pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (pictures / "cat" / "0.png").write_bytes(b"not an image")
    with pytest.raises(NasbenchError, match="an image size is 4,096 at most, got 100000"):
        folder(pictures, size=100_000)
    monkeypatch.setattr(base, "memory", lambda: 1 << 20)
    with pytest.raises(NasbenchError, match=r"32 images of 3 x 200 x 200 take .* smaller size"):
        folder(pictures, size=200)


def test_a_class_whose_folder_has_no_name_to_show_is_refused(pictures: Path) -> None:
    (pictures / "cat").rename(pictures / "c\nat")
    (pictures / "dog" / "0.png").write_bytes(b"not an image")  # none is read before
    with pytest.raises(NasbenchError, match=r"a class's name has 1 to 200 printable .*'c\\nat'"):
        folder(pictures, size=8)


def test_a_task_is_called_as_its_folder_wherever_it_is_read_from(
    pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(pictures)
    assert folder(".", size=8).name == pictures.name


def test_a_pipe_that_is_called_as_an_image_is_refused(pictures: Path) -> None:
    os.mkfifo(pictures / "cat" / "x.png")
    with pytest.raises(NasbenchError, match=r"cannot read image .*x\.png: it is no regular file"):
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
