"""Measuring networks on this machine: what is reported and what is left alone."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from device_networks import network, randomized
from torch import Tensor

from nasbench.device import DeviceSpec, make_device, measure
from nasbench.device.onnx_graph import to_onnx
from nasbench.device.onnx_runtime import open_session
from nasbench.errors import NasbenchError
from nasbench.network.cell import CellNetwork
from nasbench.space import CellSpace

SHAPE = (1, 8, 8)
RUNTIMES = ("torch", "onnxruntime")


def quick(runtime: str, **values: Any) -> DeviceSpec:
    return DeviceSpec(runtime=runtime, repeats=3, warm_up=1, **values)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_every_network_is_measured(
    runtime: str, mini: CellSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "CHUNK", 3)
    architectures = (0, 31, 62, 93, 124)
    measured = make_device(quick(runtime, batch_size=2)).measure(
        (network(mini.live_graph(a)) for a in architectures), SHAPE
    )
    assert len(measured) == len(architectures)
    for m in measured:
        assert m.latency_ms > 0
        assert m.latency_spread_ms >= 0
        assert m.latency_n == 3
        assert m.kind["latency_ms"] == "measured"
        # A value has a kind, a missing one a reason, never both.
        for metric in ("latency_ms", "energy_mj", "memory_mib"):
            missing = math.isnan(getattr(m, metric))
            assert (metric in m.reasons) == missing
            assert (metric in m.kind) != missing


def test_quantile_spread_and_count(mini: CellSpace, monkeypatch: pytest.MonkeyPatch) -> None:
    # 1 to 11 ms, shuffled: the 0.1 quantile is the second, the 0.9 quantile the tenth.
    seconds = np.random.default_rng(0).permutation(np.arange(1, 12)) / 1e3
    monkeypatch.setattr(measure, "time_in_turn", lambda runs, **_: np.stack([seconds] * len(runs)))
    (m,) = make_device(DeviceSpec()).measure([network(mini.live_graph(7))], SHAPE)
    assert m.latency_ms == pytest.approx(2)
    assert m.latency_spread_ms == pytest.approx(8)
    assert m.latency_n == 11


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
    make_device(quick("torch", batch_size=5)).measure([spy], SHAPE)
    timed = [how for shape, how in Spy.seen if shape == (5, *SHAPE)]
    assert len(timed) >= 4  # one warm-up, three timed
    wanted = {"threads": 1, "training": False, "inference_mode": True, "tf32": False}
    assert timed == [wanted] * len(timed)
    assert torch.get_num_threads() == 2
    assert torch.backends.cudnn.allow_tf32


@pytest.mark.usefixtures("two_threads")
def test_threads_come_back_after_an_error(mini: CellSpace) -> None:
    with pytest.raises(NasbenchError, match="1 channels"):
        make_device(quick("torch")).measure([network(mini.live_graph(7))], (3, 8, 8))
    assert torch.get_num_threads() == 2


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in /proc")
@pytest.mark.parametrize("threads", [1, 3])
def test_onnxruntime_starts_no_more_threads_than_asked(threads: int, mini: CellSpace) -> None:
    model = to_onnx(network(mini.live_graph(7)), SHAPE)
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
    make_device(quick(runtime)).measure([net], SHAPE)
    assert [module.training for module in net.modules()] == modes
    assert [parameter.stride() for parameter in net.parameters()] == strides
    for name, value in net.state_dict().items():
        torch.testing.assert_close(value, state[name], rtol=0, atol=0)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_description_says_how_it_was_measured(runtime: str) -> None:
    spec = quick(runtime, batch_size=64)
    told = json.loads(json.dumps(make_device(spec).describe()))
    assert told.items() >= spec.describe().items()
    assert told["precision"] == "float32"
    assert told["hardware_model"]
    assert told["runtime_version"]
    assert told["latency"]["quantile"] == 0.1
    assert told["energy"]["kind"] in ("measured", "estimated")


def test_memory_follows_the_batch(mini: CellSpace) -> None:
    # Weights are there once, images and activations once an image.
    net = network(mini.live_graph(100))
    one, two, three = (
        make_device(quick("torch", batch_size=n)).measure([net], SHAPE)[0].memory_mib
        for n in (1, 2, 3)
    )
    assert three - two == pytest.approx(two - one)
    held = sum(t.numel() * t.element_size() for t in (*net.parameters(), *net.buffers()))
    assert one - (two - one) == pytest.approx(held / 2**20)


def test_onnxruntime_memory_is_missing_with_a_reason(mini: CellSpace) -> None:
    (m,) = make_device(quick("onnxruntime")).measure([network(mini.live_graph(7))], SHAPE)
    assert math.isnan(m.memory_mib)
    assert "ONNX Runtime" in m.reasons["memory_mib"]
