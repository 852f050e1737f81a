"""Pages of the guide for tests: their texts, what stands for what in them, and a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pages
from made_up_curves import curves_of

import nasbench as nb
from nasbench.cli.guide import topics
from nasbench.table import Dataset, write_table

ROOT = Path(nb.__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {name: page.text for name, page in topics().items() if pages.BLOCK.search(page.text)}
PAGES["README"] = README
SLOW = {
    "README",
    "tutorial",
    "paper",
    "own-training",
    "export",
    "python",
    "proxies",
    "others-optimisers",
    "others-tables",
    "beyond-accuracy",
    "goals",
    "many-machines",
    "predict",
    "predict-costs",
    "weight-sharing",
}
"""Pages whose blocks take some CPU seconds, however small."""
SMALLER = {
    "README": {
        "nasbench proxies report scored.h5": (
            "nasbench proxies report scored.h5 --proxies params,nwot --metric 10ep/valid_accuracy"
        ),
        "reinforce,hyperband,hybrid": "hyperband",
        "search hybrid": "search reinforce",
        "--seeds 20": "--seeds 2",
        "range(20)": "range(2)",
    },
    "compare": {
        "--strategies reinforce,hyperband,hybrid": "--strategies hyperband",
        "--seeds 20": "--seeds 2",
        "range(10)": "range(2)",
        "=20": "=5",
    },
    "goals": {
        "hybrid": "local_search",
        "--seeds 20": "--seeds 2",
        "--budget-evaluations 50": "--budget-evaluations 10",
        "budget_epochs=300": "budget_epochs=20",
        "budget_epochs=600": "budget_epochs=40",
        "range(20)": "range(2)",
    },
    "growing": {"--budget-evaluations 60": "--budget-evaluations 24"},
    "over-tables": {"budget_evaluations=20": "budget_evaluations=5", "range(20)": "range(2)"},
    "predict": {"hybrid": "local_search"},
    "python": {
        '"hybrid"': '"local_search"',
        "range(10)": "range(2)",
        "epochs=3": "epochs=1",
        "sample=6": "sample=2",
        "train=100": "train=30",
        '["flops", "nwot"]': '["flops"]',
    },
    "proxies": {"--sample 6": "--sample 2", "--seeds 20": "--seeds 2"},
    "own-training": {
        "epochs = 5": "epochs = 1\ntrain_images = 200\nvalid_images = 50\ntest_images = 50",
        "epochs = 20": "epochs = 2",
        "epochs = 6": "epochs = 1",
        "--sample 20": "--sample 2",
        "epochs = 2\ntrain": "epochs = 1\ntrain_images = 100\ntrain",
    },
    "weight-sharing": {
        "--epochs 10 --seeds 5": "--epochs 1 --seeds 1 --set candidates=3 --set images=50",
        "--seeds 20": "--seeds 2",
    },
    "tutorial": {
        "range(100)": "range(20)",
        '"kernel1": [3, 5]': '"kernel1": [3]',
        '"drop": [0.0, 0.2]': '"drop": [0.0]',
        "seeds = 2": "seeds = 1",
        "epochs = 8": "epochs = 1",
        "--seeds 30": "--seeds 3",
        "--budget-evaluations 15": "--budget-evaluations 5",
        "3:5:5:3:0.0": "3:3:5:3:0.0",
    },
}
"""What stands for what in a page's blocks, so that they take a second or two."""


def write_demo(path: Path, seed: int = 0) -> Path:
    """The table that `nasbench demo` would make, of numbers that are made up; each seed a task."""
    space = nb.space("nb201-mini")
    rng = np.random.default_rng(seed)
    rows = space.representatives
    ops = space.ops(rows).astype(float)
    worth = 60 + (ops @ (2 + seed * np.arange(ops.shape[1])))[:, None, None]
    curve = worth + np.arange(5) + rng.normal(size=(len(rows), 3, 5))
    write_table(
        path,
        name=f"made-up-{seed}" if seed else "nb201-mini-fashion16",
        space=space,
        rows=rows,
        sharing="canonical",
        recipes={"5ep": {"epochs": 5, "seeds": [0, 1, 2]}},
        datasets={
            **curves_of(
                "5ep",
                valid_accuracy=curve,
                test_accuracy=curve[:, :, -1:] - 1,
                train_seconds=np.arange(1, 6) * np.ones_like(curve),
            ),
            "network/parameters": Dataset(rng.integers(1_000, 9_000, len(rows)), {}),
            "device/cpu-onnxruntime-b1/latency_ms": Dataset(
                rng.uniform(0.1, 1, len(rows)), {"kind": "measured"}
            ),
        },
        devices={"cpu-onnxruntime-b1": {"threads": 1}},
    )
    return path
