"""Energy: counters through a stub of Zeus, the model against a count on paper."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest
from device_networks import image, network

from nasbench.device import DeviceSpec, energy, make_device
from nasbench.device.energy import ModelMeter, find_meter
from nasbench.device.inference import examples
from nasbench.space import CellSpace

SHAPE = (1, 5, 7)


@dataclass
class Window:
    gpu_energy: dict[int, float]
    cpu_energy: dict[int, float] | None
    dram_energy: dict[int, float] | None


class StubMonitor:
    """Counters that gain the same in every window; GPU 1, packages 0 and 1, a platform zone 2."""

    gain: float = 1.0
    fails: Exception | None = None
    has_counters = True

    def __init__(self, gpu_indices: list[int] | None, cpu_indices: list[int] | None) -> None:
        if self.fails:
            raise self.fails
        self.gpu_indices = [] if gpu_indices is None or not self.has_counters else gpu_indices
        packages = [0, 1, 2] if cpu_indices is None else cpu_indices
        self.cpu_indices = packages if self.has_counters else []
        self.open: set[str] = set()

    def begin_window(self, key: str, sync_execution: bool = True) -> None:
        assert key not in self.open
        self.open.add(key)

    def end_window(self, key: str, sync_execution: bool = True, cancel: bool = False) -> Window:
        self.open.remove(key)
        packages = {i: self.gain * 10**i for i in self.cpu_indices}
        return Window(
            gpu_energy=dict.fromkeys(self.gpu_indices, self.gain * 7),
            cpu_energy=packages or None,
            dram_energy={0: self.gain / 2} if packages else None,
        )


class StubError(Exception):
    pass


@pytest.fixture
def zeus(monkeypatch: pytest.MonkeyPatch) -> type[StubMonitor]:
    """A Zeus whose counters the test sets."""
    monitor, exception = ModuleType("zeus.monitor"), ModuleType("zeus.exception")
    stub = type("Stub", (StubMonitor,), {})
    monitor.ZeusMonitor = stub  # type: ignore[attr-defined]
    exception.ZeusBaseError = StubError  # type: ignore[attr-defined]
    for module in (ModuleType("zeus"), monitor, exception):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    zones = {0: "package-0", 1: "package-1", 2: "psys"}
    monkeypatch.setattr(energy, "_zone", zones.__getitem__)
    monkeypatch.setattr(energy, "_current_gpu", lambda: 1)
    return stub


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """A run of 30 ms under a clock that nothing else moves."""
    now = [0.0]

    def run() -> None:
        now[0] += 0.03

    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    return run


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows of 10 ms, where nobody looks at the numbers."""
    monkeypatch.setattr(energy, "ENERGY_SECONDS", 0.01)


def reading(hardware: str, run: Callable[[], None], mini: CellSpace) -> Any:
    net = network(mini.graph(0))
    meter = find_meter(hardware)
    meter.rest()
    return meter.read(run, net, examples(net, image(SHAPE), 1))


@pytest.mark.usefixtures("zeus")
def test_packages_and_memory_over_the_runs(clock: Callable[[], None], mini: CellSpace) -> None:
    # 1 + 10 J of the packages, 0.5 J of the memory; the platform's 100 J hold them already.
    # A window of 1 s holds 34 runs, the last of which began before its end: 1.02 s. At rest the
    # counters gain as much in 1 s.
    found = reading("cpu", clock, mini)
    assert found["energy_mj"].value == pytest.approx(1e3 * 11.5 / 34)
    assert found["energy_net_mj"].value == pytest.approx(1e3 * (11.5 - 11.5 * 1.02) / 34)
    assert found["power_w"].value == pytest.approx(11.5 / 1.02)
    assert {(reading.kind, reading.reason) for reading in found.values()} == {("measured", "")}


@pytest.mark.usefixtures("zeus")
def test_the_gpu_alone_over_the_runs(clock: Callable[[], None], mini: CellSpace) -> None:
    found = reading("cuda", clock, mini)["energy_mj"]
    assert found.value == pytest.approx(1e3 * 7 / math.ceil(1 / 0.03))
    assert (found.kind, found.reason) == ("measured", "")


def test_counters_that_stand_still_give_no_number(
    zeus: type[StubMonitor], clock: Callable[[], None], mini: CellSpace
) -> None:
    zeus.gain = 0.0
    for found in reading("cpu", clock, mini).values():
        assert math.isnan(found.value)
        assert found.kind == ""
        assert "did not move in 1 s" in found.reason


@pytest.mark.parametrize("hardware", ["cpu", "cuda", "mps"])
def test_without_counters_it_is_an_estimate(hardware: str, zeus: type[StubMonitor]) -> None:
    zeus.has_counters = False
    assert find_meter(hardware).describe()["kind"] == "estimated"


@pytest.mark.parametrize("error", [StubError("no permission"), ValueError("no GPU"), OSError("x")])
def test_counters_that_cannot_be_read_are_named(error: Exception, zeus: type[StubMonitor]) -> None:
    zeus.fails = error
    told = find_meter("cpu").describe()
    assert told["kind"] == "estimated"
    assert str(error) in told["why_not_measured"]


def test_without_zeus_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zeus.monitor", None)
    monkeypatch.setitem(sys.modules, "zeus.exception", None)
    told = find_meter("cpu").describe()
    assert told["kind"] == "estimated"
    assert "pip install 'nasbench-harness[energy]'" in told["why_not_measured"]


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("runtime", ["torch", "onnxruntime"])
@pytest.mark.parametrize(("gain", "counters"), [(1.0, True), (0.0, True), (1.0, False)])
def test_a_measurement_says_which(
    runtime: str, gain: float, counters: bool, zeus: type[StubMonitor], mini: CellSpace
) -> None:
    zeus.gain, zeus.has_counters = gain, counters
    device = make_device(DeviceSpec(runtime=runtime, repeats=1))
    (m,) = device.measure([network(mini.live_graph(7))], image(SHAPE))
    if counters and not gain:
        assert math.isnan(m.energy_mj)
        assert "energy_mj" not in m.kind
        assert "energy_mj" in m.reasons
    else:
        wanted = "measured" if counters else "estimated"
        assert m.energy_mj > 0
        assert m.kind["energy_mj"] == device.describe()["energy"]["kind"] == wanted
        assert "energy_mj" not in m.reasons


# The model.


def on_paper(batch: int, height: int, width: int, classes: int = 10) -> float:
    """Millijoules of the network (C = 4, N = 1, one channel) whose cells hold only a skip."""

    def values(channels: int, area: int) -> int:
        return batch * channels * area

    floats = multiply_adds = 0

    def convolution(inputs: int, outputs: int, kernel: int, before: int, after: int) -> None:
        nonlocal floats, multiply_adds
        weights = kernel * inputs * outputs
        floats += values(inputs, before) + weights + values(outputs, after)
        multiply_adds += weights * batch * after

    def norm(channels: int, area: int) -> None:
        nonlocal floats
        floats += 2 * values(channels, area) + 4 * channels

    area = height * width
    convolution(1, 4, 9, area, area)
    norm(4, area)
    for outputs in (8, 16):
        inputs, before = outputs // 2, area
        height, width = -(-height // 2), -(-width // 2)
        area = height * width
        floats += values(inputs, before) + values(inputs, area)  # the shortcut's pooling
        convolution(inputs, outputs, 1, area, area)
        floats += 2 * values(inputs, before)  # ReLU
        convolution(inputs, outputs, 9, before, area)
        norm(outputs, area)
        floats += 2 * values(outputs, area)  # ReLU
        convolution(outputs, outputs, 9, area, area)
        norm(outputs, area)
        floats += 3 * values(outputs, area)  # the sum
    norm(16, area)
    floats += 2 * values(16, area)  # ReLU
    floats += values(16, area) + values(16, 1)  # the mean
    floats += values(16, 1) + 17 * classes + batch * classes
    multiply_adds += batch * 17 * classes  # with the bias, as the release counts
    return (4.6 * multiply_adds + 162.5 * 4 * floats) * 1e-9


@pytest.mark.parametrize("batch", [1, 3])
def test_the_model_is_its_coefficients_times_counts(batch: int, mini: CellSpace) -> None:
    skip = network(mini.live_graph(mini.index("|none~0|+|skip_connect~0|none~1|")))
    read = ModelMeter("").read(lambda: None, skip, examples(skip, image(SHAPE), batch))
    found = read["energy_mj"]
    assert found.value == pytest.approx(on_paper(batch, 5, 7))
    assert found.kind == "estimated"


def test_the_model_never_runs_what_is_timed(mini: CellSpace) -> None:
    def run() -> None:
        raise AssertionError("the estimate looked at the latency")

    net = network(mini.live_graph(93))
    assert ModelMeter("").read(run, net, examples(net, image(SHAPE), 1))["energy_mj"].value > 0


def test_the_manifest_holds_the_coefficients() -> None:
    told = ModelMeter("no counters").describe()
    assert told["picojoules_per_multiply_add"] == pytest.approx(4.6)
    assert told["picojoules_per_byte"] == 162.5
    assert told["why_not_measured"] == "no counters"
