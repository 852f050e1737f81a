"""Meta-features against closed forms, and the file that keeps them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from nasbench.errors import NasbenchError
from nasbench.space import CellSpace
from nasbench.task import Signal, Split, Target, Task, from_spec, get
from nasbench.transfer import Description, describe, image_features
from nasbench.transfer.description import FEATURES


def task_of(images: np.ndarray, labels: list[int]) -> Task:
    split = Split(images.astype(np.uint8), np.asarray(labels))
    names = tuple("abc"[: max(labels) + 1])
    return Task("drawn", split, split, split, names)


def test_classes_that_are_one_picture_each_explain_all_variance() -> None:
    images = np.zeros((4, 1, 2, 2))
    images[2:] = 255
    found = image_features(task_of(images, [0, 0, 1, 1]))
    assert found == {
        "train_images": 4,
        "classes": 2,
        "channels": 1,
        "side": 2.0,
        "imbalance": 0.0,
        "pixel_mean": 0.5,
        "pixel_std": 0.5,
        "contrast": 0.0,
        "gradient": 0.0,
        "colour": 0.0,
        "class_variance": 1.0,
    }
    assert found.keys() == FEATURES.keys()


def test_classes_that_look_alike_explain_none() -> None:
    images = np.zeros((4, 1, 2, 2))
    images[[0, 2]] = 255
    found = image_features(task_of(images, [0, 0, 1, 1]))
    assert found["class_variance"] == pytest.approx(0, abs=1e-6)


def test_a_chessboard_steps_everywhere_and_colour_is_between_channels() -> None:
    chess = 255 * (np.indices((4, 6)).sum(0) % 2)
    images = np.stack([np.stack([chess, chess, chess])] * 2)
    found = image_features(task_of(images, [0, 1]))
    assert found["gradient"] == pytest.approx(1)
    assert found["contrast"] == pytest.approx(0.5)
    assert found["side"] == pytest.approx(24**0.5)
    assert found["colour"] == 0
    images[:, 0], images[:, 1:] = 255, 0  # red: the deviation of (1, 0, 0)
    found = image_features(task_of(images, [0, 1]))
    assert found["colour"] == pytest.approx(2**0.5 / 3)
    assert found["gradient"] == 0


def test_imbalance_is_by_the_entropy_of_the_shares() -> None:
    images = np.zeros((4, 1, 2, 2))
    shares = np.asarray([0.75, 0.25])
    expected = 1 + (shares * np.log2(shares)).sum()  # of two classes the most is 1 bit
    found = image_features(task_of(images, [0, 0, 0, 1]))
    assert found["imbalance"] == pytest.approx(expected)
    assert found["class_variance"] == 0  # nothing varies


def test_a_description_comes_back_from_its_file(tmp_path: Path, mini: CellSpace) -> None:
    path = tmp_path / "mine.json"
    wrote = Description("mine", {"classes": 7}, "ab", mini, {3: 71.5, 62: 80.25})
    wrote.write(path)
    assert json.loads(path.read_text())["landmarks"] == {
        mini.string(3): 71.5,
        mini.string(62): 80.25,
    }
    read = describe(path)
    assert (read.name, read.features, read.hash) == ("mine", {"classes": 7}, "ab")
    assert read.landmarks == wrote.landmarks
    assert read.space is not None
    assert read.space.describe() == mini.describe()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[]", "has a name"),
        ("{", "it is not JSON"),
        ('{"name": "a", "clases": 3}', "unknown key 'clases'"),
        ('{"name": "a", "features": {"clases": 3}}', "did you mean classes"),
        ('{"name": "a", "features": {"classes": "3"}}', "classes must be a number"),
        ('{"name": "a", "features": {"classes": NaN}}', "NaN is no JSON"),
        ('{"name": "a", "features": [3]}', "features are numbers by name"),
        ('{"name": "a", "landmarks": {"|none~0|": 3}}', "landmarks are of a space"),
    ],
)
def test_what_is_no_description_is_told(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "mine.json"
    path.write_text(text)
    with pytest.raises(NasbenchError, match=why):
        describe(path)


def test_a_shipped_task_is_described_by_its_images_and_a_recipe_by_its_task(tmp_path: Path) -> None:
    digits = describe("digits")
    assert digits.features["classes"] == 10
    assert digits.features.keys() == FEATURES.keys()
    recipe = tmp_path / "mine.toml"
    recipe.write_text('task = "digits"\n')
    assert (describe(recipe).hash, describe(recipe).features) == (digits.hash, digits.features)
    with pytest.raises(NasbenchError, match="did you mean digits"):
        describe("digit")


def test_other_signals_are_told_by_what_does_not_need_images() -> None:
    tokens = Split(np.ones((6, 4), np.uint16), np.array([0, 0, 0, 0, 1, 2]))
    task = Task("t", tokens, tokens, tokens, ("a", "b", "c"), signal=Signal("tokens", vocabulary=3))
    shares = np.array([4, 1, 1]) / 6
    imbalance = 1 + (shares * np.log(shares)).sum() / np.log(3)
    expected = {"train_images": 6, "classes": 3, "imbalance": pytest.approx(imbalance)}
    assert image_features(task) == expected
    numbers = Split(tokens.inputs, np.arange(6.0))
    task = Task("t", numbers, numbers, numbers, signal=task.signal, target=Target("number", ("y",)))
    assert image_features(task) == {"train_images": 6}
    none = from_spec({"source": "none", "name": "pole", "inputs": [4], "outputs": 2})
    assert image_features(none) == {}
    sound = get("spoken-digits")
    assert image_features(sound).keys() == {"train_images", "classes", "imbalance"}
