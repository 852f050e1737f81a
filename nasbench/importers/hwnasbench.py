"""Importing HW-NAS-Bench: what the cells of NAS-Bench-201 cost on six devices.

Li et al., "HW-NAS-Bench: Hardware-Aware Neural Architecture Search Benchmark", ICLR 2021. The
release is one pickle, `HW-NAS-Bench-v1_0.pickle`: `["nasbench201"][dataset][metric][cell]`,
cells in the numbering of NAS-Bench-201, latencies in ms, energies in mJ (its README), -1 where
a device does not support a cell. The numbers are float64 there and stay so.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench._pickles.load import load_pickle
from nasbench._progress import Progress
from nasbench.errors import NasbenchError, unknown
from nasbench.importers.contract import Contents
from nasbench.importers.quantities import check_values
from nasbench.space import Space, get
from nasbench.table.format import Dataset
from nasbench.table.scratch import Scratch

__all__ = ["read"]

_DEVICES = ("edgegpu", "raspi4", "edgetpu", "pixel3", "eyeriss", "fpga")
_METRICS = {"latency": "latency_ms", "energy": "energy_mj"}
_UNSUPPORTED = -1
_RATIO = 7.0


def read(source: Path, scratch: Scratch, progress: Progress, *, dataset: str) -> Contents:
    """A table of devices, without recipes: nothing was trained for it.

    Args:
        source: the pickle.
        scratch: not needed: the numbers are few.
        progress: called with the columns read.
        dataset: whose images the networks take: `cifar10`, `cifar100` or `ImageNet16-120`.

    Raises:
        NasbenchError: where the pickle is not laid out like that, or in another order.
    """
    held = _entry(source, load_pickle(source), "nasbench201")
    if dataset not in held:
        raise unknown(f"data set of {source.name}", dataset, map(str, held))
    metrics = _entry(source, held, dataset)
    space = get("nb201")
    _check_order(source, metrics, space)
    datasets: dict[str, Dataset] = {}
    missing: list[dict[str, Any]] = []
    known = {f"{d}_{m}": f"device/{d}/{name}" for d in _DEVICES for m, name in _METRICS.items()}
    for done, metric in enumerate(metrics):
        if metric not in known:
            continue
        name = known[metric]
        values = _column(source, metric, metrics[metric], space)
        unsupported = np.flatnonzero(values == _UNSUPPORTED)
        if len(unsupported):
            values[unsupported] = np.nan
            reason = "the device does not support this architecture"
            missing.append({"scope": name, "reason": reason, "architectures": unsupported.tolist()})
        check_values(name, values, np.arange(space.size))
        datasets[name] = Dataset(values, {"kind": "imported"})
        progress("reading columns", done + 1, len(metrics))
    if not datasets:
        raise NasbenchError(f"{source} holds none of {', '.join(known)} for {dataset}")
    left_out = sorted(str(m)[:60] for m in metrics if m not in known and m != "config")
    return Contents(
        name=f"hw-nas-bench-{dataset}",
        space=space,
        rows=np.arange(space.size),
        recipes={},
        datasets=_mark_derived(datasets),
        devices={name.split("/")[1]: {"images": dataset} for name in datasets},
        missing=missing,
        licence="MIT",
        citation=(
            'C. Li et al., "HW-NAS-Bench: Hardware-Aware Neural Architecture Search Benchmark", '
            "ICLR 2021"
        ),
        notes={
            "kinds": "the release calls its costs measured or estimated, without marking which",
            **({"left out": f"no latency or energy: {', '.join(left_out)}"} if left_out else {}),
        },
    )


def _entry(source: Path, held: object, key: str) -> Mapping[Any, Any]:
    entry = held.get(key) if isinstance(held, Mapping) else None
    if not isinstance(entry, Mapping):
        raise NasbenchError(
            f'{source} is not laid out like HW-NAS-Bench, ["nasbench201"][dataset][metric]: '
            f"no dictionary {key!r}"
        )
    return entry


def _check_order(source: Path, metrics: Mapping[Any, Any], space: Space) -> None:
    """Raise NasbenchError unless the release's networks are the cells of our numbers."""
    configs = metrics.get("config")
    if not isinstance(configs, list | tuple) or len(configs) != space.size:
        raise NasbenchError(f"{source} has no `config` of {space.size:,} networks")
    for cell, config in enumerate(configs):
        written = config.get("arch_str") if isinstance(config, Mapping) else None
        if written != space.string(cell):
            raise NasbenchError(
                f"{source}: network {cell} is {str(written)[:120]!r}, not {space.string(cell)}"
            )


def _column(source: Path, metric: str, held: object, space: Space) -> NDArray[np.float64]:
    numbers = held.tolist() if isinstance(held, np.ndarray) else held
    if not isinstance(numbers, list | tuple) or len(numbers) != space.size:
        raise NasbenchError(f"{source}: {metric} is not {space.size:,} numbers")
    if not all(type(number) in (int, float) for number in numbers):
        raise NasbenchError(f"{source}: {metric} holds something else than numbers")
    return np.asarray(numbers, dtype=np.float64)


def _mark_derived(datasets: Mapping[str, Dataset]) -> dict[str, Dataset]:
    """The data sets, the FPGA's energy marked as what it is: a multiple of its latency."""
    marked = dict(datasets)
    latency, energy = (marked.get(f"device/fpga/{m}") for m in _METRICS.values())
    # To float32's precision, which is what some copies of the release have.
    if latency and energy and np.allclose(energy.values, _RATIO * latency.values, rtol=1e-6):
        note = f"{_RATIO} times latency_ms, for every architecture: no second measurement"
        marked["device/fpga/energy_mj"] = Dataset(energy.values, {"kind": "derived", "note": note})
    return marked
