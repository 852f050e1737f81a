"""How a network is trained: a frozen description, free of torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any

from nasbench._python_file import UserFunction, given
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
    "gradient_clip": 1_000_000,
    "cutout": 1_024,
    "noise": 1_000,
    "shift": 1_000_000,
    "patience": 1_000_000,
}
"""What each number is at most; those of `_SHARES` are below 1."""
_SHARES = ("momentum", "label_smoothing", "warmup", "token_dropout")
_ONE_OF = {"optimizer": ("sgd", "adamw"), "schedule": ("cosine", "constant")}
EVALUATIONS = ("calibration", "corruption", "attack", "groups")
"""Evaluations that ship, see `nasbench.train.evaluations`."""
MOST_OPTIONS = 256
"""Of a training loop of one's own."""
_POSITIVE = ("epochs", "channels", "cells", "batch_size", "learning_rate")


@dataclass(frozen=True, slots=True)
class Recipe:
    """One training: by SGD under a cosine schedule that ends at zero, unless it says otherwise.

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
        optimizer: `sgd`, or `adamw`: Adam with decoupled weight decay (Loshchilov & Hutter, ICLR
            2019), betas .9 and .999, on all parameters.
        schedule: `cosine` down to zero, or `constant`.
        warmup: the share of all steps over which the learning rate first rises, linearly.
        gradient_clip: the norm of all gradients together that a step has at most; 0: any.
        mixed_precision: bfloat16 where PyTorch takes it for safe; on CUDA alone.
        cutout: of each image a square of so many pixels is blanked, anywhere; 0: none.
        shift: of sound, by how many frames (or samples) it moves at most, either way.
        noise: of sound and features, the deviation of what is added to standardised numbers.
        token_dropout: the share of tokens that are taken for unknown words.
        patience: a training ends after so many epochs in a row in which the validation loss did
            not fall below its least; what it showed last stands for the epochs that it saved.
            0: never.
        train: a training loop of one's own, `FILE.py:FUNCTION` or `package.module:FUNCTION` in a
            recipe's file; in Python the function.
        options: of that loop, by name.
        evaluate: what else is found of the trained network: names of evaluations that ship, or a
            function likewise.
        network: sizes of the family that builds the networks, by name; those left out are as the
            family has them. `channels` and `cells` are the sizes of cells.

    Example:
        >>> recipe = Recipe(epochs=20, train_images=5000, channels=8, cells=2)
        >>> recipe.batch_size, recipe.learning_rate
        (256, 0.1)
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
    optimizer: str = "sgd"
    schedule: str = "cosine"
    warmup: float = 0.0
    gradient_clip: float = 0.0
    mixed_precision: bool = False
    cutout: int = 0
    shift: int = 0
    noise: float = 0.0
    token_dropout: float = 0.0
    patience: int = 0
    train: UserFunction | None = None
    options: Mapping[str, int | float | str | bool] = field(default_factory=dict, hash=False)
    evaluate: UserFunction | tuple[str, ...] | None = None
    network: Mapping[str, int | float | str | bool] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not isinstance(self.network, Mapping):
            raise BadValue(
                f"recipe: network is a table of sizes, [recipe.NAME.network], got "
                f"{shown(self.network)}"
            )
        for name, known in _ONE_OF.items():
            if getattr(self, name) not in known:
                raise unknown(f"{name} of a recipe", getattr(self, name), known)
        self._check_own()
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
        for name in _SHARES:
            if getattr(self, name) >= 1:
                raise BadValue(f"recipe: {name} must be less than 1, got {getattr(self, name)}")
        if self.nesterov and not self.momentum:
            raise BadValue("recipe: nesterov needs a momentum above 0")

    def _check_own(self) -> None:
        """The parts that are the user's: a loop, its options, an evaluation."""
        self._check_evaluations()
        for name in ("train", "evaluate"):
            if name == "evaluate" and self.evaluations:
                continue
            if callable(own := getattr(self, name)):
                object.__setattr__(self, name, given(own))
            if not isinstance(getattr(self, name), UserFunction | None):
                raise BadValue(
                    f"recipe: {name} is a function that was read, as {name} = "
                    f'"my_space.py:{name}" in a recipe file, got {shown(getattr(self, name))}'
                )
        if not isinstance(self.options, Mapping) or len(self.options) > MOST_OPTIONS:
            raise BadValue(
                f"recipe: options is a table of {MOST_OPTIONS} options at most, "
                f"[recipe.NAME.options], got {shown(self.options)}"
            )
        for name, value in self.options.items():
            if type(value) not in (int, float, str, bool) or value in (math.inf, -math.inf):
                raise BadValue(
                    f"recipe: option {name} is a number, a text, true or false, got {shown(value)}"
                )
        if self.options and self.train is None:
            raise BadValue(
                'recipe: options belong to a training loop of one\'s own: train = "FILE.py:NAME"'
            )

    def _check_evaluations(self) -> None:
        """Names of evaluations: one, or a list of them."""
        names: Any = (self.evaluate,) if isinstance(self.evaluate, str) else self.evaluate
        if not isinstance(names, list | tuple) or isinstance(names, UserFunction):
            return
        for name in names:
            if name not in EVALUATIONS:
                raise unknown("evaluation", name, EVALUATIONS)
        if not names or len(set(names)) != len(names):
            raise BadValue(f"recipe: evaluate names evaluations, each once, got {shown(names)}")
        object.__setattr__(self, "evaluate", tuple(names))

    @property
    def evaluations(self) -> tuple[str, ...]:
        """The evaluations that it names; none where `evaluate` is a function, or left out."""
        named = isinstance(self.evaluate, tuple) and not isinstance(self.evaluate, UserFunction)
        return self.evaluate if named else ()  # type: ignore[return-value]

    @property
    def extras(self) -> tuple[str, ...]:
        """What it asks for beyond SGD with a cosine schedule, crops and flips."""
        return tuple(name for name in _LATER if getattr(self, name) != _DEFAULTS[name])

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
        values: dict[str, Any] = {spec.name: getattr(self, spec.name) for spec in fields(self)}
        values["options"], values["network"] = dict(self.options), dict(self.network)
        for name in ("channels", "cells") if self.network else ("network",):
            del values[name]
        for name in _LATER:
            if name not in self.extras:  # as releases before them described recipes
                del values[name]
        for name in {"train", "evaluate"} & values.keys():
            function = getattr(self, name)
            named = isinstance(function, UserFunction)
            values[name] = function.describe() if named else list(function)
        return values

    def learning_rate_at(self, step: int, steps: int) -> float:
        """The rate of step `step` (from 0) of `steps`, see `schedule` and `warmup`."""
        rising = round(self.warmup * steps)
        if step < rising:
            return self.learning_rate * (step + 1) / rising
        if self.schedule == "constant":
            return self.learning_rate
        if rising:
            step, steps = step - rising, steps - rising
        return 0.5 * self.learning_rate * (1 + math.cos(math.pi * step / steps))


_DEFAULTS: Mapping[str, Any] = {
    spec.name: {} if spec.name in ("options", "network") else spec.default
    for spec in fields(Recipe)
}
_LATER = tuple(
    name for name in list(_DEFAULTS)[list(_DEFAULTS).index("flip") + 1 :] if name != "network"
)
"""What recipes of the first releases did not have."""


def _numbers() -> list[Field[Any]]:
    return [spec for spec in fields(Recipe) if str(spec.type) in ("int", "float", "bool")]


def _as_float(value: int) -> float:
    """An integer beyond all floats is beyond every bound, too."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
