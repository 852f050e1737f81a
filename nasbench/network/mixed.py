"""Networks of the space `mixed`: one operation of any kind at each place, with a way round it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from nasbench.errors import unknown
from nasbench.network.blocks import (
    Activation,
    Attention,
    ChannelNorm,
    ImageHead,
    Residual,
    activation_of,
    image_channels,
)
from nasbench.space.mixed import MIXED_OPERATIONS

if TYPE_CHECKING:
    from nasbench.task import Signal

__all__ = ["NORMS", "SIGNALS", "ImageAttention", "build"]

SIGNALS = frozenset({"image", "audio"})

NORMS = {"batch": nn.BatchNorm2d, "layer": ChannelNorm}


class ImageAttention(nn.Module):
    """Attention of each place of an image to all of them."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.attention = Attention(channels, heads)

    def forward(self, x: Tensor) -> Tensor:
        # [n, channels, h, w] to [n, h * w, channels] and back
        attended: Tensor = self.attention(x.flatten(2).transpose(1, 2))
        return attended.transpose(1, 2).reshape(x.shape)


def build(
    choices: Mapping[str, Any],
    inputs: Signal,
    outputs: int,
    *,
    channels: int = 16,
    stride: int = 2,
    kernel: int = 3,
    depthwise_kernel: int = 5,
    heads: int = 2,
    dropout: float = 0.0,
) -> nn.Module:
    """A network of the space `mixed`, or of any with `norm`, `activation`, `op1`, `op2`, ...

    Args:
        choices: of the architecture.
        inputs: images or log-mel spectrograms.
        outputs: how many numbers come out.
        channels: of the first half of the places; the second half has twice as many, and half
            the image's size.
        stride: of the stem, which looks at patches of that size.
        kernel: of plain and dilated convolutions and of pooling, odd.
        depthwise_kernel: of depthwise convolutions, odd.
        heads: of attention.
        dropout: of the head.
    """
    activation = activation_of(choices["activation"])
    norm = NORMS[choices["norm"]]
    places = sum(name.startswith("op") for name in choices)
    layers: list[nn.Module] = [nn.Conv2d(image_channels(inputs), channels, stride, stride)]
    for place in range(1, places + 1):
        if place == places // 2 + 1:
            layers.append(nn.Conv2d(channels, 2 * channels, 2, 2))
            channels *= 2
        operation = choices[f"op{place}"]
        if operation == "identity":
            layers.append(nn.Identity())
            continue
        size = depthwise_kernel if operation == "dw_conv" else kernel
        body = _body(operation, channels, size, heads, activation)
        layers.append(Residual(nn.Sequential(norm(channels), *body)))
    return nn.Sequential(
        *layers, norm(channels), activation(), ImageHead(channels, outputs, dropout)
    )


def _body(
    operation: str, channels: int, kernel: int, heads: int, activation: Activation
) -> list[nn.Module]:
    """An operation that keeps the shape, and what follows it."""
    if operation == "attention":
        return [ImageAttention(channels, heads)]
    if operation == "ffn":
        wide = 2 * channels
        return [nn.Conv2d(channels, wide, 1), activation(), nn.Conv2d(wide, channels, 1)]
    half = kernel // 2
    if operation == "conv":
        return [nn.Conv2d(channels, channels, kernel, padding=half), activation()]
    if operation == "dil_conv":
        conv = nn.Conv2d(channels, channels, kernel, padding=2 * half, dilation=2)
        return [conv, activation()]
    if operation == "dw_conv":
        alone = nn.Conv2d(channels, channels, kernel, padding=half, groups=channels)
        return [alone, nn.Conv2d(channels, channels, 1), activation()]
    if operation == "max_pool":
        return [nn.MaxPool2d(kernel, 1, half), activation()]
    raise unknown("operation of mixed", operation, MIXED_OPERATIONS)
