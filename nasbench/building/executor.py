"""Who trains: this process, or several beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from nasbench._pool import in_processes
from nasbench._processes import cores, leave_with_parent
from nasbench.building.spec import BuildSpec
from nasbench.train.engine import make_trainer
from nasbench.train.feed import Prepared, prepare
from nasbench.train.fused import FusedTrainer
from nasbench.train.native import NativeTrainer
from nasbench.train.record import Record
from nasbench.train.reference import pick_hardware

__all__ = ["FEWER", "Unit", "UnitTrainer", "processes_of", "train_units"]

FEWER = ", with fewer --workers if memory is short"
"""What else may help where a worker of a build dies."""


class Unit(NamedTuple):
    """One training: a canonical architecture by a recipe with a seed."""

    recipe: str
    architecture: int
    seed: int


def default_processes(hardware: str) -> int:
    """A process a core on a CPU; one on a GPU, which it fills or nobody does."""
    if pick_hardware(hardware).type != "cpu":
        return 1
    return cores()


def processes_of(spec: BuildSpec, asked: int | None, hardware: str) -> int:
    """How many processes work at a build: 1 where it needs what this one alone defines."""
    return 1 if spec.here else asked or default_processes(hardware)


def train_units(
    spec: BuildSpec, units: Sequence[Unit], processes: int, engine: str, hardware: str
) -> Iterator[tuple[Unit, Record]]:
    """Train units, each on one thread; records come as they finish, in any order.

    Args:
        spec: gives space, task and recipes.
        units: what to train.
        processes: how many side by side; `native` and `fused` have threads in their place.
        engine: one of `nasbench.train.engine.ENGINES`.
        hardware: a torch device's name, or `auto`.
    """
    if engine == "native":
        yield from _train_side_by_side(spec, units, NativeTrainer(processes))
        return
    if engine == "fused":
        yield from _train_side_by_side(spec, units, FusedTrainer(hardware, processes))
        return
    if processes == 1 or len(units) < 2:
        trainer = UnitTrainer(spec, engine, hardware)
        for unit in units:
            yield unit, trainer.train(unit)
        return
    opened_with = (spec, engine, hardware)
    yield from in_processes(_train, units, processes, _open, opened_with, hint=FEWER)


def _train_side_by_side(
    spec: BuildSpec, units: Sequence[Unit], trainer: NativeTrainer | FusedTrainer
) -> Iterator[tuple[Unit, Record]]:
    data = {name: prepare(spec.task, r, trainer.hardware) for name, r in spec.recipes.items()}
    jobs = (
        (spec.space, u.architecture, spec.task, data[u.recipe], spec.recipes[u.recipe], u.seed)
        for u in units
    )
    for number, record in trainer.train_side_by_side(jobs):
        yield units[number], record


class UnitTrainer:
    """Trains one unit after the other on one thread; keeps the images of its recipes."""

    def __init__(self, spec: BuildSpec, engine: str, hardware: str) -> None:
        self.spec = spec
        self.trainer = make_trainer(engine, hardware)
        self.data: dict[str, Prepared] = {}

    def train(self, unit: Unit) -> Record:
        """The record of a training."""
        recipe = self.spec.recipes[unit.recipe]
        if unit.recipe not in self.data:
            self.data[unit.recipe] = prepare(self.spec.task, recipe, self.trainer.hardware)
        return self.trainer.train_one(
            self.spec.space,
            unit.architecture,
            self.spec.task,
            self.data[unit.recipe],
            recipe,
            unit.seed,
        )


_opened: UnitTrainer | None = None  # of a training process


def _open(spec: BuildSpec, engine: str, hardware: str) -> None:
    global _opened
    leave_with_parent()
    _opened = UnitTrainer(spec, engine, hardware)


def _train(unit: Unit) -> Record:
    if _opened is None:
        raise RuntimeError("the training process was not opened")
    return _opened.train(unit)
