"""What is known of a task before it is searched: meta-features and landmarks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nasbench._files import read_json, write_json
from nasbench.errors import NasbenchError, unknown
from nasbench.space import Space, from_description
from nasbench.task import Task

__all__ = ["FEATURES", "Description", "image_features", "manifest_features"]

FEATURES: Mapping[str, str] = {
    "train_images": "training images, or other examples",
    "classes": "classes",
    "channels": "1 grey, 3 colour",
    "side": "of an image, in pixels: the root of its area",
    "imbalance": "1 less the entropy of the classes' shares, as a share of the most it can be",
    "pixel_mean": "of all training pixels, 0 to 1",
    "pixel_std": "of all training pixels",
    "contrast": "standard deviation within an image, the mean over images",
    "gradient": "absolute step from a pixel to the next, right and down, the mean",
    "colour": "standard deviation over a pixel's channels, the mean; 0 of grey images",
    "class_variance": "share of a pixel's variance that the classes' mean images explain",
}
"""What each meta-feature is; of training examples alone. From `channels` on they are of images."""

LOGARITHMIC = frozenset({"train_images", "classes", "side"})
"""Counts: twice as many is as far from as many as half."""

MOST_IMAGES = 5_000
"""The statistics are of the first so many, a stratified sample."""


@dataclass(frozen=True, eq=False)
class Description:
    """A task as transfer sees it.

    Attributes:
        name: the task's.
        features: by the names of `FEATURES`; what is unknown is not there.
        hash: of the task's images and labels; None where they are not at hand.
        space: of the landmarks; None without any.
        landmarks: validation accuracy of architectures by number, percent.

    Example:
        >>> Description("mine", {"classes": 10.0}).features
        {'classes': 10.0}
    """

    name: str
    features: Mapping[str, float] = field(default_factory=dict)
    hash: str | None = None
    space: Space | None = None
    landmarks: Mapping[int, float] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write it as JSON, architectures as strings."""
        space = self.space
        landmarks = {} if space is None else {space.string(a): v for a, v in self.landmarks.items()}
        values = {
            "name": self.name,
            "hash": self.hash,
            "features": dict(self.features),
            "space": None if space is None else dict(space.describe()),
            "landmarks": landmarks,
        }
        write_json(path, values)

    @classmethod
    def read(cls, path: Path) -> Description:
        """The description that `write` wrote, or that was written by hand.

        Only `name` must be there; unknown keys and features are refused by name.
        """
        values = read_json(path, "description")
        try:
            return cls._parse(values)
        except NasbenchError as error:
            raise NasbenchError(f"{path}: {error}") from error

    @classmethod
    def _parse(cls, values: object) -> Description:
        keys = ("name", "hash", "features", "space", "landmarks")
        if not isinstance(values, dict) or not isinstance(values.get("name"), str):
            raise NasbenchError(f"a description has a name and, each if known, {', '.join(keys)}")
        for key in values:
            if key not in keys:
                raise unknown("key", key, keys)
        features, landmarks = (values.get(key) or {} for key in ("features", "landmarks"))
        for name, value in (*_pairs("features", features), *_pairs("landmarks", landmarks)):
            if not isinstance(value, int | float) or not math.isfinite(value):
                raise NasbenchError(f"{name} must be a number, got {value!r}")
        for name in features:
            if name not in FEATURES:
                raise unknown("feature", name, FEATURES)
        if landmarks and not values.get("space"):
            raise NasbenchError("landmarks are of a space: say which")
        given = values.get("space")
        space = None if not given else from_description(given)
        numbered = {} if space is None else {space.index(s): float(v) for s, v in landmarks.items()}
        return cls(values["name"], dict(features), values.get("hash"), space, numbered)


def _pairs(name: str, given: object) -> list[tuple[str, Any]]:
    if not isinstance(given, dict):
        raise NasbenchError(f"{name} are numbers by name, got {given!r}")
    return list(given.items())


def manifest_features(about: Mapping[str, Any]) -> dict[str, float]:
    """What a table's manifest says of its task: sizes, and no statistics of images."""
    found: dict[str, float] = {}
    if about.get("splits", {}).get("train"):  # a task without examples has none
        found["train_images"] = about["splits"]["train"]
    if about.get("classes"):  # a number is no class
        found["classes"] = len(about["classes"])
    if len(about.get("shape", ())) == 3 and _of_images(about):
        channels, height, width = about["shape"]
        found |= {"channels": channels, "side": math.sqrt(height * width)}
    return found


def _of_images(about: Mapping[str, Any]) -> bool:
    """Whether a task is one of images; where nothing is said it is."""
    kind = about.get("signal", {}).get("kind", "image")
    return bool(kind == "image")


def image_features(task: Task) -> dict[str, float]:
    """Every meta-feature of a task whose examples are at hand, by name: see `FEATURES`.

    What is of images is not there for other signals, and what is of classes not for numbers.

    Example:
        >>> from nasbench.task import get
        >>> image_features(get("digits"))["classes"]
        10
    """
    about = task.describe()
    found = manifest_features(about)
    if task.target.kind != "classes":
        return found
    shares = np.bincount(task.train.targets, minlength=len(task.classes)) / len(task.train)
    entropy = -float((shares * np.log(shares)).sum())
    most = math.log(len(task.classes))
    # Even shares leave a rounding error.
    found["imbalance"] = round(max(1 - entropy / most, 0.0), 9) if most else 0.0
    return {**found, **_pixel_features(task)} if _of_images(about) else found


def _pixel_features(task: Task) -> dict[str, float]:
    sample = task.train.first(min(len(task.train), MOST_IMAGES))
    images = sample.images.astype(np.float32) / 255  # [n, channels, height, width]
    total = ((images - images.mean(0)) ** 2).sum(dtype=np.float64)
    within = sum(
        float(((of - of.mean(0)) ** 2).sum(dtype=np.float64))
        for of in (images[sample.labels == label] for label in np.unique(sample.labels))
    )
    steps = [np.abs(np.diff(images, axis=axis)) for axis in (2, 3)]
    moved = sum(step.size for step in steps)
    return {
        "pixel_mean": float(images.mean(dtype=np.float64)),
        "pixel_std": float(images.std(dtype=np.float64)),
        "contrast": float(images.std((1, 2, 3)).mean()),
        "gradient": sum(float(s.sum(dtype=np.float64)) for s in steps) / moved if moved else 0.0,
        "colour": float(images.std(1).mean()),
        "class_variance": 1 - within / float(total) if total else 0.0,
    }
