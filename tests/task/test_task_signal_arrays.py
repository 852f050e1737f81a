"""Arrays of any signal in `.npz` files: what they say they are, groups, times, and lies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nasbench.errors import NasbenchError
from nasbench.task import Signal, Target, Task, from_spec

N = 60
LABELS = np.arange(N) % 3
RNG = np.random.default_rng(0)
TOKENS = RNG.integers(0, 9, (N, 5), dtype=np.int64)
WORDS = np.array(["<pad>", "<unk>", *"abcdefg"])
COLUMNS = np.stack([np.arange(N) + 0.5, np.arange(N) % 4], 1)
MEL = RNG.integers(256, size=(N, 1, 8, 6), dtype=np.uint8)


def read(folder: Path, arrays: dict[str, Any], **options: Any) -> Task:
    np.savez(folder / "mine.npz", **arrays)
    return from_spec({"source": "npz", "path": "mine.npz", **options}, folder)


@pytest.mark.parametrize(
    ("arrays", "options", "signal"),
    [
        ({"images": TOKENS, "vocabulary": WORDS}, {}, Signal("tokens", (5,), "uint16", 9)),
        ({"images": TOKENS, "vocabulary": np.array([12])}, {},
         Signal("tokens", (5,), "uint16", 12)),
        ({"images": TOKENS}, {"vocabulary": 70_000, "kind": "tokens"},
         Signal("tokens", (5,), "int32", 70_000)),
        ({"images": TOKENS, "kind": np.array("tokens")}, {"vocabulary": 9},
         Signal("tokens", (5,), "uint16", 9)),
        ({"images": MEL, "kind": np.array(["audio"])}, {}, Signal("audio", (1, 8, 6), "uint8")),
        ({"images": MEL}, {"kind": "audio"}, Signal("audio", (1, 8, 6), "uint8")),
        ({"images": MEL[:, 0]}, {"kind": "audio"}, Signal("audio", (1, 8, 6), "uint8")),
        ({"images": COLUMNS}, {"kind": "audio"}, Signal("audio", (1, 2), "float32")),
        ({"images": COLUMNS}, {}, Signal("features", (2,), "float32", categories=(0, 0))),
        ({"images": TOKENS}, {"kind": "features"},
         Signal("features", (5,), "float32", categories=(0,) * 5)),
        ({"images": COLUMNS, "categories": np.array([0, 4])}, {},
         Signal("features", (2,), "float32", categories=(0, 4))),
    ],
)  # fmt: skip
def test_arrays_say_what_they_are(
    tmp_path: Path, arrays: dict[str, Any], options: dict[str, Any], signal: Signal
) -> None:
    task = read(tmp_path, {**arrays, "labels": LABELS}, **options)
    assert task.signal == signal
    assert task.target == Target("classes", ("0", "1", "2"))
    assert [len(of) for of in task.splits.values()] == [38, 10, 12]


def test_inputs_stay_with_their_targets_groups_and_names(tmp_path: Path) -> None:
    arrays = {
        "x_train": COLUMNS,
        "y_train": COLUMNS[:, 0] * 2,
        "x_Test": COLUMNS[:9],
        "y_Test": COLUMNS[:9, 0] * 2,
        "columns": np.array(["size", "town"]),
        "categories": np.array([0, 4]),
        "names_town": np.array(["A", "B", "C", "D"]),
        "who_train": np.arange(N) % 10,
        "who_test": np.full(9, 11),
        "junk": np.zeros(3),
    }
    task = read(tmp_path, arrays, target="price", group="who", groups=["town"])
    assert task.target == Target("number", ("price",))
    assert task.legend == {"columns": ("size", "town"), "columns/town": ("A", "B", "C", "D")}
    assert task.groups["town"] == ("A", "B", "C", "D")
    assert task.groups["who"] == (*map(str, range(10)), "11")
    assert task.notes == ("not read: 1 array (junk) of mine.npz",)
    for name, split in task.splits.items():
        assert (split.targets == split.inputs[:, 0] * 2).all()
        assert (split.groups["town"] == split.inputs[:, 1]).all()
        k = (split.inputs[:, 0] - 0.5).astype(int)
        assert (split.groups["who"] == (10 if name == "test" else k % 10)).all()
    assert not set(task.train.groups["who"]) & set(task.valid.groups["who"])


def test_times_and_groups_lie_beside_undivided_arrays(tmp_path: Path) -> None:
    arrays = {"images": COLUMNS, "labels": LABELS, "when": -np.arange(N), "group": np.arange(N) % 2}
    task = read(tmp_path, {**arrays, "groups": np.array(["x", "y"])}, time="when")
    first = [of.inputs[:, 0] for of in task.splits.values()]
    assert first[0].min() > first[1].max()
    assert first[1].min() > first[2].max()
    assert task.groups == {"group": ("x", "y")}
    texts = {
        **arrays,
        "labels": np.array(["no", "yes", "maybe"])[LABELS],
        "group": WORDS[np.arange(N) % 5],
    }
    task = read(tmp_path, texts, group="group")
    assert task.classes == ("maybe", "no", "yes")
    assert [len(set(of.groups["group"])) for of in task.splits.values()] == [3, 1, 1]


def test_whole_numbers_can_be_a_number_and_images_keep_their_groups(tmp_path: Path) -> None:
    task = read(tmp_path, {"images": COLUMNS, "labels": LABELS}, kind_of_target="number")
    assert task.target == Target("number", ("target",))
    images = MEL[:, 0, :6]
    arrays = {"images": images, "labels": LABELS, "classes": np.array(["a", "b", "c"])}
    task = read(tmp_path, arrays)
    assert task.classes == ("0", "1", "2")
    assert task.notes == ("not read: 1 array (classes) of mine.npz",)
    task = read(tmp_path, {**arrays, "group": np.arange(N) % 4}, kind="image", size=3)
    assert (task.classes, task.shape, task.notes) == (("a", "b", "c"), (1, 3, 3), ())
    assert task.groups == {"group": tuple("0123")}


@pytest.mark.parametrize(
    ("changes", "options", "told"),
    [
        ({"images": TOKENS}, {"kind": "word"}, "unknown kind of signal 'word'"),
        ({"images": TOKENS, "kind": np.array("words")}, {}, "images must be uint8"),
        ({"images": MEL, "kind": np.array("words")}, {}, "images are 8 x 6; give a size"),
        ({"images": TOKENS}, {"kind": "tokens"}, "how many ids do tokens have"),
        ({"images": TOKENS + 9}, {"kind": "tokens", "vocabulary": 9}, "with a vocabulary of 9"),
        ({"images": TOKENS - 1}, {"kind": "tokens", "vocabulary": 9}, "tokens run from -1"),
        ({"images": TOKENS}, {"kind": "tokens", "vocabulary": 10**12}, "below a vocabulary of 2"),
        ({"vocabulary": np.zeros((2, 2))}, {}, "holds 'vocabulary' that is"),
        ({"columns": np.array(["a"])}, {}, "names 1 columns, and has 2"),
        ({"categories": np.array([0])}, {}, "a number of categories for each"),
        ({"categories": np.array([0, 2])}, {}, "column 1 has 2 categories"),
        ({"images": COLUMNS * 1e300}, {}, "more than float32"),
        ({"images": COLUMNS[:, :, None]}, {"kind": "features"}, r"\[n, columns\], got float64"),
        ({"images": MEL[:, :, :, :, None]}, {"kind": "audio"}, "sounds must be uint8"),
        (
            {
                "labels": LABELS / 2,
            },
            {"kind_of_target": "classes"},
            "labels must be integers",
        ),
        ({"labels": np.full(N, np.nan)}, {}, "targets have values that are no numbers"),
        ({"labels": LABELS}, {"kind_of_target": "both"}, '"classes" or "number"'),
        ({}, {"group": "who"}, "has no array who_train"),
        ({}, {"group": "who", "time": "who"}, "leave one of the two out"),
        ({"who": np.arange(5)}, {"group": "who"}, r"60 train examples, and who is \[5\]"),
        ({"who": LABELS, "names_who": np.array(["a"])}, {"group": "who"}, "from 0 to 0, as many"),
        ({"who": np.full(N, np.nan)}, {"time": "who"}, "times who that are no numbers"),
        ({"who": LABELS, "who_train": LABELS}, {"group": "who"}, "has train who twice"),
    ],
)
def test_arrays_that_make_no_task_are_refused_in_one_sentence(
    tmp_path: Path, changes: dict[str, Any], options: dict[str, Any], told: str
) -> None:
    with pytest.raises(NasbenchError, match=told) as refused:
        read(tmp_path, {"images": COLUMNS, "labels": LABELS, **changes}, **options)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 500
