"""Units of a network: the operations that a runtime runs together, which are measured as one.

Runtimes fold a BatchNorm into the convolution before it and often run an activation with it, so
that single operations cannot be priced one by one. A unit is an activation, a convolution or
matrix product, its normalisation and an activation, or a part of such a row, in which each reads
the one before it alone. Everything else is a unit of its own.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from nasbench.network.operations import Graph, Operation, Tag

__all__ = ["OperationUnit", "units_of"]

NORMS = ("batchnorm1d", "batchnorm2d", "groupnorm", "layernorm")
ACTIVATIONS = (
    *("relu", "relu6", "hardswish", "hardsigmoid", "silu", "gelu", "sigmoid", "tanh", "elu"),
    *("leakyrelu", "prelu"),
)


@dataclass(frozen=True, slots=True)
class OperationUnit:
    """Operations that run together.

    Attributes:
        tags: of the operations, in the order in which they run: equal units cost the same.
        modules: their paths in the network that the unit was seen in; empty for a function.
        outputs: the shape that comes out.
        weight_bytes: of parameters and buffers.
        multiply_adds: of the whole batch.
        moved_bytes: what goes in, what comes out and the weights: what lies between two of its
            operations need not leave the cache.
    """

    tags: tuple[Tag, ...]
    modules: tuple[str, ...]
    outputs: tuple[int, ...]
    weight_bytes: int
    multiply_adds: int
    moved_bytes: int

    @property
    def key(self) -> str:
        """What tells it from other units, as text."""
        return " > ".join(f"{tag.kind}({tag.setting})" for tag in self.tags) + f" {self.inputs}"

    @property
    def inputs(self) -> str:
        """The shapes that go in, such as `1x16x32x32`."""
        return ", ".join("x".join(map(str, shape)) for shape in self.tags[0].inputs)

    @property
    def name(self) -> str:
        """What it computes, such as `relu conv2d batchnorm2d`."""
        return " ".join(tag.kind for tag in self.tags)


def units_of(graph: Graph) -> Counter[OperationUnit]:
    """How often each unit runs; two that differ in their paths alone are counted as one.

    What does not depend on the input is none: a runtime folds it to a constant.

    Example:
        >>> from torch import nn
        >>> from nasbench.network.graph import graph_of
        >>> from nasbench.task import Signal
        >>> first = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU()
        >>> net = nn.Sequential(*first, nn.Conv2d(8, 8, 1))
        >>> units = units_of(graph_of(net, Signal("image", (3, 8, 8), "uint8")))
        >>> [unit.name for unit in units]
        ['conv2d batchnorm2d relu', 'conv2d']
    """
    operations = graph.operations
    readers = Counter(source for one in operations for source in one.sources)
    rows: list[list[Operation]] = []
    ends: dict[int, list[Operation]] = {}  # by the place of a row's last operation
    hears = {-1}  # places of operations that depend on the input
    for place, one in enumerate(operations):
        if hears.intersection(one.sources):
            hears.add(place)
        if not one.written_bytes or place not in hears:
            continue
        row = ends.pop(one.sources[0], None) if len(one.sources) == 1 else None
        alone = len(one.sources) == 1 and readers[one.sources[0]] == 1
        if row is None or not one.module or not alone or not _goes_on(row, one):
            row = []
            rows.append(row)
        row.append(one)
        if one.module:
            ends[place] = row
    found: Counter[OperationUnit] = Counter()
    first: dict[str, OperationUnit] = {}
    for row in rows:
        unit = _unit(row)
        found[first.setdefault(unit.key, unit)] += 1
    return found


def _goes_on(row: list[Operation], one: Operation) -> bool:
    """Whether a runtime would run an operation with those before it."""
    kinds = [other.tag.kind for other in row]
    has_product = any(other.multiply_adds for other in row)
    if one.multiply_adds:
        return not has_product and kinds[-1] in ACTIVATIONS
    if one.tag.kind in NORMS:
        return bool(row[-1].multiply_adds)
    return (
        one.tag.kind in ACTIVATIONS
        and kinds[-1] not in ACTIVATIONS
        and (has_product or kinds[-1] in NORMS)
    )


def _unit(row: list[Operation]) -> OperationUnit:
    weights, written = sum(one.weight_bytes for one in row), row[-1].written_bytes
    given = row[0].read_bytes - row[0].weight_bytes
    # Of an embedding's rows only those are read that come out.
    read = min(weights, written) if row[0].tag.kind == "embedding" else weights
    return OperationUnit(
        tuple(one.tag for one in row),
        tuple(one.module for one in row),
        row[-1].outputs[0],
        weights,
        sum(one.multiply_adds for one in row),
        max(given, 0) + read + written,
    )
