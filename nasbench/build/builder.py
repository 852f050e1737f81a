"""From a recipe to a table: train, measure, assemble, and lose nothing on the way."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nasbench
from nasbench.build.assemble import assemble
from nasbench.build.executor import Unit, default_processes, train_units
from nasbench.build.journal import BuildFolder
from nasbench.build.provenance import hardware as describe_hardware
from nasbench.build.provenance import versions
from nasbench.build.spec import BuildSpec
from nasbench.device import Device, make_device
from nasbench.device.count import count
from nasbench.errors import NasbenchError
from nasbench.table import Table
from nasbench.train.engine import pick_engine
from nasbench.train.network import CellNetwork, network
from nasbench.train.record import Record
from nasbench.train.reference import cpu_threads

__all__ = ["Progress", "build"]

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""

CHUNK = 64
"""Networks that are measured interleaved, and journaled together."""


def build(
    spec: BuildSpec,
    out: Path,
    *,
    processes: int | None = None,
    engine: str = "auto",
    hardware: str = "auto",
    progress: Progress | None = None,
) -> Table:
    """Train every distinct architecture with every seed, measure devices, write the table.

    A build that was stopped, killed or ran out of disk goes on from its journal in the folder
    `<out>.build`, which goes when the table is there.

    Args:
        spec: what to build.
        out: the table; must not exist.
        processes: how many trainings run side by side, each on one thread; a core each by
            default.
        engine: `native`, `reference`, or `auto` for the fastest that is here.
        hardware: to train on: a torch device's name, or `auto`.
        progress: told as the build goes on.
    """
    if out.exists():
        raise NasbenchError(f"{out} is there already: give another --out or remove it")
    if processes is not None and processes < 1:
        raise NasbenchError(f"a build needs 1 process or more, got {processes}")
    tell = progress or (lambda what, done, total: None)
    engine = pick_engine(engine, hardware, spec.task.shape[1:])
    # A space too large to enumerate, hardware and devices that are not here: told before all.
    plan = {
        "spec": spec.describe(),
        "distinct": spec.space.unique,
        "engine": engine,
        "version": nasbench.__version__,
    }
    devices = [make_device(device) for device in spec.devices]
    most = default_processes(hardware)
    folder = BuildFolder(out, plan)
    finished = False
    try:
        done = _Done(folder)
        folder.add(_session())
        _train(spec, folder, done, processes or most, engine, hardware, tell)
        _measure(spec, devices, folder, done, tell)
        table = assemble(
            spec, out, done.records, done.measurements, done.counts, _about(spec, engine, done)
        )
        finished = True
    finally:
        folder.close(remove=finished)
    return table


class _Done:
    """What the journal holds, by what it is of."""

    def __init__(self, folder: BuildFolder) -> None:
        self.records: dict[Unit, Record] = {}
        self.measurements: dict[str, dict[int, dict[str, Any]]] = {}
        self.devices: dict[str, dict[str, Any]] = {}
        self.counts: dict[int, dict[str, float]] = {}
        self.sessions: list[dict[str, Any]] = [_session()]
        for entry in folder.entries():
            self.take(entry)
        self.sessions.append(self.sessions.pop(0))  # this one is the last

    def take(self, entry: Mapping[str, Any]) -> None:
        """Take up an entry of the journal."""
        kind = entry["entry"]
        if kind == "training":
            record = Record.from_json(entry["record"])
            self.records[Unit(entry["recipe"], record.architecture, record.seed)] = record
        elif kind == "measurement":
            found = self.measurements.setdefault(entry["device"], {})
            found.update({int(a): m for a, m in entry["measurements"].items()})
            self.devices[entry["device"]] = entry["description"]
        elif kind == "counts":
            self.counts.update({int(a): c for a, c in entry["counts"].items()})
        elif kind == "session":
            self.sessions.append(dict(entry))


def _session() -> dict[str, Any]:
    return {
        "entry": "session",
        "host": platform.node(),
        "process": os.getpid(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "hardware": describe_hardware(),
        "versions": versions(),
    }


def _train(
    spec: BuildSpec,
    folder: BuildFolder,
    done: _Done,
    processes: int,
    engine: str,
    hardware: str,
    tell: Progress,
) -> None:
    units = [
        Unit(recipe, architecture, seed)
        for recipe in spec.recipes
        for seed in spec.seeds
        for architecture in spec.space.representatives.tolist()
    ]
    missing = [unit for unit in units if unit not in done.records]
    trained = len(units) - len(missing)
    tell("training", trained, len(units))
    for unit, record in train_units(spec, missing, processes, engine, hardware):
        entry = {"entry": "training", "recipe": unit.recipe, "record": record.to_json()}
        folder.add(entry)
        done.take(entry)
        trained += 1
        tell("training", trained, len(units))


def _measure(
    spec: BuildSpec, devices: Sequence[Device], folder: BuildFolder, done: _Done, tell: Progress
) -> None:
    """Count, then measure on each device, once nothing trains beside it."""
    architectures = spec.space.representatives.tolist()
    recipe = next(iter(spec.recipes.values()))
    shape = spec.task.shape

    def net(architecture: int, live: bool = True) -> CellNetwork:
        return network(spec.space, architecture, spec.task, recipe, live=live)

    for chunk in _chunks([a for a in architectures if a not in done.counts]):
        counts = {}
        for architecture in chunk:
            # One image is too little work for several threads: they would wait for each other.
            with cpu_threads(1):
                live = count(net(architecture), shape)
                release = count(net(architecture, False), shape)
            counts[architecture] = {
                "parameters": live.parameters,
                "flops": live.flops,
                "release_parameters": release.parameters,
                "release_flops": release.flops,
            }
        _keep(folder, done, {"entry": "counts", "counts": counts})
        tell("counting", len(done.counts), len(architectures))
    for device in devices:
        name = device.spec.name
        found = done.measurements.setdefault(name, {})
        for chunk in _chunks([a for a in architectures if a not in found]):
            tell(f"measuring {name}", len(found), len(architectures))
            measured = device.measure([net(architecture) for architecture in chunk], shape)
            entry = {
                "entry": "measurement",
                "device": name,
                "description": device.describe(),
                "measurements": {a: asdict(m) for a, m in zip(chunk, measured, strict=True)},
            }
            _keep(folder, done, entry)
        tell(f"measuring {name}", len(found), len(architectures))


def _keep(folder: BuildFolder, done: _Done, entry: Mapping[str, Any]) -> None:
    folder.add(entry)
    done.take(entry)


def _chunks(architectures: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(architectures), CHUNK):
        yield architectures[start : start + CHUNK]


def _about(spec: BuildSpec, engine: str, done: _Done) -> dict[str, Any]:
    """What the manifest says beside the data: where all this comes from."""
    return {
        "origin": "built",
        "engine": engine,
        "recipe_file": spec.describe(),
        "task": spec.task.describe(),
        "versions": versions(),
        "hardware": describe_hardware(),
        "device_descriptions": done.devices,
        "history": done.sessions,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }
