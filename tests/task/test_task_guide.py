"""What the guide says of own tasks is so: its recipes, names, formats and what is passed over."""

from __future__ import annotations

import re
import tomllib
from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.io import wavfile

from nasbench.task import cells, from_spec, log_mel, names, signal, wav, without
from nasbench.task.base import SPLITS
from nasbench.task.images import MOST_BYTES, SUFFIXES
from nasbench.task.listing import PASSED_OVER
from nasbench.task.pixels import MOST_SIZE
from nasbench.task.registry import KINDS as KEYS

GUIDE = resources.files("nasbench") / "guide"
TEXT = (GUIDE / "own-task.md").read_text(encoding="utf-8")


def quoted(text: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", text))


def section(title: str) -> str:
    return TEXT.split(f"## {title}\n")[1].split("\n## ")[0]


def test_its_recipes_are_read(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for cls in ("cat", "dog"):
        (tmp_path / "my-images" / cls).mkdir(parents=True)
        for k in range(15):
            pixels = rng.integers(256, size=(40, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "my-images" / cls / f"{k}.png")
    images = rng.integers(256, size=(30, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "mine.npz", images=images, labels=np.arange(30) % 2)
    cells: list[tuple[object, ...]] = [(f"of {k % 2}", ["cat", "dog"][k % 2]) for k in range(30)]
    pd.DataFrame(cells, columns=["text", "label"]).to_csv(tmp_path / "reviews.csv", index=False)
    cells = [(k, 100 + k % 4, f"house {k}", k / 2) for k in range(30)]
    houses = pd.DataFrame(cells, columns=["rooms", "postcode", "name", "price"])
    houses.to_csv(tmp_path / "houses.csv", index=False)
    (tmp_path / "digits").mkdir()
    for k in range(30):
        file = tmp_path / "digits" / f"{['cat', 'dog'][k % 2]}_{k // 3}_{k}.wav"
        wavfile.write(file, 8000, np.full(800, k, np.int16))
    found = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    tasks = [from_spec(tomllib.loads(text)["task"], tmp_path) for text in found]
    shapes = [task.signal.shape for task in tasks]
    assert shapes == [(3, 32, 32), (1, 8, 8), (1, 32, 32), (32,), (2,), (4,)]
    assert {task.classes for task in tasks[:4]} == {("cat", "dog")}
    assert tasks[4].target.kind == "number"
    assert tasks[4].signal.categories == (0, 5)


def test_every_task_that_ships_is_told() -> None:
    assert set(names()) <= quoted(section("What ships"))


def test_names_of_splits_and_images_are_those_that_are_read() -> None:
    assert quoted(section("Folders of images")) >= SUFFIXES
    lines = [line for line in section("Splits").splitlines() if line.startswith("| ")]
    for split in ("train", "valid", "test"):
        (row,) = (row for row in lines if row.startswith(f"| {split} |"))
        folders = quoted(row.split("|")[2])
        assert folders == {word for word, of in SPLITS.items() if of == split}


def test_what_is_passed_over_without_a_word_is_named() -> None:
    silent = quoted(section("What is passed over").split("- Counted")[0])
    by_git = {name for name in PASSED_OVER if name.startswith(".git")}
    assert silent | by_git == PASSED_OVER


def test_limits_are_those_that_hold() -> None:
    limits = (GUIDE / "limits.md").read_text(encoding="utf-8")
    assert f"{MOST_SIZE:,} pixels wide and high" in limits
    assert (
        f"{cells.LONGEST_CELL.bit_length() - 1} letters in a cell, {signal.MOST_COLUMNS:,}"
        in limits
    )
    assert f"ids of a vocabulary | {signal.MOST_LENGTH:,} and 2^24" in limits
    assert f"{wav.MOST_BYTES >> 20} MiB, 64 channels, {wav.MOST_RATE:,} samples" in limits
    assert f"{log_mel.MOST_BANDS} bands, {log_mel.MOST_FRAMES:,} frames" in limits
    assert f"2^28 numbers of an input, {without.MOST_OUTPUTS:,} outputs" in limits
    assert f"{MOST_BYTES >> 30} GiB, {Image.MAX_IMAGE_PIXELS:,} pixels" in limits


@pytest.mark.parametrize("key", KEYS)
def test_every_key_is_told(key: str) -> None:
    assert re.search(rf"[`\n]{key}\b", TEXT)
