"""Recipes on data of every signal, with recipe and data mutated."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import mutations
import numpy as np
import pandas as pd
from forked import Input
from good import Seeds, toml
from scipy.io import wavfile

N = 30
TEXTS: dict[str, Any] = {"source": "text", "path": "t.csv", "length": 6, "target": "label"}
TABLE: dict[str, Any] = {
    "source": "table", "path": "h.csv", "target": "price", "categories": ["code"],
    "leave_out": ["name"], "group": "town", "groups": ["town"], "valid": 0.3,
}  # fmt: skip
PARQUET = {**TABLE, "path": "h.parquet", "group": "", "time": "when"}
SOUND: dict[str, Any] = {
    "source": "sound", "path": "s", "files": "{class}_{who}_{take}", "group": "who", "frames": 4,
}  # fmt: skip
TOKENS: dict[str, Any] = {"source": "npz", "path": "n.npz", "group": "who", "target": "y"}
ADULT: dict[str, Any] = {"source": "adult", "path": "a"}
NONE: dict[str, Any] = {"source": "none", "name": "pole", "inputs": [4], "outputs": 2}


def write(folder: Path) -> None:
    """Sound data of every source."""
    texts = pd.DataFrame(
        {"text": [f"w{k % 4} of, {k}" for k in range(N)], "label": ["a", "b"] * 15}
    )
    texts.to_csv(folder / "t.csv", index=False)
    houses = pd.DataFrame(
        {
            "price": np.arange(N) / 2,
            "code": np.arange(N) % 3,
            "name": [f"house {k}" for k in range(N)],
            "town": [f"town {k % 5}" for k in range(N)],
            "when": [f"2026-01-{k + 1:02}" for k in range(N)],
        }
    )
    houses.to_csv(folder / "h.csv", index=False)
    houses.to_parquet(folder / "h.parquet")
    (folder / "s").mkdir()
    for k in range(N):
        samples = np.arange(400, dtype=np.int16) * k
        wavfile.write(folder / "s" / f"{'ab'[k % 2]}_{k // 6}_{k}.wav", 8000, samples)
    arrays = {"images": np.arange(N * 3).reshape(N, 3) % 7, "labels": np.arange(N) / 2}
    words = np.array([f"w{k}" for k in range(7)])
    np.savez(folder / "n.npz", vocabulary=words, who=np.arange(N) % 4, **arrays)
    (folder / "a").mkdir()
    cell = "39, ?, 7, B, 13, N, A, N, White, Male, 2174, 0, 40, US, "
    rows = "\n".join(cell + [">50K", "<=50K"][k % 2] for k in range(N))
    for name in ("adult.data", "adult.test"):
        (folder / "a" / name).write_text(rows)


def own_tasks(seeds: Seeds) -> Callable[[Random, Path], Input]:
    def make(rng: Random, folder: Path) -> Input:
        write(folder)
        task = dict(rng.choice((TEXTS, TABLE, PARQUET, SOUND, TOKENS, ADULT, NONE)))
        task = {key: value for key, value in task.items() if value != ""}
        if rng.random() < 0.5:
            task = mutations.mutate(task, rng)
        else:
            _damage(rng, folder)
        recipe = {"task": task}
        (folder / "r.toml").write_bytes(toml(recipe).encode("utf-8", "surrogatepass"))
        return Input(("tasks", folder / "r.toml"))

    return make


def _damage(rng: Random, folder: Path) -> None:
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        if path.suffix in (".csv", ".data") and rng.random() < 0.5:
            changed = mutations.text(content.decode(), rng).encode("utf-8", "surrogatepass")
        else:
            changed = mutations.data(content, rng)
        path.write_bytes(changed)
