"""What networks are made of, against the same written out or another library's."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nasbench.errors import UnknownName, Unsupported
from nasbench.network.blocks import (
    Attention,
    ChannelNorm,
    SqueezeExcite,
    activation_of,
    inverted_residual,
    rounded,
)


def test_widths_are_rounded_as_the_release_of_mobilenetv2_does():
    widths = {0.35: [16, 8, 8, 16, 24, 32, 56, 112], 1.4: [48, 24, 32, 48, 88, 136, 224, 448]}
    for times, expected in widths.items():
        assert [rounded(c * times) for c in (32, 16, 24, 32, 64, 96, 160, 320)] == expected


@torch.no_grad()
def test_attention_is_pytorchs():
    attention, x = Attention(12, heads=3), torch.randn(2, 5, 12)
    keep = torch.tensor([[True] * 5, [True, True, False, True, False]])
    theirs = nn.MultiheadAttention(12, 3, batch_first=True)
    theirs.in_proj_weight.copy_(attention.qkv.weight)
    theirs.in_proj_bias.copy_(attention.qkv.bias)
    theirs.out_proj.load_state_dict(attention.out.state_dict())
    expected = theirs(x, x, x, key_padding_mask=~keep, need_weights=False)[0]
    torch.testing.assert_close(attention(x, keep), expected)
    unmasked = theirs(x, x, x, need_weights=False)[0]
    torch.testing.assert_close(attention(x), unmasked)


def test_heads_that_cannot_share_a_width_are_refused():
    with pytest.raises(Unsupported, match="3 heads cannot share a width of 32"):
        Attention(32, heads=3)


def test_an_unknown_activation_names_the_near_ones():
    with pytest.raises(UnknownName, match="did you mean gelu"):
        activation_of("gelo")


@torch.no_grad()
def test_squeeze_and_excitation_scales_each_channel():
    block, x = SqueezeExcite(4, 2, nn.ReLU), torch.randn(3, 4, 5, 6)
    means = x.mean((2, 3))
    hidden = (means @ block.reduce.weight[:, :, 0, 0].T + block.reduce.bias).relu()
    scale = (hidden @ block.expand.weight[:, :, 0, 0].T + block.expand.bias).sigmoid()
    torch.testing.assert_close(block(x), x * scale[:, :, None, None])


@torch.no_grad()
def test_a_norm_over_channels_is_layer_norm_at_each_place():
    norm, x = ChannelNorm(6), torch.randn(2, 6, 3, 4)
    expected = nn.functional.layer_norm(x[:, :, 1, 2], (6,))
    torch.testing.assert_close(norm(x)[:, :, 1, 2], expected)


@pytest.mark.parametrize("skip", ["identity", "pool", "none"])
@torch.no_grad()
def test_something_goes_round_a_block_only_where_shapes_agree(skip):
    x = torch.randn(2, 8, 6, 6)
    block = inverted_residual(8, 8, skip=skip).eval()
    body = block if skip == "none" else block.body
    way = {"identity": x, "none": 0, "pool": nn.AvgPool2d(3, 1, 1, count_include_pad=False)(x)}
    torch.testing.assert_close(block(x), body(x) + way[skip])
    for outputs, stride in ((16, 1), (8, 2)):
        block = inverted_residual(8, outputs, stride=stride, skip=skip)
        assert isinstance(block, nn.Sequential)
