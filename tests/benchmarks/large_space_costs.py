"""What searching a space of 5e33 architectures costs: CPU seconds and memory, as a Markdown table.

    OMP_NUM_THREADS=1 python tests/benchmarks/large_space_costs.py [STRATEGY ...]

The space has the decisions of NASNet's two cells (Zoph et al., CVPR 2018): five blocks in each, of
two inputs and two of thirteen operations. What architectures are worth is made up from their
decisions. Each strategy runs in a process of its own, which is idle once all is imported: what its
search takes beyond that is counted.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import time

import numpy as np

from nasbench.search import Budget, Fidelity, Goal, Outcome, Query, RunSpec, search
from nasbench.search.catalog import searching_names
from nasbench.search.strategy import strategy_class
from nasbench.space import ChoiceSpace

EVALUATIONS, EPOCHS = 200, 9


def nasnet() -> ChoiceSpace:
    decisions: dict[str, range] = {}
    for cell in ("normal", "reduction"):
        for block in range(5):
            for side in ("left", "right"):
                decisions[f"{cell}{block}.{side}_input"] = range(block + 2)
                decisions[f"{cell}{block}.{side}"] = range(13)
    return ChoiceSpace("nasnet", decisions)


class MadeUp:
    """Worth rises with epochs, and by weights that were drawn once for each choice."""

    def __init__(self) -> None:
        self.space = nasnet()
        self.fidelities = (Fidelity("r", EPOCHS, (1, 3, EPOCHS)),)
        rng = np.random.default_rng(0)
        self._weights = [rng.normal(size=count) for count in self.space.choices]

    def key(self, architecture: int) -> int:
        return architecture

    def describe(self) -> dict[str, str]:
        return {"kind": "made up"}

    def evaluate(self, query: Query) -> Outcome:
        ops = self.space.ops(query.architecture).tolist()
        worth = sum(float(of[op]) for of, op in zip(self._weights, ops, strict=True))
        return Outcome({"valid_accuracy": 50 + worth - 9 / query.epochs}, float(query.epochs))


def measure(strategy: str) -> tuple[float, float]:
    """CPU seconds of a search, and MiB beyond an idle process."""
    strategy_class(strategy)
    oracle = MadeUp()
    goal = Goal("valid_accuracy", Budget(EVALUATIONS), oracle.fidelities)
    search(RunSpec("random_search", goal, 1), oracle)
    idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    run = search(RunSpec(strategy, goal, 0), oracle)
    spent = time.process_time() - began
    assert 0 <= run.best < oracle.space.size
    return spent, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - idle) / 1024


def main() -> None:
    print(f"| strategy | CPU s, {EVALUATIONS} evaluations | MiB above idle |\n| --- | --- | --- |")
    context = multiprocessing.get_context("spawn")
    for strategy in sys.argv[1:] or searching_names():
        with context.Pool(1) as pool:
            seconds, memory = pool.apply(measure, (strategy,))
        print(f"| `{strategy}` | {seconds:.2f} | {memory:.0f} |", flush=True)


if __name__ == "__main__":
    main()
