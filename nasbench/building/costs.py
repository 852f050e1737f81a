"""A table of costs alone: what a recipe's networks take on its devices, and nothing trained."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nasbench._files import check_out
from nasbench._progress import Progress, silent
from nasbench._version import __version__
from nasbench.building.assemble import measured_columns
from nasbench.building.entries import COUNTS, EntryCheck
from nasbench.building.journal import BuildFolder, nameless
from nasbench.building.ledger import Ledger
from nasbench.building.measuring import chunks, count_networks, measure, timed_network
from nasbench.building.provenance import versions
from nasbench.building.spec import BuildSpec
from nasbench.device import Device
from nasbench.device.remote import RemoteDevice
from nasbench.errors import BadValue, Unsupported
from nasbench.space import Architectures
from nasbench.table import Dataset, Table, write_table

__all__ = ["choose_rows", "lay_down", "measure_costs"]


def choose_rows(spec: BuildSpec, sample: int | None, seed: int) -> Architectures:
    """The distinct architectures to measure: all, or a random sample, in ascending order.

    Raises:
        NasbenchError: where all are asked for of a space that is too large to list.
    """
    space = spec.space
    if sample is None:
        if not space.listable:
            raise Unsupported(
                f"{space.name} has {spec.distinct:,} architectures: measure some of them, as with "
                f"--sample 100"
            )
        return space.representatives
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    if space.listable:
        known = space.representatives
        if sample > len(known):
            raise BadValue(
                f"{space.name} has {len(known):,} distinct architectures, {sample:,} were asked for"
            )
        return np.sort(rng.choice(known, sample, replace=False))
    return np.unique(space.canonical(space.sample(rng, sample)))


def lay_down(
    spec: BuildSpec, devices: Sequence[RemoteDevice], rows: Architectures, *, wait: bool = False
) -> int:
    """Send the jobs of devices elsewhere, before their results are read.

    Args:
        spec: whose networks.
        devices: to send to.
        rows: architectures.
        wait: until each is measured, which those that are carried by hand never are.

    Returns:
        How many of the jobs have no results yet.
    """
    left = 0
    for device in devices:
        for chunk in chunks(rows.tolist()):
            networks = [timed_network(spec, architecture) for architecture in chunk]
            job = device.send(networks, spec.task.signal)
            if wait:
                device.finish(job)
            else:
                left += not device.done(job)
    return left


def measure_costs(
    spec: BuildSpec,
    out: Path,
    devices: Sequence[Device],
    rows: Architectures,
    *,
    progress: Progress | None = None,
) -> Table:
    """Count and measure networks, and write a table of it; one that was stopped goes on.

    Args:
        spec: whose networks, in the sizes of its first recipe.
        out: the table, which must not be there.
        devices: to measure on, those of the spec.
        rows: distinct architectures in ascending order.
        progress: called with how many networks are done.
    """
    tell = progress or silent
    check_out(out, new=True)
    for device in devices:
        device.describe()  # what is not reached says so before anything is written
    plan = {
        "measured": nameless({"spec": spec.describe()})["spec"],
        "rows": hashlib.sha256(repr(rows.tolist()).encode()).hexdigest(),
        "version": __version__,
    }
    folder = BuildFolder(out, plan)
    finished = False
    try:
        done = Ledger(folder, folder.entries(EntryCheck(spec)))
        count_networks(spec, rows.tolist(), done, tell)
        measure(spec, rows.tolist(), devices, done, tell)
        table = _write(spec, out, rows, done)
        finished = True
    finally:
        folder.close(remove=finished)
    return table


def _write(spec: BuildSpec, out: Path, rows: Architectures, done: Ledger) -> Table:
    datasets: dict[str, Dataset] = {}
    missing: list[dict[str, Any]] = []
    for metric in COUNTS:
        values = np.asarray([done.counts[a][metric] for a in rows.tolist()], dtype=np.float64)
        datasets[f"network/{metric}"] = Dataset(values, {"kind": "counted"})
    for device in spec.devices:
        columns, reasons = measured_columns(
            device.name, rows.tolist(), done.measurements[device.name]
        )
        datasets |= columns
        missing += reasons
    name, recipe = next(iter(spec.recipes.items()))
    return write_table(
        out,
        name=f"{spec.name}-costs",
        space=spec.space,
        rows=rows,
        sharing="canonical",
        recipes={},
        datasets=datasets,
        devices={device.name: done.devices[device.name] for device in spec.devices},
        missing=missing,
        about={
            "origin": "measured",
            **spec.describe_family(),
            "task": spec.task.manifest(),
            "networks": {"recipe": name, **recipe.describe()},
            "versions": versions(),
        },
        new=True,
    )
