"""The reference trainer: plain PyTorch, one network at a time, read from top to bottom."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from nasbench.errors import NasbenchError
from nasbench.network import started
from nasbench.network.draws import Draws
from nasbench.network.inputs import answer_of
from nasbench.space import Space
from nasbench.task import Task
from nasbench.train.feed import Prepared, batch_of, prepare
from nasbench.train.objective import count_right, evaluate, loss_of
from nasbench.train.optimizer import SGD
from nasbench.train.order import epoch_order
from nasbench.train.recipe import Recipe
from nasbench.train.record import CURVES, Record

__all__ = [
    "Epoch",
    "ReferenceTrainer",
    "cpu_threads",
    "pick_hardware",
    "record_of",
    "training",
]

_NOISE = 2
"""Spawn key of what networks draw; those of weights and orders are 0 and 1."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one epoch showed; the names are those of `Record`.

    Losses and accuracies are rounded to float32, as records and tables keep them; all are NaN
    where the training diverged.
    """

    train_loss: float
    train_accuracy: float
    valid_loss: float
    valid_accuracy: float
    train_seconds: float
    test_accuracy: float  # NaN before the last epoch
    evaluation_seconds: float

    @property
    def diverged(self) -> bool:
        """Whether the loss stopped being finite in this epoch."""
        return math.isnan(self.train_loss)


def pick_hardware(name: str = "auto") -> torch.device:
    """The torch device of that name; `auto` is CUDA, else MPS, else the CPU."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        torch.empty(0, device=name)
        return torch.device(name)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise NasbenchError(f"there is no hardware {name!r} here: {reason}") from error


def training(net: nn.Module, data: Prepared, recipe: Recipe, seed: int) -> Iterator[Epoch]:
    """Train a network, an epoch at each step of the iterator; it ends where training diverges.

    An iterator that is put aside between two epochs is the checkpoint: the next step
    continues where it stopped. What the network draws (dropout) follows from the seed alone.
    """
    epochs = _epochs(net, data, recipe, seed)
    entropy = np.random.SeedSequence(seed, spawn_key=(_NOISE,))
    draws = Draws(int(entropy.generate_state(1)[0]), data.train[0].device)
    while True:
        with draws.taken():
            epoch = next(epochs, None)
        if epoch is None:
            return
        yield epoch


def _epochs(net: nn.Module, data: Prepared, recipe: Recipe, seed: int) -> Iterator[Epoch]:
    x, y = data.train
    net.to(x.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = SGD(net.parameters(), recipe)
    steps_per_epoch = -(-len(x) // recipe.batch_size)
    seconds = evaluation_seconds = 0.0
    for epoch in range(recipe.epochs):
        started = _now(x.device)
        order = epoch_order(recipe, len(x), seed, epoch)
        net.train()
        loss_sum = torch.zeros((), device=x.device)
        correct = torch.zeros((), device=x.device)
        for step in range(steps_per_epoch):
            chosen = slice(step * recipe.batch_size, (step + 1) * recipe.batch_size)
            images, labels = batch_of(x, y, order, chosen)
            done = epoch * steps_per_epoch + step
            rate = recipe.learning_rate_at(done, recipe.epochs * steps_per_epoch)
            logits = answer_of(net(images))
            loss = loss_of(logits, labels, recipe)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step(rate)
            loss_sum += loss.detach() * len(labels)
            correct += count_right(logits, labels)
        train_loss = loss_sum.item() / len(x)
        train_accuracy = 100 * correct.item() / len(x)
        trained = _now(x.device)
        seconds += trained - started
        last = epoch == recipe.epochs - 1
        valid_loss, valid_accuracy = evaluate(net, *data.valid)
        test_accuracy = evaluate(net, *data.test)[1] if last else float("nan")
        evaluation_seconds += _now(x.device) - trained
        finite = math.isfinite(train_loss) and math.isfinite(valid_loss)

        def kept(value: float, finite: bool = finite) -> float:
            return float(np.float32(value)) if finite else math.nan

        yield Epoch(
            train_loss=kept(train_loss),
            train_accuracy=kept(train_accuracy),
            valid_loss=kept(valid_loss),
            valid_accuracy=kept(valid_accuracy),
            train_seconds=seconds,
            test_accuracy=kept(test_accuracy),
            evaluation_seconds=evaluation_seconds,
        )
        if not finite:
            return


def record_of(architecture: int, seed: int, epochs: Sequence[Epoch], recipe: Recipe) -> Record:
    """A training's epochs, all or up to where it diverged, as its record."""
    last = epochs[-1]
    curves = {name: np.full(recipe.epochs, np.nan, dtype=np.float32) for name in CURVES}
    for name, curve in curves.items():
        curve[: len(epochs)] = [getattr(epoch, name) for epoch in epochs]
    diverged = len(epochs) if last.diverged else 0
    if diverged:
        curves["train_seconds"][diverged:] = last.train_seconds
    return Record(architecture, seed, curves, last.test_accuracy, last.evaluation_seconds, diverged)


class ReferenceTrainer:
    """Trains architectures one after the other.

    On one machine's CPU and one thread count the same architecture, task, recipe and seed give
    the same curves bit for bit; a GPU's kernels promise less.

    Args:
        hardware: a torch device's name, or `auto`.
        threads: CPU threads of a training.
    """

    name = "reference"

    def __init__(self, hardware: str = "auto", threads: int = 1) -> None:
        self.hardware = pick_hardware(hardware)
        self.threads = threads

    @staticmethod
    def suits(space: Space, task: Task, recipe: Recipe) -> str:
        """Nothing where it can train networks of the space so, else what alone it trains."""
        images = task.signal.kind == "image" and task.target.kind == "classes"
        return "" if images else "on images in classes alone"

    def train(
        self,
        space: Space,
        architectures: Iterable[int],
        task: Task,
        recipe: Recipe,
        seeds: Iterable[int],
    ) -> Iterator[Record]:
        """Train the class of each architecture with each seed; records come as they finish."""
        data = prepare(task, recipe, self.hardware)
        seeds = list(seeds)
        for architecture in architectures:
            canonical = space.canonical(int(architecture))
            for seed in seeds:
                yield self.train_one(space, canonical, task, data, recipe, seed)

    def epochs(
        self, space: Space, architecture: int, task: Task, data: Prepared, recipe: Recipe, seed: int
    ) -> Iterator[Epoch]:
        """The training of one architecture, an epoch at a time; see `training`."""
        canonical = int(space.canonical(architecture))
        net = started(space, canonical, task, recipe, seed)
        epochs = training(net, data, recipe, seed)
        while True:
            with cpu_threads(self.threads):
                epoch = next(epochs, None)
            if epoch is None:
                return
            yield epoch

    def train_one(
        self, space: Space, architecture: int, task: Task, data: Prepared, recipe: Recipe, seed: int
    ) -> Record:
        """The whole training of a canonical architecture on images prepared for the recipe."""
        epochs = list(self.epochs(space, architecture, task, data, recipe, seed))
        return record_of(architecture, seed, epochs, recipe)


def _now(hardware: torch.device) -> float:
    """Seconds, once the hardware has done what it was given."""
    if hardware.type == "cuda":
        torch.cuda.synchronize(hardware)
    elif hardware.type == "mps":
        torch.mps.synchronize()
    return time.perf_counter()


@contextmanager
def cpu_threads(threads: int) -> Iterator[None]:
    """Run with that many CPU threads, then with as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
