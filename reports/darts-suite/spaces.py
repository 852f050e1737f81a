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
from nasbench.network.elastic_cells import darts_mini as shared_darts_mini
from nasbench.space import ChoiceSpace, Space
from nasbench.space.cells import DARTS_OPERATIONS, DartsSpace
from nasbench.task import Signal

OPERATIONS = {
    "all": DARTS_OPERATIONS[:4],
    "no-skip": ("max_pool_3x3", "avg_pool_3x3", "sep_conv_3x3"),
    "no-pool": ("skip_connect", "sep_conv_3x3"),
}
"""Of `darts-mini`, and without its skips or its poolings."""


class Pairs:
    """A normal cell and a reduction cell."""

    @staticmethod
    def build(
        choices: Mapping[str, Any],
        inputs: Signal,
        outputs: int,
        *,
        channels: int = 4,
        cells: int = 3,
    ) -> nn.Module:
        """The network of a pair."""
        return darts_mini(choices, inputs, outputs, channels=channels, cells=cells)

    @staticmethod
    def supernet(
        space: Space, inputs: Signal, outputs: int, *, channels: int = 4, cells: int = 3
    ) -> nn.Module:
        """That of all pairs."""
        return shared_darts_mini(space, inputs, outputs, channels=channels, cells=cells)


class Single:
    """One cell for all places, which strides where a reduction cell would stand."""

    @staticmethod
    def build(
        choices: Mapping[str, Any],
        inputs: Signal,
        outputs: int,
        *,
        channels: int = 4,
        cells: int = 3,
    ) -> nn.Module:
        """The network of a cell."""
        again = {name.replace("normal", "reduce"): choice for name, choice in choices.items()}
        return darts_mini({**choices, **again}, inputs, outputs, channels=channels, cells=cells)

    @staticmethod
    def supernet(
        space: Space, inputs: Signal, outputs: int, *, channels: int = 4, cells: int = 3
    ) -> nn.Module:
        """That of all cells."""
        nodes: Any = [name.removesuffix(".inputs") for name in space.decisions if "inputs" in name]
        cell = partial(SharedDartsCell, space)
        sizes = {"channels": channels, "cells": cells}
        return Supernet(
            space, DartsNetwork(nodes, nodes, inputs.shape[0], outputs, cell=cell, **sizes)
        )


def space_of(operations: str, *, single: bool) -> Space:
    """The space of a set of operations, a key of `OPERATIONS`."""
    decisions = DartsSpace("both", 2, OPERATIONS[operations]).decisions
    if not single:
        return nb.space(ChoiceSpace(f"pairs-{operations}", decisions), Pairs.build)
    one = {name: of for name, of in decisions.items() if name.startswith("normal")}
    return nb.space(ChoiceSpace(f"single-{operations}", one), Single.build)
