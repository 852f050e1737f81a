"""What tags of operations say of whole networks, for tables and searches: always estimated."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench._progress import Progress, silent
from nasbench._words import in_shell
from nasbench.building.measuring import timed_network
from nasbench.building.origin import spec_of
from nasbench.building.spec import BuildSpec
from nasbench.device.base import ESTIMATED
from nasbench.device.memory import MIB
from nasbench.device.tags import Tags
from nasbench.device.units import units_of
from nasbench.errors import BadValue, NasbenchError, Unsupported
from nasbench.network.graph import graph_of
from nasbench.table import Dataset, Table, write_table

__all__ = ["TagSums", "about_tags", "estimates_of", "sum_tags", "summed_columns", "write_sums"]

Floats = NDArray[np.float64]

UNITS = {"latency_ms": "ms", "memory_mib": "MiB", "moving_ms": "ms", "energy_mj": "mJ"}
"""What becomes a column, or a metric of a search, with its unit."""


class TagSums:
    """What tags say of one architecture after the other, by the names that searches use.

    Args:
        spec: whose networks, in the sizes of its first recipe.
        tags: of its family on a device.

    Raises:
        BadValue: where the tags are of another space.
    """

    def __init__(self, spec: BuildSpec, tags: Tags) -> None:
        tags.check_space(spec.space)
        self._spec = spec
        self._tags = tags
        self._known: dict[int, dict[str, float]] = {}

    @property
    def metrics(self) -> tuple[str, ...]:
        """Such as `cpu-onnxruntime-b1/latency_ms`."""
        return tuple(f"{self._tags.device}/{metric}" for metric in _units(self._tags))

    def describe(self) -> dict[str, Any]:
        """Whose tags they are; plain JSON values."""
        tags = self._tags
        return {"device": tags.device, "kind": ESTIMATED, "sha256": tags.sha256}

    def of(self, architecture: int) -> Mapping[str, float]:
        """The sums of an architecture, by metric."""
        key = int(self._spec.space.canonical(architecture))
        if key not in self._known:
            sums = sum_tags(self._spec, self._tags, [key])
            metrics = _units(self._tags)
            self._known[key] = {f"{self._tags.device}/{m}": float(sums[m][0]) for m in metrics}
        return self._known[key]


def estimates_of(source: BuildSpec | Table, path: Path) -> TagSums:
    """The sums of a file of tags over a recipe's or a table's networks.

    Raises:
        NasbenchError: where the file holds no tags or those of another space, or where a table
            does not say how its networks are built.
    """
    tags = Tags.load(path)
    if isinstance(source, BuildSpec):
        return TagSums(source, tags)
    tags.check_space(source.space)
    try:
        spec = spec_of(source, None)
    except NasbenchError as error:
        raise Unsupported(
            f"tags are summed over networks that {source.name} does not say how to build; sum them "
            f"with nasbench device predict --tags {in_shell(path)} --recipe RECIPE, and merge: "
            f"{error}"
        ) from error
    return TagSums(spec, tags)


def sum_tags(
    spec: BuildSpec, tags: Tags, architectures: Iterable[int], progress: Progress = silent
) -> dict[str, Floats]:
    """What tags say of architectures, by metric: each `[n]`.

    `latency_ms` is the sum over units, rescaled by the whole networks that were measured;
    `memory_mib` the most that weights, input and what later operations read take at a time, by
    liveness over the graph, not a sum; `moving_ms` what moving its data takes at the roofline's
    bandwidth, a price for the memory wall; `memory_bound` the share of the time that waits for
    memory; `energy_mj` the sum over units, where a counter measured it; `untagged` how many units
    have no tag, and stand by the roofline.

    Raises:
        BadValue: where what they sum up to is no cost, 0 or below.
    """
    asked, rescaled = list(architectures), tags.rescaled
    found: dict[str, list[float]] = {name: [] for name in (*UNITS, "memory_bound", "untagged")}
    for done, architecture in enumerate(asked, 1):
        graph = graph_of(timed_network(spec, architecture), spec.task.signal, tags.batch_size)
        units = units_of(graph)
        found["latency_ms"].append(rescaled.latency_ms(units))
        found["energy_mj"].append(tags.energy_mj(units))
        for metric in ("latency_ms", "energy_mj"):
            if found[metric][-1] <= 0:
                raise BadValue(
                    f"the tags of {tags.device} sum up to {found[metric][-1]:.3g} {UNITS[metric]} "
                    f"for {spec.space.string(architecture)}, which nothing costs: measure them anew"
                )
        found["memory_mib"].append(graph.peak_bytes / MIB)
        moved = sum(n * unit.moved_bytes for unit, n in units.items())
        found["moving_ms"].append(tags.roofline.bounds_ms(0, moved)[1])
        found["memory_bound"].append(tags.memory_bound(units))
        found["untagged"].append(tags.unknown(units))
        progress("summing tags", done, len(asked))
    return {name: np.asarray(values, dtype=np.float64) for name, values in found.items()}


def summed_columns(tags: Tags, sums: Mapping[str, Floats]) -> dict[str, Dataset]:
    """The data sets of a table that sums make, all of the kind `estimated`."""
    return {
        f"device/{tags.device}/{metric}": Dataset(sums[metric], {"kind": ESTIMATED, "unit": unit})
        for metric, unit in _units(tags).items()
    }


def _units(tags: Tags) -> dict[str, str]:
    """Those of `UNITS` that tags say something of: energy only where a counter measured it."""
    known = tags.base_mj is not None
    return {metric: unit for metric, unit in UNITS.items() if known or metric != "energy_mj"}


def about_tags(tags: Tags) -> dict[str, Any]:
    """What a manifest says of a device whose tags were summed: how far off they are, and all."""
    plain, scaled = tags.errors
    return {
        "operations": len(tags.operations),
        "whole": len(tags.whole),
        "error": None if math.isnan(plain) else plain,
        "error_rescaled": None if math.isnan(scaled) else scaled,
        "sha256": tags.sha256,
        "file": tags.describe(),
    }


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
    return write_table(
        path,
        name=f"{table.name}-{tags.device}-tags",
        space=table.space,
        rows=table.rows,
        sharing=table.manifest["sharing"],
        recipes={},
        datasets=summed_columns(tags, sums),
        devices={tags.device: {"tags": about_tags(tags)}},
        about={"sources": [{"name": table.name, "sha256": table.sha256}]},
        new=new,
    )
