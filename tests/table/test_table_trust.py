"""How far latencies can be trusted: counted by hand from columns."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from made_up_table import write

from nasbench.space import get
from nasbench.table import Dataset, LatencyTrust, Table, write_table
from nasbench.table.metrics import of_measuring

N = 10


def device(path: Path, clock: str = "cpu", **columns: list[float]) -> Table:
    space = get("nb201-mini")
    return write_table(
        path,
        name="costs",
        space=space,
        rows=space.representatives[:N],
        sharing="canonical",
        recipes={},
        datasets={
            f"device/d/{name}": Dataset(np.asarray(values), {"kind": "measured"})
            for name, values in columns.items()
        },
        devices={"d": {"clock": clock}},
    )


def test_shares_are_counted_from_the_columns(tmp_path: Path) -> None:
    latency = [2.0] * 8 + [4.0, math.nan]
    table = device(
        tmp_path / "t.h5",
        latency_ms=latency,
        latency_spread_ms=[0.1] * 8 + [2.0, math.nan],
        latency_reference_ms=[1.0] * 5 + [1.2] * 4 + [math.nan],
        latency_undisturbed=[0.49, 0.5, 0.0, *[1.0] * 6, math.nan],
    )
    found = LatencyTrust.of(table, "d")
    assert found is not None
    assert (found.clock, found.rows, found.missing, found.disturbed) == ("cpu", 9, 1, 2)
    assert found.spread == pytest.approx(0.05)
    assert found.turns == pytest.approx(0.2)
    assert "spread of runs 5.0 %, of a reference network over turns 20.0 %" in found.sentence()
    assert found.sentence().startswith("by the cpu clock")
    assert found.sentence().endswith("disturbed in 2 of 9 rows; missing in 1 row")


def test_tables_of_before_are_by_the_wall_clock(tmp_path: Path) -> None:
    found = LatencyTrust.of(write(tmp_path / "t.h5"), "cpu-onnx")
    assert found is not None
    assert (found.clock, found.missing, found.disturbed) == ("wall", 1, None)
    assert math.isnan(found.spread)
    assert math.isnan(found.turns)
    assert found.sentence() == "by the wall clock; missing in 1 row"


def test_what_nobody_measured_is_not_judged(tmp_path: Path) -> None:
    assert LatencyTrust.of(device(tmp_path / "t.h5", energy_mj=[1.0] * N), "d") is None


@pytest.mark.parametrize(
    ("metric", "so"),
    [
        *((name, False) for name in ("latency_ms", "latency_wall_ms", "latency_cold_ms")),
        *((name, True) for name in ("latency_n", "latency_undisturbed", "latency_reference_ms")),
        *((name, True) for name in ("latency_spread_ms", "latency_drift", "frequency_mhz")),
        *((name, False) for name in ("energy_mj", "memory_mib", "device/d/throughput")),
    ],
)
def test_what_says_how_is_told_from_what_it_is(metric: str, so: bool) -> None:
    assert of_measuring(metric) is so
