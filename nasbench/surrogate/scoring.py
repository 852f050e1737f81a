"""How well a surrogate predicts rows that it has not seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nasbench._result import Result
from nasbench.errors import NasbenchError
from nasbench.space import Architectures
from nasbench.stats import Agreement, Ceiling, agreement, bootstrap_agreement, noise_ceiling
from nasbench.surrogate.surrogate import Surrogate
from nasbench.surrogate.uncertainty import covered
from nasbench.table import Table, trained_column, trained_values

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LEVEL", "Score", "ceiling_of", "score"]

LEVEL = 0.9
"""Of the intervals whose coverage is stated."""


@dataclass(frozen=True, eq=False, slots=True, repr=False)
class Score(Result):
    """Predictions against what a table holds, on rows that no model saw.

    Attributes:
        metric: what is predicted.
        architectures: the rows, `[n]`.
        measured: means over seeds, float64 `[n]`.
        predicted: float64 `[n]`.
        agreement: of the two.
        intervals: by measure, the bootstrap interval (95 %) over architectures.
        coverage: the share of single trainings within their 90 % interval; each row counts
            once.
        ceiling: what seed noise leaves to be reached; None where seeds are not known.
        trained_on: how many rows the surrogate was fitted on.
        table: that has what was measured.

    Example:
        >>> import nasbench as nb
        >>> table = nb.load("policy-cartpole")
        >>> found = score(nb.fit(table, train=20, metric="parameters"), table)
        >>> found.metric, found.trained_on, found.agreement.n
        ('parameters', 20, 160)
    """

    metric: str
    architectures: Architectures
    measured: NDArray[np.float64]
    predicted: NDArray[np.float64]
    agreement: Agreement
    intervals: dict[str, tuple[float, float]]
    coverage: float
    ceiling: Ceiling | None
    trained_on: int
    table: Table

    def __repr__(self) -> str:
        found = self.agreement
        return (
            f"<Score of {self.metric} on {found.n:,} rows of {self.table.name}: Kendall's tau "
            f"{found.kendall:.3f}, R2 {found.r2:.3f}>"
        )

    def frame(self) -> pd.DataFrame:
        """A row an architecture: its number, its string, what was measured and predicted."""
        import pandas as pd

        strings = [self.table.space.string(one) for one in self.architectures.tolist()]
        return pd.DataFrame(
            {
                "architecture": self.architectures,
                "string": strings,
                "measured": self.measured,
                "predicted": self.predicted,
            }
        )

    def describe(self) -> dict[str, Any]:
        """The numbers without the rows; plain JSON values."""
        return {
            "metric": self.metric,
            "trained_on": self.trained_on,
            **self.agreement.describe(),
            "intervals": {name: list(ends) for name, ends in self.intervals.items()},
            "coverage": self.coverage,
            "ceiling": self.ceiling.describe() if self.ceiling else None,
        }


def score(surrogate: Surrogate, table: Table, metric: str | None = None) -> Score:
    """Score a surrogate on the rows of a table that it was not fitted on.

    Args:
        surrogate: fitted on a table of the same space.
        table: of measured values.
        metric: that it predicts; its primary one where left out.

    Example:
        >>> import nasbench as nb
        >>> table = nb.load("policy-cartpole")
        >>> score(nb.fit(table, train=90, metric="parameters"), table).agreement.n
        90
    """
    metric = metric or surrogate.primary
    if surrogate.space.describe() != table.space.describe():
        raise NasbenchError(
            f"the surrogate is of {surrogate.space.name}, {table.name} of {table.space.name}"
        )
    recipe = surrogate.recipe
    column = trained_column(table, metric, recipe=recipe)
    rows = table.space.check(table.rows)
    # Rows of one class are one network: a class that was fitted on is not scored on.
    seen = np.unique(table.space.canonical(surrogate.trained_on))
    fresh = ~np.isin(table.space.canonical(rows), seen) & np.isfinite(column)
    if fresh.sum() < 3:
        raise NasbenchError(
            f"{table.name} has {int(fresh.sum())} trained rows that the surrogate was not fitted "
            f"on; 3 are needed: fit it on fewer"
        )
    predicted = surrogate.predict(metric, rows[fresh])
    trained = trained_values(table, metric, rows[fresh], recipe=recipe)
    low, high = surrogate.interval(metric, rows[fresh], LEVEL)
    return Score(
        metric=metric,
        architectures=rows[fresh],
        measured=column[fresh],
        predicted=predicted,
        agreement=agreement(column[fresh], predicted),
        intervals=bootstrap_agreement(column[fresh], predicted),
        coverage=covered(trained, low, high),
        ceiling=ceiling_of(trained),
        trained_on=len(surrogate.trained_on),
        table=table,
    )


def ceiling_of(trained: NDArray[np.float64]) -> Ceiling | None:
    """What seed noise leaves to be reached, `[n, seeds]`; None where it is not known."""
    several = trained.shape[1] > 1 and np.isfinite(trained).all(1).sum() > 1
    return noise_ceiling(trained) if several else None
