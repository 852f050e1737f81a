"""Measuring networks on a device: latency in turn, then energy and memory of each."""

from __future__ import annotations

import logging
import math
import platform
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, Protocol

import torch
from torch import nn

from nasbench._names import printable
from nasbench.device.base import METRICS, DeviceSpec, Measurement, Reading, measurement_of
from nasbench.device.energy import find_meter
from nasbench.device.equal import Untimed
from nasbench.device.inference import Images, examples
from nasbench.device.latency import describe_latency, latencies_of
from nasbench.device.onnx_runtime import OnnxFileRuntime
from nasbench.device.probe import Board, TimedTurn, time_turn
from nasbench.device.reference import reference_of
from nasbench.device.torch_runtime import TorchRuntime
from nasbench.errors import NasbenchError
from nasbench.task import Signal
from nasbench.train.reference import cpu_threads

logger = logging.getLogger(__name__)

__all__ = ["Runtime", "RuntimeDevice", "hardware_model"]

CHUNK = 16
"""Networks that are timed in turn: enough to average out the machine's mood, few to hold."""


_SAID = 300
"""Letters of why a network is not timed that are logged."""
_ALIKE = 80
"""So many that are the same are the same reason."""


class Runtime(Protocol):
    """What runs a network."""

    def describe(self) -> dict[str, Any]:
        """Version and mode; plain JSON values."""

    def load(self, network: nn.Module, images: Images) -> Callable[[], object]:
        """A run of a copy of the network, which returns when its result is there."""

    def memory_mib(self, network: nn.Module, images: Images) -> Reading:
        """The peak of one run in MiB."""


class RuntimeDevice:
    """A runtime on hardware; see `nasbench.device.Device`.

    Args:
        spec: what and how.
        calibration: see `make_device`.
    """

    def __init__(self, spec: DeviceSpec, calibration: Images | None = None) -> None:
        self.spec = spec
        self._runtime: Runtime = (
            TorchRuntime(spec.hardware)
            if spec.runtime == "torch"
            else OnnxFileRuntime(spec, calibration)
        )
        self._board = Board()
        self._said: set[str] = set()
        self._meter = find_meter(spec.hardware, spec.precision, self._board)

    def describe(self) -> dict[str, Any]:
        return {
            **self.spec.describe(),
            **self._board.describe(),
            "hardware_model": hardware_model(self.spec.hardware),
            **self._runtime.describe(),
            "latency": describe_latency(self.spec, CHUNK),
            "energy": {"of": "a batch", **self._meter.describe()},
        }

    def measure(self, networks: Iterable[nn.Module], inputs: Signal) -> list[Measurement]:
        waiting = iter(networks)
        measured: list[Measurement] = []
        with _settings(self.spec.threads):
            while chunk := list(islice(waiting, CHUNK)):
                measured.extend(self._measure_chunk(chunk, inputs))
        return measured

    def _measure_chunk(self, networks: list[nn.Module], inputs: Signal) -> Iterator[Measurement]:
        batches = [examples(network, inputs, self.spec.batch_size) for network in networks]
        runs: dict[int, Callable[[], object]] = {}
        untimed: dict[int, str] = {}
        for place, (network, images) in enumerate(zip(networks, batches, strict=True)):
            try:
                runs[place] = self._runtime.load(network, images)
            except Untimed as error:
                untimed[place] = str(error)
                said = printable(error.said)[:_SAID]
                if said and said[:_ALIKE] not in self._said:  # once, not once a network
                    self._said.add(said[:_ALIKE])
                    logger.warning("%s: a network is not timed: %s", self.spec.name, said)
        reference, images = reference_of(inputs, self.spec.batch_size)
        try:
            beside = self._runtime.load(reference, images)
        except Untimed as error:
            raise NasbenchError(
                f"{self.spec.name} does not run the reference network: {error.said or error}"
            ) from error
        turn = self._time([*runs.values(), beside])
        if turn.paused:
            logger.warning(
                "%s: the processor was throttled, %.0f s of pause to cool down",
                self.spec.name,
                turn.paused,
            )
        self._meter.rest()
        timings = dict(zip(runs, turn.timings[:-1], strict=True))
        for place, (network, images) in enumerate(zip(networks, batches, strict=True)):
            if place in untimed:
                missing = Reading(math.nan, reason=untimed[place])
                yield measurement_of(dict.fromkeys(METRICS, missing))
                continue
            readings = {
                **latencies_of(self.spec, turn, timings[place], turn.timings[-1]),
                **self._meter.read(runs[place], network, images),
                "memory_mib": self._runtime.memory_mib(network, images),
            }
            yield measurement_of(readings)

    def _time(self, runs: Sequence[Callable[[], object]]) -> TimedTurn:
        spec = self.spec
        return time_turn(
            runs,
            self._board,
            clock=spec.clock,
            warm_up=spec.warm_up,
            repeats=spec.repeats,
            seconds=spec.seconds,
        )


@contextmanager
def _settings(threads: int) -> Iterator[None]:
    """PyTorch with that many threads and full float32 meanwhile, then as before.

    Threads matter to ONNX Runtime too: PyTorch's idle ones would take its cores for a while.
    """
    before = torch.backends.cudnn.allow_tf32
    # On by default: convolutions would keep 10 of float32's 23 bits of precision.
    torch.backends.cudnn.allow_tf32 = False
    try:
        with cpu_threads(threads):
            yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def hardware_model(hardware: str) -> str:
    """What the maker calls the CPU or GPU."""
    if hardware == "cuda":
        return torch.cuda.get_device_name()
    if platform.system() == "Darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return str(Board().describe()["hardware_model"])
