"""Tasks that ship: what they are, whose they are, and that they can be learned as they should."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifier

import nasbench
from nasbench.task import Task, get, names

HASHES = {
    "fashion16": "e6e90f2502b84ad3",
    "digits": "71d550b09e135a42",
    "street-digits": "9d5fbbff0cc60607",
    "spoken-digits": "e319faa822adb335",
    "spoken-digits-speakers": "5b54e6b1cd01176c",
    "banking77": "f8384c9217ba0d8d",
    "breast_cancer": "936cdd633c0bc629",
    "wine": "70425b1e1f871b79",
    "iris": "839038a95505c1c6",
    "digits-features": "af4c19f8380a74d2",
}
SHAPES = {
    "street-digits": ("image", (3, 16, 16), (6_000, 2_000, 3_000), 10),
    "spoken-digits": ("audio", (1, 32, 32), (2_400, 300, 300), 10),
    "banking77": ("tokens", (32,), (8_005, 1_998, 3_080), 77),
    "breast_cancer": ("features", (30,), (364, 91, 114), 2),
    "digits-features": ("features", (64,), (1_150, 288, 359), 10),
}


def test_the_names_are_those_that_are_pinned() -> None:
    assert set(names()) == set(HASHES)


@pytest.mark.parametrize("name", list(HASHES))
def test_a_shipped_task_stays_what_it_is(name: str) -> None:
    """Tables that were built on it name this hash."""
    task = get(name)
    assert task.hash.startswith(HASHES[name])
    assert task.name == name
    assert "licence" in task.about
    if name in SHAPES:
        sizes = tuple(map(len, task.splits.values()))
        assert SHAPES[name] == (task.signal.kind, task.signal.shape, sizes, task.outputs)


@pytest.mark.parametrize("file", ["fashion16", "banking77", "spoken_digits"])
def test_data_ships_with_its_notice(file: str) -> None:
    folder = resources.files("nasbench.task") / "data"
    notice = (folder / f"{file}.LICENSE").read_text(encoding="utf-8")
    assert f"{file}.npz is derived from" in notice
    assert "licen" in notice.lower()


def test_data_takes_few_megabytes() -> None:
    folder = Path(nasbench.__file__).parent / "task" / "data"
    assert sum(file.stat().st_size for file in folder.iterdir()) < 6_500_000


def bags(task: Task, split: str) -> np.ndarray:
    """How often each word is in each text `[n, vocabulary]`; 0 and 1 are none."""
    inputs = task.splits[split].inputs
    counts = np.zeros((len(inputs), task.signal.vocabulary), np.float32)
    np.add.at(counts, (np.arange(len(inputs))[:, None], inputs), 1)
    return counts[:, 2:]


def test_banking77_is_learned_by_a_bag_of_words() -> None:
    """Some four of five, as a linear model on words has it; guessing has one of seventy."""
    task = get("banking77")
    first = task.train.first(1_500)
    words = bags(task, "train")[:1_500]
    model = RidgeClassifier().fit(words, first.targets)
    assert 0.6 < model.score(bags(task, "valid")[:500], task.valid.targets[:500]) < 0.95


def test_spoken_digits_are_learned_by_a_linear_model() -> None:
    task = get("spoken-digits")
    assert task.groups["speaker"][:2] == ("george", "jackson")
    first = task.train.first(600)
    model = RidgeClassifier()
    model.fit(first.inputs.reshape(600, -1) / 255.0, first.targets)
    score = model.score(task.valid.inputs.reshape(300, -1) / 255.0, task.valid.targets)
    assert 0.7 < score < 0.99


def test_speakers_that_training_never_heard_are_harder() -> None:
    task = get("spoken-digits-speakers")
    held = [set(of.groups["speaker"].tolist()) for of in task.splits.values()]
    assert [len(of) for of in held] == [4, 1, 1]
    assert len(set.union(*held)) == 6
    assert [len(of) for of in task.splits.values()] == [2_000, 500, 500]
    first = task.train.first(600)
    model = RidgeClassifier()
    model.fit(first.inputs.reshape(600, -1) / 255.0, first.targets)
    assert 0.3 < model.score(task.test.inputs.reshape(500, -1) / 255.0, task.test.targets) < 0.85


def test_street_digits_are_beyond_a_linear_model_and_not_beyond_their_contrast() -> None:
    """A linear model is near guessing; the same digits are told apart once colour is gone."""
    task = get("street-digits")

    def lightness(split: str, n: int) -> np.ndarray:
        """By how much each pixel differs from the corners' colour, whichever that is."""
        images = task.splits[split].images[:n].astype(float)
        corners = images[:, :, [0, 0, -1, -1], [0, -1, 0, -1]].mean(2)
        grey = np.abs(images - corners[:, :, None, None]).mean(1)
        scaled: np.ndarray = grey / grey.max((1, 2), keepdims=True)
        return scaled.reshape(n, -1)

    raw = RidgeClassifier()
    raw.fit(task.train.images[:1_500].reshape(1_500, -1) / 255.0, task.train.labels[:1_500])
    plain = raw.score(task.valid.images[:500].reshape(500, -1) / 255.0, task.valid.labels[:500])
    model = RidgeClassifier()
    model.fit(lightness("train", 3_000), task.train.labels[:3_000])
    told = model.score(lightness("valid", 500), task.valid.labels[:500])
    assert plain < 0.25
    assert told > 0.4


def test_no_street_digit_s_original_is_in_two_splits(monkeypatch: pytest.MonkeyPatch) -> None:
    from nasbench.task import street

    seen: list[set[int]] = []

    def remember(glyphs: object, middle: np.ndarray, others: np.ndarray, rng: object) -> np.ndarray:
        seen.append({*middle.tolist(), *others.tolist()})
        return np.zeros((len(middle), 3, 16, 16), np.uint8)

    monkeypatch.setattr(street, "_images", remember)
    street.street_digits()
    assert [len(of) for of in seen] == [1_100, 300, 397]
    assert len(set.union(*seen)) == 1_797


def test_scikit_learn_s_tables_are_named() -> None:
    task = get("iris")
    assert task.classes == ("setosa", "versicolor", "virginica")
    assert task.legend["columns"][0] == "sepal length (cm)"
    assert task.signal.categories == (0, 0, 0, 0)
