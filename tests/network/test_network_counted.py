"""Counting networks of any family: attention by its closed form, and networks that need numbers."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from nasbench.network.count import count_network
from nasbench.task import Signal

FEATURES = Signal("features", (256,), "float32", categories=(0,) * 256)


class SelfAttention(nn.Module):
    """Two heads of 16 places and 8 channels."""

    def forward(self, x: Tensor) -> Tensor:
        heads = x.view(-1, 2, 16, 8)
        return F.scaled_dot_product_attention(heads, heads, heads).flatten(1)


class LooksAtNumbers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(256, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x) if float(x.sum()) > -1 else x


def test_attention_counts_both_of_its_products() -> None:
    # Each head: 16 x 16 scores of 8 multiply-adds, and as many for what they weigh.
    counts = count_network(SelfAttention(), FEATURES)
    assert (counts.parameters, counts.flops) == (0, 2 * 2 * 16 * 16 * 8)


def test_a_network_that_looks_at_its_numbers_is_counted_with_them() -> None:
    net = LooksAtNumbers()
    assert count_network(net, FEATURES).flops == 256 * 3
    assert not any(p.is_meta for p in net.parameters())
    assert torch.isfinite(net(torch.zeros(1, 256))).all()
