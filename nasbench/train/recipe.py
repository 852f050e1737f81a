"""How a network is trained: a frozen description, free of torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import Field, asdict, dataclass, field, fields
from typing import Any

from nasbench.errors import BadValue, shown, unknown

__all__ = ["Recipe"]

_MOST: Mapping[str, float] = {
    "epochs": 1_000_000,
    "train_images": 10_000_000,
    "valid_images": 10_000_000,
    "test_images": 10_000_000,
    "channels": 4_096,
    "cells": 1_000,
    "batch_size": 1_000_000,
    "learning_rate": 1e30,  # float32 holds it: what such a training does, it shows
    "weight_decay": 1_000,
    "crop_padding": 1_024,
}
"""What each number is at most; momentum and label_smoothing are below 1."""
_POSITIVE = ("epochs", "channels", "cells", "batch_size", "learning_rate")


@dataclass(frozen=True, slots=True)
class Recipe:
    """One training: SGD under a cosine schedule that ends at zero after `epochs`.

    The defaults are those of NAS-Bench-201 (Dong & Yang, ICLR 2020, table 1) but for the
    augmentation, which the task decides.

    Attributes:
        epochs: passes over the training images.
        train_images: how many of the task's training images are used; 0 means all.
        valid_images: how many validation images each epoch is evaluated on; 0 means all.
        test_images: how many test images the last epoch is evaluated on; 0 means all.
        channels: channels of the first stage; the second and third have twice and four times.
        cells: cells of each stage.
        batch_size: images of a step; the last batch of an epoch may be smaller.
        learning_rate: at the first step.
        momentum: of SGD.
        nesterov: Nesterov's momentum.
        weight_decay: L2 penalty, on all parameters.
        label_smoothing: share of the target spread over all classes.
        crop_padding: zero-padding in pixels of which a random crop is taken; 0 means none.
        flip: mirror each image with chance one half.
        network: sizes of the family that builds the networks, by name; those left out are as the
            family has them. `channels` and `cells` are the sizes of cells.
    """

    epochs: int
    train_images: int = 0
    valid_images: int = 0
    test_images: int = 0
    channels: int = 16
    cells: int = 5
    batch_size: int = 256
    learning_rate: float = 0.1
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 5e-4
    label_smoothing: float = 0.0
    crop_padding: int = 0
    flip: bool = False
    network: Mapping[str, int | float | str | bool] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not isinstance(self.network, Mapping):
            raise BadValue(
                f"recipe: network is a table of sizes, [recipe.NAME.network], got "
                f"{shown(self.network)}"
            )
        for spec in _numbers():
            value = getattr(self, spec.name)
            wanted = {"int": int, "float": float, "bool": bool}[str(spec.type)]
            if wanted is float and type(value) is int:
                object.__setattr__(self, spec.name, _as_float(value))
            elif type(value) is not wanted:
                raise BadValue(f"recipe: {spec.name} must be {spec.type}, got {shown(value)}")
            low = 0 if spec.name not in _POSITIVE else math.ulp(0.0)
            if not low <= getattr(self, spec.name) < math.inf:
                least = "more than 0" if low else "0 or more"
                raise BadValue(f"recipe: {spec.name} must be {least}, got {shown(value)}")
            most = _MOST.get(spec.name, math.inf)
            if value > most:
                raise BadValue(f"recipe: {spec.name} must be at most {most:,}, got {shown(value)}")
        if self.momentum >= 1 or self.label_smoothing >= 1:
            raise BadValue("recipe: momentum and label_smoothing must be less than 1")
        if self.nesterov and not self.momentum:
            raise BadValue("recipe: nesterov needs a momentum above 0")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Recipe:
        """The recipe with these values; an unknown key is an error that names the near ones."""
        known = [spec.name for spec in fields(cls)]
        for key in values:
            if key not in known:
                raise unknown("key of a recipe", key, known)
        if "epochs" not in values:
            raise BadValue("recipe: epochs is missing")
        return cls(**values)

    def describe(self) -> dict[str, Any]:
        """All values by name; plain JSON values. Other networks' sizes are not those of cells."""
        values = asdict(self)
        for name in ("channels", "cells") if self.network else ("network",):
            del values[name]
        return values

    def learning_rate_at(self, step: int, steps: int) -> float:
        """The rate of step `step` of `steps`: cosine from `learning_rate` to 0."""
        return 0.5 * self.learning_rate * (1 + math.cos(math.pi * step / steps))


def _numbers() -> list[Field[Any]]:
    return [spec for spec in fields(Recipe) if spec.name != "network"]


def _as_float(value: int) -> float:
    """An integer beyond all floats is beyond every bound, too."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
