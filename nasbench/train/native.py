"""The native trainer: a C++ engine that trains one network on one thread, many times as fast.

The engine keeps images side by side in the innermost dimension, so that networks too narrow
to fill PyTorch's kernels fill the processor's vectors. Same start, same batches and same
schedule as the reference trainer; gradients agree within rounding.
"""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import cache, lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from nasbench.errors import NasbenchError, Unsupported
from nasbench.space import SHIFT, Space
from nasbench.task import Task
from nasbench.train.network import CellNetwork, network
from nasbench.train.recipe import Recipe
from nasbench.train.record import CURVES, Record
from nasbench.train.reference import Epoch, Prepared, prepare
from nasbench.train.start import epoch_order, initialize

__all__ = ["Job", "NativeTrainer", "gradients", "instruction_set", "library"]

Job = tuple[Space, int, Task, Prepared, Recipe, int]
"""A training: space, canonical architecture, task, prepared images, recipe, seed."""

_FOLDER = Path(__file__).parent / "_native"
_OPERATIONS = {
    "skip_connect": 1,
    "nor_conv_1x1": 2,
    "nor_conv_3x3": 3,
    "avg_pool_3x3": 4,
    SHIFT: 5,
}
_COLUMNS = ("train_loss", "train_accuracy", "valid_loss", "valid_accuracy", "train_seconds")
_STOPPED, _FAILED = 1, 2


class _Spec(ctypes.Structure):
    """`Spec` in network.h."""

    _fields_ = [
        *(
            (name, ctypes.c_int32)
            for name in (
                *("inputs", "size", "classes", "channels", "cells", "batch_size"),
                *("nodes", "edges", "epochs", "nesterov"),
            )
        ),
        *((name, ctypes.c_float) for name in ("momentum", "weight_decay", "label_smoothing")),
    ]


class _Split(ctypes.Structure):
    """`Split` in engine.cpp."""

    _fields_ = [
        ("images", ctypes.c_void_p),
        ("labels", ctypes.c_void_p),
        ("n", ctypes.c_int64),
    ]


def _instruction_sets() -> list[str]:
    """What this processor runs, the best first."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return ["base"]
    has = torch.backends.cpu.get_cpu_capability()
    best = {"AVX512": ["avx512", "avx2"], "AVX2": ["avx2"]}
    return [*best.get(has, []), "base"]


def instruction_set() -> str:
    """The name of the best instruction set that the engine was built for and this machine has."""
    built = (name for name in _instruction_sets() if library(name))
    return next(built, "none")


@cache
def library(instructions: str | None = None) -> ctypes.CDLL | None:
    """The engine for an instruction set, by default the best that is here; None without one."""
    for name in [instructions] if instructions else _instruction_sets():
        for path in sorted(_FOLDER.glob(f"engine_{name}.*so")):
            engine = ctypes.CDLL(str(path))
            engine.nasbench_parameters.restype = ctypes.c_int64
            return engine
    return None


def _pointer(array: NDArray[Any] | None) -> ctypes.c_void_p | None:
    return None if array is None else ctypes.c_void_p(array.ctypes.data)


def _stack(arrays: Sequence[NDArray[Any] | None]) -> NDArray[Any] | None:
    """One array of all epochs; None where they have none."""
    known = [array for array in arrays if array is not None]
    return np.stack(known) if known else None


def _describe(net: CellNetwork, recipe: Recipe, shape: tuple[int, ...]) -> tuple[_Spec, Any]:
    """A network and a recipe as the engine reads them; `shape` is channels, height, width."""
    if shape[1] != shape[2]:
        raise NasbenchError(f"the native engine trains on square images, got {shape[1:]}")
    graph = net.graph
    edges = [(e.source, e.target, _OPERATIONS[e.operation]) for e in graph.edges]
    spec = _Spec(
        inputs=shape[0],
        size=shape[1],
        classes=net.classifier.out_features,
        channels=net.stem[0].out_channels,
        cells=net.cells,
        batch_size=recipe.batch_size,
        nodes=graph.nodes,
        edges=len(edges),
        epochs=recipe.epochs,
        nesterov=recipe.nesterov,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        label_smoothing=recipe.label_smoothing,
    )
    return spec, np.asarray(edges, dtype=np.int32).reshape(-1, 3)


def _flat(net: nn.Module) -> NDArray[np.float32]:
    """All parameters in one array, in PyTorch's order."""
    parts = [parameter.detach().numpy().ravel() for parameter in net.parameters()]
    return np.concatenate(parts).astype(np.float32, copy=False)


@torch.no_grad()
def _load(net: nn.Module, parameters: NDArray[np.float32], statistics: NDArray[np.float32]) -> None:
    """Fill a network from arrays in the order of its parameters.

    BatchNorm's running means lie where its weights do, its variances where its shifts do.
    """
    at = 0

    def fill(tensor: torch.Tensor | None, flat: NDArray[np.float32], place: int) -> None:
        if tensor is not None:
            tensor.copy_(torch.from_numpy(flat[place : place + tensor.numel()]).view_as(tensor))

    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            fill(module.running_mean, statistics, at)
            fill(module.running_var, statistics, at + module.num_features)
        for parameter in module.parameters(recurse=False):
            fill(parameter, parameters, at)
            at += parameter.numel()


def gradients(
    net: CellNetwork,
    recipe: Recipe,
    images: NDArray[np.float32],
    labels: NDArray[np.int64],
    instructions: str | None = None,
) -> tuple[float, NDArray[np.float32]]:
    """Loss and gradients of one batch, all parameters in one array in PyTorch's order.

    Args:
        net: gives the weights and the architecture.
        recipe: gives label smoothing.
        images: `[n, channels, height, width]`, the whole batch.
        labels: `[n]`.
        instructions: of one instruction set; the best by default.
    """
    engine = library(instructions)
    if engine is None:
        raise NasbenchError("the native engine was not built: install with a C++ compiler")
    spec, edges = _describe(net, recipe, images.shape[1:])
    spec.batch_size = len(images)
    parameters = _flat(net)
    found = np.zeros_like(parameters)
    loss = ctypes.c_double()
    message = ctypes.create_string_buffer(200)
    x, y = np.ascontiguousarray(images, dtype=np.float32), labels.astype(np.int32)
    batch = _Split(_pointer(x), _pointer(y), len(x))
    status = engine.nasbench_gradients(
        ctypes.byref(spec),
        _pointer(edges),
        _pointer(parameters),
        ctypes.byref(batch),
        ctypes.byref(loss),
        _pointer(found),
        message,
        len(message),
    )
    if status:
        raise NasbenchError(f"the native engine failed: {message.value.decode()}")
    return loss.value, found


class NativeTrainer:
    """Trains architectures on CPU threads, one network a thread.

    Bit-for-bit repeatable on one machine, whatever the number of threads.

    Args:
        threads: trainings side by side.
        instructions: `avx512`, `avx2` or `base`; the best that this processor has by default.
    """

    name = "native"
    hardware = torch.device("cpu")

    def __init__(self, threads: int = 1, instructions: str | None = None) -> None:
        engine = library(instructions)
        if engine is None:
            raise NasbenchError(
                "the native engine was not built here: install a C++ compiler and the package "
                "again, or train with the reference engine"
            )
        self._engine = engine
        self.threads = threads
        self._stop = ctypes.c_int32(0)

    def train(
        self,
        space: Space,
        architectures: Iterable[int],
        task: Task,
        recipe: Recipe,
        seeds: Iterable[int],
    ) -> Iterator[Record]:
        """Train the class of each architecture with each seed; records come in this order."""
        data = prepare(task, recipe, self.hardware)
        seeds = list(seeds)
        jobs = [
            (space, int(space.canonical(int(architecture))), task, data, recipe, seed)
            for architecture in architectures
            for seed in seeds
        ]
        waiting: dict[int, Record] = {}
        due = 0
        for number, record in self.train_side_by_side(jobs):
            waiting[number] = record
            while due in waiting:
                yield waiting.pop(due)
                due += 1

    def train_side_by_side(self, jobs: Iterable[Job]) -> Iterator[tuple[int, Record]]:
        """Train; records come as they finish, with the number of their job.

        Ctrl-C, or leaving the iterator, stops the trainings that run within a step.
        """
        todo = enumerate(jobs)
        waiting: dict[Future[Record], int] = {}
        with ThreadPoolExecutor(self.threads) as pool:
            try:
                while True:
                    for number, job in islice(todo, 2 * self.threads - len(waiting)):
                        waiting[pool.submit(self.train_one, *job)] = number
                    if not waiting:
                        return
                    # A wait with a limit lets Ctrl-C through.
                    for future in wait(waiting, 0.2, return_when=FIRST_COMPLETED).done:
                        yield waiting.pop(future), future.result()
            finally:
                self._stop.value = 1
                pool.shutdown(cancel_futures=True)
                self._stop.value = 0

    def epochs(
        self, space: Space, architecture: int, task: Task, data: Prepared, recipe: Recipe, seed: int
    ) -> Iterator[Epoch]:
        """The training of one architecture, an epoch at a time, up to where it diverges.

        The first step trains to the recipe's end: so fast an engine keeps no checkpoints.
        """
        job = (space, int(space.canonical(architecture)), task, data, recipe, seed)
        # On another thread than this one, where Ctrl-C would wait for its end.
        [(_, record)] = self.train_side_by_side([job])
        epochs = record.diverged or recipe.epochs
        for number in range(epochs):
            last = number == recipe.epochs - 1
            yield Epoch(
                **{name: float(curve[number]) for name, curve in record.curves.items()},
                test_accuracy=record.test_accuracy if last else float("nan"),
                evaluation_seconds=record.evaluation_seconds,
            )

    def train_one(
        self, space: Space, architecture: int, task: Task, data: Prepared, recipe: Recipe, seed: int
    ) -> Record:
        """The whole training of a canonical architecture on images prepared for the recipe."""
        net = network(space, architecture, task, recipe)
        initialize(net, seed, architecture)
        return self._train(net, architecture, task, data, recipe, seed, None)

    def train_network(
        self,
        net: CellNetwork,
        architecture: int,
        task: Task,
        data: Prepared,
        recipe: Recipe,
        seed: int,
    ) -> Record:
        """The same for a network that `initialize` has started: it ends as it is trained.

        Raises:
            Unsupported: where the engine was built by an earlier version, which kept no networks.
        """
        statistics = np.full_like(_flat(net), np.nan)
        return self._train(net, architecture, task, data, recipe, seed, statistics)

    def _train(
        self,
        net: CellNetwork,
        architecture: int,
        task: Task,
        data: Prepared,
        recipe: Recipe,
        seed: int,
        statistics: NDArray[np.float32] | None,
    ) -> Record:
        """Train; where `statistics` are wanted, the network takes the weights, too."""
        arrays = _arrays(data)
        n = arrays.train.n
        spec, edges = _describe(net, recipe, task.shape)
        spec.batch_size = min(recipe.batch_size, max(n, arrays.valid.n))
        parameters = _flat(net)
        orders = [epoch_order(recipe, n, seed, epoch) for epoch in range(recipe.epochs)]
        images = _stack([order.images for order in orders])
        shifts = _stack([order.shifts for order in orders])
        flips = _stack([order.flips for order in orders])
        steps = recipe.epochs * -(-n // recipe.batch_size)
        rates = [recipe.learning_rate_at(step, steps) for step in range(steps)]
        rate = np.asarray(rates, dtype=np.float32)
        curves = np.full((recipe.epochs, len(_COLUMNS)), np.nan)
        test, evaluation = ctypes.c_double(np.nan), ctypes.c_double()
        diverged = ctypes.c_int32()
        message = ctypes.create_string_buffer(200)
        status = self._engine.nasbench_train(
            ctypes.byref(spec),
            _pointer(edges),
            _pointer(parameters),
            ctypes.byref(arrays.train),
            ctypes.byref(arrays.valid),
            ctypes.byref(arrays.test),
            _pointer(images),
            _pointer(shifts),
            _pointer(flips),
            _pointer(rate),
            ctypes.byref(self._stop),
            _pointer(curves),
            ctypes.byref(test),
            ctypes.byref(evaluation),
            ctypes.byref(diverged),
            message,
            len(message),
            _pointer(statistics),
        )
        if status == _FAILED:
            raise NasbenchError(
                f"the native engine failed on architecture {architecture}: {message.value.decode()}"
            )
        if status == _STOPPED:
            raise KeyboardInterrupt
        if statistics is not None:
            if np.isnan(statistics).all():
                raise Unsupported(
                    "the native engine here was built by an earlier version, which keeps no "
                    "networks: install the package again"
                )
            _load(net, parameters, statistics)
        kept = {name: curves[:, c].astype(np.float32) for c, name in enumerate(_COLUMNS)}
        return Record(
            architecture,
            seed,
            {name: kept[name] for name in CURVES},
            float(np.float32(test.value)),
            evaluation.value,
            diverged.value,
        )


class _Arrays:
    """The splits as the engine reads them, held for as long as it does."""

    def __init__(self, data: Prepared) -> None:
        self._held: list[NDArray[Any]] = []
        self.train, self.valid, self.test = (
            self._split(*split) for split in (data.train, data.valid, data.test)
        )

    def _split(self, x: torch.Tensor, y: torch.Tensor) -> _Split:
        images = np.ascontiguousarray(x.numpy(), dtype=np.float32)
        labels = y.numpy().astype(np.int32)
        self._held += [images, labels]
        return _Split(_pointer(images), _pointer(labels), len(images))


@lru_cache(maxsize=4)
def _arrays(data: Prepared) -> _Arrays:
    return _Arrays(data)
