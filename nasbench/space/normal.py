"""When do two cells compute the same function with the same weights?

A node's value is a sum of *terms* with multiplicity. A term is the cell's input, a
convolution on a certain edge, the shift that BatchNorm makes of a convolution of zeros
(whatever its kernel), or the average pooling of a term. Skips vanish in the sum, pooling
distributes over it (it is linear, since padding is not counted) and leaves what is the same
at every position as it is: a shift, and a 1 x 1 convolution of nothing but such terms.
Each convolution has weights of its own, so it is known by its edge: twice the same
convolution is not two convolutions.

Two cells are the same function with the same weights exactly where some renaming of the
edges makes their sums equal. The normal form is the least one over the renamings; only
convolutions whose unfolded inputs look alike need to be tried in more than one order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import permutations, product
from typing import NamedTuple

__all__ = ["NormalForm", "Normalizer"]


class _Term(NamedTuple):
    """`pools` average poolings of a leaf: the input (edge -1) or what edge `edge` makes."""

    pools: int
    edge: int


_Sum = tuple[tuple[_Term, int], ...]  # sorted terms with their multiplicity
_INPUT = _Term(0, -1)
_SHIFT = "shift"


class _Convolution(NamedTuple):
    """`look` numbers the kernel with the unfolded input, which says nothing of edges."""

    kernel: str  # or _SHIFT
    input: _Sum
    look: int
    flat: bool  # the same at every position, so that pooling leaves it as it is


class _Node(NamedTuple):
    """A node's value, and the convolution of every edge up to it that holds one."""

    value: _Sum
    convolutions: dict[int, _Convolution]


class NormalForm(NamedTuple):
    """`key` is equal for two cells of a space exactly where they are one function.

    `order` lists the edges that own live weights such that, between cells of one key, the
    weights of an edge belong to the edge at the same place; `live_edges` counts the edges
    that are neither `none`, nor fed by zeros, nor dead ends.
    """

    key: object
    order: tuple[int, ...]
    live_edges: int


class Normalizer:
    """Normal forms of cells with `nodes` nodes; forms of one normalizer can be compared.

    Args:
        nodes: nodes of the cell.
    """

    def __init__(self, nodes: int) -> None:
        self._nodes = nodes
        self._looks: dict[object, int] = {}
        root = _Node(((_INPUT, 1),), {})
        self._prefixes: dict[tuple[str, ...], tuple[_Node, ...]] = {(): (root,)}

    def form(self, operations: Sequence[str]) -> NormalForm:
        """The normal form of the cell with these operations, one an edge."""
        nodes = self._values(tuple(operations))
        output = nodes[-1]
        live = _live(output)
        groups: dict[int, list[int]] = {}
        for edge in live:
            groups.setdefault(output.convolutions[edge].look, []).append(edge)
        alike = [groups[look] for look in sorted(groups)]
        key, order = min(_written(output, order) for order in _orders(alike))
        return NormalForm(key, order, _count_live(operations, nodes))

    def _convolution(
        self, kernel: str, value: _Sum, before: dict[int, _Convolution]
    ) -> _Convolution:
        if not value:
            kernel = _SHIFT
        flat = kernel == _SHIFT or (
            kernel == "nor_conv_1x1" and all(t.edge >= 0 and before[t.edge].flat for t, _ in value)
        )
        terms = [(t.pools, before[t.edge].look if t.edge >= 0 else -1, n) for t, n in value]
        look = (kernel, tuple(sorted(terms)))
        return _Convolution(kernel, value, self._looks.setdefault(look, len(self._looks)), flat)

    def _values(self, operations: tuple[str, ...]) -> tuple[_Node, ...]:
        """The value of every node; a cell without its last node is looked up, not redone."""
        known = self._prefixes.get(operations)
        if known is not None:
            return known
        # n nodes have n (n - 1) / 2 edges; the last node has n - 1 of them.
        target = next(n for n in range(1, self._nodes) if n * (n + 1) // 2 == len(operations))
        before = self._values(operations[: len(operations) - target])
        first = len(operations) - target
        terms: Counter[_Term] = Counter()
        convolutions = dict(before[-1].convolutions)
        for source in range(target):
            operation, value = operations[first + source], before[source].value
            if operation == "skip_connect":
                terms.update(dict(value))
            elif operation == "avg_pool_3x3":
                for term, count in value:
                    flat = term.edge >= 0 and convolutions[term.edge].flat
                    terms[term if flat else _Term(term.pools + 1, term.edge)] += count
            elif operation != "none":
                edge = first + source
                convolutions[edge] = self._convolution(operation, value, convolutions)
                terms[_Term(0, edge)] += 1
        nodes = (*before, _Node(tuple(sorted(terms.items())), convolutions))
        if target < self._nodes - 1:
            self._prefixes[operations] = nodes
        return nodes


def _count_live(operations: Sequence[str], nodes: tuple[_Node, ...]) -> int:
    """How many edges are neither `none`, nor fed by zeros, nor dead ends."""
    edge = len(operations)
    reaching = {len(nodes) - 1}
    count = 0
    for target in range(len(nodes) - 1, 0, -1):
        edge -= target
        if target not in reaching:
            continue
        for source in range(target):
            operation = operations[edge + source]
            if operation != "none" and nodes[source].value:
                reaching.add(source)
                count += 1
            elif operation.startswith("nor_conv"):
                count += 1
    return count


def _live(output: _Node) -> list[int]:
    """Edges of the convolutions that reach the output, ascending."""
    found: set[int] = set()
    waiting = [output.value]
    while waiting:
        for term, _ in waiting.pop():
            if term.edge >= 0 and term.edge not in found:
                found.add(term.edge)
                waiting.append(output.convolutions[term.edge].input)
    return sorted(found)


def _orders(groups: list[list[int]]) -> Iterator[tuple[int, ...]]:
    """Every order of the edges that keeps the groups in place."""
    for chosen in product(*(permutations(group) for group in groups)):
        yield tuple(edge for group in chosen for edge in group)


def _renamed(value: _Sum, names: dict[int, int]) -> _Sum:
    return tuple(sorted((_Term(t.pools, names.get(t.edge, -1)), n) for t, n in value))


def _written(output: _Node, order: tuple[int, ...]) -> tuple[object, tuple[int, ...]]:
    """The cell with its convolutions renamed 0, 1, ... in this order."""
    names = {edge: name for name, edge in enumerate(order)}
    inputs = tuple(
        (output.convolutions[edge].kernel, _renamed(output.convolutions[edge].input, names))
        for edge in order
    )
    return (inputs, _renamed(output.value, names)), order
