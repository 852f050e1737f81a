"""Energy of a run: from the machine's counters where it has them, else from a stated model.

NVML on a GPU and RAPL on a CPU are read through Zeus (You, Chung & Chowdhury, NSDI 2023); a
Jetson's INA sensors, and RAPL where Zeus is not installed, as the probe reads them elsewhere. The
model is an operation count priced by Horowitz, "Computing's Energy Problem (and what we can do
about it)", ISSCC 2014, and never called measured.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from torch import nn

from nasbench.device.base import ESTIMATED, MEASURED, Reading
from nasbench.device.inference import Images
from nasbench.device.probe import ENERGY_SECONDS, Board, Energy, energy_of, rest
from nasbench.device.trace import trace
from nasbench.network.count import count_examples

__all__ = [
    "BoardMeter",
    "CounterMeter",
    "Meter",
    "ModelMeter",
    "counted_energy",
    "energies",
    "find_meter",
]

MULTIPLY_ADD_PJ = 3.7 + 0.9
"""A float32 multiplication and addition, 45 nm (Horowitz 2014, figure 1.1.9)."""

BYTE_PJ = 1300 / 8
"""A byte to or from DRAM: the low end of 1.3 to 2.6 nJ for 64 bits (the same figure)."""

_PRICED = "float32"


def energies(of: Energy) -> dict[str, Reading]:
    """What was counted, by the names that tables have; a counter that stood still gives none."""
    if not of.gross > 0:
        why = f"the energy counters did not move in {ENERGY_SECONDS:g} s of running"
        return dict.fromkeys(
            ("energy_mj", "energy_net_mj", "power_w"), Reading(math.nan, reason=why)
        )
    return {
        "energy_mj": Reading(of.gross, MEASURED),
        "energy_net_mj": Reading(of.net, MEASURED),
        "power_w": Reading(of.watts, MEASURED),
    }


class Meter(Protocol):
    """Where the energy of a run comes from."""

    def rest(self) -> None:
        """Find what the machine takes at rest: called before each turn of networks."""

    def read(
        self, run: Callable[[], object], network: nn.Module, images: Images
    ) -> Mapping[str, Reading]:
        """`energy_mj`, `energy_net_mj` and `power_w` of a run of the network on these images."""

    def describe(self) -> dict[str, Any]:
        """The source, its coefficients, and what it covers; plain JSON values."""


class ModelMeter:
    """An estimate that knows nothing of latency, of the runtime or of this machine.

    Args:
        why: why the energy was not measured.
        precision: that is run; float32 alone has prices here.
    """

    def __init__(self, why: str, precision: str = _PRICED) -> None:
        self._why = why
        self._precision = precision

    def rest(self) -> None:
        """Nothing is to be found."""

    def read(
        self, run: Callable[[], object], network: nn.Module, images: Images
    ) -> Mapping[str, Reading]:
        """Multiply-adds and bytes moved, each times its coefficient."""
        none = Reading(math.nan, reason="the model of energy knows neither rest nor time")
        known = Reading(
            math.nan, reason=f"the model of energy prices float32, not {self._precision}"
        )
        if self._precision == _PRICED:
            counted = count_examples(network, images)
            moved = trace(network, images).moved_bytes
            picojoules = counted * MULTIPLY_ADD_PJ + moved * BYTE_PJ
            known = Reading(picojoules * 1e-9, ESTIMATED)
        return {"energy_mj": known, "energy_net_mj": none, "power_w": none}

    def describe(self) -> dict[str, Any]:
        return {
            "kind": ESTIMATED,
            "why_not_measured": self._why,
            "model": "multiply-adds of convolutions and classifier, and every byte that the "
            "operations of the PyTorch graph read or write, as though all of it came from DRAM; "
            "float32, 45 nm (Horowitz, ISSCC 2014); the same on every device and runtime",
            "picojoules_per_multiply_add": MULTIPLY_ADD_PJ,
            "picojoules_per_byte": BYTE_PJ,
        }


class BoardMeter:
    """What the kernel counts, as the probe reads it.

    Args:
        board: that has sensors or counters.
    """

    def __init__(self, board: Board) -> None:
        self._board = board
        self._idle = 0.0

    def rest(self) -> None:
        self._idle = rest(self._board)

    def read(
        self, run: Callable[[], object], network: nn.Module, images: Images
    ) -> Mapping[str, Reading]:
        """From a loop of runs."""
        return energies(energy_of(run, self._board, self._idle))

    def describe(self) -> dict[str, Any]:
        return counted_energy(self._board.energy_source)


class CounterMeter:
    """The machine's energy counters, read by Zeus before and after many runs.

    Args:
        monitor: a `zeus.monitor.ZeusMonitor` or what behaves like one.
        hardware: whose counters are read, `cpu` or `cuda`.
    """

    def __init__(self, monitor: Any, hardware: str) -> None:
        self._monitor = monitor
        self._hardware = hardware
        self._idle = 0.0

    def rest(self) -> None:
        joules, seconds, _ = self._window(lambda: time.sleep(ENERGY_SECONDS), 0.0)
        self._idle = joules / seconds

    def read(
        self, run: Callable[[], object], network: nn.Module, images: Images
    ) -> Mapping[str, Reading]:
        """Joules that the counters gained, over the runs made meanwhile."""
        joules, seconds, runs = self._window(run, ENERGY_SECONDS)
        net = joules - self._idle * seconds
        return energies(Energy(1e3 * joules / runs, 1e3 * net / runs, joules / seconds))

    def _window(self, run: Callable[[], object], least: float) -> tuple[float, float, int]:
        """Joules, seconds and how many runs, of so many seconds at the least."""
        runs = 0
        # Each run ends when its result is there: the monitor need not wait for the hardware.
        self._monitor.begin_window("inference", sync_execution=False)
        start = time.perf_counter()
        while runs == 0 or time.perf_counter() < start + least:
            run()
            runs += 1
        seconds = time.perf_counter() - start
        window = self._monitor.end_window("inference", sync_execution=False)
        if self._hardware == "cuda":
            zones = dict(window.gpu_energy)
        else:
            zones = {("package", zone): value for zone, value in (window.cpu_energy or {}).items()}
            zones |= {("dram", zone): value for zone, value in (window.dram_energy or {}).items()}
        return sum(zones.values()), seconds, runs

    def describe(self) -> dict[str, Any]:
        source = "NVML, the whole GPU" if self._hardware == "cuda" else "RAPL, package and DRAM"
        return counted_energy(f"{source}, through Zeus")


def counted_energy(source: str) -> dict[str, Any]:
    """How energy is taken where something counts; plain JSON values for a manifest."""
    return {
        "kind": MEASURED,
        "source": source,
        "gross": "energy_mj: all that was taken, at rest included",
        "net": "energy_net_mj: less what the machine takes at rest, measured before each turn",
        "window_seconds": ENERGY_SECONDS,
    }


def find_meter(hardware: str, precision: str = _PRICED, board: Board | None = None) -> Meter:
    """The counters of `cpu`, `cuda` or `mps` where they can be read, else the model.

    Args:
        hardware: that computes.
        precision: of what it computes.
        board: whose sensors are read where Zeus finds none; this machine's by default.
    """
    if hardware not in ("cpu", "cuda"):
        return ModelMeter(f"no counters are known for {hardware}", precision)
    found = _zeus(hardware)
    if isinstance(found, CounterMeter):
        return found
    board = board or Board()
    if hardware == "cpu" and board.energy_source:
        return BoardMeter(board)
    return ModelMeter(found, precision)


def _zeus(hardware: str) -> CounterMeter | str:
    """The counters that Zeus reads, or why it reads none."""
    try:
        from zeus.exception import ZeusBaseError
        from zeus.monitor import ZeusMonitor
    except ImportError:
        return "Zeus is not installed; pip install 'nasbench-harness[energy]'"
    try:
        monitor = ZeusMonitor(
            gpu_indices=[_current_gpu()] if hardware == "cuda" else [],
            cpu_indices=[] if hardware == "cuda" else None,
        )
        # Zeus starts its helper process in the first window, which would count what that costs.
        monitor.begin_window("start", sync_execution=False)
        monitor.end_window("start", sync_execution=False, cancel=True)
    except (ZeusBaseError, OSError, ValueError, RuntimeError) as error:
        return f"Zeus found no counters that can be read: {error}"
    if hardware == "cpu":
        # RAPL's zone of the whole platform holds the packages: together they count twice.
        monitor.cpu_indices = [i for i in monitor.cpu_indices if _zone(i) != "psys"]
    if not (monitor.gpu_indices if hardware == "cuda" else monitor.cpu_indices):
        return "Zeus found no counters that can be read"
    return CounterMeter(monitor, hardware)


def _current_gpu() -> int:
    import torch

    return torch.cuda.current_device()


def _zone(index: int) -> str:
    """The name of a RAPL zone; empty where it is unknown."""
    try:
        return (
            Path(f"/sys/class/powercap/intel-rapl:{index}/name").read_text(encoding="utf-8").strip()
        )
    except OSError:
        return ""
