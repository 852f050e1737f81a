"""Do a rank objective or monotone constraints help the meta-learner? A Markdown table.

    python tests/benchmarks/xgboost_objectives.py scored.h5 --recipe 200ep

The same trees are fitted to squared errors, to pairs (`rank:pairwise`; accuracies in 32 steps,
the most that it takes), and to squared errors with each feature of more than ten values that
ranks the rows fitted on by more than .5 in size (Spearman) held to that sign. Kendall's tau is of
all other networks; differences are paired by draw, with the bootstrap interval (95 %).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.stats
import xgboost
from numpy.typing import NDArray

from nasbench.errors import NasbenchError
from nasbench.stats import bootstrap_estimate
from nasbench.surrogate.features import Features, stand_ins
from nasbench.surrogate.predictors import PREDICTORS
from nasbench.surrogate.targets import to_scale
from nasbench.table import Table, trained_column

TREES = {**PREDICTORS["xgboost"].grid[0], "tree_method": "hist", "n_jobs": 1}
MEMBERS, STEPS, STRONG = 2, 32, 0.5

Floats = NDArray[np.floating[Any]]


def squared(x: Floats, y: Floats, seed: int) -> Any:
    return xgboost.XGBRegressor(**TREES, random_state=seed).fit(x, y)


def pairwise(x: Floats, y: Floats, seed: int) -> Any:
    places = scipy.stats.rankdata(y, method="dense") - 1
    relevance = (places * (STEPS - 1) / max(places.max(), 1)).astype(int)
    model = xgboost.XGBRanker(
        objective="rank:pairwise", lambdarank_pair_method="mean",
        lambdarank_num_pair_per_sample=10, **TREES, random_state=seed,
    )  # fmt: skip
    return model.fit(x, relevance, qid=np.zeros(len(y), dtype=int))


def monotone(x: Floats, y: Floats, seed: int) -> Any:
    signs = []
    for column in x.T:
        rho = 0.0
        if len(np.unique(column)) > 10:
            rho = scipy.stats.spearmanr(column, y, nan_policy="omit").statistic
        signs.append(int(np.sign(rho)) if abs(rho) > STRONG else 0)
    model = xgboost.XGBRegressor(**TREES, random_state=seed, monotone_constraints=tuple(signs))
    return model.fit(x, y)


def run(table: Table, recipe: str, features: Sequence[str], sizes: Sequence[int], n: int) -> None:
    """Print a line for each size and way."""
    column = trained_column(table, "valid_accuracy", recipe=recipe)
    rows = table.rows.astype(np.int64)[np.isfinite(column)]
    y = to_scale("valid_accuracy", column[np.isfinite(column)])
    x, classes = Features.make(table, features, recipe).of(rows), stand_ins(table.space, rows)
    print("| rows fitted on | way | Kendall's tau | less squared |\n| ---: | --- | ---: | ---: |")
    for size in sizes:
        taus: dict[str, list[float]] = {"squared": [], "monotone": [], "pairwise": []}
        for draw in range(n):
            rng = np.random.default_rng(np.random.SeedSequence(0, spawn_key=(draw,)))
            mine = np.sort(rng.permutation(len(rows))[:size])
            others = np.flatnonzero(~np.isin(classes, classes[mine]))
            for fit in (squared, monotone, pairwise):
                models = [fit(x[mine], y[mine], seed) for seed in range(MEMBERS)]
                guess = np.mean([model.predict(x[others]) for model in models], axis=0)
                taus[fit.__name__].append(scipy.stats.kendalltau(guess, y[others]).statistic)
        for way, found in taus.items():
            less = bootstrap_estimate(lambda v: v.mean(-1), np.subtract(found, taus["squared"]))
            shown = f"{less.value:+.3f} [{less.low:+.3f}, {less.high:+.3f}]"
            print(f"| {size} | {way} | {np.mean(found):.3f} | {shown} |", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description="Objectives of the meta-learner, beside each other."
    )
    parser.add_argument("table", type=Path)
    parser.add_argument("--recipe", required=True)
    parser.add_argument("--features", default="proxies,one_hot,graph", help="with commas between")
    parser.add_argument("--sizes", default="50,100,400", help="with commas between")
    parser.add_argument("--draws", type=int, default=20)
    options = parser.parse_args(arguments)
    try:
        sizes = [int(size) for size in options.sizes.split(",")]
        run(Table(options.table), options.recipe, options.features.split(","), sizes, options.draws)
    except (NasbenchError, OSError, ValueError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
