"""The ONNX graph that is written directly computes what PyTorch computes."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from device_networks import image, network, randomized
from hypothesis import given, settings
from hypothesis import strategies as st

import nasbench as nb
from nasbench.device.inference import examples
from nasbench.device.onnx_graph import to_onnx
from nasbench.device.onnx_runtime import open_session
from nasbench.device.onnx_writer import written
from nasbench.errors import NasbenchError
from nasbench.network.cell import CellNetwork
from nasbench.network.inputs import answer_of, example_inputs
from nasbench.space import CellSpace
from nasbench.task import Signal

pytestmark = pytest.mark.heavy

NB201 = nb.space("nb201")
assert isinstance(NB201, CellSpace)

ZERO_OUTPUT = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
SHIFT_ONLY = "|none~0|+|none~0|none~1|+|none~0|none~1|nor_conv_3x3~2|"
POOLED_SHIFT = "|none~0|+|none~0|nor_conv_1x1~1|+|none~0|none~1|avg_pool_3x3~2|"
ALL = "|nor_conv_3x3~0|+|avg_pool_3x3~0|skip_connect~1|+|nor_conv_1x1~0|none~1|avg_pool_3x3~2|"


def compare(
    net: CellNetwork, shape: tuple[int, int, int], *, fixed: bool, batches: tuple[int, ...]
) -> None:
    model = to_onnx(net, image(shape))
    onnx.checker.check_model(model, full_check=True)
    for batch in batches:
        session = open_session(model, threads=1, batch_size=batch if fixed else None)
        images = examples(net, image(shape), batch)
        with torch.inference_mode():
            wanted = net.eval()(torch.from_numpy(images)).numpy()
        (got,) = session.run(None, {"images": images})
        assert got.shape == wanted.shape == (batch, 10)
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-5 * max(1, np.abs(wanted).max()))


@settings(max_examples=40)
@given(
    architecture=st.integers(0, 15624),
    live=st.booleans(),
    inputs=st.integers(1, 3),
    height=st.integers(1, 13),
    width=st.integers(1, 13),
    fixed=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_any_cell_on_any_image(
    architecture: int, live: bool, inputs: int, height: int, width: int, fixed: bool, seed: int
) -> None:
    graph = NB201.live_graph(architecture) if live else NB201.graph(architecture)
    net = randomized(network(graph, inputs=inputs), seed)
    compare(net, (inputs, height, width), fixed=fixed, batches=(2,))


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("cell", [ZERO_OUTPUT, SHIFT_ONLY, POOLED_SHIFT, ALL])
def test_cells_of_every_kind_at_any_batch(cell: str, live: bool) -> None:
    architecture = NB201.index(cell)
    graph = NB201.live_graph(architecture) if live else NB201.graph(architecture)
    net = randomized(network(graph, inputs=3, channels=5, cells=2), seed=3)
    compare(net, (3, 15, 9), fixed=False, batches=(1, 7))


def test_weights_keep_their_names_and_values() -> None:
    net = randomized(network(NB201.graph(NB201.index(ALL))), seed=4)
    weights = {
        w.name: onnx.numpy_helper.to_array(w)
        for w in to_onnx(net, image((1, 8, 8))).graph.initializer
    }
    state = {k: v for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}
    assert weights.keys() == state.keys()
    for name, value in state.items():
        np.testing.assert_array_equal(weights[name], value.numpy())


def test_a_cell_with_another_activation_is_written_too() -> None:
    net = randomized(network(NB201.graph(NB201.index(ALL)), inputs=3), seed=5)
    net.last[1] = torch.nn.Hardswish()
    compare(net, (3, 8, 8), fixed=False, batches=(3,))


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 8), (1, 0, 8)])
def test_wrong_shape_is_one_sentence(shape: tuple[int, int, int]) -> None:
    with pytest.raises(NasbenchError, match="images \\(channels, height, width\\) of 1 channels"):
        to_onnx(network(NB201.graph(0)), image(shape))


IMAGE = Signal("image", (3, 16, 16), "uint8")
FAMILIES = {
    "nats-size": IMAGE,
    "nb-macro": IMAGE,
    "mbv2-mini": IMAGE,
    "mnasnet": IMAGE,
    "darts-mini": IMAGE,
    "mixed": IMAGE,
    "transformer": Signal("tokens", (12,), "uint16", vocabulary=50),
    "mlp": Signal("features", (6,), "float32", categories=(0, 3, 0, 0, 4, 0)),
    "policy-mlp": Signal("features", (4,), "float32"),
}


class Examples:
    outputs = 10

    def __init__(self, signal: Signal) -> None:
        self.signal = signal


@pytest.mark.parametrize("name", FAMILIES)
def test_networks_of_every_family_are_written_by_rules(name: str) -> None:
    space, signal = nb.space(name), FAMILIES[name]
    for seed in range(3):
        architecture = space.sample(np.random.default_rng(seed))
        net = randomized(nb.network(space, architecture, Examples(signal), {}), seed)
        given = example_inputs(signal, 3, seed=seed)
        if signal.kind == "tokens":
            given[0, 5:] = 0  # a shorter text
            given[1] = 0  # and one without a word
        model = written(net, given.numpy())
        onnx.checker.check_model(model, full_check=True)
        (got,) = open_session(model, threads=1).run(None, {"images": given.numpy()})
        with torch.no_grad():
            wanted = answer_of(net.eval()(given)).numpy()
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-5 * max(1, np.abs(wanted).max()))


class Odd(torch.nn.Module):
    """What the rules do not know (`cumsum`) or no trace follows (a branch)."""

    def __init__(self, by: str) -> None:
        super().__init__()
        self.layer = torch.nn.Conv2d(3, 4, 3)
        self.by = by

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.by == "branch" and x.shape[1] != 3:
            raise AssertionError
        return self.layer(x).cumsum(1).mean((2, 3))


@pytest.mark.parametrize("by", ["rule", "branch"])
def test_pytorchs_exporter_writes_what_the_rules_do_not_know(by: str) -> None:
    net, images = Odd(by), example_inputs(IMAGE, 2)
    with pytest.raises(Exception):  # noqa: B017, PT011 (of any kind)
        written(net, images.numpy())
    (got,) = open_session(to_onnx(net, IMAGE), threads=1).run(None, {"images": images.numpy()})
    np.testing.assert_allclose(got, net(images).detach().numpy(), atol=1e-5)
