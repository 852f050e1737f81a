"""What the same strategies found on several tables, and which does best over them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nasbench._result import Result
from nasbench.search.comparison import Comparison
from nasbench.stats import Friedman, Pair, compare_pairs, friedman

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Comparisons"]


@dataclass(frozen=True, repr=False)
class Comparisons(Result):
    """Runs of the same strategies on several tables, and which strategy does best over them.

    Attributes:
        tables: for each table what was run on it, by the table's name, with the start of its
            hash where several have the name.
        absent: for each table the strategies that cannot search it, and why, in a sentence.

    Example:
        >>> import nasbench as nb
        >>> table = nb.load("nb201-fashion16")
        >>> found = nb.compare(["random_search"], [table], budget_evaluations=3, seeds=[0])
        >>> list(found.tables), found.strategies
        (['nb201-fashion16'], ['random_search'])
    """

    tables: Mapping[str, Comparison]
    absent: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def __repr__(self) -> str:
        names = ", ".join(self.strategies)
        return f"<Comparisons of {names} on {', '.join(self.tables)}>"

    def frame(self) -> pd.DataFrame:
        """A row a run, of all tables: `table`, then the columns of `Comparison.frame`."""
        import pandas as pd

        frames = [one.frame().assign(table=name) for name, one in self.tables.items()]
        whole = pd.concat(frames, ignore_index=True)
        return whole[["table", *(name for name in whole.columns if name != "table")]]

    @property
    def strategies(self) -> list[str]:
        """Those that ran on every table."""
        first, *others = self.tables.values()
        return [name for name in first.traces if all(name in of.traces for of in others)]

    @property
    def partial(self) -> list[str]:
        """Those that ran on some of the tables only."""
        every = dict.fromkeys(name for of in self.tables.values() for name in of.traces)
        return [name for name in every if name not in self.strategies]

    @property
    def alike(self) -> bool:
        """Whether one unit measures what is scored on all tables, as points of accuracy do."""
        metrics = {(of.goal.metric, of.goal.targets) for of in self.tables.values()}
        return len(metrics) == 1

    @property
    def broken(self) -> dict[str, str]:
        """Strategies that do not keep their contract, and what each did last."""
        return {name: why for of in self.tables.values() for name, why in of.broken.items()}

    @property
    def scored(self) -> str:
        """What strategies are told apart by."""
        scored = next(iter(self.tables.values())).scored
        return scored if self.alike else f"{scored} in % of one random draw's"

    def scores_on(self, name: str) -> dict[str, NDArray[np.float64]]:
        """The scores of the runs on one of the tables, `[runs]` by strategy, the less the better.

        Where not all tables are scored in one unit, regret is given as a share, in percent, of
        what one architecture drawn at random is expected to have on that table.
        """
        table = self.tables[name]
        if self.alike or table.fronts:
            return table.scores
        drawn = table.one_draw["regret"][0]
        whole = 100 / drawn if drawn > 0 else np.nan
        return {strategy: whole * scores for strategy, scores in table.scores.items()}

    def means(self, strategy: str) -> NDArray[np.float64]:
        """Mean score on each table, `[tables]`; NaN where all runs failed, or there are none.

        Runs that found nothing are left out of the mean.
        """
        found = []
        for name in self.tables:
            scores = self.scores_on(name).get(strategy, np.empty(0))
            known = scores[np.isfinite(scores)]
            found.append(known.mean() if len(known) else np.nan)
        return np.asarray(found)

    @cached_property
    def scores(self) -> dict[str, NDArray[np.float64]]:
        """Mean score on each table of each strategy that ran on all of them, `[tables]`."""
        return {strategy: self.means(strategy) for strategy in self.strategies}

    @cached_property
    def ranks(self) -> Friedman:
        """Friedman's test with Nemenyi's: blocks are tables."""
        return friedman(self.scores)

    @cached_property
    def pairs(self) -> list[Pair]:
        """Wilcoxon's signed ranks over tables for each pair, corrected by Holm."""
        return compare_pairs(self.scores, paired=True)

    def summary(self) -> dict[str, Any]:
        """What `summary.json` holds: of each table what it holds of one, and what is over them."""
        return {
            "tables": {name: table.summary() for name, table in self.tables.items()},
            **({"absent": absent} if (absent := self._absent()) else {}),
            "ranks": self.ranks.describe() if self.strategies else None,
            "pairs": [
                {
                    "first": pair.first,
                    "second": pair.second,
                    "difference": pair.difference.describe(),
                    "wins": pair.wins.describe(),
                    "p": pair.p,
                    "p_holm": pair.p_holm,
                    "note": pair.note,
                }
                for pair in (self.pairs if self.strategies else ())
            ],
        }

    def _absent(self) -> dict[str, dict[str, str]]:
        return {name: dict(why) for name, why in self.absent.items() if why}
