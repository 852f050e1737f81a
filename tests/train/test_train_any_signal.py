"""Trainings on any signal and target, by any optimiser, beside what is written by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import nasbench as nb
from nasbench.errors import NasbenchError, Unsupported
from nasbench.task import Signal, Split, Target, Task
from nasbench.train.feed import batch_of, prepare
from nasbench.train.objective import Regression
from nasbench.train.optimizer import AdamW
from nasbench.train.order import epoch_order
from nasbench.train.recipe import Recipe
from nasbench.train.reference import training

CPU = torch.device("cpu")
RNG = np.random.default_rng(0)


def numbers(n: int) -> Split:
    """Three columns: a number, one with a hole, a category of four; and what follows of them."""
    rng = np.random.default_rng(n)
    x = np.column_stack([rng.normal(50, 10, n), rng.normal(size=n), rng.integers(0, 4, n)])
    y = 3 * x[:, 0] + 20 * x[:, 1]
    x = x.astype(np.float32)
    x[0, 1] = np.nan
    return Split(x, y)


PRICES = Task(
    "prices",
    numbers(200),
    numbers(60),
    numbers(61),
    signal=Signal("features", categories=(0, 0, 4)),
    target=Target("number", ("price",)),
)


@pytest.fixture(scope="module")
def digits() -> Task:
    return nb.task("digits")


class Columns(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(4, 2)
        self.out = nn.Linear(4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(torch.cat([x[:, :2], self.embed(x[:, 2].long())], 1))


def test_columns_are_standardised_by_the_training_split_and_a_hole_is_the_mean() -> None:
    data = prepare(PRICES, Recipe(epochs=1, batch_size=50), CPU)
    x, y = data.train
    known = PRICES.train.inputs[1:, 1].astype(np.float64)
    assert x[:, 0].mean().item() == pytest.approx(0, abs=1e-5)
    assert x[:, 0].std(correction=0).item() == pytest.approx(1, abs=1e-5)
    assert x[0, 1].item() == 0
    assert x[1, 1].item() == pytest.approx((known[0] - known.mean()) / known.std(), rel=1e-4)
    assert torch.equal(x[:, 2], torch.from_numpy(PRICES.train.inputs[:, 2]))
    numbers = PRICES.train.targets
    assert y[3].item() == pytest.approx((numbers[3] - numbers.mean()) / numbers.std(), rel=1e-4)
    valid = (PRICES.valid.inputs[5, 0] - PRICES.train.inputs[:, 0].mean()) / PRICES.train.inputs[
        :, 0
    ].std()
    assert data.valid[0][5, 0].item() == pytest.approx(valid, rel=1e-4)


def test_a_number_is_learned_and_judged_in_its_unit() -> None:
    torch.manual_seed(0)
    net = Columns()
    recipe = Recipe(epochs=30, batch_size=50, learning_rate=0.05, optimizer="adamw")
    data = prepare(PRICES, recipe, CPU)
    epochs = list(training(net, data, recipe, 0))
    last = epochs[-1]
    assert list(last.metrics) == ["train_loss", "valid_loss", "valid_mae", "valid_r2"]
    assert set(last.tests) == {"test_mae", "test_r2"}
    assert last.metrics["valid_r2"] > 0.95
    with torch.no_grad():
        net.eval()
        answers = net(data.valid[0])[:, 0].double().numpy()
    targets, mean = PRICES.valid.targets, PRICES.train.targets.mean()
    found = answers * PRICES.train.targets.std() + mean
    by_hand = 1 - ((found - targets) ** 2).sum() / ((targets - targets.mean()) ** 2).sum()
    assert last.metrics["valid_mae"] == pytest.approx(np.abs(found - targets).mean(), rel=1e-3)
    assert last.metrics["valid_r2"] == pytest.approx(by_hand, abs=1e-5)
    constant = Regression(1.0).evaluate(net, data.valid[0], torch.zeros(60))
    assert math.isnan(constant["r2"])


def test_adamw_is_that_of_pytorch() -> None:
    recipe = Recipe(epochs=1, optimizer="adamw", weight_decay=0.1)
    nets = [nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 2)) for _ in range(2)]
    nets[1].load_state_dict(nets[0].state_dict())
    ours = AdamW(nets[0].parameters(), recipe)
    theirs = torch.optim.AdamW(nets[1].parameters(), weight_decay=0.1, foreach=False)
    for step in range(5):
        x = torch.randn(8, 5, generator=torch.Generator().manual_seed(step))
        for net in nets:
            net.zero_grad()
            net(x).square().sum().backward()
        ours.step(0.01 / (step + 1))
        theirs.param_groups[0]["lr"] = 0.01 / (step + 1)
        theirs.step()
    for one, other in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        assert torch.equal(one, other)


def test_the_rate_rises_first_and_then_follows_its_schedule() -> None:
    warm = Recipe(epochs=1, learning_rate=1.0, warmup=0.25, schedule="constant")
    assert [warm.learning_rate_at(step, 8) for step in range(4)] == [0.5, 1.0, 1.0, 1.0]
    cosine = replace(warm, schedule="cosine")
    plain = Recipe(epochs=1, learning_rate=1.0)
    assert [cosine.learning_rate_at(step, 8) for step in range(2, 8)] == [
        plain.learning_rate_at(step, 6) for step in range(6)
    ]


TOKENS = Task(
    "words",
    *(Split(RNG.integers(0, 9, (n, 6)).astype(np.uint16), np.arange(n) % 2) for n in (80, 20, 20)),
    ("a", "b"),
    signal=Signal("tokens", vocabulary=9),
)
WAVES = Task(
    "waves",
    *(Split(RNG.normal(5, 3, (n, 1, 40)).astype(np.float32), np.arange(n) % 2) for n in (8, 4, 4)),
    ("a", "b"),
    signal=Signal("audio"),
)


def test_tokens_are_dropped_and_padding_is_not() -> None:
    recipe = Recipe(epochs=1, batch_size=80, token_dropout=0.5)
    data = prepare(TOKENS, recipe, CPU)
    order = epoch_order(recipe, 80, 0, 0, (6,))
    inputs, _ = batch_of(data, order, slice(80), recipe)
    before = data.train[0][torch.from_numpy(order.images)]
    assert inputs.dtype == torch.int64
    assert torch.equal(inputs == 0, before == 0)
    changed = inputs != before
    assert (inputs[changed] == 1).all()
    assert 0.35 < changed[before > 1].float().mean() < 0.65


def test_sounds_move_and_are_made_noisy_by_the_seed_alone() -> None:
    moved = Recipe(epochs=1, batch_size=8, shift=5)
    data = prepare(WAVES, moved, CPU)
    assert data.train[0].mean().item() == pytest.approx(0, abs=1e-5)
    order = epoch_order(moved, 8, 3, 0)
    inputs, _ = batch_of(data, order, slice(8), moved)
    assert order.moves is not None
    for row, move in enumerate(order.moves.tolist()):
        before = data.train[0][int(order.images[row]), 0]
        expected = torch.zeros(40)
        for place in range(40):
            if 0 <= place - move < 40:
                expected[place] = before[place - move]
        assert torch.equal(inputs[row, 0], expected)
    noisy = replace(moved, shift=0, noise=0.5)
    first, again = (batch_of(data, epoch_order(noisy, 8, 3, 0), slice(8), noisy)[0] for _ in "ab")
    assert torch.equal(first, again)
    added = first - data.train[0][torch.from_numpy(epoch_order(noisy, 8, 3, 0).images)]
    assert added.std().item() == pytest.approx(0.5, rel=0.15)


def test_a_square_of_each_image_is_blanked(digits: Task) -> None:
    recipe = Recipe(epochs=1, batch_size=20, train_images=20, cutout=3)
    data = prepare(digits, recipe, CPU)
    order = epoch_order(recipe, 20, 0, 0)
    inputs, _ = batch_of(data, order, slice(20), recipe)
    before = data.train[0][torch.from_numpy(order.images)]
    changed = (inputs != before)[:, 0]
    for image in changed:
        rows, columns = np.nonzero(image.numpy())
        assert np.ptp(rows) < 3 and np.ptp(columns) < 3 if len(rows) else True


def test_patience_ends_a_training_and_its_last_values_stand(digits: Task) -> None:
    from nasbench.train.epoch import record_of

    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    recipe = Recipe(
        epochs=40, batch_size=50, train_images=100, valid_images=100, learning_rate=2.0, patience=2
    )
    epochs = list(training(net, prepare(digits, recipe, CPU), recipe, 0))
    losses = [epoch.metrics["valid_loss"] for epoch in epochs]
    assert 2 < len(epochs) < 40
    assert min(losses[:-2]) <= min(losses[-2:])
    assert "test_accuracy" in epochs[-1].tests
    record = record_of(0, 0, epochs, recipe, ("test_accuracy",))
    assert (record.curves["valid_loss"][len(epochs) :] == np.float32(losses[-1])).all()
    assert record.curves["train_seconds"][-1] == np.float32(epochs[-1].train_seconds)


@pytest.mark.parametrize(
    ("task", "given", "said"),
    [
        (TOKENS, {"crop_padding": 2}, "crop_padding is for image, and words has 6 tokens of 9"),
        (TOKENS, {"noise": 1.0}, "noise is for audio and features"),
        (PRICES, {"token_dropout": 0.1}, "token_dropout is for tokens"),
        (PRICES, {"label_smoothing": 0.1}, "label_smoothing is for classes"),
        (PRICES, {"batch_size": 199}, "the last batch of 200 training examples by 199 is one"),
    ],
)
def test_what_is_of_another_signal_is_refused_by_name(task: Task, given: dict, said: str) -> None:
    with pytest.raises(NasbenchError, match=said):
        prepare(task, Recipe(**{"epochs": 1, "batch_size": 20, **given}), CPU)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"optimizer": "adam"}, "unknown optimizer of a recipe 'adam'; did you mean adamw"),
        ({"schedule": "cosin"}, "did you mean cosine"),
        ({"warmup": 1.0}, "warmup must be less than 1"),
        ({"options": {"a": 1}}, "options belong to a training loop"),
        ({"train": "my.py:train"}, "train is a function that was read"),
    ],
)
def test_what_no_recipe_can_say_is_refused(given: dict, said: str) -> None:
    with pytest.raises(NasbenchError, match=said):
        nb.Recipe.from_dict({"epochs": 1, **given})


def test_old_recipes_are_described_as_before() -> None:
    described = Recipe(epochs=3).describe()
    assert "optimizer" not in described
    assert Recipe.from_dict(described).describe() == described
    new = Recipe(epochs=3, optimizer="adamw", warmup=0.1)
    assert new.extras == ("optimizer", "warmup")
    assert Recipe.from_dict(new.describe()) == new


def test_mixed_precision_is_for_cuda(digits: Task) -> None:
    recipe = Recipe(epochs=1, batch_size=50, train_images=100, mixed_precision=True)
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    with pytest.raises(Unsupported, match="mixed_precision is for CUDA"):
        next(training(net, prepare(digits, recipe, CPU), recipe, 0))
