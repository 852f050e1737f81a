"""Supernets of `mbv2-mini` and NAS-Bench-Macro: sizes are slices of the largest.

Each function makes the supernet of the space of its name; `nasbench.network.mobile` and
`nasbench.network.layers` build the single networks. Kernels are cut from the middle of the
largest, without the matrices by which Cai et al. ("Once-for-All", ICLR 2020) turn them.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import numpy as np
from torch import nn

from nasbench.network.blocks import Activation, ImageHead, Residual, image_channels
from nasbench.network.elastic import (
    Channels,
    Choose,
    Depth,
    ElasticConv,
    ElasticLinear,
    ElasticNorm,
    Kernel,
    Supernet,
)

if TYPE_CHECKING:
    from nasbench.space import Space
    from nasbench.task import Signal

__all__ = ["mbv2_mini", "nb_macro"]


def conv_bn(
    inputs: Channels,
    outputs: Channels,
    kernel: Kernel | int = 1,
    stride: int = 1,
    *,
    depthwise: bool = False,
    activation: Activation | None = None,
) -> nn.Sequential:
    """As `blocks.conv_bn`, of all sizes."""
    size = Kernel(kernel) if isinstance(kernel, int) else kernel
    conv = ElasticConv(inputs, outputs, size, stride, depthwise=depthwise)
    layers: list[nn.Module] = [conv, ElasticNorm(outputs)]
    return nn.Sequential(*layers, *([activation()] if activation else []))


def inverted_residual(
    inputs: Channels,
    outputs: Channels,
    kernel: Kernel | int,
    stride: int,
    hidden: Channels,
    activation: Activation,
) -> nn.Module:
    """As `blocks.inverted_residual`, of all sizes."""
    body = nn.Sequential(
        conv_bn(inputs, hidden, activation=activation),
        conv_bn(hidden, hidden, kernel, stride, depthwise=True, activation=activation),
        conv_bn(hidden, outputs),
    )
    same = inputs.decisions == outputs.decisions and np.array_equal(inputs.numbers, outputs.numbers)
    return Residual(body) if stride == 1 and same else body


def expanded(space: Space, inputs: Channels, decision: str) -> Channels:
    """So many channels as a block's input has, times its expansion."""
    times = np.asarray(space.values[decision], dtype=np.float64)
    return Channels(np.rint(np.multiply.outer(inputs.numbers, times)), *inputs.decisions, decision)


def _stage(space: Space, stage: str, inputs: Channels, outputs: Channels, stride: int) -> nn.Module:
    """A stage that chooses its depth, and one kernel and expansion for all of its blocks."""
    decision = f"{stage}.depth"
    depths = [int(depth) for depth in space.decisions[decision]]
    kernel = Kernel.of(space, int, f"{stage}.kernel")
    blocks = []
    for block in range(max(depths)):
        before = outputs if block else inputs
        hidden = expanded(space, before, f"{stage}.expand")
        step = 1 if block else stride
        blocks.append(inverted_residual(before, outputs, kernel, step, hidden, nn.ReLU6))
    return Depth(decision, depths, blocks)


def mbv2_mini(
    space: Space, inputs: Signal, outputs: int, *, stem_stride: int = 2, dropout: float = 0.0
) -> Supernet:
    """All networks of the space `mbv2-mini`."""

    def wide(times: float) -> Channels:
        return Channels.of(space, lambda width: round(width * times), "width")

    stem = before = wide(1)
    blocks = []
    for number, (times, stride) in enumerate(((1, 1), (1.5, 2), (2, 2)), 1):
        channels = wide(times)
        blocks.append(_stage(space, f"s{number}", before, channels, stride))
        before = channels
    last = Channels(4 * before.numbers, "width")
    images = Channels(image_channels(inputs))
    return Supernet(
        space,
        nn.Sequential(
            OrderedDict(
                stem=conv_bn(images, stem, 3, stem_stride, activation=nn.ReLU6),
                blocks=nn.Sequential(*blocks),
                last=conv_bn(before, last, activation=nn.ReLU6),
                head=_head(last, outputs, dropout),
            )
        ),
    )


def nb_macro(space: Space, inputs: Signal, outputs: int) -> Supernet:
    """All networks of the space `nb-macro`: its two bottlenecks are slices of the larger."""
    images, width = Channels(image_channels(inputs)), Channels(32)
    layers: list[nn.Module] = [conv_bn(images, width, 3, activation=nn.ReLU)]
    for number, decision in enumerate(space.decisions):
        first = number in (0, 2, 5)  # of its stage
        channels, stride = (Channels(2 * width.most), 2) if first else (width, 1)
        # Of an identity nothing is read.
        hidden = Channels(width.most * np.asarray([6, 3, 6]), decision)
        kernel = Kernel([5, 3, 5], decision)
        block = inverted_residual(width, channels, kernel, stride, hidden, nn.ReLU)
        skip = conv_bn(width, channels, 1, stride) if first else nn.Identity()
        layers.append(Choose(decision, [skip, block, block]))
        width = channels
    last = Channels(1280)
    layers += [conv_bn(width, last, activation=nn.ReLU), _head(last, outputs, 0.0)]
    return Supernet(space, nn.Sequential(*layers))


def _head(channels: Channels, outputs: int, dropout: float) -> ImageHead:
    head = ImageHead(channels.most, outputs, dropout)
    head[-1] = ElasticLinear(channels.most, outputs)
    return head
