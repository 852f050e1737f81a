"""Perceptrons for tables, and policies with a value."""

from __future__ import annotations

import pytest
import torch
from shipped import FEATURES, OBSERVED, TOKENS, batch, check_network
from torch import nn

from nasbench.errors import Unsupported
from nasbench.network.mlp import FeatureColumns, mlp, policy_mlp

BASE = {
    "depth": 2,
    "width": 8,
    "activation": "relu",
    "norm": "none",
    "residual": False,
    "dropout": 0.0,
}
POLICY = {"depth": 2, "width": 8, "activation": "tanh", "norm": "none", "shared": True}


@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
@pytest.mark.parametrize("residual", [False, True])
def test_perceptrons_learn_from_numbers_and_categories(norm, residual):
    choices = {**BASE, "norm": norm, "residual": residual, "activation": "gelu"}
    check_network(mlp(choices, FEATURES, 3), FEATURES, 3)


@torch.no_grad()
def test_a_plain_perceptron_is_written_out():
    network, x = mlp(BASE, OBSERVED, 3), batch(OBSERVED)
    first, *hidden, last = [m for m in network.modules() if isinstance(m, nn.Linear)]
    out = first(x)
    for layer in hidden:
        out = layer(out.relu())
    torch.testing.assert_close(network(x), last(out.relu()))
    assert len(hidden) == BASE["depth"]


def test_dropout_is_a_choice():
    network = mlp({**BASE, "dropout": 0.2}, OBSERVED, 3)
    assert [m.p for m in network.modules() if isinstance(m, nn.Dropout)] == [0.2, 0.2]


@torch.no_grad()
def test_columns_stand_side_by_side():
    columns, x = FeatureColumns(FEATURES.categories), batch(FEATURES)
    out = columns(x)
    assert out.shape == (3, columns.width) == (3, 3 + 2 + 4)
    assert torch.equal(out[:, :3], x[:, [0, 2, 4]])
    assert torch.equal(out[:, 3:5], columns.embeddings["1"].weight[x[:, 1].long()])
    assert FeatureColumns((100,)).width == 8
    assert torch.equal(FeatureColumns((0, 0))(x[:, :2]), x[:, :2])


@pytest.mark.parametrize("norm", ["none", "layer"])
@pytest.mark.parametrize("shared", [True, False])
def test_policies_give_logits_and_a_value(norm, shared):
    policy = policy_mlp({**POLICY, "norm": norm, "shared": shared}, OBSERVED, 2)
    logits, value = policy(batch(OBSERVED))
    assert (logits.shape, value.shape) == ((3, 2), (3,))
    check_network(policy, OBSERVED, 2)
    first = next(policy.hidden.parameters())
    value = policy(batch(OBSERVED))[1].sum()
    (grown,) = torch.autograd.grad(value, [first], allow_unused=True)
    assert (grown is not None) == shared


def test_sizes_of_policies_are_counted_by_hand():
    def size(shared):
        policy = policy_mlp({**POLICY, "shared": shared}, OBSERVED, 2)
        return sum(p.numel() for p in policy.parameters())

    trunk = 4 * 8 + 8 + 8 * 8 + 8
    assert size(True) == trunk + 9 * 2 + 9
    assert size(False) == size(True) + trunk


def test_texts_are_refused_in_one_sentence():
    with pytest.raises(Unsupported, match="a network of features cannot take 12 tokens of 50"):
        mlp(BASE, TOKENS, 3)
