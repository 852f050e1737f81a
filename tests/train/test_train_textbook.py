"""The reference trainer against one written out in numpy, step by step."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import nasbench as nb
from nasbench.train.feed import Prepared
from nasbench.train.order import epoch_order
from nasbench.train.reference import training


class Flat(nn.Module):
    """A linear classifier of pixels: what numpy can train in a few lines."""

    def __init__(self, pixels: int, classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(pixels, classes, dtype=torch.float64)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.linear(x.reshape(len(x), -1))
        return logits


def seen(images: np.ndarray, recipe: nb.Recipe, seed: int, epoch: int) -> Iterator[np.ndarray]:
    """The images of one epoch as the network sees them, one at a time, in order."""
    order = epoch_order(recipe, len(images), seed, epoch)
    pad = recipe.crop_padding
    for place, number in enumerate(order.images):
        image = images[number]
        if order.shifts is not None:
            down, right = order.shifts[place] + pad
            height, width = image.shape[1:]
            padded = np.pad(image, ((0, 0), (pad, pad), (pad, pad)))
            image = padded[:, down : down + height, right : right + width]
        if order.flips is not None and order.flips[place]:
            image = image[:, :, ::-1]
        yield image


def log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(1, keepdims=True))


def in_numpy(
    weights: np.ndarray, data: Prepared, recipe: nb.Recipe, seed: int, classes: int
) -> tuple[np.ndarray, list[dict[str, float]]]:
    """SGD from the textbook; weights `[classes, pixels + 1]`, the bias last."""
    splits = {
        name: (x.numpy(), y.numpy())
        for name, (x, y) in (("train", data.train), ("valid", data.valid), ("test", data.test))
    }
    velocity = np.zeros_like(weights)
    n = len(splits["train"][1])
    steps = math.ceil(n / recipe.batch_size) * recipe.epochs
    step, shown = 0, []

    def forward(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        flat = np.concatenate([images.reshape(len(images), -1), np.ones((len(images), 1))], 1)
        return flat, log_softmax(flat @ weights.T)

    for epoch in range(recipe.epochs):
        images = np.stack(list(seen(splits["train"][0], recipe, seed, epoch)))
        labels = splits["train"][1][epoch_order(recipe, n, seed, epoch).images]
        loss = correct = 0.0
        for start in range(0, n, recipe.batch_size):
            batch = slice(start, start + recipe.batch_size)
            flat, log_p = forward(images[batch])
            wanted = np.eye(classes)[labels[batch]]
            target = (1 - recipe.label_smoothing) * wanted + recipe.label_smoothing / classes
            loss += -(target * log_p).sum()
            correct += (log_p.argmax(1) == labels[batch]).sum()
            gradient = (np.exp(log_p) - target).T @ flat / len(flat)
            gradient = gradient + recipe.weight_decay * weights
            velocity = recipe.momentum * velocity + gradient
            move = gradient + recipe.momentum * velocity if recipe.nesterov else velocity
            rate = recipe.learning_rate * math.cos(math.pi * step / steps / 2) ** 2
            weights = weights - rate * move
            step += 1
        epoch_shown = {"train_loss": loss / n, "train_accuracy": 100 * correct / n}
        for name in ("valid", "test"):
            images_, labels_ = splits[name]
            log_p = forward(images_)[1]
            epoch_shown[f"{name}_loss"] = -log_p[np.arange(len(labels_)), labels_].mean()
            epoch_shown[f"{name}_accuracy"] = 100 * (log_p.argmax(1) == labels_).mean()
        shown.append(epoch_shown)
    return weights, shown


@pytest.mark.parametrize(
    "recipe",
    [
        nb.Recipe(epochs=2, batch_size=40, nesterov=False, momentum=0, weight_decay=0),
        nb.Recipe(epochs=3, batch_size=23, nesterov=False, momentum=0.7, weight_decay=0.01),
        nb.Recipe(epochs=2, batch_size=64, learning_rate=0.3, label_smoothing=0.2),
        nb.Recipe(epochs=2, batch_size=50, crop_padding=2, flip=True, weight_decay=0.1),
    ],
    ids=["plain", "momentum", "nesterov and smoothing", "crop, flip and decay"],
)
def test_training_is_that_of_the_textbook(recipe: nb.Recipe) -> None:
    rng = np.random.default_rng(0)

    def split(n: int) -> tuple[Tensor, Tensor]:
        images = torch.from_numpy(rng.normal(size=(n, 2, 5, 7)))
        return images, torch.from_numpy(rng.integers(4, size=n))

    data = Prepared(split(90), split(31), split(33))
    net = Flat(2 * 5 * 7, 4)
    weights = np.concatenate(
        [net.linear.weight.detach().numpy(), net.linear.bias.detach().numpy()[:, None]], 1
    )
    epochs = list(training(net, data, recipe, seed=3))
    expected, shown = in_numpy(weights, data, recipe, 3, 4)
    got = np.concatenate(
        [net.linear.weight.detach().numpy(), net.linear.bias.detach().numpy()[:, None]], 1
    )
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-9)
    for epoch, by_hand in zip(epochs, shown, strict=True):
        for name in ("train_loss", "train_accuracy", "valid_loss", "valid_accuracy"):
            assert epoch.metrics[name] == pytest.approx(by_hand[name], rel=1e-6)
    assert [not epoch.tests for epoch in epochs[:-1]] == [True] * (len(epochs) - 1)
    assert epochs[-1].tests["test_accuracy"] == pytest.approx(shown[-1]["test_accuracy"], rel=1e-6)


class Watching(Flat):
    """Keeps what it is shown while it is trained."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.__dict__.setdefault("batches", []).append(x.detach().clone())
        return super().forward(x)


def test_batches_are_cropped_and_mirrored_one_by_one() -> None:
    """Every image, to the bit, with crops that may leave nothing of the image."""
    recipe = nb.Recipe(epochs=2, batch_size=16, crop_padding=6, flip=True)
    rng = np.random.default_rng(1)
    images = rng.normal(size=(40, 3, 5, 4))
    data = (torch.from_numpy(images), torch.from_numpy(np.arange(40) % 3))
    net = Watching(60, 3)
    assert len(list(training(net, Prepared(data, data, data), recipe, seed=8))) == 2
    batches = net.__dict__["batches"]
    assert [len(batch) for batch in batches] == [16, 16, 8] * 2
    expected = [image for epoch in (0, 1) for image in seen(images, recipe, 8, epoch)]
    assert torch.cat(batches).numpy().tolist() == np.stack(expected).tolist()
