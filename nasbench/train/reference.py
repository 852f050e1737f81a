"""The reference trainer: plain PyTorch, one network at a time, read from top to bottom."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nasbench.errors import NasbenchError, Unsupported
from nasbench.network import started
from nasbench.network.draws import Draws
from nasbench.network.inputs import answer_of
from nasbench.network.testing import failures_told
from nasbench.space import Space
from nasbench.task import Task
from nasbench.train.epoch import Epoch, record_of
from nasbench.train.evaluations import check_evaluations
from nasbench.train.feed import Prepared, batch_of, check_recipe, prepare
from nasbench.train.objective import objective_of
from nasbench.train.optimizer import optimizer_of
from nasbench.train.order import epoch_order
from nasbench.train.own import own_evaluation, own_training
from nasbench.train.recipe import Recipe
from nasbench.train.record import Record, tests_of
from nasbench.train.seconds import clock_of

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
    x, _ = data.train
    net.to(x.device)
    if x.ndim == 4:
        net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = optimizer_of(net.parameters(), recipe)
    objective = objective_of(data.target, recipe, data.scale)
    autocast = _autocast(recipe, x.device)
    clock = clock_of(x.device)
    steps_per_epoch = -(-len(x) // recipe.batch_size)
    seconds = evaluation_seconds = 0.0
    best, since = math.inf, 0
    for epoch in range(recipe.epochs):
        started = clock()
        order = epoch_order(recipe, len(x), seed, epoch, tuple(x.shape[1:]))
        net.train()
        losses: list[Tensor] = []
        right: list[Tensor] = []
        for step in range(steps_per_epoch):
            chosen = slice(step * recipe.batch_size, (step + 1) * recipe.batch_size)
            inputs, targets = batch_of(data, order, chosen, recipe)
            done = epoch * steps_per_epoch + step
            rate = recipe.learning_rate_at(done, recipe.epochs * steps_per_epoch)
            with autocast:
                outputs = answer_of(net(inputs))
                loss = objective.loss(outputs, targets)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            if recipe.gradient_clip:
                nn.utils.clip_grad_norm_(net.parameters(), recipe.gradient_clip)
            optimizer.step(rate)
            losses.append(loss.detach())
            right.append(objective.right(outputs, targets))
        loss_sum = _summed(losses, recipe.batch_size, len(x))
        shown = dict(objective.shown(loss_sum, float(torch.cat(right).sum()), len(x)))
        trained = clock()
        seconds += trained - started
        with autocast:
            valid = objective.evaluate(net, *data.valid)
        since = 0 if valid["loss"] < best else since + 1
        best = min(best, valid["loss"])
        last = epoch == recipe.epochs - 1 or 0 < recipe.patience <= since
        tested: Mapping[str, float] = {}
        if last:
            with autocast:
                tested = objective.evaluate(net, *data.test)
        evaluation_seconds += clock() - trained
        shown |= {f"valid_{name}": value for name, value in valid.items()}
        finite = math.isfinite(shown["train_loss"]) and math.isfinite(valid["loss"])

        def kept(value: float, finite: bool = finite) -> float:
            return float(np.float32(value)) if finite else math.nan

        yield Epoch(
            {name: kept(value) for name, value in shown.items()},
            seconds,
            evaluation_seconds,
            {f"test_{name}": kept(value) for name, value in tested.items() if name != "loss"},
            not finite,
        )
        if last or not finite:
            return


def _summed(losses: list[Tensor], batch_size: int, n: int) -> float:
    """The mean losses of batches, of `n` examples in all, summed over the examples in float32.

    Each batch adds to what those before it did: once an epoch that costs less than a sum that
    each step updates.
    """
    total = np.float32(0)
    with np.errstate(all="ignore"):  # a training may diverge
        for step, loss in enumerate(torch.stack(losses).float().cpu().numpy()):
            total = np.float32(total + loss * min(batch_size, n - step * batch_size))
    return float(total)


def _autocast(recipe: Recipe, hardware: torch.device) -> AbstractContextManager[Any]:
    """Mixed precision where the recipe asks for it.

    Raises:
        Unsupported: where that is on other hardware than CUDA.
    """
    if not recipe.mixed_precision:
        return nullcontext()
    if hardware.type != "cuda":
        raise Unsupported(f"mixed_precision is for CUDA, and this is {hardware.type}")
    return torch.autocast("cuda", torch.bfloat16)


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
        check_recipe(task, recipe)
        check_evaluations(task, recipe)
        return ""

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
        if recipe.train is not None:
            epochs = own_training(net.to(self.hardware), canonical, task, recipe, seed)
        else:
            epochs = training(net, data, recipe, seed)
        if recipe.evaluate is not None:
            epochs = own_evaluation(epochs, net, canonical, task, data, recipe, seed)
        while True:
            with cpu_threads(self.threads), failures_told(space, canonical, "in training"):
                epoch = next(epochs, None)
            if epoch is None:
                return
            yield epoch

    def train_one(
        self, space: Space, architecture: int, task: Task, data: Prepared, recipe: Recipe, seed: int
    ) -> Record:
        """The whole training of a canonical architecture on images prepared for the recipe."""
        epochs = list(self.epochs(space, architecture, task, data, recipe, seed))
        tests = () if recipe.train else tests_of(task.target)
        return record_of(architecture, seed, epochs, recipe, tests)


@contextmanager
def cpu_threads(threads: int) -> Iterator[None]:
    """Run with that many CPU threads, then with as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
