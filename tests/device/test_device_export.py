"""The exported file: valid, equal to PyTorch, whole or not there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from device_networks import image, network, randomized
from torch import nn

from nasbench._quiet import import_onnxruntime
from nasbench.device import export
from nasbench.device.export import answers_of, export_onnx
from nasbench.device.inference import examples
from nasbench.device.onnx_graph import Raw, to_onnx
from nasbench.device.onnx_runtime import open_session
from nasbench.device.trace import trace
from nasbench.errors import NasbenchError, Unsupported
from nasbench.network.graph import graph_of
from nasbench.space import CellSpace
from nasbench.task import Split

SHAPE = (3, 15, 9)


def test_the_file_computes_what_pytorch_computes(nb201: CellSpace, tmp_path: Path) -> None:
    net = randomized(network(nb201.graph(8888), inputs=3), seed=5).train()
    path = tmp_path / "network.onnx"
    difference = export_onnx(net, image(SHAPE), path)
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
    export_onnx(net, image(SHAPE), tmp_path / "skips.onnx")
    assert (tmp_path / "skips.onnx").is_file()


def test_a_graph_that_computes_something_else_is_not_written(
    nb201: CellSpace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, other = (randomized(network(nb201.graph(8888), inputs=3), seed) for seed in (5, 6))
    monkeypatch.setattr(export, "to_onnx", lambda _, inputs, pixels: to_onnx(other, inputs, pixels))
    with pytest.raises(NasbenchError, match="differ by"):
        export_onnx(net, image(SHAPE), tmp_path / "network.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_diverged_network_is_not_written(value: float, nb201: CellSpace, tmp_path: Path) -> None:
    net = network(nb201.graph(8888), inputs=3)
    with torch.no_grad():
        net.classifier.bias[0] = value
    with pytest.raises(NasbenchError, match="not finite"):
        export_onnx(net, image(SHAPE), tmp_path / "network.onnx")
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_one_sentence(nb201: CellSpace, tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "network.onnx"
    with pytest.raises(NasbenchError, match=r"cannot write .*nowhere"):
        export_onnx(network(nb201.graph(0), inputs=3), image(SHAPE), path)


def test_pixels_are_standardised_in_the_graph(nb201: CellSpace, tmp_path: Path) -> None:
    """Colour images of uint8, each channel with a mean and deviation of its own."""
    net = randomized(network(nb201.graph(1462), inputs=3), seed=5)
    mean = np.asarray([10.0, 120.5, 200.0], np.float32).reshape(1, 3, 1, 1)
    deviation = np.asarray([3.0, 60.25, 90.0], np.float32).reshape(1, 3, 1, 1)
    path = tmp_path / "network.onnx"
    raw = Raw("uint8", mean, deviation)
    export_onnx(net, image(SHAPE), path, raw=raw, about={"classes": '["ü"]'})
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
    answers = answers_of(path.read_bytes(), split, raw)
    assert (answers.argmax(1) == split.labels).sum() == 5


class Noisy(nn.Module):
    """A network of no family: what goes round, depthwise, dropout, and a second output."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.depth = nn.Sequential(nn.BatchNorm2d(8), nn.SiLU(), nn.Conv2d(8, 8, 5, 1, 2, groups=8))
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = self.stem(x)
        features = features + self.depth(features)
        pooled = self.drop(features.mean((2, 3)))
        return self.head(pooled), pooled


def test_a_network_of_no_family_is_written_too(tmp_path: Path) -> None:
    net = Noisy()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    assert export_onnx(net, image((3, 7, 9)), tmp_path / "n.onnx") < 1e-5
    assert net.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    session = open_session((tmp_path / "n.onnx").read_bytes(), threads=1)
    images = np.random.default_rng(1).standard_normal((5, 3, 7, 9), dtype=np.float32)
    (got,) = session.run(None, {"images": images})  # another batch than it was written with
    wanted = net.eval()(torch.from_numpy(images))[0].detach().numpy()
    np.testing.assert_allclose(got, wanted, atol=1e-5)


def test_it_takes_pixels_as_they_are_stored(tmp_path: Path) -> None:
    channels = np.full((1, 3, 1, 1), 100.0, dtype=np.float32)
    raw = Raw("uint8", channels, channels / 2)
    assert export_onnx(Noisy(), image((3, 8, 8)), tmp_path / "n.onnx", raw=raw) < 1e-5


class Padded(nn.Module):
    """PyTorch's own transformer, which it runs on nested tensors in evaluation."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 1
        )
        self.head = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x[:, 0]
        padding = x[..., 0] > 9
        return self.head(self.encoder(x, src_key_padding_mask=padding)[:, 0])


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_pytorchs_own_transformer_is_written_counted_and_traced(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    net = Padded()
    assert torch.backends.mha.get_fastpath_enabled()
    assert export_onnx(net, image((1, 4, 8)), tmp_path / "n.onnx") < 1e-5
    products = 4 * (4 * 8 * 8 + 2 * 8 * 16) + 2 * 4 * 4 * 8 + 8 * 3
    assert graph_of(net, image((1, 4, 8))).multiply_adds == products
    assert trace(net, examples(net, image((1, 4, 8)), 1)).peak_bytes > 0
    assert torch.backends.mha.get_fastpath_enabled()
    assert capfd.readouterr() == ("", "")


def test_what_onnx_runtime_cannot_run_is_refused_in_one_sentence(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    class Fixed(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            batch = int(x.shape[0])  # which a trace takes for a constant
            return super().forward(x.flatten(1).reshape(batch, -1) if torch.any(x < 9) else x)

    with pytest.raises(NasbenchError, match="ONNX Runtime cannot run it"):
        export_onnx(Fixed(16, 2), image((1, 4, 4)), tmp_path / "n.onnx")
    assert not (tmp_path / "n.onnx").exists()
    assert capfd.readouterr() == ("", "")


def test_what_onnx_cannot_say_is_refused_in_one_sentence(tmp_path: Path) -> None:
    class Odd(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(torch.linalg.eigvals(x[:, 0]).real)

    with pytest.raises(Unsupported, match="Odd cannot be written as ONNX: "):
        export_onnx(Odd(4, 2), image((1, 4, 4)), tmp_path / "n.onnx")
    assert not (tmp_path / "n.onnx").exists()
