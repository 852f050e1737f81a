"""Published spaces of whole networks, which choose something for each layer."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np

from nasbench.space.base import Architectures
from nasbench.space.choices import ChoiceSpace
from nasbench.space.drawing import DrawnBlock, DrawnStage

__all__ = ["NBMacro", "nats_size"]


def nats_size() -> ChoiceSpace:
    """The size space of NATS-Bench: 32,768 widths of one network, written `64:8:16:24:32`.

    Dong, Liu, Musial & Gabrys, "NATS-Bench: Benchmarking NAS Algorithms for Architecture
    Topology and Size", TPAMI 2021. Five layers, of which the second and the fourth are
    residual blocks that halve the image, have 8, 16, ... or 64 channels each; the stem has
    those of the first. The release numbers them in lexicographic order.
    """
    layers = ("cell1", "residual1", "cell2", "residual2", "cell3")
    space = ChoiceSpace("nats-size", dict.fromkeys(layers, range(8, 65, 8)))
    space.stages = tuple(
        DrawnStage(layer, (DrawnBlock(f"{{{layer}}}\nchannels", layer),)) for layer in layers
    )
    return space


class NBMacro(ChoiceSpace):
    """NAS-Bench-Macro: 6,561 networks of 8 layers, written `01201201`.

    Su et al., "Prioritized Architecture Sampling with Monto-Carlo Tree Search", CVPR 2021. A
    layer is an identity (0), an inverted bottleneck that expands 3 times with a 3 x 3 kernel
    (1), or one that expands 6 times with a 5 x 5 kernel (2). The layers form stages of 2, 3
    and 3. The first of a stage halves the image and doubles the channels, for which its
    identity is a 1 x 1 convolution with BatchNorm; any other identity does nothing.
    Architectures are numbered in lexicographic order, which the release does not number.
    """

    BLOCKS = ("identity", "MB3_K3", "MB6_K5")
    STAGES = (2, 3, 3)

    def __init__(self) -> None:
        layers = [f"layer{number + 1}" for number in range(sum(self.STAGES))]
        super().__init__("nb-macro", dict.fromkeys(layers, range(3)), separator="")
        numbers = iter(range(1, len(layers) + 1))
        self.stages = tuple(
            DrawnStage(
                f"stage {stage}",
                tuple(
                    DrawnBlock(f"layer {n}\nblock {{layer{n}}}", f"layer{n}")
                    for n in islice(numbers, of)
                ),
            )
            for stage, of in enumerate(self.STAGES, 1)
        )

    def describe(self) -> Mapping[str, Any]:
        return {**super().describe(), "operations": list(self.BLOCKS)}

    @cached_property
    def classes(self) -> Architectures:
        """For each architecture the one whose stages end in their identities, int64 `[6561]`.

        Past a stage's first layer all blocks map between equal shapes, so that leaving an
        identity out changes nothing, and what is left makes the network: blocks of another
        kind have kernels of other shapes, and blocks in another order do not commute. The
        release trained these 3,969 networks and copied their accuracies to the others.
        """
        ops = self.ops(np.arange(self.size))
        first = 0
        for layers in self.STAGES:
            movable = ops[:, first + 1 : first + layers]
            kept_first = np.argsort(movable == 0, axis=1, kind="stable")
            ops[:, first + 1 : first + layers] = np.take_along_axis(movable, kept_first, axis=1)
            first += layers
        return self.index_of(ops)
