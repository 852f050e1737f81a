"""A training loop of one's own, and what else is found of a trained network.

A loop is `train(network, task, recipe, rng)`. It yields a mapping of metrics after each epoch,
the last with metrics of the test split. Metrics of the test split begin with `test_`; all others
are curves. The harness keeps the time between yields.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from nasbench._names import LONGEST, is_key
from nasbench._python_file import FAILURES, UserFunction, where
from nasbench._words import counted
from nasbench.errors import NasbenchError, shown
from nasbench.network.draws import Draws
from nasbench.table.metrics import is_test
from nasbench.task import Task
from nasbench.train.epoch import Epoch
from nasbench.train.evaluations import evaluated
from nasbench.train.feed import Prepared
from nasbench.train.recipe import Recipe
from nasbench.train.seconds import clock_of

__all__ = ["figures_of", "own_evaluation", "own_training"]

_LOOP, _FOUND = 3, 4
"""Spawn keys of what loops and evaluations draw; 0 to 2 are those of the harness's own loop."""
LARGEST = 1e30
"""Of any metric."""
_SECONDS = ("train_seconds", "evaluation_seconds")
_PERCENT = frozenset({"train_accuracy", "valid_accuracy", "test_accuracy"})
_ENDED = object()


def own_training(
    net: nn.Module, architecture: int, task: Task, recipe: Recipe, seed: int
) -> Iterator[Epoch]:
    """Train a network by the recipe's own loop, an epoch at each step of the iterator.

    What the loop draws, from its generator and from PyTorch's global one, follows from seed and
    architecture; the global one stays as it is between two epochs.

    Args:
        net: the network that the training begins with, on the hardware that trains.
        architecture: that it is.
        task: with or without examples.
        recipe: names the loop, and is handed to it.
        seed: of the training.

    Raises:
        NasbenchError: in one sentence where the loop fails, or yields what no loop may.
    """
    function = recipe.train
    assert function is not None
    rng, draws = _streams(_LOOP, seed, architecture, net)
    clock = clock_of(_hardware(net))
    loop: Iterator[object] | None = None
    seconds, names = 0.0, frozenset[str]()
    for number in range(1, recipe.epochs + 1):
        began = clock()
        try:
            with draws.taken():
                if loop is None:
                    loop = iter(function.load()(net, task, recipe, rng))
                yielded = next(loop, _ENDED)
        except NasbenchError:
            raise
        except FAILURES as error:  # a user's loop can fail in any way
            raise _failed(function, f"epoch {number}", error) from error
        seconds += clock() - began
        if yielded is _ENDED:
            raise NasbenchError(
                f"{_named(function)} ended after {number - 1} of "
                f"{counted(recipe.epochs, 'epoch')}: it yields "
                f"metrics once an epoch"
            )
        metrics = _metrics(function, f"epoch {number}", yielded)
        tests = {name: value for name, value in metrics.items() if is_test(name)}
        curves = {name: value for name, value in metrics.items() if not is_test(name)}
        last = number == recipe.epochs
        if tests and not last:
            raise NasbenchError(
                f"{_named(function)} yielded {min(tests)} after epoch {number}: the test split "
                f"stays unseen until the last of {counted(recipe.epochs, 'epoch')}"
            )
        if number > 1 and names != curves.keys():
            odd = min(names ^ curves.keys())
            raise NasbenchError(
                f"{_named(function)} yielded {odd} after some epochs and not after others: a curve "
                f"has a value, or NaN, after each"
            )
        names = frozenset(curves)
        if last and isinstance(loop, Generator):
            loop.close()
        yield Epoch(curves, seconds, 0.0, tests)


def own_evaluation(
    epochs: Iterator[Epoch],
    net: nn.Module,
    architecture: int,
    task: Task,
    data: Prepared,
    recipe: Recipe,
    seed: int,
) -> Iterator[Epoch]:
    """The epochs of a training; the last with what the recipe's evaluations find.

    A training that diverged has no network to be evaluated.

    Args:
        epochs: of the training.
        net: that trains.
        architecture: that it is.
        task: that it trains on.
        data: its examples, as the recipe uses them.
        recipe: names evaluations that ship (`nasbench.train.evaluations`), or a function,
            `evaluate(network, task, rng)`, which returns a mapping of metrics; all of them are
            kept beside those of the test split.
        seed: of the training.
    """
    function = recipe.evaluate
    for epoch in epochs:
        if not epoch.tests or epoch.diverged:
            yield epoch
            continue
        clock = clock_of(_hardware(net))
        began = clock()
        if isinstance(function, UserFunction):
            metrics = _own_figures(function, net, architecture, task, seed)
        else:
            metrics = figures_of(net, architecture, task, data, recipe, seed)
        spent = epoch.evaluation_seconds + clock() - began
        for name in metrics:
            if name in epoch.tests or name in epoch.metrics:
                by = _named(function) if isinstance(function, UserFunction) else "an evaluation"
                raise NasbenchError(f"{by} found {name}, which the training shows")
        yield replace(epoch, tests={**epoch.tests, **metrics}, evaluation_seconds=spent)


def figures_of(
    net: nn.Module, architecture: int, task: Task, data: Prepared, recipe: Recipe, seed: int
) -> dict[str, float]:
    """What evaluations that ship find of a trained network; all arguments as `own_evaluation`'s.

    Nothing is drawn from global generators, so that trainings may be evaluated side by side.
    """
    rng, _ = _streams(_FOUND, seed, architecture, net)
    return evaluated(net.eval(), data, task, recipe, rng)


def _own_figures(
    function: UserFunction, net: nn.Module, architecture: int, task: Task, seed: int
) -> dict[str, float]:
    rng, draws = _streams(_FOUND, seed, architecture, net)
    try:
        with draws.taken():
            found = function.load()(net.eval(), task, rng)
            return _metrics(function, "the last epoch", found)
    except NasbenchError:
        raise
    except FAILURES as error:  # a user's function can fail in any way
        raise _failed(function, "the last epoch", error) from error


def _streams(
    key: int, seed: int, architecture: int, net: nn.Module
) -> tuple[np.random.Generator, Draws]:
    """What the user's code draws from: numpy's generator, and PyTorch's for as long as it runs."""
    entropy = np.random.SeedSequence((seed, architecture), spawn_key=(key,))
    own, torchs = entropy.spawn(2)
    draws = Draws(int(torchs.generate_state(1)[0]), _hardware(net))
    return np.random.default_rng(own), draws


def _hardware(net: nn.Module) -> torch.device:
    """That a network is on."""
    parameter = next(net.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device


def _named(function: UserFunction) -> str:
    return f"{function.name} of {function.file.name}"


def _failed(function: UserFunction, when: str, error: BaseException) -> NasbenchError:
    return NasbenchError(f"{_named(function)} failed in {when}: {where(error, function.file)}")


def _metrics(function: UserFunction, when: str, given: object) -> dict[str, float]:
    """Names and numbers as tables can hold them, float32; infinite numbers are none."""
    if not isinstance(given, Mapping) or not given:
        raise NasbenchError(
            f"{_named(function)} gave {shown(given)} in {when}: a mapping of metrics is expected, "
            f'as in {{"valid_accuracy": 91.5}}'
        )
    found = {}
    for name, value in given.items():
        if not is_key(name) or "/" in name or name in _SECONDS:
            raise NasbenchError(
                f"{_named(function)} calls a metric {shown(name)}: names have 1 to {LONGEST} "
                f"printable letters, no slash, and are not those of the clock"
            )
        found[name] = _number(function, when, name, value)
    return found


def _number(function: UserFunction, when: str, name: str, value: Any) -> float:
    try:
        number = float(value.detach() if isinstance(value, torch.Tensor) else value)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        number = math.inf
    if abs(number) > LARGEST:
        raise NasbenchError(
            f"{_named(function)} gave {name} = {shown(value)} in {when}: a number is expected, or "
            f"NaN where there is none"
        )
    if name in _PERCENT and not (0 <= number <= 100 or math.isnan(number)):
        raise NasbenchError(
            f"{_named(function)} gave {name} = {number:g} in {when}: accuracies are in percent, "
            f"0 to 100"
        )
    return float(np.float32(number))
