"""The cells of DARTS: a normal and a reduction cell, written as their papers write genotypes."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import combinations
from types import MappingProxyType
from typing import Any

from nasbench.errors import BadValue, NasbenchError, shown, unknown
from nasbench.space.drawing import DrawnBlock, DrawnStage
from nasbench.space.published import PublishedSpace
from nasbench.space.rules import Value

__all__ = ["DARTS_OPERATIONS", "NAMED", "DartsSpace", "darts", "darts_mini"]

DARTS_OPERATIONS = (
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
"""Of DARTS, whose `none` takes part in its search alone."""

CELLS = ("normal", "reduce")

_LONGEST = 10_000
"""Characters of a genotype: more is none."""
_FIELDS = ("normal", "normal_concat", "reduce", "reduce_concat")


class DartsSpace(PublishedSpace):
    """Pairs of cells whose nodes each take two earlier states and an operation for each.

    Liu, Simonyan & Yang, "DARTS: Differentiable Architecture Search", ICLR 2019. States 0 and 1
    of a cell are the outputs of the two cells before it; node `n` of `nodes` makes state `n + 2`
    as the sum of two operations on two different states, and the cell's output holds all nodes.

    Node `n` of a cell has three decisions: `normal.n2.inputs` is a pair of states such as `0+1`,
    smaller first, so that the order of the two says nothing; `normal.n2.first` is the operation
    on the smaller and `normal.n2.second` that on the larger.

    Args:
        name: of the space.
        nodes: of each cell.
        operations: by their names in DARTS.
        genotypes: of published cells, by name.

    Example:
        >>> DartsSpace("darts-mini", 2, DARTS_OPERATIONS[:4]).size
        589824
    """

    def __init__(
        self,
        name: str,
        nodes: int = 4,
        operations: Sequence[str] = DARTS_OPERATIONS,
        genotypes: Mapping[str, str] | None = None,
    ) -> None:
        self.nodes = nodes
        self.operations = tuple(operations)
        decisions: dict[str, Sequence[str]] = {}
        for cell in CELLS:
            for state in range(2, nodes + 2):
                pairs = [f"{a}+{b}" for a, b in combinations(range(state), 2)]
                decisions[f"{cell}.n{state}.inputs"] = pairs
                decisions[f"{cell}.n{state}.first"] = self.operations
                decisions[f"{cell}.n{state}.second"] = self.operations
        self._genotypes = genotypes or {}
        super().__init__(name, decisions, {})
        self.stages = tuple(
            DrawnStage(
                f"{cell}\nstate {state}\nof {{{cell}.n{state}.inputs}}",
                tuple(
                    DrawnBlock(f"{{{name}}}", name)
                    for name in (f"{cell}.n{state}.first", f"{cell}.n{state}.second")
                ),
                follows=False,
            )
            for cell in CELLS
            for state in range(2, nodes + 2)
        )

    @cached_property
    def named(self) -> Mapping[str, int]:
        """The published cells by name."""
        return {name: self.from_genotype(text) for name, text in self._genotypes.items()}

    def index(self, string: str) -> int:
        """The architecture that a string, a genotype or a published name writes.

        Raises:
            NasbenchError: where it is none of them.
        """
        if string.lstrip().startswith("Genotype"):
            return self.from_genotype(string)
        return super().index(string)

    def from_genotype(self, text: str) -> int:
        """The architecture of a genotype in the form in which DARTS publishes them.

        Nothing of the text is run: it is parsed, and has to be a `Genotype` of literals.

        Args:
            text: as `Genotype(normal=[('sep_conv_3x3', 1), ...], normal_concat=[2, 3, 4, 5],
                reduce=[...], reduce_concat=range(2, 6))`.

        Raises:
            BadValue: where it is no genotype, or one of another space.
            UnknownName: for an operation that the space does not have.
        """
        fields = _parse(text)
        for cell in CELLS:
            states = list(range(2, self.nodes + 2))
            if fields[f"{cell}_concat"] != states:
                raise BadValue(
                    f"cells of {self.name} put out the states {states}, and {cell}_concat is "
                    f"{shown(fields[f'{cell}_concat'])}"
                )
        choices: dict[str, Value] = {}
        for cell in CELLS:
            choices |= self._cell(cell, fields[cell])
        return self.made_of(choices)

    def _cell(self, cell: str, edges: Any) -> dict[str, str]:
        """The choices that the edges of a cell make: two `(operation, state)` for each node."""
        if not isinstance(edges, list) or len(edges) != 2 * self.nodes:
            raise BadValue(
                f"a cell of {self.name} has {2 * self.nodes} pairs of an operation and a state, "
                f"and {cell} is {shown(edges)}"
            )
        choices = {}
        for state in range(2, self.nodes + 2):
            pair = [self._edge(cell, state, edge) for edge in edges[2 * state - 4 : 2 * state - 2]]
            (low, first), (high, second) = sorted(pair)
            if low == high:
                raise BadValue(
                    f"state {state} of {cell} takes state {low} twice: its two inputs differ in "
                    f"{self.name}"
                )
            choices[f"{cell}.n{state}.inputs"] = f"{low}+{high}"
            choices[f"{cell}.n{state}.first"] = first
            choices[f"{cell}.n{state}.second"] = second
        return choices

    def _edge(self, cell: str, state: int, edge: Any) -> tuple[int, str]:
        """The state that an edge comes from, and its operation."""
        if not isinstance(edge, tuple) or list(map(type, edge)) != [str, int]:
            raise BadValue(f"{cell} has pairs of an operation and a state, got {shown(edge)}")
        operation: str = edge[0]
        source: int = edge[1]
        if operation not in self.operations:
            raise unknown(f"operation of {self.name}", operation, self.operations)
        if not 0 <= source < state:
            raise BadValue(
                f"state {state} of {cell} can take the states 0 to {state - 1}, got {source}"
            )
        return source, operation

    def genotype(self, architecture: int) -> str:
        """An architecture in the form in which DARTS publishes genotypes; `index` reads it.

        Example:
            >>> space = DartsSpace("tiny", 1, ["skip_connect", "sep_conv_3x3"])
            >>> print(space.genotype(1))
            Genotype(normal=[('skip_connect', 0), ('skip_connect', 1)], normal_concat=[2], \
reduce=[('skip_connect', 0), ('sep_conv_3x3', 1)], reduce_concat=[2])
        """
        taken = dict(zip(self.decisions, self.string(architecture).split(":"), strict=True))
        written = []
        for cell in CELLS:
            edges = []
            for state in range(2, self.nodes + 2):
                sources = taken[f"{cell}.n{state}.inputs"].split("+")
                for side, source in zip(("first", "second"), sources, strict=True):
                    edges.append((taken[f"{cell}.n{state}.{side}"], int(source)))
            written += [f"{cell}={edges}", f"{cell}_concat={list(range(2, self.nodes + 2))}"]
        return f"Genotype({', '.join(written)})"


def _parse(text: str) -> dict[str, Any]:
    """The four fields of a genotype; raises BadValue where the text is none."""
    why = f"it has {' and '.join(_FIELDS)} as lists of literals"
    if len(text) > _LONGEST:
        raise BadValue(f"a genotype has at most {_LONGEST:,} characters, got {len(text):,}")
    try:
        call = ast.parse(text.strip(), mode="eval").body
        if not isinstance(call, ast.Call) or call.args or ast.unparse(call.func) != "Genotype":
            raise BadValue(f"not a genotype: {shown(text)}; {why}")
        fields = {str(field.arg): _literal(field.value) for field in call.keywords}
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError) as error:
        if isinstance(error, NasbenchError):
            raise
        raise BadValue(f"not a genotype: {shown(text)}; {why}") from error
    if sorted(fields) != sorted(_FIELDS) or len(call.keywords) != len(_FIELDS):
        raise BadValue(f"not a genotype: {shown(text)}; {why}")
    return fields


def _literal(node: ast.expr) -> Any:
    """A literal, or the numbers of `range(a, b)`, which DARTS prints, too."""
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "range" and not node.keywords:
        bounds = [ast.literal_eval(bound) for bound in node.args]
        if not all(type(bound) is int and 0 <= bound < _LONGEST for bound in bounds):
            raise ValueError("a range of a genotype is short")
        return list(range(*bounds))
    return ast.literal_eval(node)


_V1 = (
    "Genotype(normal=[('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('skip_connect', 0), "
    "('sep_conv_3x3', 1), ('skip_connect', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), "
    "('skip_connect', 2)], normal_concat=[2, 3, 4, 5], reduce=[('max_pool_3x3', 0), "
    "('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 0), ('max_pool_3x3', 0), "
    "('skip_connect', 2), ('skip_connect', 2), ('avg_pool_3x3', 0)], "
    "reduce_concat=[2, 3, 4, 5])"
)
_V2 = (
    "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), "
    "('sep_conv_3x3', 1), ('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), "
    "('dil_conv_3x3', 2)], normal_concat=[2, 3, 4, 5], reduce=[('max_pool_3x3', 0), "
    "('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), ('max_pool_3x3', 0), "
    "('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], "
    "reduce_concat=[2, 3, 4, 5])"
)
NAMED: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {"darts": {"darts-v1": _V1, "darts-v2": _V2}}
)
"""Published cells: by space and by name, their genotypes."""


def darts() -> DartsSpace:
    """The space of DARTS: four nodes, seven operations, 1.08e18 pairs of cells."""
    return DartsSpace("darts", genotypes=NAMED["darts"])


def darts_mini() -> DartsSpace:
    """Cells of two nodes and the first four operations of DARTS: 589,824 pairs."""
    return DartsSpace("darts-mini", 2, DARTS_OPERATIONS[:4])
