"""The exported file: valid, equal to PyTorch, whole or not there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from device_networks import network, randomized

from nasbench._quiet import import_onnxruntime
from nasbench.device import export
from nasbench.device.export import count_right, export_onnx
from nasbench.device.onnx_graph import Pixels, to_onnx
from nasbench.errors import NasbenchError
from nasbench.space import CellSpace
from nasbench.task import Split

SHAPE = (3, 15, 9)


def test_the_file_computes_what_pytorch_computes(nb201: CellSpace, tmp_path: Path) -> None:
    net = randomized(network(nb201.graph(8888), inputs=3), seed=5).train()
    path = tmp_path / "network.onnx"
    difference = export_onnx(net, SHAPE, path)
    assert 0 <= difference <= 1e-4
    assert net.training
    onnx.checker.check_model(str(path), full_check=True)
    images = np.random.default_rng(6).random((5, *SHAPE), dtype=np.float32)
    session = import_onnxruntime().InferenceSession(path, providers=["CPUExecutionProvider"])
    with torch.no_grad():
        wanted = net.eval()(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(session.run(["logits"], {"images": images})[0], wanted, atol=1e-4)
    assert list(tmp_path.iterdir()) == [path]


def test_untrained_networks_of_any_scale_are_written(nb201: CellSpace, tmp_path: Path) -> None:
    # Nothing but skips: each cell multiplies by four, fifteen of them by 10^9.
    skips = "|skip_connect~0|+|skip_connect~0|skip_connect~1|"
    skips += "+|skip_connect~0|skip_connect~1|skip_connect~2|"
    net = network(nb201.graph(nb201.index(skips)), inputs=3, cells=5)
    export_onnx(net, SHAPE, tmp_path / "skips.onnx")
    assert (tmp_path / "skips.onnx").is_file()


def test_a_graph_that_computes_something_else_is_not_written(
    nb201: CellSpace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, other = (randomized(network(nb201.graph(8888), inputs=3), seed) for seed in (5, 6))
    monkeypatch.setattr(export, "to_onnx", lambda _, shape, pixels: to_onnx(other, shape, pixels))
    with pytest.raises(NasbenchError, match="differ by"):
        export_onnx(net, SHAPE, tmp_path / "network.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_diverged_network_is_not_written(value: float, nb201: CellSpace, tmp_path: Path) -> None:
    net = network(nb201.graph(8888), inputs=3)
    with torch.no_grad():
        net.classifier.bias[0] = value
    with pytest.raises(NasbenchError, match="not finite"):
        export_onnx(net, SHAPE, tmp_path / "network.onnx")
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_one_sentence(nb201: CellSpace, tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "network.onnx"
    with pytest.raises(NasbenchError, match=r"cannot write .*nowhere"):
        export_onnx(network(nb201.graph(0), inputs=3), SHAPE, path)


def test_pixels_are_standardised_in_the_graph(nb201: CellSpace, tmp_path: Path) -> None:
    """Colour images of uint8, each channel with a mean and deviation of its own."""
    net = randomized(network(nb201.graph(1462), inputs=3), seed=5)
    mean = np.asarray([10.0, 120.5, 200.0], np.float32).reshape(1, 3, 1, 1)
    deviation = np.asarray([3.0, 60.25, 90.0], np.float32).reshape(1, 3, 1, 1)
    path = tmp_path / "network.onnx"
    export_onnx(net, SHAPE, path, pixels=Pixels(mean, deviation), about={"classes": '["ü"]'})
    images = np.random.default_rng(6).integers(0, 256, (5, *SHAPE), dtype=np.uint8)
    session = import_onnxruntime().InferenceSession(path, providers=["CPUExecutionProvider"])
    standard = (images.astype(np.float64) - mean) / deviation
    with torch.no_grad():
        wanted = net.eval().double()(torch.from_numpy(standard)).numpy()
    (got,) = session.run(["logits"], {"images": images})
    np.testing.assert_allclose(got, wanted, atol=1e-3, rtol=1e-4)
    [said] = onnx.load(path).metadata_props
    assert (said.key, said.value) == ("classes", '["ü"]')
    split = Split(images, wanted.argmax(1))
    assert count_right(path, split) == 5
