"""Tasks that ship, beside images: texts, sound, and scikit-learn's tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from importlib import resources
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench.task.base import Split, Task
from nasbench.task.signal import Signal, Target
from nasbench.task.splitting import SplitPlan, split_task

__all__ = ["TABLES", "banking77", "features_of", "spoken_digits", "spoken_digits_speakers"]

_SPLITS = ("train", "valid", "test")


def banking77() -> Task:
    """Banking77 (Casanueva et al., 2020): 77 intents of customers of a bank, 32 words a query.

    Its own test queries; a fifth of its training queries select.
    """
    arrays = _shipped("banking77")
    train, valid, test = (
        Split(arrays[f"x_{split}"], arrays[f"y_{split}"].astype(np.int64)) for split in _SPLITS
    )
    words = tuple(map(str, arrays["vocabulary"]))
    about = {
        "source": "Banking77, https://github.com/PolyAI-LDN/task-specific-datasets",
        "licence": "CC BY 4.0, PolyAI Limited",
        "transform": "words that the training queries have twice, 32 of a query",
        "split": {"seed": 0, "stratified": True, "test": "the data set's own"},
    }
    return Task(
        name="banking77",
        train=train,
        valid=valid,
        test=test,
        classes=tuple(map(str, arrays["classes"])),
        about=about,
        signal=Signal("tokens", vocabulary=len(words)),
        legend={"tokens": words},
    )


_FSDD = {
    "source": "Free Spoken Digit Dataset, https://github.com/Jakobovski/free-spoken-digit-dataset",
    "licence": "CC BY-SA 4.0",
    "transform": "32 mel bands from 60 Hz to 4 kHz, 32 frames, 60 dB as 0 to 255",
}


def spoken_digits() -> Task:
    """The Free Spoken Digit Dataset: 3,000 recordings of ten digits by six speakers, log-mel.

    Its own test recordings; all speakers are in all splits, and kept as groups.
    """
    parts, classes, speakers = _recordings()
    return Task(
        name="spoken-digits",
        train=parts["train"],
        valid=parts["valid"],
        test=parts["test"],
        classes=classes,
        about={**_FSDD, "split": {"stratified": True, "test": "the data set's own"}},
        signal=Signal("audio"),
        groups={"speaker": speakers},
    )


def spoken_digits_speakers() -> Task:
    """The same recordings by speakers that training never heard: one selects, one tests."""
    parts, classes, speakers = _recordings()
    every = Split(
        np.concatenate([of.inputs for of in parts.values()]),
        np.concatenate([of.targets for of in parts.values()]),
        {"speaker": np.concatenate([of.groups["speaker"] for of in parts.values()])},
    )
    return split_task(
        "spoken-digits-speakers",
        {"train": every},
        SplitPlan(by="group", key="speaker"),
        signal=Signal("audio"),
        target=Target("classes", classes),
        keys={"train": every.groups["speaker"]},
        about=_FSDD,
        groups={"speaker": speakers},
    )


def _recordings() -> tuple[dict[str, Split], tuple[str, ...], tuple[str, ...]]:
    """The data set's splits, its classes and its speakers."""
    arrays = _shipped("spoken_digits")
    parts = {
        split: Split(
            arrays[f"x_{split}"],
            arrays[f"y_{split}"].astype(np.int64),
            {"speaker": arrays[f"group_{split}"].astype(np.int64)},
        )
        for split in _SPLITS
    }
    return parts, tuple(map(str, arrays["classes"])), tuple(map(str, arrays["groups"]))


def _shipped(name: str) -> Mapping[str, NDArray[Any]]:
    data = (resources.files("nasbench.task") / "data" / f"{name}.npz").read_bytes()
    arrays: Mapping[str, NDArray[Any]] = np.load(BytesIO(data), allow_pickle=False)
    return arrays


_SOURCES = {
    "breast_cancer": ("load_breast_cancer", "UCI Breast Cancer Wisconsin (Diagnostic)"),
    "wine": ("load_wine", "UCI Wine"),
    "iris": ("load_iris", "UCI Iris"),
    "digits-features": ("load_digits", "UCI Optical Recognition of Handwritten Digits"),
}
"""scikit-learn's tables: by the task's name its loader, and where it comes from."""


def features_of(name: str) -> Task:
    """One of scikit-learn's tables; all columns are numbers."""
    from sklearn import datasets

    loader, source = _SOURCES[name]
    data = getattr(datasets, loader)()
    examples = Split(data.data.astype(np.float32), data.target.astype(np.int64))
    return split_task(
        name,
        {"train": examples},
        SplitPlan(),
        signal=Signal("features"),
        target=Target("classes", tuple(map(str, data.target_names))),
        about={"source": f"{source}, as scikit-learn has it", "licence": "CC BY 4.0"},
        legend={"columns": tuple(map(str, data.feature_names))},
    )


TABLES: Mapping[str, Callable[[], Task]] = {name: partial(features_of, name) for name in _SOURCES}
"""The tasks that scikit-learn brings, by name."""
