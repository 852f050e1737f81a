"""What the guide has for the console is run, too: in the order of its pages, with small stand-ins.

Stand-ins are what the reader has and a test makes: tables, recipes, a cluster whose tasks run one
after the other, a board that is this machine. What a test cannot have is named with its reason.
"""

from __future__ import annotations

import os
import pickle
import re
import shutil
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pages
import pytest
from guide_pages import PAGES, ROOT, SMALLER, write_demo

import nasbench as nb
from nasbench._files import write_text
from nasbench.table import Dataset, write_table

NOT_RUN = {
    "git clone": "needs the registry of packages, and minutes; CI begins with it",
    "make demo": "is `nasbench demo`, which tests/cli/test_cli_commands.py runs, in the checkout",
    "make test": "is this suite",
    ". .venv/bin/activate": "changes a shell",
    "mkdir first": "the folder is there",
    "pip install 'nasbench-harness": "needs the registry of packages",
    "nasbench build my.toml --out my.h5 --hardware cuda": "needs a GPU",
    "nasbench proxies score my.toml --out scored.h5 --hardware cuda": "needs a GPU",
}
"""Lines by how they begin, and why no test runs them."""

ELSEWHERE = {"own-strategy"}
"""Pages that another test follows with a package that is installed: strategies/test_tutorial.py."""

SMALLER_SHOWN = {
    "beyond-accuracy": {"--budget-evaluations 50 --seeds 50": "--budget-evaluations 5 --seeds 2"},
    "compare": {"--budget-evaluations 100 --seeds 100": "--budget-evaluations 5 --seeds 2"},
    "growing": {"--seeds 100": "--seeds 2"},
    "goals": {"--table nats.h5": "--table whole.h5", "--seeds 500": "--seeds 2"},
    "many-machines": {"1-64": "1-2", "_ID/64": "_ID/2"},
    "over-tables": {
        "--strategies hybrid,": "--strategies ",
        "--budget-evaluations 50 --repeats free --seeds 100": "--budget-evaluations 5 --seeds 2",
    },
    "predict": {"--sample 500": "--sample 20", "--train 1000": "--train 10"},
    "transfer": {"--budget-evaluations 100": "--budget-evaluations 22 --seeds 2"},
    "weight-sharing": {
        "--set at=[2e5,4e5]": "--set at=[2e5,4e5] --epochs 1 --seeds 1 --set images=50",
        "--set beta=2": "--set beta=2 --epochs 1 --seeds 1",
        "--seeds 5 --images 2000": "--seeds 1 --images 50",
    },
    "README": {
        "3:5:5:3:0.0": "3:3:5:3:0.0",
    },
}
"""As in the pages' other blocks, what takes minutes takes seconds."""

RECIPE = """
name = "mine"
space = "nb201-mini"
task = "digits"

[recipe.1ep]
epochs = 1
train_images = 100
valid_images = 100
test_images = 100
channels = 2
cells = 1

[[device]]
runtime = "onnxruntime"
repeats = 2
warm_up = 1
seconds = 0.001
"""


def a_recipe(folder: Path) -> None:
    """The reader's own recipe."""
    for name in ("my.toml", "RECIPE.toml"):
        write_text(folder / name, RECIPE)


def its_table(folder: Path) -> None:
    a_recipe(folder)
    run_in(folder, "nasbench build my.toml --out my.h5")
    shutil.copy(folder / "my.h5", folder / "T.h5")


def other_tables(folder: Path) -> None:
    """Three tables to compare on, and one with a surrogate to report on."""
    for seed, name in enumerate("ABC"):
        write_demo(folder / f"{name}.h5", seed)
    shutil.copy(ROOT / "tables" / "nb201-fashion16-v1.h5", folder / "T.h5")
    run_in(folder, "nasbench surrogate fit T.h5 --train 40 --features one_hot --out S.json")


def earlier_tables(folder: Path) -> None:
    a_recipe(folder)
    (folder / "earlier").mkdir()
    for seed in range(3):
        write_demo(folder / "earlier" / f"{seed}.h5", seed)


def releases(folder: Path) -> None:
    """The authors' own files: of NATS-Bench three records, of HW-NAS-Bench the published costs."""
    data = Path(__file__).parent / "data"
    name = "NATS-tss-v1_0-3ffb9-simple"
    shutil.copytree(data / "natsbench_sample" / name, folder / name)
    with np.load(data / "nb201_cifar10.npz") as published:
        costs = {
            key.removeprefix("device/").removesuffix("_ms").replace("/", "_"): published[key]
            for key in published.files
            if key.startswith("device/") and key.endswith("/latency_ms")
        }
        strings = published["architectures"].tolist()
    held: dict[str, object] = {"config": [{"arch_str": string} for string in strings]}
    held |= {key: np.nan_to_num(of.astype(float), nan=-1).tolist() for key, of in costs.items()}
    packed = pickle.dumps({"nasbench201": {"cifar10": held}})
    (folder / "HW-NAS-Bench-v1_0.pickle").write_bytes(packed)


def a_whole_release(folder: Path) -> None:
    """Beside the three records a table of their recipes that has every row, made up."""
    releases(folder)
    space = nb.space("nb201-mini")
    worth = space.ops(space.representatives).sum(1, dtype=float)[:, None, None]
    datasets = {}
    recipes = {"12ep-half": 12, "200ep-half": 200, "200ep-full": 200}
    for name, epochs in recipes.items():
        about = {"kind": "imported", "epochs": [epochs]}
        for metric in ("valid_accuracy", "test_accuracy", "train_seconds"):
            datasets[f"recipe/{name}/{metric}"] = Dataset(worth * epochs / 20, about)
    write_table(
        folder / "whole.h5",
        name="whole",
        space=space,
        rows=space.representatives,
        sharing="canonical",
        recipes={name: {"epochs": epochs, "seeds": [0]} for name, epochs in recipes.items()},
        datasets=datasets,
        devices={},
    )


def the_tutorial(folder: Path) -> None:
    """What the tutorial leaves behind where the README goes on."""
    files = [b for b in pages.blocks(PAGES["tutorial"]) if b.file]
    for block in files:
        text = block.text
        for old, new in SMALLER["tutorial"].items():
            text = text.replace(old, new)
        write_text(folder / block.file, text)
    run_in(folder, "python draw.py")


def a_board(folder: Path) -> None:
    """An ssh whose hosts are all this machine, with a home in the folder."""
    a_recipe(folder)
    (folder / "bin").mkdir()
    here = Path(sys.executable).parent
    words = 'while [ "$1" != "--" ]; do shift; done; shift 2'
    text = f'#!/bin/sh\n{words}\nPATH={here}:$PATH exec sh -c "$*"\n'
    write_text(folder / "bin" / "ssh", text)
    (folder / "bin" / "ssh").chmod(0o755)


STAND_INS: dict[str, Callable[[Path], None]] = {
    "compare": other_tables,
    "devices": a_board,
    "export": its_table,
    "goals": a_whole_release,
    "many-machines": a_recipe,
    "others-tables": releases,
    "predict": a_recipe,
    "predict-costs": its_table,
    "transfer": earlier_tables,
    "README": the_tutorial,
}
"""What the reader of a page has before it begins."""

SHOWING = [
    name
    for name, text in PAGES.items()
    if name not in ELSEWHERE and any(block.kind == "console" for block in pages.blocks(text))
]


def run_in(folder: Path, line: str) -> None:
    before = Path.cwd()
    os.chdir(folder)
    try:
        pages.run(line)
    finally:
        os.chdir(before)


def run_shown(line: str) -> None:
    """A line of the console: its command, or each task of a cluster's array in its turn."""
    if any(line.startswith(start) for start in NOT_RUN):
        return
    array = re.fullmatch(r"sbatch --array=(\d+)-(\d+) .*--wrap '(.*)'", line)
    if array:
        for task in range(int(array[1]), int(array[2]) + 1):
            pages.run(array[3].replace("$SLURM_ARRAY_TASK_ID", str(task)))
        return
    line = line.removeprefix("RAY_ADDRESS=head:6379 ")  # without one Ray begins here
    for library, marks in {"ray": "executor ray", "openvino": "openvino", "smac": "smac,"}.items():
        if marks in line and find_spec(library) is None:
            return
    pages.run(line)


@pytest.mark.slow
@pytest.mark.parametrize("name", SHOWING)
def test_what_a_page_shows_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "demo").mkdir()
    write_demo(tmp_path / "demo" / "table.h5")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    STAND_INS.get(name, lambda folder: None)(tmp_path)
    smaller = SMALLER.get(name, {}) | SMALLER_SHOWN.get(name, {})
    pages.follow(PAGES[name], tmp_path, smaller, run_shown)


def test_what_is_not_run_is_on_a_page() -> None:
    shown = [
        line
        for text in PAGES.values()
        for block in pages.blocks(text)
        if block.kind == "console"
        for line in pages.lines(block.text)
    ]
    for start in NOT_RUN:
        assert any(line.startswith(start) for line in shown), start
