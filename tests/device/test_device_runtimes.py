"""Runtimes compute what PyTorch computes, in float32 and in int8, before they are timed."""

from __future__ import annotations

import logging
import math
import shlex
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
import zygote
from device_networks import image, network, randomized
from torch import Tensor, nn

from nasbench._quiet import import_quantization
from nasbench.device import DeviceSpec, make_device
from nasbench.device.commands import tensorrt_command
from nasbench.device.equal import check_answers
from nasbench.device.inference import Images, examples
from nasbench.device.onnx_graph import to_onnx
from nasbench.device.onnx_runtime import OnnxFileRuntime, any_batch, open_session
from nasbench.device.quantise import quantised
from nasbench.device.raw import Raw
from nasbench.errors import NasbenchError
from nasbench.space import CellSpace

SHAPE = (1, 8, 8)
OPENVINO = pytest.param("openvino", marks=pytest.mark.skipif(not find_spec("openvino"), reason=""))
RUNTIMES = ("onnxruntime", OPENVINO)
RUNTIME_NAMES = ("onnxruntime", "openvino")
SOME = np.random.default_rng(1).standard_normal((48, *SHAPE), dtype=np.float32)


def answers(runtime: str, precision: str, net: nn.Module, images: Images) -> Any:
    spec = DeviceSpec(runtime=runtime, precision=precision, batch_size=len(images))
    return np.array(OnnxFileRuntime(spec, SOME).load(net, images)())


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_float32_is_that_of_pytorch(runtime: str, mini: CellSpace) -> None:
    # To the seventh digit: in bfloat16, OpenVINO's default, it would be the third.
    net = randomized(network(mini.live_graph(100)), seed=5)
    images = examples(net, image(SHAPE), 3)
    with torch.inference_mode():
        wanted = net.eval()(torch.from_numpy(images)).numpy()
    got = answers(runtime, "float32", net, images)
    np.testing.assert_allclose(got, wanted, rtol=0, atol=3e-6 * max(1, np.abs(wanted).max()))


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_int8_is_near_and_alike_in_both_runtimes(runtime: str, mini: CellSpace) -> None:
    net = randomized(network(mini.live_graph(100)), seed=5)
    images = examples(net, image(SHAPE), 16)
    with torch.inference_mode():
        wanted = net.eval()(torch.from_numpy(images)).numpy()
    got = answers(runtime, "int8", net, images)
    error = np.abs(got - wanted).max() / np.abs(wanted).max()
    assert 1e-5 < error < 0.1  # really quantised, and right
    alike = answers("onnxruntime", "int8", net, images)
    assert np.abs(got - alike).max() < 0.02 * np.abs(wanted).max()


@pytest.mark.skipif(not find_spec("openvino"), reason="OpenVINO is not installed")
@pytest.mark.parametrize("pixels", [True, False])
def test_both_runtimes_round_an_int8_file_where_it_says(pixels: bool, mini: CellSpace) -> None:
    net = randomized(network(mini.live_graph(93)), seed=5)
    mean = np.full((1, 1, 1, 1), 70.5, np.float32)
    raw = Raw("uint8", mean, 0.9 * mean)
    some = raw.noise((96, *SHAPE))
    some = some // 2 if pixels else raw.standardise(some)  # half of the bytes never occur
    content = quantised(
        to_onnx(net, image(SHAPE), raw if pixels else None), some[:48]
    ).SerializeToString()
    here, there = (any_batch(content, runtime)(some[48:]) for runtime in RUNTIME_NAMES)
    # A tie that one of them rounds up moves an answer; every rounding left out moves them all.
    apart = np.abs(here - there) / np.abs(here).max()
    assert np.median(apart) < 1e-5
    assert (apart > 1e-4).mean() < 0.1


def test_sums_and_pools_read_no_quantised_convolution_as_it_is(mini: CellSpace) -> None:
    net = randomized(network(mini.live_graph(93)), seed=5)
    graph = quantised(to_onnx(net, image(SHAPE)), SOME).graph
    makers = {name: node.op_type for node in graph.node for name in node.output}
    read = {makers.get(name) for n in graph.node for name in n.input if n.op_type == "Add"}
    assert "DequantizeLinear" not in read
    same = [node for node in graph.node if node.op_type == "Max"]
    assert same
    assert all(node.input[0] == node.input[1] for node in same)


def test_convolutions_and_matrix_products_alone_become_int8(mini: CellSpace) -> None:
    net = randomized(network(mini.live_graph(93)), seed=5)
    whole = to_onnx(net, image(SHAPE))
    before = Counter(node.op_type for node in whole.graph.node)
    model = quantised(whole, SOME)
    onnx.checker.check_model(model)
    made = {out: node.op_type for node in model.graph.node for out in node.output}
    counts = Counter(node.op_type for node in model.graph.node)
    assert (counts["Conv"], counts["Gemm"]) == (before["Conv"], before["Gemm"])
    reads_pixels = [node for node in model.graph.node if node.input[0] == "images"]
    assert [node.op_type for node in reads_pixels] == ["Conv"]  # as it was, in float32
    for node in model.graph.node:
        if node.op_type in ("Conv", "Gemm") and node not in reads_pixels:
            assert made[node.input[0]] == made[node.input[1]] == "DequantizeLinear"
        if node.op_type == "QuantizeLinear":  # nothing is quantised but what these take and give
            readers = [n for n in model.graph.node if node.output[0] in n.input]
            assert {n.op_type for n in readers} == {"DequantizeLinear"}
    stored = {w.name: w for w in model.graph.initializer}
    weights = [w for w in stored.values() if w.data_type == onnx.TensorProto.INT8]
    assert len([w for w in weights if len(w.dims) > 1]) == counts["Conv"] - 1 + counts["Gemm"]
    images = examples(net, image(SHAPE), 2)
    assert open_session(model, threads=1).run(None, {"images": images})[0].shape == (2, 10)


def test_quantising_leaves_logging_as_it_was(
    mini: CellSpace, capsys: pytest.CaptureFixture[str]
) -> None:
    root = logging.getLogger()
    before = root.level, list(root.handlers), root.manager.disable
    import_quantization()
    quantised(to_onnx(network(mini.live_graph(7)), image(SHAPE)), SOME)
    assert (root.level, list(root.handlers), root.manager.disable) == before
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("precision", "factor"), [("float32", 1.001), ("int8", 1.3)])
def test_other_answers_are_refused(precision: str, factor: float, mini: CellSpace) -> None:
    net = randomized(network(mini.live_graph(7)), seed=5)
    images = examples(net, image(SHAPE), 2)
    with torch.inference_mode():
        right = net.eval()(torch.from_numpy(images)).numpy()
    check_answers(net, images, right, "R", precision)
    with pytest.raises(NasbenchError, match=rf"in R \({precision}\) differ from PyTorch's"):
        check_answers(net, images, factor * right, "R", precision)
    with pytest.raises(NasbenchError, match="differ from PyTorch's"):
        check_answers(net, images, np.full_like(right, np.nan), "R", precision)


class Unlike(nn.Module):
    """Answers otherwise where it is traced, to be written as a file."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) * self.weight * (1.0 if isinstance(x, Tensor) else 2.0)


def test_what_differs_is_not_timed_and_says_why(mini: CellSpace) -> None:
    spec = DeviceSpec(runtime="onnxruntime", repeats=3, warm_up=1)
    good = randomized(network(mini.live_graph(7)), seed=5)
    odd, well = make_device(spec).measure([Unlike(), good], image(SHAPE))
    assert math.isnan(odd.latency_ms)
    assert math.isnan(odd.energy_mj)
    assert "differ from PyTorch's by more than 0.0001" in odd.reasons["latency_ms"]
    assert not odd.kind
    assert well.latency_ms > 0


class Failing(nn.Linear):
    """Runs but where it is traced, timed or on a single example, as it is told."""

    def __init__(self, where: str) -> None:
        super().__init__(64, 10)
        self.where = where

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        if self.where == "file":
            x = x + torch.linalg.eigvals(x @ x.T).real.sum()
        if self.where == "double":  # ONNX Runtime has no such convolution
            weight = self.weight.double()[:, None]
            return nn.functional.conv1d(x.double()[:, None], weight).flatten(1).float()
        if self.where == "one" and len(x) == 1:
            raise ValueError("one in /home/jane")
        return super().forward(x)


@pytest.mark.parametrize(
    ("runtime", "where", "reason"),
    [
        ("onnxruntime", "file", "it cannot be written as ONNX"),
        ("onnxruntime", "double", "ONNX Runtime cannot run it"),
        ("torch", "one", "PyTorch cannot run it"),
    ],
)
def test_what_cannot_be_run_is_missing_and_others_are_timed(
    runtime: str, where: str, reason: str, mini: CellSpace, caplog: pytest.LogCaptureFixture
) -> None:
    spec = DeviceSpec(runtime=runtime, repeats=3, warm_up=1, seconds=0.001)
    nets = [Failing(where), randomized(network(mini.live_graph(7)), seed=5), Failing(where)]
    odd, well, again = make_device(spec).measure(nets, image(SHAPE))
    assert odd.reasons["latency_ms"] == again.reasons["latency_ms"] == reason
    assert math.isnan(odd.latency_ms)
    assert well.latency_ms > 0
    assert len(caplog.messages) == 1  # what is said of it, once
    assert caplog.messages[0].startswith(f"{spec.name}: a network is not timed: ")


def test_int8_is_measured_after_calibration_alone(mini: CellSpace) -> None:
    spec = DeviceSpec(runtime="onnxruntime", repeats=3, warm_up=1, precision="int8")
    with pytest.raises(NasbenchError, match="needs training images"):
        make_device(spec).measure([network(mini.live_graph(7))], image(SHAPE))
    device = make_device(spec, lambda: SOME)
    (m,) = device.measure([randomized(network(mini.live_graph(7)), seed=5)], image(SHAPE))
    assert m.latency_ms > 0
    assert device.describe()["precision"] == "int8"


def telemetry() -> None:
    """In a process of its own: who imports OpenVINO by itself has it."""
    make_device(DeviceSpec(runtime="openvino"))
    assert sys.modules.get("openvino_telemetry") is None


@pytest.mark.process
@pytest.mark.skipif(not find_spec("openvino"), reason="")
def test_openvino_comes_without_its_telemetry() -> None:
    zygote.run(telemetry)


def test_the_line_for_tensorrt_fits_the_file(mini: CellSpace) -> None:
    model = to_onnx(network(mini.live_graph(7)), image(SHAPE))
    (fed,) = model.graph.input
    sizes = [d.dim_value or 4 for d in fed.type.tensor_type.shape.dim]  # any batch, here 4
    size = f"{fed.name}:{'x'.join(map(str, sizes))}"
    words = shlex.split(tensorrt_command(Path("a folder/it's.onnx"), SHAPE, batch=4))
    assert words[:2] == ["trtexec", "--onnx=it's.onnx"]
    assert words[2:5] == [f"--{which}Shapes={size}" for which in ("min", "opt", "max")]
