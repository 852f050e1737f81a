"""Cells of `darts-mini` by other sets of operations, in pairs or one for all places."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from torch import nn

import nasbench as nb
from nasbench.network.cells import DartsNetwork, darts_mini
from nasbench.network.elastic import Supernet
from nasbench.network.elastic_cells import SharedDartsCell
from nasbench.space import ChoiceSpace, Space
from nasbench.space.cells import DARTS_OPERATIONS, DartsSpace
from nasbench.task import Signal

OPERATIONS = {
    "all": DARTS_OPERATIONS[:4],
    "no-skip": ("max_pool_3x3", "avg_pool_3x3", "sep_conv_3x3"),
    "no-pool": ("skip_connect", "sep_conv_3x3"),
}
"""Of `darts-mini`, and without its skips or its poolings."""


class Cells:
    """A normal and a reduction cell; where there is no other, the normal one reduces, too."""

    @staticmethod
    def build(
        choices: Mapping[str, Any],
        inputs: Signal,
        outputs: int,
        *,
        channels: int = 4,
        cells: int = 3,
    ) -> nn.Module:
        """The network of one architecture."""
        again = {name.replace("normal", "reduce"): choice for name, choice in choices.items()}
        return darts_mini({**again, **choices}, inputs, outputs, channels=channels, cells=cells)

    @staticmethod
    def supernet(
        space: Space, inputs: Signal, outputs: int, *, channels: int = 4, cells: int = 3
    ) -> nn.Module:
        """That of all."""
        nodes: Any = [name.removesuffix(".inputs") for name in space.decisions if "inputs" in name]
        normal = [node for node in nodes if node.startswith("normal")]
        reduce = [node for node in nodes if node.startswith("reduce")] or normal
        cell = partial(SharedDartsCell, space)
        sizes = {"channels": channels, "cells": cells}
        return Supernet(
            space, DartsNetwork(normal, reduce, inputs.shape[0], outputs, cell=cell, **sizes)
        )


def space_of(operations: str, *, single: bool) -> Space:
    """The space of a set of operations, a key of `OPERATIONS`."""
    decisions = DartsSpace("both", 2, OPERATIONS[operations]).decisions
    kept = {n: of for n, of in decisions.items() if n.startswith("normal") or not single}
    name = f"{'single' if single else 'pairs'}-{operations}"
    return nb.space(ChoiceSpace(name, kept), Cells.build)
