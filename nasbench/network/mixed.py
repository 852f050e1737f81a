"""Networks of the space `mixed`: one operation of any kind at each place, with a way round it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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
from nasbench.network.elastic import Choose, Supernet
from nasbench.space.mixed import MIXED_OPERATIONS

if TYPE_CHECKING:
    from nasbench.space import Space
    from nasbench.task import Signal

__all__ = ["NORMS", "SIGNALS", "ImageAttention", "build", "supernet"]

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
    sizes = _Sizes(channels, stride, kernel, depthwise_kernel, heads, dropout)

    def place(number: int, channels: int) -> nn.Module:
        return _operation(choices[f"op{number}"], channels, sizes, norm, activation)

    places = sum(name.startswith("op") for name in choices)
    return _network(inputs, outputs, sizes, norm, activation, [place] * places)


def supernet(
    space: Space,
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
    """All networks of the space: at each place every operation, with every norm before it.

    Sizes are as for `build`.
    """
    options = space.decisions
    sizes = _Sizes(channels, stride, kernel, depthwise_kernel, heads, dropout)

    def activation() -> nn.Module:
        return Choose("activation", [activation_of(name)() for name in options["activation"]])

    def norm(channels: int) -> nn.Module:
        return Choose("norm", [NORMS[name](channels) for name in options["norm"]])

    def place(number: int, channels: int) -> nn.Module:
        decision = f"op{number}"
        modules = [
            _operation(name, channels, sizes, norm, activation) for name in options[decision]
        ]
        return Choose(decision, modules)

    places = sum(name.startswith("op") for name in options)
    return Supernet(space, _network(inputs, outputs, sizes, norm, activation, [place] * places))


@dataclass(frozen=True, slots=True)
class _Sizes:
    """As `build` has them."""

    channels: int
    stride: int
    kernel: int
    depthwise_kernel: int
    heads: int
    dropout: float


def _network(
    inputs: Signal,
    outputs: int,
    sizes: _Sizes,
    norm: Callable[[int], nn.Module],
    activation: Activation,
    places: Sequence[Callable[[int, int], nn.Module]],
) -> nn.Module:
    """A stem, what stands at each place, and a head; `places` make it by number and channels."""
    channels, stride = sizes.channels, sizes.stride
    layers: list[nn.Module] = [nn.Conv2d(image_channels(inputs), channels, stride, stride)]
    for number, place in enumerate(places, 1):
        if number == len(places) // 2 + 1:
            layers.append(nn.Conv2d(channels, 2 * channels, 2, 2))
            channels *= 2
        layers.append(place(number, channels))
    head = ImageHead(channels, outputs, sizes.dropout)
    return nn.Sequential(*layers, norm(channels), activation(), head)


def _operation(
    operation: str,
    channels: int,
    sizes: _Sizes,
    norm: Callable[[int], nn.Module],
    activation: Activation,
) -> nn.Module:
    """What stands at a place."""
    if operation == "identity":
        return nn.Identity()
    kernel = sizes.depthwise_kernel if operation == "dw_conv" else sizes.kernel
    body = _body(operation, channels, kernel, sizes.heads, activation)
    return Residual(nn.Sequential(norm(channels), *body))


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
