"""A table to report on, made up in a moment."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from made_up_curves import curves_of

import nasbench as nb
from nasbench.table import Dataset, Table, write_table


def write_made_up(path: Path, name: str, seed: int = 1) -> Table:
    space = nb.space("nb201-mini")
    rows = space.representatives
    rng = np.random.default_rng(seed)
    shape = (len(rows), 3, 4)
    accuracy = rng.normal(70, 5, (len(rows), 1, 1)) + rng.normal(0, 1, shape)
    return write_table(
        path,
        name=name,
        space=space,
        rows=rows,
        sharing="canonical",
        recipes={"4ep": {"epochs": 4, "seeds": [0, 1, 2]}},
        datasets={
            **curves_of(
                "4ep",
                valid_accuracy=accuracy,
                test_accuracy=accuracy[:, :, -1:] - 1,
                train_seconds=rng.uniform(1, 2, shape).cumsum(2),
            ),
            "device/toy/latency_ms": Dataset(rng.uniform(1, 9, len(rows)), {"kind": "measured"}),
            "device/toy/energy_mj": Dataset(rng.uniform(1, 9, len(rows)), {"kind": "estimated"}),
        },
        devices={"toy": {"kinds": {"latency_ms": "measured", "energy_mj": "estimated"}}},
    )
