"""The family of cells: every cell space's networks, in the skeleton of NAS-Bench-201."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from torch import nn

from nasbench.errors import Unsupported
from nasbench.network.blocks import image_channels
from nasbench.network.cell import CellNetwork
from nasbench.network.family import CELL, Size
from nasbench.network.start import initialize
from nasbench.network.supernet import CellSupernet
from nasbench.space import CellGraph, CellSpace, Space
from nasbench.task import Signal

__all__ = ["CellFamily", "as_cells"]


class CellFamily:
    """Every cell space's networks; the only family whose dead edges can be left out or built."""

    name = CELL
    signals = frozenset({"image", "audio"})
    sizes: Mapping[str, Size] = MappingProxyType({"channels": 16, "cells": 5})

    def build(
        self,
        space: Space,
        architecture: int,
        inputs: Signal,
        outputs: int,
        sizes: Mapping[str, Size],
    ) -> CellNetwork:
        """What stands for the architecture's class, without dead edges, as tables train it."""
        return _cell_network(as_cells(space).live_graph(architecture), inputs, outputs, sizes)

    def whole(
        self,
        space: Space,
        architecture: int,
        inputs: Signal,
        outputs: int,
        sizes: Mapping[str, Size],
    ) -> CellNetwork:
        """Every edge, as the release of NAS-Bench-201 builds and counts it."""
        return _cell_network(as_cells(space).graph(architecture), inputs, outputs, sizes)

    def supernet(
        self, space: Space, inputs: Signal, outputs: int, sizes: Mapping[str, Size]
    ) -> CellSupernet:
        """One set of weights for all cells of the space."""
        return CellSupernet(
            as_cells(space),
            inputs=image_channels(inputs),
            classes=outputs,
            channels=int(sizes["channels"]),
            cells=int(sizes["cells"]),
        )

    def start(self, network: nn.Module, seed: int, architecture: int) -> None:
        """Draw the weights that a training begins with, as every engine does for cells."""
        initialize(network, seed, architecture)

    def describe(self) -> dict[str, Any]:
        """For manifests; plain JSON values."""
        return {"name": self.name}


def as_cells(space: Space) -> CellSpace:
    """The space, where it is one of cells.

    Raises:
        Unsupported: else.
    """
    if not isinstance(space, CellSpace):
        raise Unsupported(f"{space.name} is no space of cells, and this takes cells alone")
    return space


def _cell_network(
    graph: CellGraph, inputs: Signal, outputs: int, sizes: Mapping[str, Size]
) -> CellNetwork:
    return CellNetwork(
        graph,
        inputs=image_channels(inputs),
        classes=outputs,
        channels=int(sizes["channels"]),
        cells=int(sizes["cells"]),
    )
