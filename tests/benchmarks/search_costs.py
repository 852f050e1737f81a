"""What searching costs: the CPU time of every registered strategy, as a Markdown table.

    python tests/benchmarks/search_costs.py                      # on made-up accuracies
    python tests/benchmarks/search_costs.py --table nb201.h5 --recipe 12ep
    python tests/benchmarks/search_costs.py --strategies tpe,gp_bo --runs 3

A run is a search of 12,000 simulated seconds with everything around it: ask, evaluate, tell, and
the journal in memory. It is timed by the clock of this process, which other processes on the
machine slow down but do not add to; runs of the strategies take turns, so that a slow minute
meets all of them. Set OMP_NUM_THREADS=1: the time of every thread counts.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import nasbench as nb
from nasbench.errors import NasbenchError
from nasbench.search import Budget, Goal, RunSpec, TableOracle, search
from nasbench.search.catalog import searching_names
from nasbench.table import Dataset, write_table

MODEL_BASED = frozenset(
    {"bananas", "bohb", "gp_bo", "hybrid", "optuna_sampler", "pnas", "predictor_evolution", "tpe"}
)
"""Strategies that fit a model of what they were told; the time is the model's."""

SECONDS = 12_000.0
RUNS = 500
"""Of the protocol of NAS-Bench-201: what a whole comparison of one strategy takes."""


def made_up(path: Path) -> Path:
    """Write a table of NAS-Bench-201's cells, 70 to 150 s a training: some 110 in 12,000 s."""
    space = nb.space("nb201")
    rng = np.random.default_rng(0)
    shape = (space.size, 1, 1)
    columns = {
        "valid_accuracy": rng.uniform(10, 90, shape),
        "train_seconds": rng.uniform(70, 150, shape),
    }
    about = {"kind": "trained", "epochs": [12]}
    write_table(
        path,
        name="made-up",
        space=space,
        rows=np.arange(space.size),
        sharing="none",
        recipes={"12ep": {"epochs": 12, "seeds": [0]}},
        datasets={
            f"recipe/12ep/{metric}": Dataset(column.astype(np.float32), about)
            for metric, column in columns.items()
        },
    )
    return path


def goal_of(oracle: TableOracle) -> Goal:
    """The best validation accuracy in 12,000 s."""
    return Goal("valid_accuracy", Budget(seconds=SECONDS), oracle.fidelities)


def timed_run(strategy: str, oracle: TableOracle, seed: int) -> tuple[float, int]:
    """CPU seconds of a run, and its evaluations."""
    spec = RunSpec(strategy, goal_of(oracle), seed)
    start = time.process_time()
    run = search(spec, oracle)
    return time.process_time() - start, len(run.evaluations)


def measure(
    strategies: Sequence[str], oracle: TableOracle, runs: int
) -> dict[str, list[tuple[float, int]]]:
    """Every strategy's runs, in turns; what the first of each has to import is not timed."""
    found: dict[str, list[tuple[float, int]]] = {}
    for strategy in strategies:
        search(RunSpec(strategy, goal_of(oracle), runs), oracle)
        found[strategy] = []
    for seed in range(runs):
        for strategy in strategies:
            found[strategy].append(timed_run(strategy, oracle, seed))
    return found


def markdown(found: dict[str, list[tuple[float, int]]]) -> str:
    """A row a strategy, the cheapest first, those with a model below the others."""
    lines = [
        f"| strategy | evaluations a run | CPU µs an evaluation | CPU s of {RUNS} runs |",
        "| --- | --- | --- | --- |",
    ]
    total = {name: RUNS * statistics.mean(s for s, _ in runs) for name, runs in found.items()}
    plain = [name for name in found if name not in MODEL_BASED]
    fitted = [name for name in found if name in MODEL_BASED]
    for name in [*sorted(plain, key=total.__getitem__), *sorted(fitted, key=total.__getitem__)]:
        each = [1e6 * seconds / evaluations for seconds, evaluations in found[name]]
        spread = f"{statistics.median(each):,.1f} [{min(each):,.1f}, {max(each):,.1f}]"
        evaluations = statistics.mean(n for _, n in found[name])
        lines.append(f"| {name} | {evaluations:.1f} | {spread} | {total[name]:,.1f} |")
    if plain:
        together = sum(total[name] for name in plain)
        lines.append(f"| the {len(plain)} without a fitted model | | | {together:,.1f} |")
    return "\n".join(lines)


def processor() -> str:
    """The model's name, where the system tells it."""
    known = Path("/proc/cpuinfo")
    lines = known.read_text(encoding="utf-8").splitlines() if known.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="What searching costs, as a Markdown table.")
    parser.add_argument("--table", type=Path, help="made up where it is left out")
    parser.add_argument("--recipe", help="to search on; may be left out where the table has one")
    parser.add_argument("--strategies", help="names, by commas; all that are registered")
    parser.add_argument("--runs", type=int, default=10, help="of each strategy")
    options = parser.parse_args(arguments)
    if options.runs < 1:
        parser.error("expected one run or more")
    names = options.strategies.split(",") if options.strategies else searching_names()
    try:
        with tempfile.TemporaryDirectory(prefix="search-costs-") as folder:
            table = nb.load(options.table or made_up(Path(folder) / "made-up.h5"))
            found = measure(names, TableOracle(table, recipe=options.recipe), options.runs)
    except NasbenchError as error:
        parser.error(str(error))
    print(markdown(found), end="\n\n")
    print(
        f"{table.name}, {SECONDS:,.0f} simulated seconds a run, n = {options.runs} runs: "
        f"median [lowest, highest] of the runs, {RUNS} times their mean; {processor()}, "
        f"Python {platform.python_version()}, numpy {np.__version__}"
    )


if __name__ == "__main__":
    main()
