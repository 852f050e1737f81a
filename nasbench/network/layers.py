"""Networks of the published spaces of whole networks: `nats-size` and `nb-macro`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from nasbench.network.blocks import ImageHead, conv_bn, image_channels, inverted_residual
from nasbench.network.cell import Reduction, ReLUConvBN

if TYPE_CHECKING:
    from nasbench.task import Signal

__all__ = ["SIGNALS", "SizedCell", "nats_size", "nb_macro"]

SIGNALS = frozenset({"image", "audio"})


class SizedCell(nn.Module):
    """The one cell of NATS-Bench's size space: the best of its topology space on CIFAR-100.

    `|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|
    nor_conv_3x3~2|`, whose edges from the input change the channels. Where they do change, the
    skip is a 1 x 1 convolution with BatchNorm.

    Args:
        inputs: channels of the input.
        outputs: channels of every node.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.to_first = ReLUConvBN(inputs, outputs, 3)
        self.to_second = ReLUConvBN(inputs, outputs, 3)
        self.first_to_second = ReLUConvBN(outputs, outputs, 3)
        self.skip: nn.Module = nn.Identity()
        if inputs != outputs:
            conv = nn.Conv2d(inputs, outputs, 1, bias=False)
            self.skip = nn.Sequential(conv, nn.BatchNorm2d(outputs))
        self.first_to_third = ReLUConvBN(outputs, outputs, 3)
        self.second_to_third = ReLUConvBN(outputs, outputs, 3)

    def forward(self, x: Tensor) -> Tensor:
        first = self.to_first(x)
        second = self.to_second(x) + self.first_to_second(first)
        out: Tensor = self.skip(x) + self.first_to_third(first) + self.second_to_third(second)
        return out


def nats_size(choices: Mapping[str, Any], inputs: Signal, outputs: int) -> nn.Module:
    """A network of the space `nats-size`: three cells, two reductions, each as wide as chosen.

    Dong, Liu, Musial & Gabrys, "NATS-Bench: Benchmarking NAS Algorithms for Architecture
    Topology and Size", TPAMI 2021.
    """
    widths = [int(choices[layer]) for layer in choices]
    stem = nn.Conv2d(image_channels(inputs), widths[0], 3, padding=1, bias=False)
    layers: list[nn.Module] = [stem, nn.BatchNorm2d(widths[0])]
    for layer, before, width in zip(choices, widths[:1] + widths, widths, strict=False):
        kind = Reduction if layer.startswith("residual") else SizedCell
        layers.append(kind(before, width))
    layers += [nn.BatchNorm2d(widths[-1]), nn.ReLU(), ImageHead(widths[-1], outputs)]
    return nn.Sequential(*layers)


def nb_macro(choices: Mapping[str, Any], inputs: Signal, outputs: int) -> nn.Module:
    """A network of the space `nb-macro`: three stages of 2, 3 and 3 layers.

    Su et al., "Prioritized Architecture Sampling with Monto-Carlo Tree Search", CVPR 2021. The
    stages have 64, 128 and 256 channels behind a stem of 32.
    """
    width = 32
    layers: list[nn.Module] = [conv_bn(image_channels(inputs), width, 3, activation=nn.ReLU)]
    for number, layer in enumerate(choices.values()):
        first = number in (0, 2, 5)  # of its stage
        channels, stride = (2 * width, 2) if first else (width, 1)
        kernel, expand = ((1, 0), (3, 3), (5, 6))[int(layer)]
        if expand:
            layers.append(
                inverted_residual(
                    width, channels, kernel, stride, expand=expand, activation=nn.ReLU
                )
            )
        elif first:
            layers.append(conv_bn(width, channels, 1, stride))
        width = channels
    layers += [conv_bn(width, 1280, activation=nn.ReLU), ImageHead(1280, outputs)]
    return nn.Sequential(*layers)
