"""Measuring networks on this machine: what is reported and what is left alone."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from device_networks import image, network, randomized
from torch import Tensor

from nasbench.device import DeviceSpec, Measurement, make_device, measure
from nasbench.device.base import LATENCIES, METRICS
from nasbench.device.onnx_graph import to_onnx
from nasbench.device.onnx_runtime import open_session
from nasbench.device.probe import TimedTurn, Timing, signal_stack
from nasbench.device.reference import reference_network
from nasbench.errors import NasbenchError
from nasbench.network.cell import CellNetwork
from nasbench.space import CellSpace

SHAPE = (1, 8, 8)
OPENVINO = pytest.param("openvino", marks=pytest.mark.skipif(not find_spec("openvino"), reason=""))
RUNTIMES = ("torch", "onnxruntime", OPENVINO)


def quick(runtime: str, **values: Any) -> DeviceSpec:
    return DeviceSpec(runtime=runtime, repeats=3, warm_up=1, **values)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_every_network_is_measured(
    runtime: str, mini: CellSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "CHUNK", 3)
    architectures = (0, 31, 62, 93, 124)
    measured = make_device(quick(runtime, batch_size=2)).measure(
        (network(mini.live_graph(a)) for a in architectures), image(SHAPE)
    )
    assert len(measured) == len(architectures)
    for m in measured:
        assert m.latency_ms > 0
        assert m.latency_spread_ms >= 0
        assert m.latency_n == 3
        assert m.kind["latency_ms"] == "measured"
        # A value has a kind, a missing one a reason, never both.
        for metric in METRICS:
            missing = math.isnan(getattr(m, metric))
            assert (metric in m.reasons) == missing
            assert (metric in m.kind) != missing


@pytest.mark.skipif(not find_spec("openvino"), reason="OpenVINO is not installed")
def test_openvino_leaves_the_stack_on_which_signals_are_heard(mini: CellSpace) -> None:
    """Else Ctrl-C would end the process by a segmentation fault once its models are gone."""
    before = signal_stack()
    make_device(quick("openvino", batch_size=2)).measure(
        (network(mini.live_graph(a)) for a in (0, 31)), image(SHAPE)
    )
    after = signal_stack()
    assert (after.start, after.size) == (before.start, before.size)


def timing(cpu: float, wall: float, undisturbed: float = 1.0) -> Timing:
    return Timing((wall, 2 * wall, 5 * wall), (cpu, 2 * cpu, 5 * cpu), (8.0, 9.0), undisturbed, 11)


def told(
    turn: TimedTurn, monkeypatch: pytest.MonkeyPatch, mini: CellSpace, **spec: Any
) -> Measurement:
    monkeypatch.setattr(measure, "time_turn", lambda runs, board, **_: turn)
    (m,) = make_device(DeviceSpec(**spec)).measure([network(mini.live_graph(7))], image(SHAPE))
    return m


def test_both_clocks_and_the_reference_are_reported(
    mini: CellSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn = TimedTurn([timing(2.0, 3.0, 0.25), timing(1.0, 1.5)], 0.01, False, 1400.0, "")
    m = told(turn, monkeypatch, mini)
    assert (m.latency_ms, m.latency_spread_ms, m.latency_n) == (2.0, 8.0, 11)
    assert (m.latency_wall_ms, m.latency_cpu_ms, m.latency_cold_ms) == (3.0, 2.0, 9.0)
    assert (m.latency_undisturbed, m.latency_drift) == (0.25, 0.01)
    assert (m.latency_reference_ms, m.frequency_mhz) == (1.0, 1400.0)
    assert m.images_per_second == 500.0
    m = told(turn, monkeypatch, mini, clock="wall")
    assert (m.latency_ms, m.latency_spread_ms, m.latency_cold_ms) == (3.0, 12.0, 8.0)
    assert (m.latency_cpu_ms, m.latency_reference_ms) == (2.0, 1.5)


def test_the_cpus_clock_is_no_latency_of_several_threads(
    mini: CellSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn = TimedTurn([timing(2.0, 3.0), timing(1.0, 1.5)], 0.0, None, math.nan, "")
    m = told(turn, monkeypatch, mini, threads=2)
    assert m.latency_ms == m.latency_wall_ms == 3.0
    assert math.isnan(m.latency_cpu_ms)
    assert "adds up threads" in m.reasons["latency_cpu_ms"]


def test_a_turn_that_cannot_be_used_leaves_reasons(
    mini: CellSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn = TimedTurn([timing(2.0, 3.0), timing(1.0, 1.5)], 0.2, None, math.nan, "drift")
    m = told(turn, monkeypatch, mini)
    for metric in METRICS:
        missing = math.isnan(getattr(m, metric))
        assert missing == (metric in m.reasons) != (metric in m.kind)
        if metric in LATENCIES:
            assert "drifted by more than 5 %" in m.reasons[metric]
    assert m.memory_mib > 0
    assert m.energy_mj > 0


@pytest.mark.parametrize("clock", ["cpu", "wall"])
def test_what_a_coarse_clock_does_not_see_is_missing_with_a_reason(
    clock: str, mini: CellSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn = TimedTurn([timing(0.0, 3.0), timing(0.0, 1.5)], math.nan, None, 1400.0, "")
    m = told(turn, monkeypatch, mini, clock=clock)
    unseen = set(LATENCIES) - {"latency_wall_ms", "latency_undisturbed", "latency_cold_ms"}
    if clock == "wall":
        unseen = {"latency_cpu_ms"}
    assert {name for name, why in m.reasons.items() if "clock is too coarse" in why} == unseen
    assert all(math.isnan(getattr(m, name)) for name in unseen)
    assert m.latency_wall_ms == 3.0
    assert m.latency_cold_ms > 0


def test_the_reference_is_the_same_everywhere() -> None:
    one, other = (reference_network(2).state_dict() for _ in range(2))
    assert all(torch.equal(one[name], other[name]) for name in one)


class Spy(CellNetwork):
    """Notes how it is run."""

    seen: list[tuple[tuple[int, ...], dict[str, object]]] = []  # noqa: RUF012

    def forward(self, x: Tensor) -> Tensor:
        how = {
            "threads": torch.get_num_threads(),
            "training": self.training,
            "inference_mode": torch.is_inference_mode_enabled(),
            "tf32": torch.backends.cudnn.allow_tf32,
        }
        self.seen.append((tuple(x.shape), how))
        return super().forward(x)


@pytest.fixture
def two_threads() -> Iterator[None]:
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


@pytest.mark.usefixtures("two_threads")
def test_one_thread_means_one_thread(mini: CellSpace) -> None:
    Spy.seen.clear()
    spy = Spy(mini.live_graph(7), inputs=1, classes=10, channels=4, cells=1)
    make_device(quick("torch", batch_size=5)).measure([spy], image(SHAPE))
    timed = [how for shape, how in Spy.seen if shape == (5, *SHAPE)]
    assert len(timed) >= 4  # one warm-up, three timed
    wanted = {"threads": 1, "training": False, "inference_mode": True, "tf32": False}
    assert timed == [wanted] * len(timed)
    assert torch.get_num_threads() == 2
    assert torch.backends.cudnn.allow_tf32


@pytest.mark.usefixtures("two_threads")
def test_threads_come_back_after_an_error(mini: CellSpace) -> None:
    with pytest.raises(NasbenchError, match="1 channels"):
        make_device(quick("torch")).measure([network(mini.live_graph(7))], image((3, 8, 8)))
    assert torch.get_num_threads() == 2


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in /proc")
@pytest.mark.parametrize("threads", [1, 3])
def test_onnxruntime_starts_no_more_threads_than_asked(threads: int, mini: CellSpace) -> None:
    model = to_onnx(network(mini.live_graph(7)), image(SHAPE))
    tasks = Path("/proc/self/task")
    before = len(os.listdir(tasks))
    session = open_session(model, threads=threads)
    assert len(os.listdir(tasks)) - before == threads - 1  # the caller is one of them
    del session


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_networks_stay_as_they_are(runtime: str, mini: CellSpace) -> None:
    net = randomized(network(mini.live_graph(100)), seed=1).to(memory_format=torch.channels_last)
    net.train()
    net.last.eval()
    modes = [module.training for module in net.modules()]
    state = {name: value.clone() for name, value in net.state_dict().items()}
    strides = [parameter.stride() for parameter in net.parameters()]
    make_device(quick(runtime)).measure([net], image(SHAPE))
    assert [module.training for module in net.modules()] == modes
    assert [parameter.stride() for parameter in net.parameters()] == strides
    for name, value in net.state_dict().items():
        torch.testing.assert_close(value, state[name], rtol=0, atol=0)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_description_says_how_it_was_measured(runtime: str) -> None:
    spec = quick(runtime, batch_size=64)
    said = json.loads(json.dumps(make_device(spec).describe()))
    assert said.items() >= spec.describe().items()
    assert said["precision"] == "float32"
    assert said["hardware_model"]
    assert said["runtime_version"]
    assert said["latency"]["quantile"] == 0.1
    assert said["latency"]["clock"] == said["clock"] == "cpu"
    assert said["energy"]["kind"] in ("measured", "estimated")


def test_memory_follows_the_batch(mini: CellSpace) -> None:
    # Weights are there once, images and activations once an image.
    net = network(mini.live_graph(100))
    one, two, three = (
        make_device(quick("torch", batch_size=n)).measure([net], image(SHAPE))[0].memory_mib
        for n in (1, 2, 3)
    )
    assert three - two == pytest.approx(two - one)
    held = sum(t.numel() * t.element_size() for t in (*net.parameters(), *net.buffers()))
    assert one - (two - one) == pytest.approx(held / 2**20)


def test_onnxruntime_memory_is_missing_with_a_reason(mini: CellSpace) -> None:
    (m,) = make_device(quick("onnxruntime")).measure([network(mini.live_graph(7))], image(SHAPE))
    assert math.isnan(m.memory_mib)
    assert "ONNX Runtime" in m.reasons["memory_mib"]
