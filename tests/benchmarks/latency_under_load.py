"""Latency by the CPU's clock and by the wall's, quiet and beside busy loops, over random cells.

    python tests/benchmarks/latency_under_load.py [--loops 4] [--cells 50] [--seed 0]

Networks are those of NAS-Bench-201's release: 16 channels, 5 cells a stage, images 3 x 32 x 32,
one at a time. Quiet and busy turns alternate, so that what else the machine does falls on both.
It prints, for each runtime, the levels in ms, how far the busy latency of a cell is from its quiet
one, and the rank correlation of the two over cells.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from scipy.stats import spearmanr

from nasbench.device import DeviceSpec, Measurement, make_device
from nasbench.device.measure import CHUNK
from nasbench.network.cell import CellNetwork
from nasbench.space import CellSpace, get
from nasbench.task import Signal

INPUTS = Signal("image", (3, 32, 32), "uint8")
RUNTIMES = ("torch", "onnxruntime", "openvino")
CLOCKS = ("latency_cpu_ms", "latency_wall_ms")


class Loops:
    """Processes that compute all the time, and stand still in between."""

    def __init__(self, n: int) -> None:
        self._loops = [subprocess.Popen([sys.executable, "-c", "while 1: 0"]) for _ in range(n)]
        self._send(signal.SIGSTOP)

    def _send(self, number: int) -> None:
        for loop in self._loops:
            loop.send_signal(number)

    @contextmanager
    def running(self) -> Iterator[None]:
        self._send(signal.SIGCONT)
        try:
            yield
        finally:
            self._send(signal.SIGSTOP)

    def end(self) -> None:
        for loop in self._loops:
            loop.kill()
            loop.wait()


def cells(n: int, seed: int) -> list[int]:
    """Random cells that compute different functions."""
    space = get("nb201")
    drawn = np.random.default_rng(seed).permutation(space.representatives)
    return [int(cell) for cell in drawn[:n]]


def built(cell: int) -> CellNetwork:
    space = get("nb201")
    assert isinstance(space, CellSpace)
    return CellNetwork(space.live_graph(cell), inputs=3, classes=10, channels=16, cells=5)


def measured(runtime: str, chosen: list[int], loops: Loops) -> tuple[list[Measurement], ...]:
    """What each cell takes, quiet and busy."""
    device = make_device(DeviceSpec(runtime=runtime))
    quiet: list[Measurement] = []
    busy: list[Measurement] = []
    for start in range(0, len(chosen), CHUNK):
        networks = [built(cell) for cell in chosen[start : start + CHUNK]]
        quiet += device.measure(networks, INPUTS)
        with loops.running():
            busy += device.measure(networks, INPUTS)
    return quiet, busy


def column(measurements: list[Measurement], metric: str) -> np.ndarray:
    return np.asarray([getattr(m, metric) for m in measurements])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--loops", type=int, default=4)
    parser.add_argument("--cells", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runtimes", default=",".join(RUNTIMES))
    given = parser.parse_args()
    chosen = cells(given.cells, given.seed)
    loops = Loops(given.loops)
    print(f"{given.loops} loops, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at first")
    try:
        for runtime in given.runtimes.split(","):
            quiet, busy = measured(runtime, chosen, loops)
            for metric in CLOCKS:
                a, b = column(quiet, metric), column(busy, metric)
                known = np.isfinite(a) & np.isfinite(b)
                ratio = b[known] / a[known]
                low, middle, high = np.quantile(ratio, (0.1, 0.5, 0.9))
                print(
                    f"{runtime} {metric}: {np.median(a[known]):.3f} ms quiet, "
                    f"{np.median(b[known]):.3f} ms busy; busy / quiet {middle:.3f} "
                    f"[{low:.3f}, {high:.3f}], within 10 % {(abs(ratio - 1) <= 0.1).mean():.0%}; "
                    f"rank correlation {spearmanr(a[known], b[known])[0]:.3f}, n {known.sum()}"
                )
            share = [column(m, "latency_undisturbed") < 0.5 for m in (quiet, busy)]
            print(
                f"{runtime} wall disturbed: {share[0].mean():.0%} of cells quiet, "
                f"{share[1].mean():.0%} busy"
            )
    finally:
        loops.end()
    print(f"load {os.getloadavg()[0]:.1f} at last")


if __name__ == "__main__":
    main()
