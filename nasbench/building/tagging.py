"""Tags of a recipe's family: which networks are looked at, and what sums say of others."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nasbench._progress import Progress, silent
from nasbench.building.costs import choose_rows
from nasbench.building.measuring import timed_network
from nasbench.building.spec import BuildSpec
from nasbench.device import Device
from nasbench.device.tagging import measure_tags
from nasbench.device.tags import Tags
from nasbench.device.units import units_of
from nasbench.network.graph import graph_of
from nasbench.table import Dataset, Table, write_table

__all__ = ["sum_tags", "tag_operations", "write_sums"]

Floats = NDArray[np.float64]

MIB = 2**20


def tag_operations(
    spec: BuildSpec,
    device: Device,
    *,
    sample: int = 100,
    whole: int = 5,
    seed: int = 0,
    progress: Progress = silent,
) -> Tags:
    """Measure the units of a recipe's networks.

    Args:
        spec: whose networks, in the sizes of its first recipe.
        device: to measure on.
        sample: random architectures in which units are looked for.
        whole: how many of them are measured whole, to say how far sums are off.
        seed: of the sample.
        progress: called as it goes on.
    """
    known = choose_rows(spec, _possible(spec, sample), seed)
    rng = np.random.default_rng(seed)
    checked = rng.permutation(known)[:whole].tolist()
    networks = {spec.space.string(a): timed_network(spec, a) for a in known.tolist()}
    strings = [spec.space.string(a) for a in checked]
    return measure_tags(device, networks, spec.task.signal, strings, progress)


def sum_tags(
    spec: BuildSpec, tags: Tags, architectures: Iterable[int], progress: Progress = silent
) -> dict[str, Floats]:
    """What tags say of architectures, by metric: each `[n]`.

    `latency_ms` is the sum over units, rescaled by the whole networks that were measured;
    `memory_mib` the most that weights, input and what later operations read take at a time, by
    liveness over the graph, not a sum; `moving_ms` what moving its data takes at the roofline's
    bandwidth, a price for the memory wall; `memory_bound` the share of the time that waits for
    memory; `untagged` how many units have no tag, and stand by the roofline.
    """
    asked = list(architectures)
    found: dict[str, list[float]] = {
        name: [] for name in ("latency_ms", "memory_mib", "moving_ms", "memory_bound", "untagged")
    }
    batch = int(tags.about["description"].get("batch_size", 1))
    for done, architecture in enumerate(asked, 1):
        graph = graph_of(timed_network(spec, architecture), spec.task.signal, batch)
        units = units_of(graph)
        found["latency_ms"].append(tags.scale * tags.latency_ms(units))
        found["memory_mib"].append(graph.peak_bytes / MIB)
        moved = sum(n * unit.moved_bytes for unit, n in units.items())
        found["moving_ms"].append(tags.roofline.bounds_ms(0, moved)[1])
        found["memory_bound"].append(tags.memory_bound(units))
        found["untagged"].append(tags.unknown(units))
        progress("summing tags", done, len(asked))
    return {name: np.asarray(values, dtype=np.float64) for name, values in found.items()}


def write_sums(
    table: Table, tags: Tags, sums: Mapping[str, Floats], path: Path, *, new: bool = False
) -> Table:
    """Write a table of what tags say of a table's rows, all of the kind `estimated`.

    Args:
        table: whose rows were asked for, in its order.
        tags: that were summed.
        sums: by metric, see `sum_tags`.
        path: of the file.
        new: nothing was at `path` when the work on it began.
    """
    plain, scaled = tags.errors
    said = {
        "operations": len(tags.operations),
        "whole": len(tags.whole),
        "error": None if math.isnan(plain) else plain,
        "error_rescaled": None if math.isnan(scaled) else scaled,
    }
    units = {"latency_ms": "ms", "memory_mib": "MiB", "moving_ms": "ms"}
    return write_table(
        path,
        name=f"{table.name}-{tags.device}-tags",
        space=table.space,
        rows=table.rows,
        sharing=table.manifest["sharing"],
        recipes={},
        datasets={
            f"device/{tags.device}/{metric}": Dataset(
                sums[metric], {"kind": "estimated", "unit": unit}
            )
            for metric, unit in units.items()
        },
        devices={tags.device: {"tags": said}},
        about={"sources": [{"name": table.name, "sha256": table.sha256}]},
        new=new,
    )


def _possible(spec: BuildSpec, sample: int) -> int | None:
    """The sample, or all of a space that is no larger."""
    return None if spec.space.listable and spec.distinct <= sample else sample
