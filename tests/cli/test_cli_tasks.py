"""What commands say of tasks: sizes and classes, and what was not read, once."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nasbench.cli.tasks import task_rows
from nasbench.task import names

RECIPE = """
seeds = 1
[space]
name = "pairs"
nodes = 2
operations = ["none", "skip_connect"]
[task]
source = "folder"
path = "images"
size = 8
[recipe.1ep]
epochs = 1
channels = 2
cells = 1
batch_size = 16
"""
NOTES = [
    "not read: 1 hidden file (cat/._0.png)",
    "not read: 1 file (cat/a.jfif) of other kinds: 1 .jfif",
]


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A recipe on a folder of images in which two files are none."""
    rng = np.random.default_rng(0)
    for cls in ("cat", "dog"):
        (tmp_path / "images" / cls).mkdir(parents=True)
        for k in range(15):
            pixels = rng.integers(256, size=(8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / cls / f"{k}.png")
    for name in ("._0.png", "a.jfif"):
        (tmp_path / "images" / "cat" / name).write_bytes(b"")
    (tmp_path / "own.toml").write_text(RECIPE)
    return tmp_path / "own.toml"


def test_build_says_once_what_was_not_read_and_info_shows_it(cli, own):
    said = [f"nasbench: task images: {note}" for note in NOTES]
    words = ("build", own, "--out", own.with_name("t.h5"), "--workers", 1, "--hardware", "cpu")
    dry = cli(*words, "--dry-run")
    assert (dry.status, dry.err.splitlines()) == (0, said)
    lines = [line.split(maxsplit=1) for line in dry.out.splitlines()]
    assert ["images", "19 train, 5 valid, 6 test; 8 x 8 pixels, 3 channels"] in lines
    assert ["classes", "2: cat, dog"] in lines
    made = cli(*words)
    assert (made.status, made.err.splitlines()) == (0, said)
    shown = cli("info", own.with_name("t.h5"))
    lines = [line.split(maxsplit=1) for line in shown.out.splitlines()]
    assert [text for name, text in lines if name == "note"] == NOTES
    assert ["images", "19 train, 5 valid, 6 test; 8 x 8 pixels, 3 channels"] in lines
    assert ["classes", "2: cat, dog"] in lines
    manifest = json.loads(cli("info", own.with_name("t.h5"), "--json").out)
    assert manifest["task"]["notes"] == NOTES
    assert "notes" not in manifest["recipe_file"]["task"]


def test_what_is_not_read_may_change_while_a_build_goes_on(own: Path) -> None:
    from nasbench.building import read_spec

    before = read_spec(own)
    (own.parent / "images" / "cat" / "b.txt").write_text("beside")
    after = read_spec(own)
    assert after.task.notes != before.task.notes
    assert after.describe() == before.describe()


def test_a_wrong_task_is_one_line_at_once(cli, own):
    own.write_text(RECIPE.replace("size = 8\n", ""))
    refused = cli("build", own, "--out", own.with_name("t.h5"))
    assert (refused.status, refused.out, len(refused.err.splitlines())) == (2, "", 1)
    assert "[task] with source 'folder' needs a size, as in size = 32" in refused.err
    strange = own.parent / "images" / "cat" / "two\nlines.png"
    strange.write_bytes(b"no image")
    own.write_text(RECIPE)
    refused = cli("build", own, "--out", own.with_name("t.h5"))
    assert (refused.status, refused.out, len(refused.err.splitlines())) == (2, "", 1)
    assert "two lines.png as an image" in refused.err


def test_as_much_is_shown_as_a_table_knows() -> None:
    assert task_rows({"name": "imported"}) == [("task", "imported")]
    classes = [f"class {k}" for k in range(100)]
    rows = dict(
        task_rows({"name": "t", "hash": "0" * 64, "classes": classes, "shape": [1, 28, 28]})
    )
    assert rows["task"] == "t, hash 0000000000000000"
    assert rows["images"] == "28 x 28 pixels, 1 channel"
    assert str(rows["classes"]).startswith("100: class 0, class 1, ")
    assert str(rows["classes"]).endswith("class 11, ...")


def test_tasks_that_ship_are_listed_and_shown(cli):
    listed = cli("tasks")
    assert (listed.status, listed.err) == (0, "")
    lines = dict(line.split(maxsplit=1) for line in listed.out.splitlines())
    assert list(lines) == list(names())
    assert (
        lines["banking77"] == "8,005 train, 1,998 valid, 3,080 test; 32 tokens of 1,403; 77 classes"
    )
    shown = cli("tasks", "spoken-digits").out
    assert "2,400 train, 300 valid, 300 test; sound 1 x 32 x 32 (log-mel)" in shown
    assert "by speaker  6 groups" in shown
    assert "CC BY-SA 4.0" in shown
    told = json.loads(cli("tasks", "iris", "--json").out)
    assert told["signal"] == {
        "kind": "features", "shape": [4], "dtype": "float32", "categories": [0, 0, 0, 0],
    }  # fmt: skip
    refused = cli("tasks", "irs")
    assert (refused.status, refused.out) == (2, "")
    assert refused.err == "nasbench: unknown task 'irs'; did you mean iris?\n"


def test_a_recipe_s_task_is_read_and_said(cli, own):
    shown = cli("tasks", own)
    assert shown.status == 0
    assert [line.split(maxsplit=1)[1] for line in shown.out.splitlines() if "note" in line] == NOTES
    text = '[task]\nsource = "none"\nname = "cartpole"\ninputs = [4]\noutputs = 2\n'
    own.write_text(text)
    rows = [line.split(maxsplit=1) for line in cli("tasks", own).out.splitlines()]
    assert [name for name, _ in rows] == ["task", "examples", "outputs", "source"]
    assert rows[1:] == [
        ["examples", "4 features"], ["outputs", "2: 0, 1"], ["source", "no examples"],
    ]  # fmt: skip
    own.write_text("seeds = 1\n")
    assert cli("tasks", own).err.endswith("own.toml has no task\n")


def test_a_number_is_named() -> None:
    shown = dict(
        task_rows(
            {
                "name": "houses",
                "classes": [],
                "shape": [2],
                "signal": {"kind": "features", "shape": [2], "dtype": "f", "categories": [0, 3]},
                "target": {"kind": "number", "names": ["price"]},
                "groups": {"town": 2},
            }
        )
    )
    assert shown == {
        "task": "houses",
        "examples": "2 features, 1 of them categories",
        "number": "price",
        "by town": "2 groups",
    }
