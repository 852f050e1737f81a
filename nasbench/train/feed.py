"""What trains: a task's examples as a recipe uses them, batch by batch, for any signal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nasbench.errors import NasbenchError, Unsupported
from nasbench.task import Signal, Split, Target, Task
from nasbench.task.signal import PADDING, UNKNOWN
from nasbench.train.order import EpochOrder
from nasbench.train.recipe import Recipe

__all__ = ["Prepared", "Standard", "batch_of", "check_recipe", "moments", "prepare", "spread"]

_AUGMENTS: Mapping[str, tuple[str, ...]] = {
    "crop_padding": ("image",),
    "flip": ("image",),
    "cutout": ("image",),
    "shift": ("audio",),
    "noise": ("audio", "features"),
    "token_dropout": ("tokens",),
}
"""What a recipe can do to examples, and of which signals."""

_IMAGES, _CLASSES = Signal("image"), Target("classes", ())


@dataclass(frozen=True, eq=False, slots=True)
class Prepared:
    """A task's examples as a recipe uses them, on the hardware that trains.

    Inputs are float32, standardised by mean and standard deviation of the training examples in
    use: images `[n, channels, height, width]` by channel, log-mel spectrograms and waveforms as a
    whole, columns of numbers by column. A missing number is 0, the mean. Categories are whole
    numbers as they were, and tokens int64 `[n, length]`.

    Attributes:
        train: inputs, and targets: labels int64 `[n]`, or numbers float32 `[n]`, standardised.
        valid: likewise.
        test: likewise.
        signal: what the inputs are.
        target: what the targets are.
        scale: the standard deviation of a number; 1 of classes.
    """

    train: tuple[Tensor, Tensor]
    valid: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]
    signal: Signal = _IMAGES
    target: Target = _CLASSES
    scale: float = 1.0


def moments(split: Split) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What standardises images: mean and standard deviation, `[1, channels, 1, 1]`."""
    images = split.images.astype(np.float32)
    std = images.std((0, 2, 3), keepdims=True)
    return images.mean((0, 2, 3), keepdims=True), np.maximum(std, 1e-6)


def check_recipe(task: Task, recipe: Recipe) -> None:
    """Refuse what a recipe does to examples of another kind.

    Raises:
        Unsupported: naming the key.
    """
    kind = task.signal.kind
    for name, kinds in _AUGMENTS.items():
        if getattr(recipe, name) and kind not in kinds and recipe.train is None:
            raise Unsupported(
                f"{name} is for {' and '.join(kinds)}, and {task.name} has {task.signal}"
            )
    if recipe.label_smoothing and task.target.kind == "number":
        raise Unsupported(f"label_smoothing is for classes, and {task.name} has {task.target}")
    if task.target.kind == "none" and recipe.train is None:
        raise Unsupported(
            f"task {task.name} has no examples: name a training loop of your own in the recipe, "
            f'train = "FILE.py:NAME"'
        )


def prepare(task: Task, recipe: Recipe, hardware: torch.device) -> Prepared:
    """The task's splits as the recipe uses them.

    A training loop of one's own reads the task itself: nothing is prepared for it.

    Raises:
        NasbenchError: where BatchNorm would have one value of a channel and no variance: one
            example in the last batch (of images, those of one pixel in the last stage).
    """
    if recipe.train is not None:
        nothing = (torch.empty(0), torch.empty(0))
        return Prepared(nothing, nothing, nothing, task.signal, task.target)
    check_recipe(task, recipe)
    splits = {
        "train": task.train.first(recipe.train_images),
        "valid": task.valid.first(recipe.valid_images),
        "test": task.test.first(recipe.test_images),
    }
    _check_last_batch(task, recipe, len(splits["train"]))
    standard = Standard(task.signal, splits["train"])
    mean, scale = spread(task.target, splits["train"])

    def tensors(split: Split) -> tuple[Tensor, Tensor]:
        x = torch.from_numpy(standard(split.inputs))
        if x.ndim == 4:
            # Channels last: 1.5 times as fast on a CPU for networks this narrow.
            x = x.to(hardware, memory_format=torch.channels_last)
        targets = split.targets
        if task.target.kind == "number":
            targets = ((targets - mean) / scale).astype(np.float32)
        return x.to(hardware), torch.from_numpy(targets).to(hardware)

    made = {name: tensors(split) for name, split in splits.items()}
    return Prepared(**made, signal=task.signal, target=task.target, scale=scale)


def spread(target: Target, train: Split) -> tuple[float, float]:
    """Mean and standard deviation of the numbers that are learned; 0 and 1 of classes."""
    if target.kind != "number":
        return 0.0, 1.0
    numbers = train.targets.astype(np.float64)
    return float(numbers.mean()), float(numbers.std()) or 1.0


def _check_last_batch(task: Task, recipe: Recipe, n: int) -> None:
    images = task.signal.kind == "image"
    small = images and max(task.shape[1:]) <= 4
    one = (n % recipe.batch_size or recipe.batch_size) == 1
    if one and (small or task.signal.kind == "features"):
        kind, which = ("image", "on images this small") if images else ("example", "of features")
        raise NasbenchError(
            f"the last batch of {n} training {kind}s by {recipe.batch_size} is one {kind}, "
            f"too few for BatchNorm {which}: take another batch_size"
        )


class Standard:
    """Inputs as networks read them, standardised by those of the training split.

    Args:
        signal: what they are.
        train: the training examples in use.

    Attributes:
        mean: that is taken from inputs, float32 that broadcasts; None of tokens.
        std: by which the rest is divided, likewise.
    """

    def __init__(self, signal: Signal, train: Split) -> None:
        self._signal = signal
        self.mean: NDArray[np.float32] | None = None
        self.std: NDArray[np.float32] | None = None
        if signal.kind == "tokens":
            return
        if train.inputs.ndim == 4:
            self.mean, self.std = moments(train)
        elif signal.kind == "audio":
            waves = train.inputs.astype(np.float32)
            self.mean = waves.mean(keepdims=True)
            self.std = np.maximum(waves.std(keepdims=True), np.float32(1e-6))
        else:
            self.mean, self.std = _of_columns(signal, train.inputs)

    def __call__(self, inputs: NDArray[Any]) -> NDArray[Any]:
        if self.mean is None or self.std is None:
            return inputs.astype(np.int64)
        found = (inputs.astype(np.float32) - self.mean) / self.std
        return np.nan_to_num(found, copy=False) if self._signal.kind == "features" else found


def _of_columns(
    signal: Signal, inputs: NDArray[Any]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and deviation of each column `[columns]`; 0 and 1 of categories, and without numbers."""
    mean = np.zeros(inputs.shape[1], dtype=np.float32)
    std = np.ones(inputs.shape[1], dtype=np.float32)
    for column, categories in enumerate(signal.categories):
        known = inputs[:, column][~np.isnan(inputs[:, column])].astype(np.float64)
        if not categories and len(known):
            mean[column] = known.mean()
            std[column] = known.std() or 1.0
    return mean, std


def batch_of(
    data: Prepared, order: EpochOrder, chosen: slice, recipe: Recipe
) -> tuple[Tensor, Tensor]:
    """The training examples and targets of one step, changed as the order says."""
    x, y = data.train
    index = torch.from_numpy(order.images[chosen]).to(x.device)
    inputs = x[index]
    if order.shifts is not None:
        inputs = _crop(inputs, torch.from_numpy(order.shifts[chosen]).to(x.device))
    if order.flips is not None:
        flips = torch.from_numpy(order.flips[chosen]).to(x.device)
        inputs = torch.where(flips[:, None, None, None], inputs.flip(3), inputs)
    if order.holes is not None:
        inputs = _cut(inputs, torch.from_numpy(order.holes[chosen]).to(x.device), recipe.cutout)
    if order.moves is not None:
        inputs = _move(inputs, torch.from_numpy(order.moves[chosen]).to(x.device))
    if order.unknown is not None:
        dropped = torch.from_numpy(order.unknown[chosen]).to(x.device) & (inputs != PADDING)
        inputs = torch.where(dropped, UNKNOWN, inputs)
    if order.noise is not None:
        drawn = order.noise.standard_normal(tuple(inputs.shape), dtype=np.float32)
        if any(data.signal.categories):
            drawn[:, np.asarray(data.signal.categories) > 0] = 0
        inputs = inputs + recipe.noise * torch.from_numpy(drawn).to(x.device)
    if inputs.ndim == 4:
        inputs = inputs.contiguous(memory_format=torch.channels_last)
    return inputs, y[index]


def _cut(images: Tensor, middles: Tensor, side: int) -> Tensor:
    """Blank a square of each image, to the mean colour; its middle lies in the image."""
    blank = torch.ones(1, dtype=torch.bool, device=images.device)
    for axis, length in ((1, images.shape[2]), (2, images.shape[3])):
        places = torch.arange(length, device=images.device)
        first = (middles[:, axis - 1] * length).long()[:, None] - side // 2
        within = (places >= first) & (places < first + side)
        blank = blank & (within[:, :, None] if axis == 1 else within[:, None, :])
    return images.masked_fill(blank[:, None], 0.0)


def _move(sounds: Tensor, moves: Tensor) -> Tensor:
    """Move each sound in time; what enters is zero (the mean)."""
    length = sounds.shape[-1]
    places = torch.arange(length, device=sounds.device) - moves[:, None]
    inside = (places >= 0) & (places < length)
    shape = (len(sounds), *[1] * (sounds.ndim - 2), length)
    index = places.clamp(0, length - 1).view(shape).expand(sounds.shape)
    return sounds.gather(-1, index) * inside.view(shape)


def _crop(images: Tensor, shifts: Tensor) -> Tensor:
    """Move each image by its own rows and columns; what enters is zero (the mean colour)."""
    n, _, height, width = images.shape
    rows = torch.arange(height, device=images.device) + shifts[:, :1]
    columns = torch.arange(width, device=images.device) + shifts[:, 1:]
    inside = ((rows >= 0) & (rows < height))[:, None, :, None] & (
        (columns >= 0) & (columns < width)
    )[:, None, None, :]
    image = torch.arange(n, device=images.device)[:, None, None]
    # [n, height, width, channels]: the advanced indices stand first.
    moved = images.permute(0, 2, 3, 1)[
        image, rows.clamp(0, height - 1)[:, :, None], columns.clamp(0, width - 1)[:, None, :]
    ]
    return moved.permute(0, 3, 1, 2) * inside
