"""Small tables of several tasks, made up in a moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nasbench.space import Architectures, Space, get
from nasbench.table import Dataset, Table, write_table

MakeTask = Callable[..., Table]


def write_task(
    path: Path,
    accuracy: ArrayLike,
    *,
    task: Mapping[str, Any] | None = None,
    space: Space | None = None,
    rows: Architectures | None = None,
    seconds: float = 1.0,
) -> Table:
    """A table of one recipe and seed, a row a class; a training takes longer by its row."""
    space = space or get("nb201-mini")
    rows = space.representatives if rows is None else rows
    values = np.asarray(accuracy, dtype=np.float32)[:, None, None]
    every = {"kind": "trained", "epochs": [8]}
    times = seconds * (1 + np.arange(len(rows), dtype=np.float32) / len(rows))
    return write_table(
        path,
        name=path.stem,
        space=space,
        rows=rows,
        sharing="canonical",
        recipes={"8ep": {"epochs": 8, "seeds": [0]}},
        datasets={
            "recipe/8ep/valid_accuracy": Dataset(values, every),
            "recipe/8ep/test_accuracy": Dataset(100 - values, every),
            "recipe/8ep/train_seconds": Dataset(times[:, None, None], every),
        },
        about={"task": dict(task)} if task else {},
    )
