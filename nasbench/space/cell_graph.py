"""A cell as a graph, and what of it matters."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["SHIFT", "CellGraph", "Edge", "pruned"]

SHIFT = "shift"
"""A convolution of an always-zero node: BatchNorm's shift is all that is left of it."""


@dataclass(frozen=True, slots=True)
class Edge:
    """An operation from node `source` to node `target`.

    Example:
        >>> Edge(0, 1, "nor_conv_3x3").operation
        'nor_conv_3x3'
    """

    source: int
    target: int
    operation: str


@dataclass(frozen=True, slots=True)
class CellGraph:
    """The edges of a cell with `nodes` nodes, in the order in which its string names them.

    Example:
        >>> edges = Edge(0, 1, "none"), Edge(0, 2, "skip_connect"), Edge(1, 2, "nor_conv_1x1")
        >>> [edge.operation for edge in pruned(CellGraph(3, edges)).edges]
        ['skip_connect', 'shift']
    """

    nodes: int
    edges: tuple[Edge, ...]


def pruned(graph: CellGraph) -> CellGraph:
    """The edges that matter: fed by more than zeros, and with a way to the output."""
    nonzero = {0}
    fed: list[Edge] = []
    for edge in graph.edges:  # ordered by target, so a source is settled before it is used
        if edge.operation == "none":
            continue
        if edge.source in nonzero:
            fed.append(edge)
        elif edge.operation.startswith("nor_conv"):
            fed.append(Edge(edge.source, edge.target, SHIFT))
        else:
            continue
        nonzero.add(edge.target)
    reaching = {graph.nodes - 1}
    live: list[Edge] = []
    for edge in reversed(fed):
        if edge.target in reaching:
            live.append(edge)
            if edge.operation != SHIFT:
                reaching.add(edge.source)
    return CellGraph(graph.nodes, tuple(reversed(live)))
