"""Searches that know a zero-cost proxy's scores beforehand: as a prior, and as a filter."""

from __future__ import annotations

import inspect
import math
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench._words import rounded
from nasbench.errors import BadValue, NasbenchError
from nasbench.search.among import Buildable, among
from nasbench.search.arrival import arrived
from nasbench.search.goal import as_floats
from nasbench.search.growing import Growing, SmallerSpace
from nasbench.search.strategy import Goal, Outcome, Query, Strategy, strategy_class
from nasbench.search.warm_start import begin, drawing_from
from nasbench.space import Architectures, Space
from nasbench.table import Table

__all__ = ["Prior", "Screened", "begin_known", "takes_scores"]

OWN_WAY = "scores"
"""A strategy whose constructor has a parameter of this name makes use of scores itself."""

PATIENCE = 10_000
"""So many queries in a row that the filter keeps back end a search."""

REPEATS = 500
"""So many in a row that it kept back before end a search among rows: nothing else is proposed."""


@dataclass(frozen=True, slots=True)
class Prior:
    """What is known before a search.

    Attributes:
        proxy: of the searched table, `proxy/<name>`.
        keep: the share of the space's scored architectures, the best by the proxy, that are
            trained; 1 keeps nothing back.
    """

    proxy: str
    keep: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.keep <= 1:
            raise NasbenchError(f"a filter keeps a share above 0 and up to 1, got {self.keep}")
        as_floats(self, "keep")

    def __str__(self) -> str:
        use = f"the scores of {self.proxy}, to strategies that take them"
        kept = f"; only the best {rounded(100 * self.keep, 3)} % by them are trained"
        return use if self.keep == 1 else use + kept

    def scores(self, table: Table | None) -> NDArray[np.float64]:
        """Of each architecture of the table's space, the higher the better; NaN without one."""
        from nasbench.validity.scores import scores_of  # most searches have no use for it

        if table is None:
            raise NasbenchError("the proxies of a prior are read from a table: search on a --table")
        (rows,) = scores_of(table, [self.proxy]).values()
        table.space.check_listable("a score of each architecture")
        row = table.row(np.arange(table.space.size))
        scores: NDArray[np.float64] = np.where(row >= 0, rows[row], np.nan)
        return scores


def takes_scores(strategy: str) -> bool:
    """Whether a strategy makes use of scores itself."""
    return OWN_WAY in inspect.signature(strategy_class(strategy)).parameters


def begin_known(
    name: str,
    space: Space,
    goal: Goal,
    rng: np.random.Generator,
    parameters: Mapping[str, Any],
    start: tuple[int, ...] = (),
    scores: NDArray[np.float64] | None = None,
    keep: float = 1.0,
    rows: Architectures | None = None,
    begin_in: tuple[SmallerSpace, ...] = (),
) -> Strategy:
    """The strategy of that name, see `begin`, with what is known beforehand.

    Args:
        name: registered. A strategy that has a parameter `scores` gets them there.
        space: to search.
        goal: what is searched for.
        rng: the strategy's.
        parameters: the strategy's own.
        start: architectures that come before anything else; none is kept back.
        scores: a proxy's, of each architecture; None where nothing is known.
        keep: the share of the scored that is trained, see `Prior`.
        rows: which architectures can be searched; None: all of them.
        begin_in: smaller spaces that come first, without a start or scores.

    Raises:
        NasbenchError: as `begin`, and for a start that is not among the rows.
    """
    own = dict(parameters)
    if scores is not None and takes_scores(name):
        own.setdefault(OWN_WAY, scores)
    drawing = space
    # Strategies that put decisions together themselves can ask for what no one can build.
    kept: Container[int] | None = Buildable(space) if space.forbids else None
    if rows is not None:
        kept = frozenset(rows.tolist())
        lost = [architecture for architecture in start if architecture not in kept]
        if lost:
            raise BadValue(f"the start names architecture {lost[0]}, of which there is no row")
        drawing = among(space, rows)
    if begin_in and (start or scores is not None):
        raise BadValue(
            "a search that begins in a smaller space takes no start and no proxy: they are of the "
            "largest"
        )
    if scores is not None and keep < 1:
        best = np.flatnonzero(_best(scores, keep))
        these = best if rows is None else np.intersect1d(best, rows)
        these = np.union1d(these, np.asarray(start, dtype=np.int64))
        kept = frozenset(these.tolist())
        # As many as there are: then the search draws from all of them again.
        drawing = drawing_from(drawing, these, len(these))
    begun: Strategy
    if begin_in:
        begun = Growing(name, space, goal, rng, own, begin_in, rows)
    else:
        begun = begin(name, drawing, goal, rng, own, start)
    if kept is None:
        return begun
    return Screened(begun, goal, kept, repeats=PATIENCE if rows is None else REPEATS)


def _best(scores: NDArray[np.float64], share: float) -> NDArray[np.bool_]:
    """Which architectures are among the best of those that have scores."""
    scored = np.sort(scores[np.isfinite(scores)])[::-1]
    return np.asarray(scores >= scored[math.ceil(share * len(scored)) - 1])


class Screened:
    """Any strategy, of whose queries only some are trained.

    What the filter keeps back is told to the strategy at once as a training that diverged: it
    takes no time and is no evaluation. First random draws from the space are from what is kept,
    so that a strategy does not begin with many such.

    Args:
        strategy: whose queries they are.
        goal: gives the metrics of an outcome.
        kept: the architectures that may be trained.
        repeats: so many queries in a row that were kept back before end the search.
    """

    def __init__(
        self,
        strategy: Strategy,
        goal: Goal,
        kept: Container[int],
        *,
        repeats: int = PATIENCE,
    ) -> None:
        self._strategy = strategy
        self._diverged = Outcome(dict.fromkeys(goal.metrics, math.nan), 0.0)
        self._kept = kept
        self._repeats = repeats
        self._kept_back: set[int] = set()

    def ask(self) -> Query | None:
        """The next query that is kept; None after a long row of others, too."""
        again = 0
        for _ in range(PATIENCE):
            query = arrived(self._strategy.ask())
            if query is None or query.architecture in self._kept:
                return query
            again = again + 1 if query.architecture in self._kept_back else 0
            if again >= self._repeats:
                return None
            self._kept_back.add(query.architecture)
            self._strategy.tell(query, self._diverged)
        return None

    def tell(self, query: Query, outcome: Outcome) -> None:
        """What a query showed."""
        self._strategy.tell(query, outcome)
