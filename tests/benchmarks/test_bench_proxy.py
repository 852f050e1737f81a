"""Proxies of many networks side by side, beside one network at a time.

The same cells, starts and batch; both take turns within each round, one thread each, and seconds
are those of the thread on its core, so that what else the machine does falls on both.
"""

import time

import numpy as np
import pytest

import nasbench as nb
from nasbench import proxy
from nasbench.building.proxies import ON_CPU
from nasbench.train import Recipe
from nasbench.train.reference import cpu_threads

ROUNDS, CELLS = 5, ON_CPU


@pytest.mark.benchmark(group="proxy")
def test_side_by_side_beside_one_at_a_time(benchmark, capsys, nb201):
    task, names = nb.task("fashion16"), list(proxy.names())
    recipe = Recipe(epochs=1, channels=4, cells=1, train_images=1_000)
    count = 2 if benchmark.disabled else CELLS  # where nothing is timed, only run
    cells = np.random.default_rng(0).choice(nb201.representatives, count, replace=False)
    seconds: dict[int, list[float]] = {ON_CPU: [], 1: []}

    def round_of_both() -> None:
        for group, spent in seconds.items():
            start = time.process_time()
            proxy.score(nb201, cells, task, recipe, names, hardware="cpu", group=group)
            spent.append((time.process_time() - start) / count)

    with cpu_threads(1):
        benchmark.pedantic(round_of_both, rounds=ROUNDS, warmup_rounds=0)
    alone, together = (np.median(seconds[group]) for group in (1, ON_CPU))
    ratios = np.divide(seconds[1], seconds[ON_CPU])
    with capsys.disabled():
        print(
            f"\n{len(names)} proxies on fashion16 with 4 channels, CPU seconds a network: "
            f"{alone:.3f} one at a time, {together:.3f} {ON_CPU} side by side: "
            f"{np.median(ratios):.2f} [{ratios.min():.2f}, {ratios.max():.2f}] times as fast"
        )
