"""Supernets of the cells of DARTS: of each edge every operation, of each node every pair of edges.

Liu, Simonyan & Yang, "DARTS: Differentiable Architecture Search", ICLR 2019, mixes the operations
of each edge (equation 2) and picks two edges a node in the end. Here the pair is a decision like
the others, so that a path is one architecture of the space and nothing is picked afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from nasbench.network.blocks import image_channels
from nasbench.network.cells import DartsNetwork, darts_operation, entrances
from nasbench.network.elastic import Part, Supernet

if TYPE_CHECKING:
    from nasbench.space import Space
    from nasbench.task import Signal

__all__ = ["SharedDartsCell", "SharedNode", "darts", "darts_mini"]


class SharedNode(Part):
    """A node of a cell: any two earlier states, and any operation on each of them.

    Args:
        space: of the architectures.
        name: of the node, such as `normal.n2`, with which its three decisions begin.
        channels: of the node.
        reduces: whether the cell halves the image, on edges from outside.
    """

    def __init__(self, space: Space, name: str, channels: int, *, reduces: bool) -> None:
        super().__init__()
        self.name = name
        self.pairs = [
            tuple(map(int, pair.split("+"))) for pair in space.decisions[f"{name}.inputs"]
        ]
        names = space.decisions[f"{name}.first"]
        self.edges = nn.ModuleList(
            nn.ModuleList(
                darts_operation(of, channels, 2 if reduces and source < 2 else 1) for of in names
            )
            for source in range(1 + max(high for _, high in self.pairs))
        )

    def forward(self, states: Sequence[Tensor]) -> Tensor:
        now, decisions = self.now, [f"{self.name}.{of}" for of in ("inputs", "first", "second")]
        chosen = [now.choice(decision) for decision in decisions]
        if None in chosen:
            return self._mixed(states, [now.weights(decision) for decision in decisions])
        pair, *operations = (int(choice) for choice in chosen if choice is not None)
        ends = [
            self._run(source, operation, states)
            for source, operation in zip(self.pairs[pair], operations, strict=True)
        ]
        if now.mixture is None:
            return ends[0] + ends[1]
        # As GDAS's release: what does not run is zeros that are added, and so has a slope.
        pairs, first, second = (now.weights(decision) for decision in decisions)
        ends = [
            end * weights[choice] + (weights.sum() - weights[choice])
            for end, weights, choice in zip(ends, (first, second), operations, strict=True)
        ]
        return (ends[0] + ends[1]) * pairs[pair] + (pairs.sum() - pairs[pair])

    def _run(self, source: int, operation: int, states: Sequence[Tensor]) -> Tensor:
        options = self.edges[source]
        assert isinstance(options, nn.ModuleList)
        found: Tensor = options[operation](states[source])
        return found

    def _mixed(self, states: Sequence[Tensor], weights: Sequence[Tensor]) -> Tensor:
        """All pairs at once: each operation runs once, and is weighed by all that choose it."""
        pairs, first, second = weights
        total: Tensor | None = None
        for source, options in enumerate(self.edges):
            assert isinstance(options, nn.ModuleList)
            low = pairs[[pair[0] == source for pair in self.pairs]].sum()
            high = pairs[[pair[1] == source for pair in self.pairs]].sum()
            for weight, option in zip(low * first + high * second, options, strict=True):
                term = weight * option(states[source])
                total = term if total is None else total + term
        assert total is not None
        return total


class SharedDartsCell(nn.Module):
    """A cell of all architectures, as `nasbench.network.cells.DartsCell` is of one.

    Args:
        space: of the architectures.
        nodes: their names.
        before: channels of the output of the cell before the last, and of the last.
        channels: of each node.
        reduces: whether this cell halves the image.
        reduced: whether the last one did.
    """

    def __init__(
        self,
        space: Space,
        nodes: Sequence[str],
        before: tuple[int, int],
        channels: int,
        *,
        reduces: bool,
        reduced: bool,
    ) -> None:
        super().__init__()
        self.first, self.second = entrances(before, channels, reduced=reduced)
        self.nodes = nn.ModuleList(
            SharedNode(space, name, channels, reduces=reduces) for name in nodes
        )

    def forward(self, before: Tensor, last: Tensor) -> Tensor:
        states = [self.first(before), self.second(last)]
        for node in self.nodes:
            states.append(node(states))
        return torch.cat(states[2:], 1)


def darts(
    space: Space,
    inputs: Signal,
    outputs: int,
    *,
    channels: int = 36,
    cells: int = 20,
    stem: str = "cifar",
    dropout: float = 0.0,
) -> nn.Module:
    """The supernet of the space `darts`; sizes as `nasbench.network.cells.darts` has them."""
    nodes = {
        kind: [
            name.removesuffix(".inputs")
            for name in space.decisions
            if name.startswith(kind) and name.endswith(".inputs")
        ]
        for kind in ("normal", "reduce")
    }
    body = DartsNetwork(
        nodes["normal"],
        nodes["reduce"],
        image_channels(inputs),
        outputs,
        channels=channels,
        cells=cells,
        stem=stem,
        dropout=dropout,
        cell=partial(SharedDartsCell, space),
    )
    return Supernet(space, body)


def darts_mini(
    space: Space,
    inputs: Signal,
    outputs: int,
    *,
    channels: int = 4,
    cells: int = 3,
    dropout: float = 0.0,
) -> nn.Module:
    """The supernet of the space `darts-mini`."""
    return darts(space, inputs, outputs, channels=channels, cells=cells, dropout=dropout)
