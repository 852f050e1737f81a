"""Energy of a run: from the machine's counters where it has them, else from a stated model.

The counters are read through Zeus (You, Chung & Chowdhury, NSDI 2023): NVML on a GPU, RAPL
on a CPU. The model is an operation count priced by Horowitz, "Computing's Energy Problem (and
what we can do about it)", ISSCC 2014, and never called measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from torch import nn

from nasbench.device.base import ESTIMATED, MEASURED, Reading
from nasbench.device.inference import Images
from nasbench.device.trace import trace
from nasbench.network.count import count_examples

__all__ = ["CounterMeter", "Meter", "ModelMeter", "find_meter"]

MULTIPLY_ADD_PJ = 3.7 + 0.9
"""A float32 multiplication and addition, 45 nm (Horowitz 2014, figure 1.1.9)."""

BYTE_PJ = 1300 / 8
"""A byte to or from DRAM: the low end of 1.3 to 2.6 nJ for 64 bits (the same figure)."""

WINDOW_SECONDS = {"cpu": 0.1, "cuda": 0.5}
"""How long a network runs between two readings: RAPL counts every 1 ms, NVML every 20 to 100."""


class Meter(Protocol):
    """Where the energy of a run comes from."""

    def energy_mj(self, run: Callable[[], object], network: nn.Module, images: Images) -> Reading:
        """Millijoules of one run of the network on these images."""

    def describe(self) -> dict[str, Any]:
        """The source, its coefficients, and what it covers; plain JSON values."""


class ModelMeter:
    """An estimate that knows nothing of latency or of this machine.

    Args:
        why: why the energy was not measured.
    """

    def __init__(self, why: str) -> None:
        self._why = why

    def energy_mj(self, run: Callable[[], object], network: nn.Module, images: Images) -> Reading:
        """Multiply-adds and bytes moved, each times its coefficient."""
        multiply_adds = count_examples(network, images)
        moved = trace(network, images).moved_bytes
        picojoules = multiply_adds * MULTIPLY_ADD_PJ + moved * BYTE_PJ
        return Reading(picojoules * 1e-9, ESTIMATED)

    def describe(self) -> dict[str, Any]:
        return {
            "kind": ESTIMATED,
            "why_not_measured": self._why,
            "model": "multiply-adds of convolutions and classifier, and every byte that the "
            "operations of the PyTorch graph read or write, as though all of it came from DRAM; "
            "float32, 45 nm (Horowitz, ISSCC 2014)",
            "picojoules_per_multiply_add": MULTIPLY_ADD_PJ,
            "picojoules_per_byte": BYTE_PJ,
        }


class CounterMeter:
    """The machine's energy counters, read before and after many runs.

    Args:
        monitor: a `zeus.monitor.ZeusMonitor` or what behaves like one.
        hardware: whose counters are read, `cpu` or `cuda`.
        seconds: how long the network runs between the readings.
    """

    def __init__(self, monitor: Any, hardware: str, seconds: float) -> None:
        self._monitor = monitor
        self._hardware = hardware
        self._seconds = seconds

    def energy_mj(self, run: Callable[[], object], network: nn.Module, images: Images) -> Reading:
        """Joules that the counters gained, over the runs made meanwhile."""
        runs = 0
        # Each run ends when its result is there: the monitor need not wait for the hardware.
        self._monitor.begin_window("inference", sync_execution=False)
        end = time.perf_counter() + self._seconds
        while runs == 0 or time.perf_counter() < end:
            run()
            runs += 1
        window = self._monitor.end_window("inference", sync_execution=False)
        if self._hardware == "cuda":
            zones = dict(window.gpu_energy)
        else:
            zones = {("package", zone): value for zone, value in (window.cpu_energy or {}).items()}
            zones |= {("dram", zone): value for zone, value in (window.dram_energy or {}).items()}
        joules = sum(zones.values())
        if not joules > 0:
            reason = f"the energy counters did not move in {self._seconds} s of running"
            return Reading(float("nan"), reason=reason)
        return Reading(1e3 * joules / runs, MEASURED)

    def describe(self) -> dict[str, Any]:
        source = "NVML, the whole GPU" if self._hardware == "cuda" else "RAPL, package and DRAM"
        return {
            "kind": MEASURED,
            "source": f"{source}, idle power included, through Zeus",
            "window_seconds": self._seconds,
        }


def find_meter(hardware: str) -> Meter:
    """The counters of `cpu`, `cuda` or `mps` where they can be read, else the model."""
    if hardware not in WINDOW_SECONDS:
        return ModelMeter(f"no counters are known for {hardware}")
    try:
        from zeus.exception import ZeusBaseError
        from zeus.monitor import ZeusMonitor
    except ImportError:
        return ModelMeter("Zeus is not installed; pip install 'nasbench-harness[energy]'")
    try:
        monitor = ZeusMonitor(
            gpu_indices=[_current_gpu()] if hardware == "cuda" else [],
            cpu_indices=[] if hardware == "cuda" else None,
        )
        # Zeus starts its helper process in the first window, which would count what that costs.
        monitor.begin_window("start", sync_execution=False)
        monitor.end_window("start", sync_execution=False, cancel=True)
    except (ZeusBaseError, OSError, ValueError, RuntimeError) as error:
        return ModelMeter(f"Zeus found no counters that can be read: {error}")
    if hardware == "cpu":
        # RAPL's zone of the whole platform holds the packages: together they count twice.
        monitor.cpu_indices = [i for i in monitor.cpu_indices if _zone(i) != "psys"]
    if not (monitor.gpu_indices if hardware == "cuda" else monitor.cpu_indices):
        return ModelMeter("Zeus found no counters that can be read")
    return CounterMeter(monitor, hardware, WINDOW_SECONDS[hardware])


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
