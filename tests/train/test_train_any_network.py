"""The reference engine trains networks of any family, which draw from a stream of their own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

import nasbench as nb
from nasbench.errors import Unsupported
from nasbench.network import FunctionFamily, making, started
from nasbench.space import ChoiceSpace
from nasbench.train import engine, native
from nasbench.train.engine import pick_engine
from nasbench.train.feed import prepare
from nasbench.train.order import epoch_order
from nasbench.train.reference import ReferenceTrainer

SPACE = ChoiceSpace("widths", {"width": [8, 16], "drop": ["none", "half"]})
RECIPE = nb.Recipe(
    epochs=3, train_images=200, valid_images=50, test_images=50, batch_size=50,
    learning_rate=0.05, weight_decay=0.0,
)  # fmt: skip


def build(choices, inputs, outputs):
    width = int(choices["width"])
    layers = [nn.Flatten(), nn.Linear(int(np.prod(inputs.shape)), width), nn.ReLU()]
    layers += [nn.Dropout(0.5 if choices["drop"] == "half" else 0.0), nn.Linear(width, outputs)]
    return nn.Sequential(*layers)


@pytest.fixture(autouse=True)
def _family(monkeypatch):
    family = FunctionFamily("widths", build)
    for module in (making, native):
        monkeypatch.setattr(module, "family_of", lambda space: family)


@pytest.fixture(scope="module")
def digits():
    return nb.task("digits")


def curves(epochs):
    return [(*e.metrics.values(), e.tests.get("test_accuracy")) for e in epochs]


def test_a_training_is_the_one_in_torch_by_hand(digits):
    """The network that `started` gives, SGD of `torch.optim`, the same batches."""
    [record] = ReferenceTrainer("cpu").train(SPACE, [2], digits, RECIPE, [5])
    net = started(SPACE, 2, digits, RECIPE, 5)
    optimizer = torch.optim.SGD(net.parameters(), lr=1.0, momentum=0.9, nesterov=True)
    data = prepare(digits, RECIPE, torch.device("cpu"))
    x, y = data.train
    for epoch in range(3):
        order = epoch_order(RECIPE, 200, 5, epoch).images
        losses = []
        for step in range(4):
            batch = torch.from_numpy(order[50 * step : 50 * step + 50])
            optimizer.param_groups[0]["lr"] = 0.025 * (1 + np.cos(np.pi * (4 * epoch + step) / 12))
            loss = F.cross_entropy(net(x[batch]), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert record.curves["train_loss"][epoch] == pytest.approx(np.mean(losses), rel=1e-5)


def test_dropout_follows_the_seed_whatever_else_draws(digits):
    """Two trainings by turns, amid draws from the global generator: as each alone."""
    trainer, data = ReferenceTrainer("cpu"), prepare(digits, RECIPE, torch.device("cpu"))

    def begun(architecture, seed):
        return trainer.epochs(SPACE, architecture, digits, data, RECIPE, seed)

    alone = [curves(begun(3, 0)), curves(begun(3, 1)), curves(begun(2, 0))]
    torch.manual_seed(1)
    running = [begun(3, 0), begun(3, 1), begun(2, 0)]
    by_turns = [[] for _ in running]
    for _ in range(RECIPE.epochs):
        for shown, epochs in zip(by_turns, running, strict=True):
            before = torch.get_rng_state()
            shown.extend(curves([next(epochs)]))
            assert torch.equal(torch.get_rng_state(), before)
            torch.rand(3)
    assert repr(by_turns) == repr(alone)
    assert alone[0] != alone[1]


class Rectified(nn.Module):
    """A network behind a ReLU, which may be in place, and what it sees behind its answer."""

    def __init__(self, net, *, in_place):
        super().__init__()
        self.relu, self.net, self.more = nn.ReLU(inplace=in_place), net, in_place

    def forward(self, x):
        seen = self.relu(x)
        return (self.net(seen), seen) if self.more else self.net(seen)


def test_a_network_may_write_over_its_input_and_give_more_than_its_answer(digits, monkeypatch):
    data = prepare(digits, RECIPE, torch.device("cpu"))
    before = [split[0].clone() for split in (data.train, data.valid, data.test)]
    shown = []
    for in_place in (True, False):

        def rectified(choices, inputs, outputs, *, in_place=in_place):
            return Rectified(build(choices, inputs, outputs), in_place=in_place)

        family = FunctionFamily("widths", rectified)
        monkeypatch.setattr(making, "family_of", lambda space, family=family: family)
        epochs = ReferenceTrainer("cpu").epochs(SPACE, 2, digits, data, RECIPE, 0)
        shown.append(curves(epochs))
    assert repr(shown[0]) == repr(shown[1])
    for split, x in zip((data.train, data.valid, data.test), before, strict=True):
        assert torch.equal(split[0], x)


def test_the_engines_of_cells_say_what_they_do_not_train(digits, monkeypatch):
    for kind in ("cuda", "cpu"):
        monkeypatch.setattr(engine, "pick_hardware", lambda name, kind=kind: torch.device(kind))
        assert pick_engine("auto", "auto", SPACE, digits, [RECIPE]) == "reference"
    for name in ("native", "fused"):
        with pytest.raises(Unsupported, match=f"the {name} engine trains cells alone, and widths"):
            pick_engine(name, "cpu", SPACE, digits, [RECIPE])
