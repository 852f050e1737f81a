"""A small table of made-up numbers, with everything in it that a table can hold."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nasbench.space import CellSpace, get
from nasbench.table import Dataset, Table, write_table

RECIPES = {
    "short": {"epochs": 3, "seeds": [7, 2, 5], "trained": {"epochs": 3}},
    "long": {"epochs": 10, "seeds": [7, 2, 5], "trained": {"epochs": 10}},
}
DEVICES = {"cpu": {"threads": 1}, "cpu-onnx": {"threads": 1}}
LOST, NEVER, UNSEEN = 3, 4, 6  # rows: without one seed, without any, without a device's number


def made_up(rows: int, seed: int = 0) -> dict[str, Dataset]:
    """Data sets of `rows` rows, with holes."""
    rng = np.random.default_rng(seed)

    def trained(epochs: list[int]) -> Dataset:
        values = rng.uniform(10, 95, size=(rows, 3, len(epochs))).astype(np.float32)
        values[LOST, 1] = np.nan
        values[NEVER] = np.nan
        return Dataset(values, {"kind": "trained", "unit": "percent", "epochs": epochs})

    datasets = {
        "recipe/short/valid_accuracy": trained([1, 2, 3]),
        "recipe/short/train_seconds": trained([1, 2, 3]),
        "recipe/long/valid_accuracy": trained([5, 10]),
        "recipe/long/test_accuracy": Dataset(
            rng.uniform(10, 95, rows), {"kind": "imported", "unit": "percent", "epochs": [10]}
        ),
        "network/parameters": Dataset(rng.integers(1_000, 2**40, rows), {"kind": "counted"}),
        "proxy/synflow": Dataset(rng.normal(size=rows).astype(np.float32), {"kind": "derived"}),
        "device/cpu/latency_ms": Dataset(rng.uniform(1, 9, rows), {"kind": "measured"}),
        "device/cpu-onnx/latency_ms": Dataset(rng.uniform(1, 9, rows), {"kind": "measured"}),
    }
    datasets["device/cpu-onnx/latency_ms"].values[UNSEEN] = np.nan
    return datasets


def write(path: Path, *, sharing: str = "canonical", **changes: Any) -> Table:
    """The table at `path`; without sharing it has a row for every other cell only."""
    space = get("nb201-mini")
    assert isinstance(space, CellSpace)
    shared = sharing == "canonical"
    rows = space.representatives if shared else np.arange(0, space.size, 2)[::-1]
    missing: list[Mapping[str, Any]] = [
        {"scope": "recipe/short", "reason": "diverged", "architectures": [int(rows[NEVER])]},
        {"scope": "device/cpu-onnx/latency_ms", "reason": "no such kernel", "architectures": []},
        {"scope": "device/cpu", "reason": "of another device", "architectures": []},
        {"scope": "recipe/long/valid_accuracy", "reason": "disk lost", "architectures": []},
    ]
    values: dict[str, Any] = {
        "name": "made-up",
        "space": space,
        "rows": rows,
        "sharing": sharing,
        "recipes": RECIPES,
        "devices": DEVICES,
        "datasets": made_up(len(rows)),
        "missing": missing,
        "about": {"task": {"name": "digits", "hash": "0" * 64}},
    }
    return write_table(path, **{**values, **changes})
