"""The native trainer: a C++ engine that trains one network on one thread, many times as fast.

The engine keeps images side by side in the innermost dimension, so that networks too narrow
to fill PyTorch's kernels fill the processor's vectors. Same start, same batches and same
schedule as the reference trainer; gradients agree within rounding.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nasbench.errors import NasbenchError, Unsupported
from nasbench.network import family_of, started
from nasbench.network.cell import CellNetwork, as_cell_network
from nasbench.network.family import CELL
from nasbench.space import Space
from nasbench.task import Task
from nasbench.train.epoch import Epoch
from nasbench.train.evaluations import check_evaluations
from nasbench.train.feed import Prepared, prepare
from nasbench.train.native_library import (
    SplitView,
    describe,
    fill,
    flat,
    instruction_set,
    library,
    pointer,
)
from nasbench.train.order import epoch_order
from nasbench.train.own import figures_of
from nasbench.train.recipe import Recipe
from nasbench.train.record import CURVES, Record
from nasbench.train.reference import cpu_threads

__all__ = ["Job", "NativeTrainer", "gradients", "instruction_set", "library", "only_cells"]

Job = tuple[Space, int, Task, Prepared, Recipe, int]
"""A training: space, canonical architecture, task, prepared images, recipe, seed."""

_COLUMNS = ("train_loss", "train_accuracy", "valid_loss", "valid_accuracy", "train_seconds")
_STOPPED, _FAILED = 1, 2


def _stack(arrays: Sequence[NDArray[Any] | None]) -> NDArray[Any] | None:
    """One array of all epochs; None where they have none."""
    known = [array for array in arrays if array is not None]
    return np.stack(known) if known else None


def only_cells(space: Space, task: Task, recipe: Recipe) -> str:
    """Nothing for cells on images in classes by a plain recipe, else what alone is trained."""
    if family_of(space).name != CELL:
        return f"cells alone, and {space.name} has networks of another kind"
    if task.signal.kind != "image" or task.target.kind != "classes":
        return "on images in classes alone"
    beyond = [name for name in recipe.extras if name not in ("schedule", "warmup")]
    return f"without {beyond[0]}" if beyond else ""


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
    spec, edges = describe(net, recipe, images.shape[1:])
    spec.batch_size = len(images)
    parameters = flat(net)
    found = np.zeros_like(parameters)
    loss = ctypes.c_double()
    message = ctypes.create_string_buffer(200)
    x, y = np.ascontiguousarray(images, dtype=np.float32), labels.astype(np.int32)
    batch = SplitView(pointer(x), pointer(y), len(x))
    status = engine.nasbench_gradients(
        ctypes.byref(spec),
        pointer(edges),
        pointer(parameters),
        ctypes.byref(batch),
        ctypes.byref(loss),
        pointer(found),
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

    @staticmethod
    def suits(space: Space, task: Task, recipe: Recipe) -> str:
        """Nothing where it can train networks of the space so, else what alone it trains."""
        check_evaluations(task, recipe)
        plain = replace(recipe, evaluate=None) if recipe.evaluations else recipe
        if why := only_cells(space, task, plain):
            return why
        _, height, width = task.shape
        return "" if height == width else "on square images alone"

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
        with self._engine_threads(self.threads) as pool:
            while True:
                for number, job in islice(todo, 2 * self.threads - len(waiting)):
                    waiting[pool.submit(self.train_one, *job)] = number
                if not waiting:
                    return
                # A wait with a limit lets Ctrl-C through.
                for future in wait(waiting, 0.2, return_when=FIRST_COMPLETED).done:
                    yield waiting.pop(future), future.result()

    @contextmanager
    def _engine_threads(self, threads: int) -> Iterator[ThreadPoolExecutor]:
        """Threads that the engine runs on, so that this one hears Ctrl-C.

        However the block is left, what still trains stops within a step.
        """
        with ThreadPoolExecutor(threads) as pool:
            try:
                yield pool
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
            shown = {name: float(curve[number]) for name, curve in record.curves.items()}
            yield Epoch(
                shown,
                shown.pop("train_seconds"),
                record.evaluation_seconds,
                record.tests if last else {},
                number == record.diverged - 1,
            )

    def train_one(
        self, space: Space, architecture: int, task: Task, data: Prepared, recipe: Recipe, seed: int
    ) -> Record:
        """The whole training of a canonical architecture on images prepared for the recipe."""
        net = as_cell_network(started(space, architecture, task, recipe, seed))
        job = (architecture, task, data, recipe, seed)
        if not recipe.evaluations:
            return self._train(net, *job, None)
        record = self._train(net, *job, np.full_like(flat(net), np.nan))
        if record.diverged:
            return record
        began = time.thread_time()
        with cpu_threads(1):
            found = figures_of(net, *job)
        spent = record.evaluation_seconds + time.thread_time() - began
        return replace(record, tests={**record.tests, **found}, evaluation_seconds=spent)

    def train_network(
        self,
        net: CellNetwork,
        architecture: int,
        task: Task,
        data: Prepared,
        recipe: Recipe,
        seed: int,
    ) -> Record:
        """The same for a network that `started` made: it ends as it is trained.

        Raises:
            Unsupported: where the engine was built by an earlier version, which kept no networks.
        """
        statistics = np.full_like(flat(net), np.nan)
        with self._engine_threads(1) as pool:
            asked = (net, architecture, task, data, recipe, seed, statistics)
            future = pool.submit(self._train, *asked)
            while not wait([future], 0.2).done:
                pass
        return future.result()

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
        spec, edges = describe(net, recipe, task.shape)
        spec.batch_size = min(recipe.batch_size, max(n, arrays.valid.n))
        parameters = flat(net)
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
            pointer(edges),
            pointer(parameters),
            ctypes.byref(arrays.train),
            ctypes.byref(arrays.valid),
            ctypes.byref(arrays.test),
            pointer(images),
            pointer(shifts),
            pointer(flips),
            pointer(rate),
            ctypes.byref(self._stop),
            pointer(curves),
            ctypes.byref(test),
            ctypes.byref(evaluation),
            ctypes.byref(diverged),
            message,
            len(message),
            pointer(statistics),
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
            fill(net, parameters, statistics)
        kept = {name: curves[:, c].astype(np.float32) for c, name in enumerate(_COLUMNS)}
        return Record(
            architecture,
            seed,
            {name: kept[name] for name in CURVES},
            {"test_accuracy": float(np.float32(test.value))},
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

    def _split(self, x: torch.Tensor, y: torch.Tensor) -> SplitView:
        images = np.ascontiguousarray(x.numpy(), dtype=np.float32)
        labels = y.numpy().astype(np.int32)
        self._held += [images, labels]
        return SplitView(pointer(images), pointer(labels), len(images))


@lru_cache(maxsize=4)
def _arrays(data: Prepared) -> _Arrays:
    return _Arrays(data)
