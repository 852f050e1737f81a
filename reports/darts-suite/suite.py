"""Search nine spaces by six methods, train what they choose by three recipes, and rank both.

python suite.py OUT [SPACE ...]     what is there already goes on; spaces as `wide/no-skip`
python suite.py OUT --rank          the figures of what is there, in Markdown
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from spaces import OPERATIONS, space_of

import nasbench as nb
from nasbench.building import BuildSpec
from nasbench.search.shares import FREE
from nasbench.stats import friedman

SHAPES = {"wide": (8, 3), "deep": (4, 6), "single": (4, 3)}
"""Channels and cells of a network; of `single` all cells are the same one."""
SEEDS = (0, 1, 2)
SEARCH = nb.Recipe(
    epochs=4, train_images=1000, valid_images=1000, test_images=1, batch_size=64, learning_rate=0.1
)
AGAIN = {"brief": (8, 0.1), "long": (16, 0.1), "slow": (8, 0.02)}
"""Epochs and learning rate of trainings from scratch, each with every seed."""
TRAININGS = 20
"""Of a random search."""
METHODS: dict[str, dict[str, Any]] = {
    "random_search": {},
    "rsps": {"images": 500},
    "enas": {},
    "darts": {"logit_rate": 0.003},
    "gdas": {"logit_rate": 0.003},
    "snas": {},
}
EPOCHS = 12
"""Of shared weights."""


def spec_of(name: str) -> BuildSpec:
    """What is searched, by a space's name in the suite."""
    shape, operations = name.split("/")
    channels, cells = SHAPES[shape]
    recipe = replace(SEARCH, network={"channels": channels, "cells": cells})
    space = space_of(operations, single=shape == "single")
    return BuildSpec(
        name.replace("/", "-"), space, nb.task("fashion16"), (0,), {"search": recipe}, ()
    )


def choices_of(spec: BuildSpec, method: str, folder: Path) -> dict[int, int]:
    """What a method's runs chose, by seed."""
    if method != "random_search":
        runs = nb.share(
            method,
            spec,
            "none",
            out=folder / method,
            epochs=EPOCHS,
            seeds=SEEDS,
            parameters=METHODS[method],
            processes=1,
            progress=False,
        )
        return {seed: int(choice) for seed, choice in zip(SEEDS, runs.choices, strict=True)}
    return {
        seed: nb.search(
            method,
            train=spec,
            seed=seed,
            budget_evaluations=TRAININGS,
            out=folder / f"{method}-{seed}.jsonl",
            progress=False,
        ).best
        for seed in SEEDS
    }


def run(name: str, out: Path) -> None:
    """Search one space by all methods, and train what they chose from scratch."""
    folder = out / name
    if (folder / "choices.json").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    spec = spec_of(name)
    chosen = {method: choices_of(spec, method, folder) for method in METHODS}
    recipes = {
        again: replace(
            spec.recipes["search"],
            epochs=epochs,
            learning_rate=rate,
            test_images=3000,
        )
        for again, (epochs, rate) in AGAIN.items()
    }
    every = {choice for of in chosen.values() for choice in of.values()}
    table = folder / "again.h5"
    if not table.exists():
        again = replace(spec, recipes=recipes, seeds=SEEDS)
        nb.build(again, table, only=sorted(every), workers=1, progress=False)
    partial = folder / "choices.partial"
    partial.write_text(json.dumps(chosen), encoding="utf-8")
    partial.replace(folder / "choices.json")


def accuracies(out: Path) -> Iterator[tuple[str, str, dict[str, list[float]]]]:
    """Of each space and recipe: test accuracies of each method's choices, by seed."""
    for kept in sorted(out.glob("*/*/choices.json")):
        table = nb.load(kept.parent / "again.h5")
        chosen = json.loads(kept.read_text(encoding="utf-8"))
        space = kept.parent.relative_to(out).as_posix()
        for recipe in AGAIN:
            found = {
                method: table.values(
                    "test_accuracy", table.space.canonical([*of.values()]), recipe=recipe
                ).tolist()
                for method, of in chosen.items()
            }
            yield space, recipe, found


def collapsed(out: Path) -> dict[str, int]:
    """Of how many choices two thirds of the operations or more have no weights, by method."""
    counts = dict.fromkeys(METHODS, 0)
    for kept in out.glob("*/*/choices.json"):
        space = nb.load(kept.parent / "again.h5").space
        for method, of in json.loads(kept.read_text(encoding="utf-8")).items():
            for choice in of.values():
                pairs = zip(space.decisions.values(), space.ops(choice), strict=True)
                words = [values[op] for values, op in pairs if "+" not in values[0]]
                counts[method] += 3 * sum(word in FREE for word in words) >= 2 * len(words)
    return counts


def rank(out: Path) -> None:
    """Print what came out."""
    blocks = list(accuracies(out))
    print(f"| space | recipe | {' | '.join(METHODS)} |")
    print(f"| --- | --- | {' | '.join(['---:'] * len(METHODS))} |")
    for space, recipe, found in blocks:
        said = [f"{np.mean(found[m]):.2f} ± {np.std(found[m], ddof=1):.2f}" for m in METHODS]
        print(f"| {space} | {recipe} | {' | '.join(said)} |")
    print("\ncollapsed:", ", ".join(f"{method} {n}" for method, n in collapsed(out).items()))
    spaces = list(dict.fromkeys(space for space, _, _ in blocks))
    mean = {(space, recipe, m): np.mean(found[m]) for space, recipe, found in blocks for m in found}
    for recipe in (*AGAIN, "mean of recipes"):
        of = [recipe] if recipe in AGAIN else list(AGAIN)
        told = friedman(
            {m: [-np.mean([mean[space, r, m] for r in of]) for space in spaces] for m in METHODS}
        )
        ranks = ", ".join(f"{method} {place:.2f}" for method, place in told.ranks.items())
        print(
            f"\n{recipe}: {len(spaces)} spaces, mean ranks {ranks}; Friedman p = {told.p:.2g}, "
            f"critical difference {told.critical_difference:.2f}"
        )


if __name__ == "__main__":
    folder, *names = sys.argv[1:]
    if names == ["--rank"]:
        rank(Path(folder))
    else:
        for each in names or [f"{shape}/{of}" for shape in SHAPES for of in OPERATIONS]:
            run(each, Path(folder))
