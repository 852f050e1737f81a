"""Networks of the space `transformer`: encoders of tokens, their mean, and a linear layer.

Vaswani et al., "Attention Is All You Need", NeurIPS 2017. Padding is neither attended to nor
part of the mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from nasbench.errors import Unsupported
from nasbench.network.blocks import Activation, Attention, activation_of

if TYPE_CHECKING:
    from nasbench.task import Signal

__all__ = ["SIGNALS", "EncoderLayer", "TextEncoder", "build", "sinusoids"]

SIGNALS = frozenset({"tokens"})

PADDING = 0
"""The id behind the end of a text."""


class EncoderLayer(nn.Module):
    """Attention and a feed-forward layer, each with a way round it: `[n, length, width]`.

    Args:
        width: of a token.
        heads: of attention.
        hidden: width of the feed-forward layer.
        activation: of the feed-forward layer.
        norm_first: whether LayerNorm stands before both (`pre`) or behind their sums (`post`).
        dropout: behind both.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        hidden: int,
        activation: Activation,
        *,
        norm_first: bool,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.norm_first = norm_first
        self.attention = Attention(width, heads)
        self.attention_norm = nn.LayerNorm(width)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, hidden), activation(), nn.Linear(hidden, width)
        )
        self.feed_forward_norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()

    def forward(self, x: Tensor, keep: Tensor) -> Tensor:
        if self.norm_first:
            x = x + self.dropout(self.attention(self.attention_norm(x), keep))
            fed: Tensor = self.dropout(self.feed_forward(self.feed_forward_norm(x)))
            return x + fed
        x = self.attention_norm(x + self.dropout(self.attention(x, keep)))
        out: Tensor = self.feed_forward_norm(x + self.dropout(self.feed_forward(x)))
        return out


def sinusoids(length: int, width: int) -> Tensor:
    """The places of a text as sines and cosines of falling frequency, float32 `[length, width]`.

    Example:
        >>> sinusoids(2, 4)[0]
        tensor([0., 1., 0., 1.])
    """
    frequencies = 10_000.0 ** (-torch.arange(0, width, 2) / width)
    angles = torch.arange(length)[:, None] * frequencies
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)[:, :width]


class TextEncoder(nn.Module):
    """Ids of tokens, `[n, length]`, to `[n, outputs]`.

    Args:
        embedding: of the tokens; its weights are drawn anew, with a standard deviation of 0.1.
        position: what is added for the place of a token, `[length, width]`; None: nothing.
        layers: in order.
        norm: in front of the mean.
        outputs: how many numbers come out.
    """

    def __init__(
        self,
        embedding: nn.Embedding,
        position: Tensor | None,
        layers: list[EncoderLayer],
        norm: nn.Module,
        outputs: int,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        nn.init.normal_(embedding.weight, std=0.1)
        if isinstance(position, nn.Parameter):
            self.position = position
        else:
            self.register_buffer("position", position, persistent=False)
        self.layers = nn.ModuleList(layers)
        self.norm = norm
        self.head = nn.Linear(embedding.embedding_dim, outputs)

    def forward(self, ids: Tensor) -> Tensor:
        keep = ids != PADDING
        # Of a text without a token, all places are looked at: attention to none is no number.
        keep = keep | (keep.sum(1, keepdim=True) == 0)
        x = self.embedding(ids)
        if self.position is not None:
            x = x + self.position
        for layer in self.layers:
            x = layer(x, keep)
        share = keep.to(x.dtype)
        mean = (self.norm(x) * share[:, :, None]).sum(1) / share.sum(1, keepdim=True)
        logits: Tensor = self.head(mean)
        return logits


def build(
    choices: Mapping[str, Any],
    inputs: Signal,
    outputs: int,
    *,
    dropout: float = 0.0,
) -> nn.Module:
    """A network of the space `transformer`."""
    if inputs.kind != "tokens":
        raise Unsupported(f"a network of tokens cannot take {inputs}")
    width, norm_first = choices["dim"], choices["norm"] == "pre"
    activation = activation_of(choices["activation"])
    layers = [
        EncoderLayer(
            width,
            choices["heads"],
            choices["ffn"] * width,
            activation,
            norm_first=norm_first,
            dropout=dropout,
        )
        for _ in range(choices["layers"])
    ]
    # What `post` adds up is normed already.
    norm = nn.LayerNorm(width) if norm_first else nn.Identity()
    position = _position(choices["position"], inputs.shape[0], width)
    return TextEncoder(nn.Embedding(inputs.vocabulary, width), position, layers, norm, outputs)


def _position(kind: str, length: int, width: int) -> Tensor | None:
    if kind == "none":
        return None
    if kind == "learned":
        return nn.Parameter(torch.randn(length, width) * 0.02)
    # As small as the embeddings are.
    return sinusoids(length, width) * 0.1
