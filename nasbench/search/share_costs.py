"""What architectures cost by the columns of a table, as strategies that share weights see it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import BadValue, unknown
from nasbench.search.goal import is_test
from nasbench.search.oracle import column_of
from nasbench.space import Space
from nasbench.table import Table

__all__ = ["Costs", "linear_cost"]


class _Column(NamedTuple):
    values: NDArray[np.float64]  # [rows]
    base: float
    of_choice: NDArray[np.float64]  # [decisions, most choices]


class Costs:
    """Columns of a table by architecture: its own value, else the sum of its choices.

    Args:
        table: that has the columns.
        metrics: their names, as goals name them.
        recipe: of the table, for metrics that a recipe has.

    Raises:
        NasbenchError: for a column that the table does not have, or a test metric.

    Example:
        >>> import nasbench as nb
        >>> table = nb.load("nb201-fashion16")
        >>> costs = Costs(table, ["flops"], table.recipes[0])
        >>> costs.of("flops", np.asarray([0])) == table.values("flops", [0])
        array([ True])
    """

    def __init__(self, table: Table, metrics: Iterable[str], recipe: str) -> None:
        self._space = table.space
        self._row = table.row
        self._columns: dict[str, _Column] = {}
        for metric in dict.fromkeys(metrics):
            if is_test(metric):
                raise BadValue(f"{metric} is kept for the report: no search may see it")
            values = np.asarray(column_of(table, metric, recipe), dtype=np.float64)
            if not np.isfinite(values).any():
                raise BadValue(f"{table.name} has no value of {metric}: nothing is known of it")
            self._columns[metric] = _Column(values, *linear_cost(table.space, table.rows, values))

    def _column(self, metric: str) -> _Column:
        if metric not in self._columns:
            raise unknown("cost", metric, self._columns)
        return self._columns[metric]

    def of(self, metric: str, architectures: NDArray[Any]) -> NDArray[np.float64]:
        """The cost of each architecture `[n]`; of those without a value, the sum of choices."""
        column = self._column(metric)
        rows = np.asarray(self._row(architectures))
        own = np.where(rows >= 0, column.values[rows], np.nan)
        ops = self._space.ops(architectures).astype(np.int64)
        estimated = column.base + column.of_choice[np.arange(ops.shape[-1]), ops].sum(-1)
        cost: NDArray[np.float64] = np.where(np.isfinite(own), own, estimated)
        return cost

    def __deepcopy__(self, memo: object) -> Costs:
        """Itself: nothing here changes, and an open table has no copy."""
        return self

    def lowest(self, metric: str) -> float:
        """The least that the table knows."""
        return float(np.nanmin(self._column(metric).values))

    def per_choice(self, metric: str) -> tuple[float, NDArray[np.float64]]:
        """The cost of the cheapest choices together, and what each choice adds.

        Returns:
            A number, and `[decisions, most choices]`: fitted to the column by least squares.
        """
        column = self._column(metric)
        return column.base, column.of_choice.copy()


def linear_cost(
    space: Space, rows: NDArray[Any], values: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """A cost as a sum: of the cheapest choices, and what each of the others adds.

    Args:
        space: of the architectures.
        rows: architectures.
        values: of each; NaN where unknown.

    Returns:
        The base, and `[decisions, most choices]`, 0 for the cheapest choice of each decision.
    """
    known = np.isfinite(values)
    ops = space.ops(rows[known])
    columns = [ops == choice for choice in range(max(space.choices))]
    design = np.stack(columns, -1).reshape(len(ops), -1).astype(np.float64)
    ones = np.ones((len(ops), 1))
    fitted, *_ = np.linalg.lstsq(np.hstack([ones, design]), values[known], rcond=None)
    weights: NDArray[np.float64] = np.asarray(fitted[1:]).reshape(len(space.choices), -1)
    for decision, choices in enumerate(space.choices):
        weights[decision, choices:] = 0
        least = weights[decision, :choices].min()
        weights[decision, :choices] -= least
        fitted[0] += least
    return float(max(fitted[0], 0.0)), weights
