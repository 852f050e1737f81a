"""Networks of the mobile spaces: a stem, a chain of blocks, a last convolution, a head.

Each function is the `build` of the space of its name in `nasbench.space.mobile`. It takes images
and log-mel spectrograms. Sizes are the same for all: `stem_stride`, which images of a few dozen
pixels want at 1, and `dropout` before the last layer.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import nn

from nasbench.network.blocks import (
    Activation,
    ImageHead,
    Skip,
    SqueezeExcite,
    conv_bn,
    image_channels,
    inverted_residual,
    rounded,
    skipped,
)

if TYPE_CHECKING:
    from nasbench.task import Signal

__all__ = [
    "SIGNALS",
    "Block",
    "chain",
    "efficientnet",
    "mbv2_mini",
    "mnasnet",
    "mobilenetv2",
    "proxyless",
]

SIGNALS = frozenset({"image", "audio"})


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a chain; its input has whatever channels the block before it gives.

    Attributes:
        channels: of its output.
        kernel: of its spatial convolution, odd.
        stride: of its spatial convolution.
        expand: of an inverted residual; at 1 it is a separable convolution, and at 0 the block
            is one plain convolution.
        squeeze: of squeeze-and-excitation, as a share of the input's channels; 0: none.
        skip: what goes round it where input and output have the same shape.
    """

    channels: int
    kernel: int = 3
    stride: int = 1
    expand: int = 6
    squeeze: float = 0.0
    skip: Skip = "identity"

    def build(self, inputs: int, activation: Activation) -> nn.Module:
        """The block as a module for so many channels."""
        if self.expand:
            return inverted_residual(
                inputs,
                self.channels,
                self.kernel,
                self.stride,
                expand=self.expand,
                squeeze=self.squeeze,
                activation=activation,
                skip=self.skip,
            )
        conv = conv_bn(inputs, self.channels, self.kernel, self.stride, activation=activation)
        if self.squeeze:
            squeezed = max(1, int(inputs * self.squeeze))
            conv.append(SqueezeExcite(self.channels, squeezed, activation))
        same = self.stride == 1 and inputs == self.channels
        return skipped(conv, self.skip if same else "none")


def chain(
    inputs: int,
    outputs: int,
    stem: int,
    blocks: Iterable[Block],
    last: int,
    *,
    stem_stride: int = 2,
    activation: Activation = nn.ReLU6,
    dropout: float = 0.0,
) -> nn.Module:
    """A 3 x 3 stem, blocks, a 1 x 1 convolution and a head: `[n, inputs, h, w]` to `[n, outputs]`.

    Args:
        inputs: channels of the images.
        outputs: how many numbers come out.
        stem: channels of the first convolution.
        blocks: in order.
        last: channels of the last convolution.
        stem_stride: of the first convolution.
        activation: of all of them.
        dropout: of the head.

    Example:
        >>> net = chain(1, 10, 8, [Block(8), Block(16, kernel=5, stride=2)], 64)
        >>> [name for name, _ in net.named_children()]
        ['stem', 'blocks', 'last', 'head']
    """
    layers, width = [], stem
    for block in blocks:
        layers.append(block.build(width, activation))
        width = block.channels
    return nn.Sequential(
        OrderedDict(
            stem=conv_bn(inputs, stem, 3, stem_stride, activation=activation),
            blocks=nn.Sequential(*layers),
            last=conv_bn(width, last, activation=activation),
            head=ImageHead(last, outputs, dropout),
        )
    )


def _first(stride: int, block: int) -> int:
    """The stride of a stage's block: the first one has the stage's."""
    return stride if block == 0 else 1


def _stage(choices: Mapping[str, Any], number: int, channels: int, stride: int) -> list[Block]:
    """The blocks of a stage that chooses its depth, and one kernel and expansion for all."""
    depth, kernel, expand = (choices[f"s{number}.{d}"] for d in ("depth", "kernel", "expand"))
    return [Block(channels, kernel, _first(stride, block), expand) for block in range(depth)]


_MOBILENETV2 = ((24, 2), (32, 2), (64, 2), (96, 1), (160, 2), (320, 1))
_PROXYLESS = ((32, 2), (40, 2), (80, 2), (96, 1), (192, 2), (320, 1))
"""Channels and stride of the stages from the second on."""


def mobilenetv2(
    choices: Mapping[str, Any],
    inputs: Signal,
    outputs: int,
    *,
    stem_stride: int = 2,
    dropout: float = 0.0,
) -> nn.Module:
    """A network of the space `mobilenetv2`."""
    width = choices["width"]
    blocks = [Block(rounded(16 * width), expand=1)]
    for number, (channels, stride) in enumerate(_MOBILENETV2, 2):
        blocks += _stage(choices, number, rounded(channels * width), stride)
    last = rounded(1280 * max(1.0, width))
    stem = rounded(32 * width)
    channels = image_channels(inputs)
    return chain(channels, outputs, stem, blocks, last, stem_stride=stem_stride, dropout=dropout)


def mbv2_mini(
    choices: Mapping[str, Any],
    inputs: Signal,
    outputs: int,
    *,
    stem_stride: int = 2,
    dropout: float = 0.0,
) -> nn.Module:
    """A network of the space `mbv2-mini`: its last convolution has four times the channels."""
    stem = channels = choices["width"]
    blocks = []
    for number, (times, stride) in enumerate(((1, 1), (1.5, 2), (2, 2)), 1):
        channels = round(stem * times)
        blocks += _stage(choices, number, channels, stride)
    return chain(
        image_channels(inputs),
        outputs,
        stem,
        blocks,
        4 * channels,
        stem_stride=stem_stride,
        dropout=dropout,
    )


def proxyless(
    choices: Mapping[str, Any],
    inputs: Signal,
    outputs: int,
    *,
    stem_stride: int = 2,
    dropout: float = 0.0,
) -> nn.Module:
    """A network of the space `proxyless`."""
    blocks = [Block(16, expand=1)]
    for number, (channels, stride) in enumerate(_PROXYLESS, 2):
        for block in range(choices[f"s{number}.depth"] if number < 7 else 1):
            place = f"s{number}.b{block + 1}"
            kernel, expand = choices[f"{place}.kernel"], choices[f"{place}.expand"]
            blocks.append(Block(channels, kernel, _first(stride, block), expand))
    channels = image_channels(inputs)
    return chain(channels, outputs, 32, blocks, 1280, stem_stride=stem_stride, dropout=dropout)


_EXPANSIONS = {"conv": 0, "sepconv": 1, "mbconv3": 3, "mbconv6": 6}


def mnasnet(
    choices: Mapping[str, Any],
    inputs: Signal,
    outputs: int,
    *,
    stem_stride: int = 2,
    dropout: float = 0.0,
) -> nn.Module:
    """A network of the space `mnasnet`."""
    blocks = []
    for number, stride in enumerate((1, 2, 2, 2, 1, 2, 1), 1):
        stage = f"s{number}"
        layers = choices[f"{stage}.layers"]
        # A stage of one layer changes the channels, so that nothing can go round it.
        skip: Skip = choices[f"{stage}.skip"] if layers > 1 else "none"
        blocks += [
            Block(
                choices[f"{stage}.channels"],
                choices[f"{stage}.kernel"],
                _first(stride, layer),
                _EXPANSIONS[choices[f"{stage}.operation"]],
                choices[f"{stage}.squeeze"],
                skip,
            )
            for layer in range(layers)
        ]
    return chain(
        image_channels(inputs),
        outputs,
        32,
        blocks,
        1280,
        stem_stride=stem_stride,
        activation=nn.ReLU,
        dropout=dropout,
    )


_EFFICIENTNET = (
    (16, 1, 3, 1, 1),
    (24, 2, 3, 2, 6),
    (40, 2, 5, 2, 6),
    (80, 3, 3, 2, 6),
    (112, 3, 5, 1, 6),
    (192, 4, 5, 2, 6),
    (320, 1, 3, 1, 6),
)
"""Of each stage of EfficientNet-B0: channels, layers, kernel, stride, expansion."""
_SCALES = {
    "b0": (1.0, 1.0),
    "b1": (1.0, 1.1),
    "b2": (1.1, 1.2),
    "b3": (1.2, 1.4),
    "b4": (1.4, 1.8),
    "b5": (1.6, 2.2),
    "b6": (1.8, 2.6),
    "b7": (2.0, 3.1),
}
"""How many times the width and the depth of B0 each has."""


def efficientnet(
    choices: Mapping[str, Any],
    inputs: Signal,
    outputs: int,
    *,
    stem_stride: int = 2,
    dropout: float = 0.0,
) -> nn.Module:
    """A network of the space `efficientnet`."""
    width, depth = _SCALES[choices["scale"]]
    blocks = [
        Block(rounded(channels * width), kernel, _first(stride, layer), expand, squeeze=0.25)
        for channels, layers, kernel, stride, expand in _EFFICIENTNET
        for layer in range(math.ceil(layers * depth))
    ]
    return chain(
        image_channels(inputs),
        outputs,
        rounded(32 * width),
        blocks,
        rounded(1280 * width),
        stem_stride=stem_stride,
        activation=nn.SiLU,
        dropout=dropout,
    )
