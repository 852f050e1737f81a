"""What the reference trainer promises; what it computes is in test_train_textbook.py."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import nasbench as nb
from nasbench.errors import NasbenchError
from nasbench.space import CellSpace
from nasbench.task import Signal, Task
from nasbench.train import CURVES, Record, reference
from nasbench.train.epoch import Epoch
from nasbench.train.feed import prepare
from nasbench.train.reference import ReferenceTrainer, pick_hardware

CPU = torch.device("cpu")
QUICK = nb.Recipe(
    epochs=3, train_images=120, valid_images=100, test_images=100,
    channels=4, cells=1, batch_size=50, crop_padding=1, flip=True, label_smoothing=0.1,
)  # fmt: skip


@pytest.fixture(scope="module")
def digits() -> Task:
    return nb.task("digits")


def trained(
    mini: CellSpace, task: Task, architecture: int, seed: int, recipe: nb.Recipe = QUICK
) -> Record:
    trainer = ReferenceTrainer("cpu")
    return next(trainer.train(mini, [architecture], task, recipe, [seed]))


def without_clock(record: Record) -> dict[str, bytes]:
    return {name: record.curves[name].tobytes() for name in CURVES if "seconds" not in name}


# The images.


def test_images_are_standardised_by_the_training_images_in_use(digits: Task) -> None:
    data = prepare(digits, QUICK, CPU)
    used = digits.train.images[:120].astype(np.float64)
    mean, std = used.mean(), used.std()
    for name, n in (("train", 120), ("valid", 100), ("test", 100)):
        x, y = getattr(data, name)
        expected = (digits.splits[name].images[:n] - mean) / std
        np.testing.assert_allclose(x.numpy(), expected, atol=1e-5)
        assert y.tolist() == digits.splits[name].labels[:n].tolist()
    everything = prepare(digits, nb.Recipe(epochs=1), CPU)
    assert len(everything.train[0]) == len(digits.train)
    with pytest.raises(NasbenchError, match="were asked for"):
        prepare(digits, nb.Recipe(epochs=1, train_images=10**6), CPU)


@pytest.mark.parametrize("batch_size", [50, 51])
def test_a_batch_that_has_no_variance_is_refused(digits: Task, batch_size: int) -> None:
    tiny = {
        name: replace(split, inputs=split.images[:, :, ::2, ::2])
        for name, split in digits.splits.items()
    }
    recipe = replace(QUICK, train_images=101, batch_size=batch_size)
    small = replace(digits, **tiny, signal=Signal("image"))
    prepare(digits, recipe, CPU)
    if batch_size == 51:
        prepare(small, recipe, CPU)
    else:
        with pytest.raises(NasbenchError, match=r"last batch of 101 .* is one image"):
            prepare(small, recipe, CPU)


# What it promises.


def test_the_same_seed_gives_the_same_bits(mini: CellSpace, digits: Task) -> None:
    first = trained(mini, digits, 107, 5)
    torch.manual_seed(0)
    second, other = trained(mini, digits, 107, 5), trained(mini, digits, 107, 6)
    assert without_clock(first) == without_clock(second) != without_clock(other)
    assert first.test_accuracy == second.test_accuracy


def test_curves_say_what_their_names_say(mini: CellSpace, digits: Task) -> None:
    record = trained(mini, digits, 93, 0)
    assert set(record.curves) == set(CURVES)
    for curve in record.curves.values():
        assert (curve.shape, curve.dtype) == ((3,), np.float32)
        assert np.isfinite(curve).all()
    for name in ("train_accuracy", "valid_accuracy"):
        images = 120 if name.startswith("train") else 100
        counts = record.curves[name].astype(float) * images / 100
        np.testing.assert_allclose(counts, counts.round(), atol=1e-4)
        assert ((counts >= 0) & (counts <= images)).all()
    assert record.test_accuracy == round(record.test_accuracy) <= 100
    seconds = record.curves["train_seconds"]
    assert 0 < seconds[0] < seconds[1] < seconds[2]
    assert record.evaluation_seconds > 0
    assert (record.architecture, record.seed, record.diverged) == (mini.canonical(93), 0, 0)


def test_training_learns(mini: CellSpace, digits: Task) -> None:
    recipe = nb.Recipe(epochs=6, train_images=500, valid_images=200, channels=4, cells=1,
                       batch_size=50)  # fmt: skip
    skip = mini.index("|nor_conv_3x3~0|+|skip_connect~0|nor_conv_3x3~1|")
    record = trained(mini, digits, skip, 0, recipe)
    assert record.test_accuracy > 70  # of ten classes
    assert record.curves["train_loss"][-1] < record.curves["train_loss"][0] / 2
    # A cell without any edge leaves nothing to learn from but the class shares.
    nothing = trained(mini, digits, 0, 0, recipe)
    assert nothing.test_accuracy < 20


def test_every_class_is_trained_with_every_seed(mini: CellSpace, digits: Task) -> None:
    recipe = nb.Recipe(epochs=1, train_images=50, valid_images=50, test_images=50,
                       channels=1, cells=1)  # fmt: skip
    records = ReferenceTrainer("cpu").train(mini, np.asarray([3, 9]), digits, recipe, iter([4, 2]))
    shown = [(record.architecture, record.seed) for record in records]
    canonical = mini.canonical([3, 9]).tolist()
    assert shown == [(a, seed) for a in canonical for seed in (4, 2)]


def test_members_of_a_class_are_one_training(mini: CellSpace, digits: Task) -> None:
    """From the initial weights on, whichever way they are asked for."""
    first = mini.index("|none~0|+|skip_connect~0|nor_conv_3x3~1|")
    second = mini.index("|none~0|+|skip_connect~0|nor_conv_1x1~1|")
    assert first != second
    records = [trained(mini, digits, architecture, 0) for architecture in (first, second)]
    assert without_clock(records[0]) == without_clock(records[1])
    trainer, data = ReferenceTrainer("cpu"), prepare(digits, QUICK, CPU)
    for architecture in (first, second):
        epochs = trainer.epochs(mini, architecture, digits, data, QUICK, seed=0)
        losses = np.asarray([epoch.metrics["valid_loss"] for epoch in epochs], dtype=np.float32)
        assert losses.tobytes() == records[0].curves["valid_loss"].tobytes()


def test_a_training_that_was_put_aside_goes_on_as_if_it_had_not(
    mini: CellSpace, digits: Task
) -> None:
    trainer = ReferenceTrainer("cpu")
    data = prepare(digits, QUICK, CPU)

    def start(architecture: int) -> Iterator[Epoch]:
        return trainer.epochs(mini, architecture, digits, data, QUICK, seed=1)

    def shown(epochs: list[Epoch]) -> list[tuple[float, ...]]:
        return [tuple(epoch.metrics.values()) for epoch in epochs]

    whole = list(start(61))
    threads = torch.get_num_threads()
    put_aside = start(61)
    first = list(islice(put_aside, 2))
    list(islice(start(93), 2))
    torch.manual_seed(7)
    assert shown([*first, *put_aside]) == shown(whole)
    assert torch.get_num_threads() == threads
    assert next(put_aside, None) is None


# Divergence.


def assert_diverged(record: Record, epoch: int) -> None:
    """Everything is there before the epoch (from 1), nothing but the clock after."""
    assert record.diverged == epoch
    for name, curve in record.curves.items():
        assert np.isfinite(curve[: epoch - 1]).all()
        if name == "train_seconds":
            assert (curve[epoch - 1 :] == curve[epoch - 1]).all()
            assert curve[-1] > 0
        else:
            assert np.isnan(curve[epoch - 1 :]).all()
    assert math.isnan(record.test_accuracy)


def test_a_hopeless_learning_rate_is_recorded_as_divergence(mini: CellSpace, digits: Task) -> None:
    recipe = nb.Recipe(epochs=3, train_images=100, valid_images=50, channels=4, cells=1,
                       batch_size=25, learning_rate=1e30)  # fmt: skip
    assert_diverged(trained(mini, digits, 107, 0, recipe), 1)


@pytest.mark.parametrize(
    ("training", "breaks", "epoch"),
    [(True, 0, 1), (True, 3, 2), (True, 8, 3), (False, 3, 1), (False, 4, 2)],
)
def test_divergence_is_recorded_in_its_epoch(
    mini: CellSpace,
    digits: Task,
    monkeypatch: pytest.MonkeyPatch,
    training: bool,
    breaks: int,
    epoch: int,
) -> None:
    """An output infinite after some steps, in training or evaluation; an epoch has three."""

    class Breaking(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(64, 10)
            self.steps = 0

        def forward(self, x: Tensor) -> Tensor:
            broken = self.steps >= breaks and self.training == training
            self.steps += self.training
            logits: Tensor = self.linear(x.reshape(len(x), -1))
            return logits * math.inf if broken else logits

    monkeypatch.setattr(reference, "started", lambda *args: Breaking())
    assert_diverged(trained(mini, digits, 107, 0), epoch)


# Hardware.


def test_hardware_that_is_not_there_is_refused() -> None:
    assert pick_hardware("cpu") == CPU
    assert pick_hardware("auto").type in ("cpu", "cuda", "mps")
    with pytest.raises(NasbenchError, match="no hardware 'gpu9' here"):
        pick_hardware("gpu9")
    if not torch.cuda.is_available():
        with pytest.raises(NasbenchError, match="no hardware 'cuda' here"):
            ReferenceTrainer("cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_starts_where_the_cpu_starts(mini: CellSpace, digits: Task) -> None:
    recipe = nb.Recipe(epochs=1, train_images=500, channels=8, cells=1, batch_size=250)
    cpu = trained(mini, digits, 107, 0, recipe)
    cuda = next(ReferenceTrainer("cuda").train(mini, [107], digits, recipe, [0]))
    # Two steps: rounding has not yet led them apart.
    assert cuda.curves["train_loss"][0] == pytest.approx(cpu.curves["train_loss"][0], rel=1e-3)
    assert cuda.curves["valid_loss"][0] == pytest.approx(cpu.curves["valid_loss"][0], rel=1e-2)
