"""Paths on the native engine: gradients of float64, the same steps and scores, the same bits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from engine_checks import Exact, perturbed, runs_here
from torch import Tensor, nn

import nasbench as nb
from nasbench.errors import NasbenchError
from nasbench.network.supernet import CellSupernet
from nasbench.space import CellSpace
from nasbench.train import shared_native
from nasbench.train.shared import SharedWeights
from nasbench.train.shared_native import NativeSharedWeights, make_shared, pick_shared_engine
from nasbench.train.shared_passes import NORMS, Sharing

NB201 = nb.space("nb201")
RECIPE = nb.Recipe(
    epochs=1, train_images=70, valid_images=64, channels=4, cells=1, batch_size=32,
    flip=True, crop_padding=1, label_smoothing=0.1,
)  # fmt: skip


class Along(nn.Module):
    """A supernet's path as a network."""

    def __init__(self, net: nn.Module, path: Sequence[int]) -> None:
        super().__init__()
        self.net = net
        self.path = list(path)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x, None, self.path)
        return logits


def native(
    sharing: Sharing | None = None, instructions: str | None = None, **changed: object
) -> NativeSharedWeights:
    recipe = nb.Recipe(**{**RECIPE.describe(), **changed})
    return NativeSharedWeights(NB201, nb.task("digits"), recipe, 0, sharing, instructions)


def some_paths(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 5, (n, 6))


@pytest.mark.parametrize("instructions", ["avx512", "avx2", "base"])
def test_gradients_are_those_of_float64(instructions: str) -> None:
    """Without decay the first velocity is the gradient, of what is off the path, too."""
    if not runs_here(instructions):
        pytest.skip(f"this processor has no {instructions}")
    net = native(Sharing(affine=True), instructions, weight_decay=0.0)
    assert isinstance(net.net, CellSupernet)
    perturbed(net.net.skeleton, np.random.default_rng(1))
    for path in some_paths(6):
        net.velocity[:] = 0
        x, y = net.feed.next_train(peek=True)
        [[loss]] = net.train(path[None, None], np.zeros(1, dtype=np.float32))
        along = Along(net.net, path.tolist())
        Exact(along, x.numpy(), y.numpy(), 0.1).check(float(loss), net.velocity)


def test_gradients_of_one_step_are_summed() -> None:
    path, other = some_paths(2)
    found = []
    for together in ([path], [other], [path, other, path]):
        net = native(weight_decay=0.0)
        net.train(np.stack(together)[None], np.zeros(1, dtype=np.float32))
        found.append(net.velocity)
    np.testing.assert_allclose(found[2], 2 * found[0] + found[1], atol=1e-6)


@pytest.mark.parametrize("norm", NORMS)
def test_steps_and_scores_are_the_references(norm: str) -> None:
    sharing = Sharing(norm)
    ours = native(sharing)
    theirs = SharedWeights(NB201, nb.task("digits"), RECIPE, 0, sharing)
    paths, rates = some_paths(8).reshape(4, 2, 6), np.full(4, 1e-3, dtype=np.float32)
    np.testing.assert_allclose(ours.train(paths, rates), theirs.train(paths, rates), rtol=1e-4)
    np.testing.assert_allclose(ours.parameters, theirs.parameters, atol=1e-3)
    np.testing.assert_allclose(ours.statistics, theirs.statistics, atol=0.02)
    theirs.restore(ours.state())
    scored = ours.score(some_paths(9, 3), 50), theirs.score(some_paths(9, 3), 50)
    for found, wanted in zip(*scored, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4)


def test_the_same_bits_however_the_passes_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    def trained() -> bytes:
        net = native(Sharing("recalibrated"))
        losses = net.train(some_paths(12).reshape(6, 2, 6), np.full(6, 0.1, dtype=np.float32))
        slope = net.slope(np.full((6, 5), 0.2, dtype=np.float32))[1]  # PyTorch's, between
        more = net.train(some_paths(2)[:, None], np.full(2, 0.1, dtype=np.float32))
        arrays = (losses, slope, more, *net.score(some_paths(7)), *net.state())
        return b"".join(array.tobytes() for array in arrays)

    wanted = trained()
    monkeypatch.setattr(shared_native, "_PASSES", 4)
    assert trained() == wanted


def test_an_engine_of_an_earlier_version_trains_no_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_native, "library", lambda *_: object())
    made = make_shared(NB201, nb.task("digits"), RECIPE, 0)
    assert made.engine == "reference"
    with pytest.raises(NasbenchError, match="install the package again"):
        native()


def test_engines_by_name() -> None:
    assert make_shared(NB201, nb.task("digits"), RECIPE, 0).engine == "native"
    assert make_shared(NB201, nb.task("digits"), RECIPE, 0, engine="reference").engine
    with pytest.raises(NasbenchError, match="unknown engine of shared weights 'fast'"):
        pick_shared_engine("fast", NB201, nb.task("digits"), RECIPE)


def test_operations_in_any_order_are_found() -> None:
    """The choice of a space's own list, not the place in NAS-Bench-201's."""
    space = CellSpace("own-order", 3, ("avg_pool_3x3", "nor_conv_3x3", "none"))
    losses = []
    for cls in (NativeSharedWeights, SharedWeights):
        net = cls(space, nb.task("digits"), RECIPE, 0)
        losses.append(net.score(np.asarray([[0, 1, 2], [1, 1, 0], [2, 2, 2]]))[0])
    np.testing.assert_allclose(*losses, rtol=1e-5)
    assert torch.isfinite(torch.from_numpy(losses[0])).all()
