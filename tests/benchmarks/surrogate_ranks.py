"""Do strategies rank on a surrogate table as on the real one? A Markdown table, and Kendall's tau.

    python tests/benchmarks/surrogate_ranks.py nb201-cifar10.h5 --recipe 200ep
    python tests/benchmarks/surrogate_ranks.py nb201-cifar10.h5 --recipe 200ep --train 400

A surrogate is fitted on a random part of a whole table, the rest is predicted into a table, and
every strategy searches both with the same seeds. What it finds is looked up where it searched:
accuracies of the two tables are not compared, only the order of the strategies. The intervals
are bootstrap intervals (95 %) over search seeds.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.stats import kendalltau

import nasbench as nb
from nasbench.errors import NasbenchError
from nasbench.stats import summarize
from nasbench.surrogate import fit, score, write_completed
from nasbench.table import Table

STRATEGIES = (
    "random_search",
    "local_search",
    "regularized_evolution",
    "genetic_algorithm",
    "reinforce",
    "rnn_reinforce",
    "ppo_controller",
    "meta_qnn",
    "tpe",
)
RESAMPLES = 2_000


def finals(
    table: Table, strategies: Sequence[str], recipe: str, evaluations: int, seeds: int
) -> np.ndarray:
    """What each strategy's runs found, by the table: `[strategies, seeds]`."""
    found = nb.compare(
        strategies,
        table,
        search_recipe=recipe,
        budget_evaluations=evaluations,
        seeds=range(seeds),
    )
    return np.stack([found.finals(name)["valid_accuracy"] for name in strategies])


def tau_interval(real: np.ndarray, made: np.ndarray) -> tuple[float, float, float]:
    """Kendall's tau of the strategies' means, with its interval over resampled seeds."""
    rng = np.random.default_rng(0)
    tau = kendalltau(real.mean(1), made.mean(1)).statistic
    resampled = [
        kendalltau(real[:, drawn].mean(1), made[:, drawn].mean(1)).statistic
        for drawn in rng.integers(real.shape[1], size=(RESAMPLES, real.shape[1]))
    ]
    low, high = np.quantile(resampled, (0.025, 0.975))
    return float(tau), float(low), float(high)


def split_tau(real: np.ndarray) -> float:
    """Tau between the means of halves of the seeds on the real table: what seeds alone allow."""
    rng = np.random.default_rng(0)
    halves = [rng.permutation(real.shape[1]).reshape(2, -1) for _ in range(200)]
    return float(
        np.mean([kendalltau(real[:, a].mean(1), real[:, b].mean(1)).statistic for a, b in halves])
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Ranks of strategies, real and on a surrogate.")
    parser.add_argument("table", help="a whole table: its file, or a shipped name")
    parser.add_argument("--recipe", help="may be left out where the table has one")
    parser.add_argument("--train", type=int, default=1000, help="rows that are fitted on")
    parser.add_argument("--strategies", default=",".join(STRATEGIES), help="names, by commas")
    parser.add_argument("--evaluations", type=int, default=100, help="of each run")
    parser.add_argument("--seeds", type=int, default=200, help="runs of each strategy; even")
    parser.add_argument("--seed", type=int, default=0, help="of the rows that are fitted on")
    options = parser.parse_args(arguments)
    strategies = options.strategies.split(",")
    try:
        table = nb.load(options.table)
        recipe = table.recipe(options.recipe)
        start = time.process_time()
        surrogate = fit(table, recipe=recipe, train=options.train, seed=options.seed)
        seconds = time.process_time() - start
        scored = score(surrogate, table)
        with tempfile.TemporaryDirectory(prefix="surrogate-ranks-") as folder:
            made = write_completed(table, surrogate, Path(folder) / "made.h5")
            real, on_made = (
                finals(one, strategies, recipe, options.evaluations, options.seeds)
                for one in (table, made)
            )
    except NasbenchError as error:
        parser.error(str(error))
    print("| strategy | real | surrogate table |\n| --- | ---: | ---: |")
    for place in np.argsort(-real.mean(1)):
        cells = (summarize(found[place]) for found in (real, on_made))
        shown = " | ".join(f"{s.mean:.3f} [{s.low:.3f}, {s.high:.3f}]" for s in cells)
        print(f"| {strategies[place]} | {shown} |")
    tau, low, high = tau_interval(real, on_made)
    print(
        f"\nKendall's tau of {len(strategies)} strategies {tau:.3f} [{low:.3f}, {high:.3f}]; "
        f"between halves of the seeds on the real table {split_tau(real):.3f}. "
        f"{table.name}, {recipe}: {options.train:,} of {len(table.rows):,} rows fitted on in "
        f"{seconds:.0f} CPU s, tau {scored.agreement.kendall:.3f} and R2 "
        f"{scored.agreement.r2:.3f} on {scored.agreement.n:,} others, 90 % intervals cover "
        f"{100 * scored.coverage:.1f} %; {options.evaluations} evaluations, "
        f"{options.seeds} seeds."
    )


if __name__ == "__main__":
    main()
