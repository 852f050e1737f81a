"""One set of weights for every cell of a space, in the skeleton of NAS-Bench-201.

Every edge of every cell holds all of the space's operations. Along a path, which is one operation
an edge, the supernet *is* the network that `network(..., live=False)` builds; a mixture weighs
all of them, as Liu et al. (DARTS, ICLR 2019), equation 2, relax the choice.

BatchNorm goes by the batch's own statistics wherever a mixture runs, and in training mode:
running averages over many paths are those of none of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from nasbench.errors import Unsupported
from nasbench.network.cell import Cell, CellNetwork
from nasbench.space import CellGraph, CellSpace, Edge

__all__ = ["CellSupernet", "whole_graph"]

EPSILON = 1e-5
"""Of BatchNorm."""


def whole_graph(space: CellSpace) -> CellGraph:
    """The cell in which every edge holds all operations but `none`, which computes nothing.

    Example:
        >>> import nasbench as nb
        >>> len(whole_graph(nb.space("nb201")).edges)
        24
    """
    edges = [
        Edge(source, target, operation)
        for source, target in space.pairs
        for operation in space.operations
        if operation != "none"
    ]
    return CellGraph(space.nodes, tuple(edges))


class CellSupernet(nn.Module):
    """All cells of a space at once: images `[n, inputs, h, w]` to logits `[n, classes]`.

    Args:
        space: of the cells.
        inputs: channels of the images.
        classes: of the labels.
        channels: of the first stage.
        cells: of each stage.

    Attributes:
        skeleton: the network of `whole_graph`. Its parameters are the shared weights, those of
            a convolution after those of the operations before it on its edge.
    """

    def __init__(
        self, space: CellSpace, *, inputs: int, classes: int, channels: int, cells: int
    ) -> None:
        super().__init__()
        self.space = space
        self.skeleton = CellNetwork(
            whole_graph(space), inputs=inputs, classes=classes, channels=channels, cells=cells
        )
        places = iter(range(len(self.skeleton.graph.edges)))
        # [edge][choice]: where the operation stands in a cell; -1 for `none`.
        self.places = [
            [-1 if operation == "none" else next(places) for operation in space.operations]
            for _ in space.pairs
        ]

    def forward(
        self,
        images: Tensor,
        mixture: Tensor | None = None,
        path: Sequence[int] | None = None,
        partial: int = 1,
    ) -> Tensor:
        """Logits along a path, of a mixture, or of a mixture's part along a path.

        Args:
            images: `[n, inputs, h, w]`.
            mixture: `[edges, operations]`, a weight for each.
            path: one operation an edge. With a mixture the operation of an edge is multiplied by
                its weight, and what it gives has the other weights of the edge added, which are
                zeros: so they have a slope, the sum of the map's. That is how the release of
                GDAS (Dong & Yang, CVPR 2019) lets them learn.
            partial: of a whole mixture, one in so many channels of each edge goes through it,
                with the first channels of each convolution; the others pass by, times the sum of
                the edge's weights, and channels are shuffled (Xu et al., "PC-DARTS", ICLR 2020).
        """
        x = self.skeleton.stem(images)
        for block in self.skeleton.blocks:
            if not isinstance(block, Cell):
                x = block(x)
            elif path is not None:
                x = self._along(block, x, path, mixture)
            else:
                assert mixture is not None, "a supernet runs along a path or by a mixture"
                x = self._mixed(block, x, mixture, partial)
        features = self.skeleton.last(x).mean((2, 3))
        logits: Tensor = self.skeleton.classifier(features)
        return logits

    def _along(self, cell: Cell, x: Tensor, path: Sequence[int], mixture: Tensor | None) -> Tensor:
        nodes = [x, *[torch.zeros_like(x)] * (self.space.nodes - 1)]
        for edge, (source, target) in enumerate(self.space.pairs):
            choice = int(path[edge])
            place = self.places[edge][choice]
            if mixture is not None:
                term = _weighed(cell, place, nodes[source], mixture[edge], choice)
            elif place < 0:
                continue
            else:
                term = cell.operations[place](nodes[source])
            nodes[target] = nodes[target] + term
        return nodes[-1]

    def _mixed(self, cell: Cell, x: Tensor, mixture: Tensor, partial: int) -> Tensor:
        """What leaves a node is computed together: 1.7 times as fast as one by one."""
        nodes = [x, *[torch.zeros_like(x)] * (self.space.nodes - 1)]
        for source in range(self.space.nodes - 1):
            leaving = [e for e, (s, _) in enumerate(self.space.pairs) if s == source]
            through, past = _split(nodes[source], partial)
            terms = self._leaving(cell, through, leaving, mixture)
            for edge, term in zip(leaving, terms, strict=True):
                target = self.space.pairs[edge][1]
                if partial > 1:
                    whole = torch.cat([term, past * mixture[edge].sum()], 1)
                    term = functional.channel_shuffle(whole, partial)
                nodes[target] = nodes[target] + term
        return nodes[-1]

    def _leaving(
        self, cell: Cell, x: Tensor, edges: Sequence[int], mixture: Tensor
    ) -> list[Tensor]:
        """The weighed sum of all operations of each of the edges that leave a node."""
        terms = [torch.zeros_like(x)] * len(edges)
        for choice, operation in enumerate(self.space.operations):
            if operation == "none":
                continue
            weights = mixture[edges, choice]
            modules = [cell.operations[self.places[edge][choice]] for edge in edges]
            if operation.startswith("nor_conv"):
                given = _convolved(modules, x, weights)
            else:
                value = modules[0](x)
                given = [weight * value for weight in weights]
            terms = [term + more for term, more in zip(terms, given, strict=True)]
        return terms


def _split(x: Tensor, partial: int) -> tuple[Tensor, Tensor]:
    """The channels that go through a mixture, and the others."""
    if x.shape[1] % partial:
        raise Unsupported(
            f"one in {partial} channels is mixed, and a cell has {x.shape[1]}: give a divisor"
        )
    n = x.shape[1] // partial
    return x[:, :n], x[:, n:]


def _weighed(cell: Cell, place: int, x: Tensor, weights: Tensor, choice: int) -> Tensor:
    """One operation times its weight, and the other weights of its edge, which are zeros."""
    others = torch.cat([weights[:choice], weights[choice + 1 :]]).sum()
    if place < 0:
        return torch.zeros_like(x) + others
    value: Tensor = cell.operations[place](x)
    return value * weights[choice] + others


def _convolved(modules: Sequence[nn.Module], x: Tensor, weights: Tensor) -> list[Tensor]:
    """Convolutions of one node with BatchNorm, each times its weight, as one of all channels."""
    convolutions: list[nn.Conv2d] = [module[1] for module in modules]  # type: ignore[index]
    norms: list[nn.BatchNorm2d] = [module[2] for module in modules]  # type: ignore[index]
    channels = x.shape[1]  # of partial channels the first ones of each convolution
    kernels = torch.cat([conv.weight[:channels, :channels] for conv in convolutions])
    z = functional.conv2d(x.relu(), kernels, padding=convolutions[0].padding)
    scale = torch.cat([w * norm.weight[:channels] for w, norm in zip(weights, norms, strict=True)])
    shift = torch.cat([w * norm.bias[:channels] for w, norm in zip(weights, norms, strict=True)])
    normed = functional.batch_norm(z, None, None, scale, shift, True, 0.0, EPSILON)
    return list(torch.split(normed, channels, 1))
