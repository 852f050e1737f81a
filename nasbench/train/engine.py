"""Which engine trains: the fastest that is here, unless one is named."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

import torch

from nasbench.errors import NasbenchError, Unsupported, unknown
from nasbench.space import Space
from nasbench.task import Task
from nasbench.train.epoch import Epoch
from nasbench.train.feed import Prepared
from nasbench.train.fused import FusedTrainer
from nasbench.train.native import NativeTrainer, library
from nasbench.train.recipe import Recipe
from nasbench.train.record import Record
from nasbench.train.reference import ReferenceTrainer, pick_hardware

__all__ = ["ENGINES", "Trainer", "make_trainer", "pick_engine"]

ENGINES = ("native", "fused", "reference")


class Trainer(Protocol):
    """What trains networks; engines agree on start, batches, schedule and gradients."""

    name: str
    hardware: torch.device
    threads: int

    @staticmethod
    def suits(space: Space, task: Task, recipe: Recipe) -> str:
        """Nothing where this engine can train networks of the space so, else why it cannot."""

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


_TRAINERS: Mapping[str, type[Trainer]] = {
    "native": NativeTrainer,
    "fused": FusedTrainer,
    "reference": ReferenceTrainer,
}


def pick_engine(
    engine: str, hardware: str, space: Space, task: Task, recipes: Iterable[Recipe]
) -> str:
    """The engine of that name; `auto` is the fastest that is here and suits.

    On CUDA that is `fused`; on a CPU `native` where it was built; else `reference`, which
    trains any family's networks.

    Args:
        engine: one of `ENGINES`, or `auto`.
        hardware: a torch device's name, or `auto`.
        space: whose networks are trained.
        task: on which.
        recipes: by which.

    Raises:
        Unsupported: where the engine that is named cannot train them.
    """
    asked = list(recipes)
    if engine == "auto":
        kind = pick_hardware(hardware).type
        fastest = "fused" if kind == "cuda" else "native"
        here = fastest == "fused" or (kind == "cpu" and library() is not None)
        return fastest if here and not _unsuited(fastest, space, task, asked) else "reference"
    if engine not in ENGINES:
        raise unknown("engine", engine, (*ENGINES, "auto"))
    if engine == "native" and pick_hardware(hardware).type != "cpu" and hardware != "auto":
        raise NasbenchError(f"the native engine trains on the CPU, not on {hardware}")
    if why := _unsuited(engine, space, task, asked):
        hint = "" if engine == "reference" else ": leave the engine out, or name reference"
        raise Unsupported(f"the {engine} engine trains {why}{hint}")
    return engine


def _unsuited(engine: str, space: Space, task: Task, recipes: Sequence[Recipe]) -> str:
    reasons = (_TRAINERS[engine].suits(space, task, recipe) for recipe in recipes)
    return next(filter(None, reasons), "")


def make_trainer(engine: str, hardware: str = "auto", threads: int = 1) -> Trainer:
    """The trainer of that name: `native` runs `threads` trainings, the others one on them.

    `fused` takes a group of networks for one training.
    """
    if engine == "native":
        return NativeTrainer(threads)
    if engine == "fused":
        return FusedTrainer(hardware, threads)
    return ReferenceTrainer(hardware, threads)
