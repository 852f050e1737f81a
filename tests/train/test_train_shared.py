"""Shared weights: steps, slopes, scores and states, against PyTorch and by their definitions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

import nasbench as nb
from nasbench.errors import NasbenchError
from nasbench.train.feed import batch_of
from nasbench.train.optimizer import optimizer_of
from nasbench.train.order import epoch_order
from nasbench.train.shared import SharedWeights
from nasbench.train.shared_feed import parts_of
from nasbench.train.shared_passes import Sharing

RECIPE = nb.Recipe(
    epochs=1, train_images=70, valid_images=64, channels=4, cells=1, batch_size=32, flip=True
)
PATHS = np.asarray([[0, 1, 2], [2, 2, 2], [1, 2, 0]])


def shared(seed: int = 0, sharing: Sharing | None = None, **changed: object) -> SharedWeights:
    recipe = nb.Recipe(**{**RECIPE.describe(), **changed})
    return SharedWeights(nb.space("nb201-mini"), nb.task("digits"), recipe, seed, sharing)


def test_steps_are_pytorchs() -> None:
    """Losses and weights are those of the optimizer that trains single networks."""
    ours, theirs = shared(sharing=Sharing(affine=True)), shared()
    recipe = ours.recipe
    optimizer = optimizer_of(theirs.net.parameters(), recipe)
    paths = np.stack([PATHS[:2], PATHS[1:]])
    losses = ours.train(paths, np.asarray([0.1, 0.1], dtype=np.float32))
    order = epoch_order(recipe, 70, 0, 0)
    for step, together in enumerate(paths):
        chosen = slice(32 * step, 32 * step + 32)
        x, y = batch_of(theirs.feed.data, order, chosen, recipe)
        each = [F.cross_entropy(theirs.net(x, None, path), y) for path in together.tolist()]
        np.testing.assert_allclose(losses[step], [loss.item() for loss in each], rtol=1e-5)
        for parameter in theirs.net.parameters():  # so what does not run decays
            parameter.grad = torch.zeros_like(parameter)
        torch.stack(each).sum().backward()
        optimizer.step(0.1)
    # PyTorch's parameters are views of the flat array.
    np.testing.assert_allclose(ours.parameters, theirs.parameters, rtol=1e-4, atol=1e-6)
    assert ours.feed.trained == 2


def test_norms_in_cells_stay_as_they_are_unless_asked() -> None:
    for affine in (False, True):
        net = shared(sharing=Sharing(affine=affine))
        before = net.parameters.copy()
        net.train(PATHS[:, None], np.full(3, 0.1, dtype=np.float32))
        moved = net.parameters != before
        assert not moved[~net.trained].any()
        assert net.trained.all() == affine
        assert moved[net.trained].mean() > 0.9


def test_the_second_order_is_the_slope_through_the_step() -> None:
    """Against autograd through one step of SGD, in one graph."""
    net = shared(weight_decay=0.01)
    net.train(PATHS[:, None], np.full(3, 0.05, dtype=np.float32))  # a velocity
    mixture = np.random.default_rng(0).random((3, 5), dtype=np.float32)
    rate = 0.05
    kept = net.state()
    _, found = net.slope(mixture, unrolled=rate)
    assert (net.parameters == kept.parameters).all()
    net.restore(kept)
    train, valid = net.feed.next_train(peek=True), net.feed.next_valid()
    alpha = torch.from_numpy(mixture).requires_grad_()
    weights = dict(net.net.named_parameters())
    loss = F.cross_entropy(net.net(train[0], alpha), train[1])
    slopes = torch.autograd.grad(loss, list(weights.values()), create_graph=True)
    moved, at = {}, 0
    for (name, weight), slope in zip(weights.items(), slopes, strict=True):
        here = slice(at, at := at + weight.numel())
        velocity = torch.from_numpy(net.velocity[here]).view(weight.shape)
        trained = torch.from_numpy(net.trained[here]).view(weight.shape)
        step = slope + net.recipe.weight_decay * weight + net.recipe.momentum * velocity
        moved[name] = weight - rate * trained * step
    ahead = torch.func.functional_call(net.net, moved, (valid[0], alpha))
    (wanted,) = torch.autograd.grad(F.cross_entropy(ahead, valid[1]), alpha)
    first = net.slope(mixture)[1]
    np.testing.assert_allclose(found, wanted.numpy(), rtol=1e-3, atol=1e-6)
    assert not np.allclose(first, wanted.numpy(), rtol=0.02)


def test_a_score_goes_by_the_statistics_that_were_chosen() -> None:
    """By the examples themselves, by training examples along the path, or by running ones."""
    for norm in ("batch", "recalibrated", "running"):
        net = shared(sharing=Sharing(norm))
        net.train(PATHS[:, None], np.full(3, 0.05, dtype=np.float32))
        kept = net.state()
        loss, accuracy = net.score(PATHS)
        assert (net.statistics == kept.statistics).all()
        x, y = net.feed.data.valid
        with torch.no_grad():
            for path, by, right in zip(PATHS.tolist(), loss, accuracy, strict=True):
                net.restore(kept)
                if norm == "recalibrated":
                    for _ in range(100):  # running ones come to those of the same examples
                        net.net.train()(net.feed.data.train[0], None, path)
                logits = net.net.train(norm == "batch")(x, None, path)
                assert F.cross_entropy(logits, y).item() == pytest.approx(by, rel=1e-4)
                assert 100 * (logits.argmax(1) == y).float().mean().item() == pytest.approx(right)


def test_a_gradient_of_a_mixture_needs_no_running_statistics() -> None:
    net = shared(sharing=Sharing("running"))
    with pytest.raises(NasbenchError, match="running statistics are those of paths"):
        net.slope(np.ones((3, 5), dtype=np.float32))


def test_a_state_goes_on_to_the_same_bits() -> None:
    mixture = np.full((3, 5), 1 / 5, dtype=np.float32)

    def go_on(net: SharedWeights) -> bytes:
        net.train(PATHS[:, None], np.full(3, 0.1, dtype=np.float32))
        slope = net.slope(mixture)[1]
        loss, _ = net.score(PATHS, images=20)
        return net.parameters.tobytes() + slope.tobytes() + loss.tobytes()

    first = shared()
    first.train(PATHS[None], np.full(1, 0.1, dtype=np.float32))
    first.score(PATHS, images=10)
    kept = first.state()
    wanted = go_on(first)
    again = shared(seed=0)
    again.restore(kept)
    assert go_on(again) == wanted
    other = shared(seed=1)
    assert go_on(other) != wanted


def test_examples_of_a_score_are_drawn_anew_and_the_same_for_all_paths() -> None:
    net = shared()
    twice, _ = net.score(np.stack([PATHS[0], PATHS[0]]), images=30)
    anew, _ = net.score(PATHS[:1], images=30)
    assert twice[0] == twice[1] != anew[0]
    for all_of_them in (64, 65):
        assert (net.score(PATHS, images=all_of_them)[0] == net.score(PATHS)[0]).all()


def test_parts_are_nearly_equal() -> None:
    assert [len(part) for part in parts_of(np.arange(501))] == [251, 250]


@pytest.mark.parametrize(
    ("space", "task", "recipe", "said"),
    [
        ("nats-size", "digits", {}, "no supernet is known for nats-size"),
        ("nb201-mini", "digits", {"optimizer": "adamw"}, "without optimizer"),
        ("nb201-mini", "iris", {}, "take audio or image"),
    ],
)
def test_what_shares_no_weights_is_said(
    space: str, task: str, recipe: dict[str, object], said: str
) -> None:
    values = {**RECIPE.describe(), "flip": False, **recipe}
    with pytest.raises(NasbenchError, match=said):
        SharedWeights(nb.space(space), nb.task(task), nb.Recipe(**values), 0)


def test_paths_behind_the_first_learn_its_outputs() -> None:
    """In-place distillation, against one graph of PyTorch's."""
    ours, theirs = shared(sharing=Sharing(affine=True)), shared()
    losses = ours.train(PATHS[None], np.asarray([0.1], dtype=np.float32), distil=True)
    x, y = theirs.feed.next_train()
    logits = [theirs.net(x, None, path) for path in PATHS.tolist()]
    taught = logits[0].detach().softmax(1)
    each = [F.cross_entropy(logits[0], y)]
    each += [-(taught * of.log_softmax(1)).sum(1).mean() for of in logits[1:]]
    np.testing.assert_allclose(losses[0], [loss.item() for loss in each], rtol=1e-5)
    for parameter in theirs.net.parameters():
        parameter.grad = torch.zeros_like(parameter)
    torch.stack(each).sum().backward()
    optimizer_of(theirs.net.parameters(), theirs.recipe).step(0.1)
    np.testing.assert_allclose(ours.parameters, theirs.parameters, rtol=1e-4, atol=1e-6)


def test_a_slope_of_so_many_images_is_the_same_each_time() -> None:
    """Of the first validation examples; the next batch stays the next."""
    net, mixture = shared(), np.full((3, 5), 1 / 5, dtype=np.float32)
    first, again = (net.slope(mixture, images=20)[1] for _ in range(2))
    assert (first == again).all()
    assert net.feed.looked == 0
    x, y = net.feed.data.valid
    m = torch.from_numpy(mixture).requires_grad_()
    (wanted,) = torch.autograd.grad(F.cross_entropy(net.net(x[:20], m), y[:20]), m)
    np.testing.assert_allclose(first, wanted.numpy(), rtol=1e-5, atol=1e-8)


def test_a_step_ahead_goes_through_attention() -> None:
    """Whose fast kernels have no second derivative."""
    recipe = nb.Recipe(epochs=1, train_images=12, valid_images=12, network={"channels": 4})
    net = SharedWeights(nb.space("mixed"), nb.task("digits"), recipe, 0)
    mixture = np.full((6, 7), 1 / 7, dtype=np.float32)
    loss, slope = net.slope(mixture, unrolled=0.05)
    assert np.isfinite(loss)
    assert np.isfinite(slope).all()


def test_part_of_the_channels_is_mixed_in_cells_alone() -> None:
    mixture = np.full((10, 3), 1 / 3, dtype=np.float32)
    recipe = nb.Recipe(epochs=1, train_images=12, valid_images=12)
    net = SharedWeights(nb.space("mbv2-mini"), nb.task("digits"), recipe, 0)
    with pytest.raises(NasbenchError, match="part of the channels is mixed in cells alone"):
        net.slope(mixture, partial=2)
    with pytest.raises(NasbenchError, match="one in 3 channels is mixed, and a cell has 4"):
        shared().slope(np.full((3, 5), 1 / 5, dtype=np.float32), partial=3)


class Marred(nn.Module):
    """A supernet that doubles its input, over the input or beside it."""

    def __init__(self, net: nn.Module, *, over: bool) -> None:
        super().__init__()
        self.net, self.over = net, over

    def forward(self, x: Tensor, *how: Any) -> tuple[Tensor, Tensor]:
        x = x.mul_(2) if self.over else x * 2
        return self.net(x, *how), x


def test_a_supernet_may_write_over_its_input_and_give_more_than_its_answer() -> None:
    """Paths and passes of one batch all see that batch."""
    mixture, shown = np.full((3, 5), 1 / 5, dtype=np.float32), []
    rates = np.full(1, 0.1, dtype=np.float32)
    for over in (True, False):
        net = shared(sharing=Sharing(norm="recalibrated"))
        before = [x.clone() for x in (net.feed.data.train[0], net.feed.data.valid[0])]
        net.net = Marred(net.net, over=over)
        found = [net.train(PATHS[None], rates), net.train(PATHS[None], rates, distil=True)]
        found += [*net.score(PATHS), net.mix(mixture, rates)[0], net.slope(mixture)[1]]
        found += [net.slope(mixture, unrolled=0.1)[1], net.judge(PATHS, 20)[0]]
        found += [np.float32(net.judge_mixture(mixture, 20)), net.parameters]
        shown.append([array.tolist() for array in found])
        for x, y in zip(before, (net.feed.data.train[0], net.feed.data.valid[0]), strict=True):
            assert torch.equal(x, y)
    assert shown[0] == shown[1]
