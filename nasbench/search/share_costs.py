"""What architectures cost by the columns of a table, as strategies that share weights see it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import BadValue, unknown
from nasbench.search.goal import is_test
from nasbench.search.oracle import column_of
from nasbench.surrogate.choice_costs import ChoiceCosts
from nasbench.table import Table

__all__ = ["Costs"]


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
        self._rows = table.rows
        self._columns: dict[str, NDArray[np.float64]] = {}
        self._prices: dict[str, ChoiceCosts] = {}
        for metric in dict.fromkeys(metrics):
            if is_test(metric):
                raise BadValue(f"{metric} is kept for the report: no search may see it")
            values = np.asarray(column_of(table, metric, recipe), dtype=np.float64)
            if not np.isfinite(values).any():
                raise BadValue(f"{table.name} has no value of {metric}: nothing is known of it")
            self._columns[metric] = values

    def _column(self, metric: str) -> NDArray[np.float64]:
        if metric not in self._columns:
            raise unknown("cost", metric, self._columns)
        return self._columns[metric]

    def of(self, metric: str, architectures: NDArray[Any]) -> NDArray[np.float64]:
        """The cost of each architecture `[n]`; of those without a value, the sum of choices."""
        column = self._column(metric)
        rows = np.asarray(self._row(architectures))
        cost: NDArray[np.float64] = np.where(rows >= 0, column[rows], np.nan)
        missing = np.isnan(cost)
        if missing.any():
            prices = self.per_choice(metric)
            ops = self._space.ops(np.asarray(architectures)[missing]).astype(np.int64)
            each = prices.prices[np.arange(ops.shape[-1]), ops]
            cost[missing] = prices.base + each.sum(-1)
        return cost

    def __deepcopy__(self, memo: object) -> Costs:
        """Itself: nothing here changes, and an open table has no copy."""
        return self

    def lowest(self, metric: str) -> float:
        """The least that the table knows."""
        return float(np.nanmin(self._column(metric)))

    def per_choice(self, metric: str) -> ChoiceCosts:
        """What each choice adds to the cost, fitted to the column; see `ChoiceCosts`."""
        if metric not in self._prices:
            values = self._column(metric)
            self._prices[metric] = ChoiceCosts.fit(self._space, self._rows, values)
        return self._prices[metric]
