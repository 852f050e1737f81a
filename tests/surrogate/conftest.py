"""Tables of which the truth is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import nasbench as nb
from nasbench.space import Space
from nasbench.table import Dataset, Table, write_table

MakeTable = Callable[..., Table]


@pytest.fixture
def make_table(tmp_path: Path) -> MakeTable:
    """Writes a table of these metrics at the last epoch: `[rows, seeds]`, or `[rows]`."""

    def make(
        metrics: Mapping[str, NDArray[Any]],
        *,
        space: Space | None = None,
        rows: NDArray[Any] | None = None,
        sharing: str = "canonical",
        name: str = "known",
    ) -> Table:
        space = space or nb.space("nb201-mini")
        rows = space.representatives if rows is None else rows
        about = {"kind": "trained", "epochs": [5]}
        seeds = max(v.shape[1] for v in metrics.values() if v.ndim == 2)
        whole = {
            metric: np.pad(v, ((0, 0), (0, seeds - v.shape[1])), constant_values=np.nan)[:, :, None]
            if v.ndim == 2
            else v
            for metric, v in metrics.items()
        }
        return write_table(
            tmp_path / f"{name}.h5",
            name=name,
            space=space,
            rows=rows,
            sharing=sharing,
            recipes={"5ep": {"epochs": 5, "seeds": list(range(seeds))}},
            datasets={f"recipe/5ep/{metric}": Dataset(v, about) for metric, v in whole.items()},
        )

    return make
