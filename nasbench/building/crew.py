"""Who trains a build: this machine, or a Ray cluster."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from nasbench._limits import MOST_PROCESSES
from nasbench.building.executor import Unit, processes_of, train_units
from nasbench.building.preflight import check_networks
from nasbench.building.ray_executor import import_ray, train_on_ray
from nasbench.building.spec import BuildSpec
from nasbench.errors import BadValue, NasbenchError, Unsupported, unknown
from nasbench.train.engine import pick_engine
from nasbench.train.record import Record

__all__ = ["EXECUTORS", "Crew"]

EXECUTORS = ("local", "ray")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Crew:
    """Who trains, and with what; made by `of`, which says what is not here."""

    spec: BuildSpec
    processes: int | None
    engine: str
    hardware: str
    executor: str

    @classmethod
    def of(
        cls, spec: BuildSpec, processes: int | None, engine: str, hardware: str, executor: str
    ) -> Crew:
        """The crew that the parameters of `build` ask for."""
        if processes is not None and not 1 <= processes <= MOST_PROCESSES:
            raise BadValue(
                f"a build needs 1 process or more, got {processes}; {MOST_PROCESSES:,} are the most"
            )
        if spec.here:
            if executor == "ray":
                raise Unsupported(f"{_defined(spec)}: write it into a module to train on ray")
            logger.warning(
                "%s: this one trains all, one network after the other; write it into a module to "
                "have them side by side",
                _defined(spec),
            )
        if executor == "ray":
            import_ray()
            if hardware not in ("auto", "cpu"):
                raise NasbenchError(f"the ray executor trains on CPUs, not on {hardware}")
            hardware = "cpu"
        elif executor != "local":
            raise unknown("executor", executor, EXECUTORS)
        engine = pick_engine(engine, hardware, spec.space, spec.task, spec.recipes.values())
        if engine == "native":
            hardware = "cpu"
        check_networks(spec)
        if executor == "local":
            processes = processes_of(spec, processes, hardware)
        return cls(spec, processes, engine, hardware, executor)

    @property
    def side_by_side(self) -> int:
        """Trainings at a time; those of a fused group share its time, so that they count as one."""
        return 1 if self.engine == "fused" else self.processes or 1

    def mixed(self, units: Sequence[Unit]) -> Sequence[Unit]:
        """Large networks among small ones, so that the time left is right.

        Recipes and seeds stay in theirs, so that a build that is stopped has whole ones; and so do
        groups of the fused engine, since how a network rounds depends on who stands beside it.
        """
        if self.engine == "fused":
            return units
        rng = np.random.default_rng(0)
        alike = [list(of) for _, of in groupby(units, lambda unit: (unit.recipe, unit.seed))]
        return [group[at] for group in alike for at in rng.permutation(len(group))]

    def train(
        self, units: Sequence[Unit], joined: Callable[[Mapping[str, Any]], None]
    ) -> Iterator[tuple[Unit, Record]]:
        """Records as they finish; `joined` gets the session of each machine that helps."""
        if self.executor == "ray":
            return train_on_ray(self.spec, units, self.processes, self.engine, joined)
        return train_units(self.spec, units, self.processes or 1, self.engine, self.hardware)


def _defined(spec: BuildSpec) -> str:
    return f"no other process can import {', '.join(spec.here)}, which this program defines"
