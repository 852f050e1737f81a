"""Which engine trains: the fastest that is here, unless one is named."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

import torch

from nasbench.errors import NasbenchError, unknown
from nasbench.space import Space
from nasbench.task import Task
from nasbench.train.fused import FusedTrainer
from nasbench.train.native import NativeTrainer, library
from nasbench.train.recipe import Recipe
from nasbench.train.record import Record
from nasbench.train.reference import Epoch, Prepared, ReferenceTrainer, pick_hardware

__all__ = ["ENGINES", "Trainer", "make_trainer", "pick_engine"]

ENGINES = ("native", "fused", "reference")


class Trainer(Protocol):
    """What trains networks; engines agree on start, batches, schedule and gradients."""

    name: str
    hardware: torch.device
    threads: int

    def train(
        self,
        space: Space,
        architectures: Iterable[int],
        task: Task,
        recipe: Recipe,
        seeds: Iterable[int],
    ) -> Iterator[Record]:
        """Train the class of each architecture with each seed, in this order."""

    def epochs(
        self, space: Space, architecture: int, task: Task, data: Prepared, recipe: Recipe, seed: int
    ) -> Iterator[Epoch]:
        """The training of one architecture, an epoch at a time, up to where it diverges."""

    def train_one(
        self, space: Space, architecture: int, task: Task, data: Prepared, recipe: Recipe, seed: int
    ) -> Record:
        """The whole training of a canonical architecture on images prepared for the recipe."""


def pick_engine(engine: str, hardware: str, size: tuple[int, int]) -> str:
    """The engine of that name; `auto` is the fastest that is here.

    On CUDA that is `fused`; on a CPU `native` where it was built, which trains on square images
    only; else `reference`.

    Args:
        engine: one of `ENGINES`, or `auto`.
        hardware: a torch device's name, or `auto`.
        size: height and width of the images.
    """
    if engine == "auto":
        kind = pick_hardware(hardware).type
        if kind == "cuda":
            return "fused"
        fits = kind == "cpu" and size[0] == size[1]
        return "native" if fits and library() is not None else "reference"
    if engine == "native" and pick_hardware(hardware).type != "cpu" and hardware != "auto":
        raise NasbenchError(f"the native engine trains on the CPU, not on {hardware}")
    if engine not in ENGINES:
        raise unknown("engine", engine, (*ENGINES, "auto"))
    return engine


def make_trainer(engine: str, hardware: str = "auto", threads: int = 1) -> Trainer:
    """The trainer of that name: `native` runs `threads` trainings, the others one on them.

    `fused` takes a group of networks for one training.
    """
    if engine == "native":
        return NativeTrainer(threads)
    if engine == "fused":
        return FusedTrainer(hardware, threads)
    return ReferenceTrainer(hardware, threads)
