"""Every signal and target makes a task that says what it is, and refuses arrays that are not."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
import pytest

from nasbench.errors import NasbenchError, Unsupported
from nasbench.task import Signal, Split, Target, Task, get

N = 6
LABELS = np.arange(N) % 2
NUMBER = Target("number", ("price",))
INPUTS: dict[str, np.ndarray] = {
    "image": np.zeros((N, 1, 2, 2), np.uint8),
    "tokens": np.full((N, 3), 4, np.uint16),
    "mel": np.zeros((N, 1, 8, 5), np.uint8),
    "wave": np.zeros((N, 1, 9), np.float32),
    "features": np.array([[0.5, 2.0], [np.nan, 0.0]] * (N // 2), np.float32),
}
SIGNALS = {
    "image": Signal("image"),
    "tokens": Signal("tokens", vocabulary=5),
    "mel": Signal("audio"),
    "wave": Signal("audio"),
    "features": Signal("features", categories=(0, 3)),
}


def task_of(kind: str, target: Target | None = None, **changes: Any) -> Task:
    split = Split(INPUTS[kind], np.arange(N) / 2 if target else LABELS)
    values: dict[str, Any] = {"classes": () if target else ("a", "b"), "signal": SIGNALS[kind]}
    values |= {"target": target} if target else {}
    return Task(**{"name": "t", "train": split, "valid": split, "test": split, **values, **changes})


def test_image_classification_is_described_and_hashed_without_a_word_of_signals() -> None:
    """The hash from its parts, as every table that was built before has it."""
    task = task_of("image")
    digest = hashlib.sha256(json.dumps(["a", "b"]).encode())
    for name in ("train", "valid", "test"):
        digest.update(f"{name} {(N, 1, 2, 2)}".encode())
        digest.update(INPUTS["image"].tobytes() + LABELS.astype("<i8").tobytes())
    assert task.hash == digest.hexdigest()
    assert list(task.describe()) == ["name", "hash", "classes", "shape", "splits", "about"]
    assert get("fashion16").hash.startswith("e6e90f2502b84ad3")
    assert (task.signal, task.target) == (
        Signal("image", (1, 2, 2), "uint8"),
        Target("classes", ("a", "b")),
    )
    assert task.train.images is task.train.inputs
    assert task.train.labels is task.train.targets
    assert task.shape == (1, 2, 2)


@pytest.mark.parametrize("target", [None, NUMBER])
@pytest.mark.parametrize("kind", list(INPUTS))
def test_each_signal_and_target_says_what_it_is(kind: str, target: Target | None) -> None:
    task = task_of(kind, target)
    assert task.outputs == (1 if target else 2)
    said = task.describe()
    assert json.loads(json.dumps(said)) == said
    if kind != "image" or target:
        assert said["signal"]["kind"] == SIGNALS[kind].kind
        assert said["signal"]["shape"] == said["shape"] == list(INPUTS[kind].shape[1:])
        assert said["target"]["names"] == (["price"] if target else ["a", "b"])
    assert ("a number (price)" if target else "2 classes") in repr(task)
    if len(INPUTS[kind].shape) == 4:
        assert task.shape == INPUTS[kind].shape[1:]
    else:
        with pytest.raises(Unsupported, match=r"task t is made of .*: this takes images"):
            _ = task.shape


def test_a_hash_sees_signal_target_and_groups() -> None:
    base = task_of("tokens")
    groups = {"speaker": np.arange(N) % 3}
    grouped = Split(INPUTS["tokens"], LABELS, groups)
    apart: dict[str, Any] = dict.fromkeys(("train", "valid", "test"), grouped)
    hashes = {
        base.hash,
        task_of("tokens", signal=Signal("tokens", vocabulary=6)).hash,
        task_of("tokens", NUMBER).hash,
        task_of("tokens", Target("number", ("cost",))).hash,
        task_of("tokens", **apart, groups={"speaker": ("x", "y", "z")}).hash,
        task_of("tokens", **apart, groups={"speaker": ("x", "y", "w")}).hash,
    }
    assert len(hashes) == 6
    assert task_of("tokens", name="other", legend={"tokens": ("a",)}).hash == base.hash
    by_speaker = task_of("tokens", **apart, groups={"speaker": ("x", "y", "z")})
    assert by_speaker.describe()["groups"] == {"speaker": 3}
    with pytest.raises(NasbenchError, match=r"groups by 'speaker' have names of printable"):
        task_of("tokens", **apart, groups={"speaker": ("x", "y", "a\nb")})
    assert grouped.first(2).groups["speaker"].tolist() == [0, 1]


def holed(value: float, place: tuple[int, ...] = (0, 0)) -> np.ndarray:
    features = INPUTS["features"].copy()
    features[place] = value
    return features


@pytest.mark.parametrize(
    ("kind", "inputs", "changes", "told"),
    [
        ("tokens", np.full((N, 3), 5, np.uint16), {}, "run from 5 to 5; with a vocabulary of 5"),
        ("tokens", np.full((N, 3), -1, np.int32), {}, "tokens run from -1"),
        ("tokens", np.zeros((N, 3), np.float32), {}, r"integers \[n, length\] .* got float32"),
        ("tokens", np.zeros((N, 3), int), {"signal": Signal("tokens")}, "vocabulary of 2 to"),
        ("tokens", np.zeros((N, 0), int), {}, r"got int64 \[6, 0\]"),
        ("mel", np.zeros((N, 3, 8, 5), np.uint8), {}, "sounds must be uint8"),
        ("wave", np.full((N, 1, 9), np.inf, np.float32), {}, "values that are no numbers"),
        ("features", holed(np.inf), {}, "column 0 has infinite numbers"),
        ("features", holed(3, (0, 1)), {}, "column 1 has 3 categories, .* 0 to 2, and holds 3"),
        ("features", holed(np.nan, (1, 1)), {}, "column 1 has 3 categories, .* holds nan"),
        ("features", holed(0.5, (1, 1)), {}, "column 1 has 3 categories, .* holds 0.5"),
        ("features", INPUTS["features"].astype(float), {}, "must be float32 .* got float64"),
        (
            "features",
            INPUTS["features"],
            {"signal": Signal("features", categories=(0,))},
            "a number of categories for each",
        ),
        ("tokens", INPUTS["tokens"], {"groups": {"by": ("x",)}}, r"groups by \[\], not \['by'\]"),
    ],
)
def test_inputs_that_are_not_what_the_signal_says_are_refused(
    kind: str, inputs: np.ndarray, changes: dict[str, Any], told: str
) -> None:
    split = Split(inputs, LABELS)
    with pytest.raises(NasbenchError, match=told):
        task_of(kind, **{"train": split, "valid": split, "test": split, **changes})


@pytest.mark.parametrize(
    ("split", "told"),
    [
        (Split(INPUTS["mel"], np.array([np.nan] * N)), "targets have values that are no numbers"),
        (Split(INPUTS["mel"], np.zeros(N - 1)), r"targets must be float64 \[6\]"),
        (Split(INPUTS["mel"], LABELS), "must be float64 .* got int64"),
        (Split(INPUTS["mel"][..., :4], np.zeros(N)), r"valid sounds are \[1, 8, 4\], train sounds"),
        (
            Split(INPUTS["mel"], np.zeros(N), {"by": np.array([0, 0, 0, 0, 0, 2])}),
            "groups by by must be one of 2",
        ),
    ],
)
def test_numbers_and_groups_that_are_none_are_refused(split: Split, told: str) -> None:
    groups = {"groups": {"by": ("x", "y")}} if split.groups else {}
    train = Split(INPUTS["mel"], np.zeros(N), {name: np.zeros(N, int) for name in split.groups})
    with pytest.raises(NasbenchError, match=told):
        task_of("mel", NUMBER, train=train, test=train, valid=split, **groups)
