"""Transformers for text: masks, places, norms, against PyTorch's own layers."""

from __future__ import annotations

import pytest
import torch
from shipped import IMAGES, TOKENS, batch, check_network
from torch import nn

from nasbench.errors import Unsupported
from nasbench.network.blocks import activation_of
from nasbench.network.transformer import EncoderLayer, build, sinusoids

BASE = {
    "layers": 2,
    "dim": 32,
    "heads": 2,
    "ffn": 2,
    "activation": "relu",
    "norm": "pre",
    "position": "none",
}


@pytest.mark.parametrize("position", ["none", "learned", "sinusoid"])
@pytest.mark.parametrize("norm", ["pre", "post"])
def test_texts_of_any_length_are_learnt_from(norm, position):
    network = build({**BASE, "norm": norm, "position": position}, TOKENS, 7)
    check_network(network, TOKENS, 7)


@torch.no_grad()
@pytest.mark.parametrize("norm_first", [True, False])
def test_a_layer_is_pytorchs(norm_first):
    ours = EncoderLayer(12, 3, 24, activation_of("gelu"), norm_first=norm_first).eval()
    theirs = nn.TransformerEncoderLayer(
        12, 3, 24, 0.0, nn.GELU(), batch_first=True, norm_first=norm_first
    )
    pairs = zip(theirs.parameters(), _in_their_order(ours), strict=True)
    for parameter, value in pairs:
        parameter.copy_(value)
    x, keep = torch.randn(2, 5, 12), torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    expected = theirs.train()(x, src_key_padding_mask=~keep)
    torch.testing.assert_close(ours(x, keep)[keep], expected[keep])


def _in_their_order(layer):
    attention, fed = layer.attention, layer.feed_forward
    modules = (attention.qkv, attention.out, fed[0], fed[2])
    norms = (layer.attention_norm, layer.feed_forward_norm)
    return [p for module in (*modules, *norms) for p in (module.weight, module.bias)]


@torch.no_grad()
def test_padding_changes_nothing():
    network = build({**BASE, "position": "sinusoid"}, TOKENS, 7).eval()
    ids = batch(TOKENS)
    logits = network(ids)
    network.embedding.weight[0] += 1
    torch.testing.assert_close(network(ids)[[0, 2]], logits[[0, 2]])
    assert bool(logits.isfinite().all())


@torch.no_grad()
def test_the_order_of_words_matters_only_where_places_do():
    ids = batch(TOKENS)[2:]
    for position, same in (("none", True), ("sinusoid", False), ("learned", False)):
        network = build({**BASE, "position": position}, TOKENS, 7).eval()
        apart = (network(ids) - network(ids.flip(1))).abs().max()
        assert (apart < 1e-6) == same


def test_sinusoids_are_those_of_the_paper():
    for width in (8, 7):
        for place in (0, 3):
            row = sinusoids(4, width)[place]
            for at in range(width):
                angle = torch.tensor(place / 10_000 ** ((at - at % 2) / width))
                expected = angle.cos() if at % 2 else angle.sin()
                torch.testing.assert_close(row[at], expected)


def test_dropout_is_a_size():
    network = build(BASE, TOKENS, 7, dropout=0.5)
    assert [m.p for m in network.modules() if isinstance(m, nn.Dropout)] == [0.5, 0.5]
    assert not any(isinstance(m, nn.Dropout) for m in build(BASE, TOKENS, 7).modules())


def test_images_are_refused_in_one_sentence():
    with pytest.raises(Unsupported, match="a network of tokens cannot take images 1 x 16 x 16"):
        build(BASE, IMAGES, 7)
