"""Good inputs of every kind, made once, of which mutated ones are made."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import zygote
from made_up_curves import curves_of
from PIL import Image

import nasbench as nb
from nasbench.building import BuildSpec, build, read_spec
from nasbench.cli import main
from nasbench.search import compare
from nasbench.surrogate import fit
from nasbench.table import Dataset, Table, write_table

RECIPE: dict[str, Any] = {
    "name": "small",
    "space": {"name": "small", "nodes": 3, "operations": ["none", "nor_conv_1x1"]},
    "task": {"source": "folder", "path": "images", "size": 8},
    "seeds": 1,
    "recipe": {
        "1ep": {
            "epochs": 1,
            "channels": 4,
            "cells": 1,
            "batch_size": 8,
            "learning_rate": 0.1,
            "momentum": 0.9,
        }
    },
    "device": [{"runtime": "torch", "batch_size": 1, "threads": 1}],
}

BUILT: dict[str, Any] = {
    "name": "small",
    "space": {"name": "small", "nodes": 3, "operations": ["none", "skip_connect"]},
    "task": "digits",
    "seeds": 2,
    "recipe": {
        "1ep": {
            "epochs": 1,
            "channels": 4,
            "cells": 1,
            "train_images": 20,
            "valid_images": 20,
            "test_images": 20,
        }
    },
}
COMPARE: dict[str, Any] = {"budget_evaluations": 4, "seeds": range(3)}


class Seeds:
    """Good inputs, made once in a folder by a process of its own: this one only forks.

    Libraries that have begun threads here would stand still in a fork.
    """

    def __init__(self, folder: Path) -> None:
        zygote.run(make_seeds, folder)
        self.folder = folder
        self.table = folder / "table.h5"
        self.surrogate = json.loads((folder / "surrogate.json").read_text(encoding="utf-8"))
        self.recipe = folder / "built.toml"
        self.spec = read_spec(self.recipe)
        self.journal = folder / "built.h5.build"


def make_seeds(folder: Path) -> None:
    """The files of `Seeds`."""
    table = made_up_table(folder / "table.h5")
    fit(table, train=40).save(folder / "surrogate.json")
    images(folder / "images")
    sys.argv = ["nasbench", *map(str, searching(folder / "search.jsonl", table.path))]
    with suppress(SystemExit):
        main()
    recipe = folder / "built.toml"
    recipe.write_text(toml(BUILT), encoding="utf-8")
    interrupt(read_spec(recipe), folder / "built.h5")
    compare(["random_search"], table, out=folder / "compared", **COMPARE)


def made_up_table(path: Path) -> Table:
    rng = np.random.default_rng(0)
    space = nb.space("nb201-mini")
    rows = space.representatives
    shape = (len(rows), 2, 3)
    worth = rng.normal(70, 8, (len(rows), 1, 1)) + rng.normal(0, 1, shape)
    return write_table(
        path,
        name="made-up",
        space=space,
        rows=rows,
        sharing="canonical",
        recipes={"3ep": {"epochs": 3, "seeds": [0, 1]}},
        datasets={
            **curves_of(
                "3ep",
                valid_accuracy=worth.astype(np.float32),
                train_seconds=rng.uniform(1, 2, shape).cumsum(2),
                test_accuracy=worth[:, :, -1:],
            ),
            "device/toy/latency_ms": Dataset(rng.uniform(1, 9, len(rows)), {"kind": "measured"}),
        },
        devices={"toy": {"kinds": {"latency_ms": "measured"}}},
        missing=[{"scope": "device/toy", "reason": "of another", "architectures": []}],
        about={"hardware": {"processor": "x"}, "versions": {"numpy": "2"}, "licence": "MIT"},
    )


def toml(values: Any, name: str = "") -> str:
    """Plain values as TOML; what TOML has no word for is left as Python writes it."""
    plain, tables = [], []
    for key, value in values.items():
        if isinstance(value, dict):
            under = f"{name}.{_key(key)}".lstrip(".")
            tables.append(f"\n[{under}]\n{toml(value, under)}")
        elif isinstance(value, list) and value and all(isinstance(v, dict) for v in value):
            under = f"{name}.{_key(key)}".lstrip(".")
            tables += [f"\n[[{under}]]\n{toml(inner, under)}" for inner in value]
        else:
            plain.append(f"{_key(key)} = {_value(value)}\n")
    return "".join(plain + tables)


def _key(key: str) -> str:
    return key if key.isidentifier() else json.dumps(key)


def _value(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_key(k)} = {_value(v)}' for k, v in value.items())}}}"
    return json.dumps(value) if isinstance(value, str | bool) or value is None else repr(value)


def images(folder: Path) -> None:
    rng = np.random.default_rng(1)
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        for number in range(14):
            pixels = rng.integers(0, 255, (8, 8), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")


def release(space: Any) -> dict[str, Any]:
    """HW-NAS-Bench's layout, on a small space."""
    strings = [{"arch_str": space.string(a)} for a in range(space.size)]
    costs = {
        f"{device}_{metric}": [float(a % 7 + 1) for a in range(space.size)]
        for device in ("edgegpu", "raspi4", "eyeriss", "fpga")
        for metric in ("latency", "energy")
    }
    return {"config": strings, **costs}


def interrupt(spec: BuildSpec, out: Path) -> None:
    """A build that is stopped when all but one training is done."""

    def stop(what: str, done: int, total: int) -> None:
        if what == "training" and done == total - 1:
            raise KeyboardInterrupt

    with suppress(KeyboardInterrupt):
        build(spec, out, processes=1, engine="reference", progress=stop)


def searching(journal: Path, table: Path) -> Sequence[object]:
    options = ("--table", table, "--budget-evaluations", 6, "--seed", 3)
    return ("search", "regularized_evolution", *options, "--out", journal)
