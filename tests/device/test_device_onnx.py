"""The ONNX graph that is written directly computes what PyTorch computes."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from device_networks import network, randomized
from hypothesis import given, settings
from hypothesis import strategies as st

import nasbench as nb
from nasbench.device.inference import example_images
from nasbench.device.onnx_graph import to_onnx
from nasbench.device.onnx_runtime import open_session
from nasbench.errors import NasbenchError
from nasbench.network.cell import CellNetwork
from nasbench.space import CellSpace

NB201 = nb.space("nb201")
assert isinstance(NB201, CellSpace)

ZERO_OUTPUT = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
SHIFT_ONLY = "|none~0|+|none~0|none~1|+|none~0|none~1|nor_conv_3x3~2|"
POOLED_SHIFT = "|none~0|+|none~0|nor_conv_1x1~1|+|none~0|none~1|avg_pool_3x3~2|"
ALL = "|nor_conv_3x3~0|+|avg_pool_3x3~0|skip_connect~1|+|nor_conv_1x1~0|none~1|avg_pool_3x3~2|"


def compare(
    net: CellNetwork, shape: tuple[int, int, int], *, fixed: bool, batches: tuple[int, ...]
) -> None:
    model = to_onnx(net, shape)
    onnx.checker.check_model(model, full_check=True)
    for batch in batches:
        session = open_session(model, threads=1, batch_size=batch if fixed else None)
        images = example_images(net, shape, batch)
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
        w.name: onnx.numpy_helper.to_array(w) for w in to_onnx(net, (1, 8, 8)).graph.initializer
    }
    state = {k: v for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}
    assert weights.keys() == state.keys()
    for name, value in state.items():
        np.testing.assert_array_equal(weights[name], value.numpy())


def test_a_module_of_ones_own_is_refused_by_name() -> None:
    net = network(NB201.graph(0))
    net.last[1] = torch.nn.Hardswish()
    with pytest.raises(NasbenchError, match=r"last\.1 is a Hardswish"):
        to_onnx(net, (1, 8, 8))


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 8), (1, 0, 8)])
def test_wrong_shape_is_one_sentence(shape: tuple[int, int, int]) -> None:
    with pytest.raises(NasbenchError, match="images \\(channels, height, width\\) of 1 channels"):
        to_onnx(network(NB201.graph(0)), shape)
