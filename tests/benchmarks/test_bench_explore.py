"""How long a limit takes on the page of a table of 15,625 architectures, in a real browser.

Run by `pytest tests/benchmarks/test_bench_explore.py -m slow -s`; a change is timed from the
input's event until the canvas can be read.
"""

from __future__ import annotations

import statistics
from pathlib import Path

import numpy as np
import pytest
from browser import run_while_open

import nasbench as nb
from nasbench.table import Dataset, write_table

pytestmark = pytest.mark.slow

SCRIPT = """
while (!window.explore) await new Promise(done => setTimeout(done, 10));
const { axes, state } = window.explore, canvas = document.getElementById("canvas");
const most = document.querySelectorAll(".limit input")[1];
const sorted = axes[state.x].values.filter(value => value === value).sort();
const took = [];
for (let change = 0; change < 60; change++) {
  await new Promise(done => setTimeout(done, 150));  // lists of the change before are there
  const start = performance.now();
  most.value = String(sorted[Math.floor((1 - (change % 20) / 25) * (sorted.length - 1))]);
  most.dispatchEvent(new Event("input"));
  canvas.getContext("2d").getImageData(0, 0, 1, 1);
  took.push(performance.now() - start);
}
return { rows: window.explore.data.rows, took };
"""


def test_a_limit_over_15625_architectures_takes_less_than_50_ms(tmp_path: Path) -> None:
    space = nb.space("nb201")
    rng = np.random.default_rng(0)
    n = space.size
    about = {"kind": "trained", "epochs": [50, 100, 150, 200]}
    table = write_table(
        tmp_path / "t.h5",
        name="all",
        space=space,
        rows=np.arange(n),
        sharing="none",
        recipes={"r": {"epochs": 200, "seeds": [0, 1, 2]}},
        datasets={
            "recipe/r/valid_accuracy": Dataset(90 - rng.gamma(2, 3, (n, 3, 4)), about),
            "device/npu/latency_ms": Dataset(rng.gamma(3, 1, n), {"kind": "measured"}),
            **{f"proxy/p{i}": Dataset(rng.normal(size=n), {"kind": "computed"}) for i in range(13)},
        },
        devices={"npu": {}},
    )
    page = nb.explore(table, tmp_path / "page")
    told = run_while_open(page, SCRIPT, "--window-size=1300,900")
    median = statistics.median(told["took"])
    size = page.stat().st_size / 1e6
    print(f"{told['rows']:,} rows: median {median:.1f} ms, {size:.2f} MB")
    assert told["rows"] == n
    assert size < 1.5
    assert median < 50
