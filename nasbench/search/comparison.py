"""What searches that were run side by side found, and what it is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nasbench._files import read_json
from nasbench._journal import integer
from nasbench._result import Result
from nasbench._words import counted, rounded
from nasbench.errors import DamagedFile, NasbenchError
from nasbench.search.catalog import cautions, parameters_of
from nasbench.search.curves import Curves, common_grid
from nasbench.search.fronts import Fronts
from nasbench.search.goal import Goal
from nasbench.search.lookup import LookUp
from nasbench.search.oracle import Oracle
from nasbench.search.protocol import SearchProtocol
from nasbench.search.setting import Setting, header_of
from nasbench.search.share_runs import names_of_shares
from nasbench.search.shares import Shares
from nasbench.search.strategy import is_known
from nasbench.search.summary import frame_of, summary_of
from nasbench.search.trace import Trace, read_traces
from nasbench.space import Architectures
from nasbench.stats import (
    Estimate,
    Friedman,
    Pair,
    SeedNoise,
    compare_pairs,
    friedman,
    reached,
)
from nasbench.table import Table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["WITHIN", "Comparison"]

WITHIN = (0.5, 0.2, 0.1)
"""Points of validation accuracy within which a search is said to have reached the optimum."""


HERE = (
    "{} ran in the calling process, since no other can import what a notebook, a script or "
    "standard input defines: that its seed alone decides what it asks was tried there only"
)


class Comparison(Result):
    """Runs of several strategies, and what their incumbents are worth.

    Incumbents are the best seen on the search recipe; what they are worth is the mean over
    seeds at the end of the report recipe, looked up in the table after the runs. Regret is of
    the goal's own reward: of its metric, weighed by its soft targets where it has some.

    Attributes:
        table: where incumbents are looked up.
        setting: what the runs share.
        traces: for each strategy its runs, in the order of the seeds.
        broken: strategies that do not keep their contract, which have no runs here, and what
            each did, in a sentence.
        given: strategies that were given as classes or functions, and whether other processes
            can import each.
        shared: runs that share weights, priced by the table, which stand beside.

    Example:
        >>> import nasbench as nb
        >>> table = nb.load("nb201-fashion16")
        >>> found = nb.compare(["random_search"], table, budget_evaluations=3, seeds=range(2))
        >>> found.last["random_search"].shape, list(found.curves)
        ((2,), ['seconds', 'evaluations'])
    """

    def __init__(
        self,
        table: Table,
        setting: Setting,
        traces: Mapping[str, Sequence[Trace]],
        broken: Mapping[str, str] | None = None,
        oracle: Oracle | None = None,
        given: Mapping[str, bool] | None = None,
        shared: Sequence[Shares] = (),
    ) -> None:
        self.shared = shared
        self.given = given or {}
        self.broken = broken or {}
        self._opened = oracle
        self.table = table
        self.setting = setting
        self.traces = traces

    def __repr__(self) -> str:
        runs = counted(len(next(iter(self.traces.values()))), "run")
        found = ", ".join(
            f"{name} {rounded(_mean(scores))}" for name, scores in self.scores.items()
        )
        here = f"; {', '.join(self.here)} ran in this process" if self.here else ""
        return f"<Comparison on {self.table.name}, {runs} each; {self.scored}: {found}{here}>"

    @classmethod
    def load(cls, folder: str | Path) -> Comparison:
        """The comparison that `compare` kept in a folder."""
        folder = Path(folder)
        path = folder / "comparison.json"
        several = [] if path.exists() else sorted(folder.glob("tables/*/comparison.json"))
        if several:
            raise NasbenchError(
                f"{folder} compares on several tables: name one of them, such as "
                f"{several[0].parent}"
            )
        if not path.exists():
            raise NasbenchError(f"{folder} holds no comparison")
        kept = read_json(path, "comparison")
        try:
            names, seeds, broken = _kept_runs(kept)
            code, given = _kept_code(kept)
            setting = Setting.from_json(kept["setting"], folder)
            table = Table(setting.table)
            oracle = setting.oracle(table)
            traces = {}
            for name in names:
                runs = folder / "runs" / f"{name}.jsonl"
                found = read_traces(runs, header_of(setting, name, oracle, code.get(name)), oracle)
                traces[name] = [found[seed] for seed in seeds]
        except NasbenchError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            raise DamagedFile(f"the comparison in {folder} is not finished or damaged") from error
        return cls(table, setting, traces, broken, oracle, given)

    @property
    def here(self) -> tuple[str, ...]:
        """Strategies that no other process can import: one process ran them all.

        Whether they ask the same for the same seed was tried in that one alone.
        """
        return tuple(name for name, anywhere in self.given.items() if not anywhere)

    @property
    def protocol(self) -> SearchProtocol:
        """How the searches were run."""
        return self.setting.protocol

    @cached_property
    def oracle(self) -> Oracle:
        """What was searched."""
        return self._opened or self.setting.oracle(self.table)

    @cached_property
    def lookup(self) -> LookUp:
        """What incumbents are looked up in."""
        return LookUp.of(self.table, self.protocol)

    @property
    def report_recipe(self) -> str:
        """The recipe by which incumbents are looked up."""
        return self.lookup.report_recipe

    @cached_property
    def remarks(self) -> tuple[str, ...]:
        """Sentences that were known before the first run and help to read the numbers."""
        names = [name for name in self.traces if is_known(name)]
        here = (HERE.format(", ".join(self.here)),) if self.here else ()
        return (
            *here,
            *cautions(names, self.goal),
            *self.lookup.check(self.oracle, self.also.values()),
        )

    @cached_property
    def goal(self) -> Goal:
        """What was searched for."""
        return self.protocol.goal()

    @property
    def optimum(self) -> float:
        """The goal's metric at its best among rows within the limits; softened by its targets."""
        return self.lookup.best if self.goal.maximize else -self.lookup.best

    @property
    def has_regret(self) -> bool:
        """Whether the report recipe knows what the goal rewards."""
        return self.lookup.has_regret

    @property
    def one_draw(self) -> dict[str, tuple[float, float]]:
        """What one architecture drawn at random is worth: by metric, exact mean and deviation."""
        return self.lookup.one_draw

    @property
    def noise(self) -> SeedNoise | None:
        """What seeds leave uncertain of validation accuracy; None where it is not known."""
        return self.lookup.noise

    @cached_property
    def also(self) -> dict[str, Table]:
        """The other tables to look incumbents up in, by name, by path where names are equal."""
        tables = [Table(path) for path in self.protocol.also]
        named = {table.name: table for table in tables}
        return named if len(named) == len(tables) else {str(t.path): t for t in tables}

    @property
    def of_accuracy(self) -> bool:
        """Whether regret is of validation accuracy, in points."""
        return self.lookup.of_accuracy

    @property
    def rewarded(self) -> str:
        """What regret is measured in, in words, and whether more or less of it is better."""
        if self.of_accuracy:
            return "validation accuracy"
        rewarded = " × ".join([self.goal.metric, *map(str, self.goal.targets)])
        return f"{rewarded} ({'more' if self.goal.maximize else 'less'} is better)"

    @property
    def judged(self) -> tuple[str, ...]:
        """The metrics that are looked up of incumbents."""
        return self.lookup.metrics

    @cached_property
    def fronts(self) -> Fronts | None:
        """The Pareto fronts that were found; None where the goal has one objective."""
        return Fronts(self) if self.goal.objectives else None

    @cached_property
    def last(self) -> dict[str, Architectures]:
        """The last incumbent of each run, `[seeds]` for each strategy; -1 where there is none."""
        kind = self.table.space.check([]).dtype
        return {
            name: np.asarray([trace.incumbents()[-1] for trace in traces], dtype=kind)
            for name, traces in self.traces.items()
        }

    @cached_property
    def failed(self) -> dict[str, NDArray[np.bool_]]:
        """The runs that found nothing, `[seeds]`: every training diverged or broke a limit."""
        return {name: last < 0 for name, last in self.last.items()}

    @cached_property
    def unjudged(self) -> dict[str, NDArray[np.bool_]]:
        """The runs whose find the table cannot judge, `[seeds]`: they are not looked up."""
        found = {}
        for name, last in self.last.items():
            if self.fronts and self.fronts.has_volume:
                known = np.isfinite(self.fronts.shares(name))
            elif self.has_regret:
                known = np.isfinite(self.lookup.regret(last))
            else:
                known = np.zeros(len(last), dtype=bool)
                for metric in self.judged:
                    known |= np.isfinite(self.lookup.worth(metric, last))
            found[name] = (last >= 0) & ~known
        return found

    def elsewhere(self, name: str, strategy: str) -> dict[str, NDArray[np.float64]]:
        """What the last incumbent of each run is worth on another table, `[seeds]` by metric."""
        return self.lookup.elsewhere(self.also[name], self.last[strategy])

    def finals(self, strategy: str) -> dict[str, NDArray[np.float64]]:
        """For each run `[seeds]`: what was paid for, and what the last incumbent is worth.

        `evaluations` counts every training and every continuation of one, `epochs` what they
        trained, where that is the budget, `distinct` the architectures of which any was asked
        for.
        """
        traces = self.traces[strategy]
        last = self.last[strategy]
        paid = ("evaluations", "epochs") if self.protocol.budget.epochs else ("evaluations",)
        return {
            **{axis: np.asarray([trace.end(axis) for trace in traces]) for axis in paid},
            "distinct": np.asarray([self._distinct(trace) for trace in traces], dtype=float),
            **{metric: self.lookup.worth(metric, last) for metric in self.judged},
            **({"regret": self.lookup.regret(last)} if self.has_regret else {}),
            **({"hypervolume": self.fronts.shares(strategy)} if self.fronts else {}),
        }

    def _distinct(self, trace: Trace) -> int:
        return len(np.unique(self.table.row(trace.architectures)))

    def regret(self, strategy: str, grid: NDArray[np.float64], axis: str) -> NDArray[np.float64]:
        """Regret of the incumbent at each point of a grid, `[seeds, points]`; NaN before any.

        Args:
            strategy: one of `traces`.
            grid: ascending simulated seconds, or numbers of evaluations or epochs.
            axis: `seconds`, `evaluations` or `epochs`.
        """
        curves = []
        for trace in self.traces[strategy]:
            regret = self.lookup.regret(trace.incumbents())
            at = trace.at(grid, axis)
            curves.append(np.where(at >= 0, regret[at], np.nan))
        return np.asarray(curves)

    @cached_property
    def curves(self) -> dict[str, Curves]:
        """Regret of every run on common grids, by axis.

        Over seconds only where training takes any, over epochs where they are the budget.
        See `common_grid` for where they end. There are none without regret.
        """
        if not self.has_regret:
            return {}
        traces = [trace for runs in self.traces.values() for trace in runs]
        budget = self.protocol.budget
        axes = ["seconds"] if all(trace.end("seconds") > 0 for trace in traces) else []
        axes += ["epochs"] if budget.epochs else []
        # Parts of trainings are what a budget in epochs is for: their number says little there.
        axes += ["evaluations"] if budget.evaluations or not budget.epochs else []
        found = {}
        for axis in axes:
            ends = np.asarray([trace.end(axis) for trace in traces])
            grid = common_grid(axis, getattr(budget, axis), ends)
            regret = {name: self.regret(name, grid, axis) for name in self.traces}
            found[axis] = Curves(axis, grid, regret)
        return found

    @cached_property
    def thresholds(self) -> dict[str, float]:
        """Regret that is worth reaching, in points of validation accuracy, by name."""
        if not (self.of_accuracy and self.has_regret):
            return {}
        known = {f"{within:g}": within for within in WITHIN}
        return {**known, "noise_floor": self.noise.floor} if self.noise else known

    def reached(self, strategy: str) -> dict[str, Estimate]:
        """The probability that a run ends within each of `thresholds`, Wilson's interval (95 %).

        Runs that found nothing did not get there; those that are not looked up are left out.
        """
        if not self.thresholds:
            return {}
        final = self.finals(strategy)["regret"][~self.unjudged[strategy], None]
        found = {}
        for name, within in self.thresholds.items():
            share = low = high = np.nan
            if len(final):
                share, low, high = (float(of[0]) for of in reached(final, within))
            found[name] = Estimate(share, low, high, len(final))
        return found

    @property
    def scored(self) -> str:
        """What strategies are told apart by."""
        return "missing hypervolume" if self.fronts else "final regret"

    @cached_property
    def scores(self) -> dict[str, NDArray[np.float64]]:
        """What is `scored`, `[runs]`, the less the better; NaN of runs that found nothing.

        NaN, too, of runs that are `unjudged`.
        """
        if self.fronts:
            return {name: 1 - self.fronts.shares(name) for name in self.traces}
        return {name: self.lookup.regret(last) for name, last in self.last.items()}

    @property
    def judged_scores(self) -> dict[str, NDArray[np.float64]]:
        """The scores of runs that are looked up, NaN of those that failed; no empty ones."""
        known = {name: of[~self.unjudged[name]] for name, of in self.scores.items()}
        return {name: of for name, of in known.items() if self.has_regret and len(of)}

    @cached_property
    def pairs(self) -> list[Pair]:
        """Mann and Whitney's test of each pair on `judged_scores`, corrected by Holm."""
        return compare_pairs(self.judged_scores, paired=False)

    @cached_property
    def ranks(self) -> Friedman | None:
        """Friedman's test with the runs of each seed as a block; None of one strategy or seed.

        Seeds of which any run is not looked up are no blocks. It speaks of this table only:
        `Comparisons.ranks` has tables as blocks.
        """
        blocks = ~np.asarray(list(self.unjudged.values())).any(axis=0)
        if len(self.traces) < 2 or blocks.sum() < 2 or not self.has_regret:
            return None
        return friedman({name: scores[blocks] for name, scores in self.scores.items()})

    @property
    def parameters(self) -> dict[str, dict[str, Any]]:
        """Of each strategy its own parameters, by name, as it ran with them."""
        given = self.protocol.parameters
        return {name: parameters_of(name, given.get(name, {})) for name in self.traces}

    def frame(self) -> pd.DataFrame:
        """A row a run: `strategy`, `seed`, the last incumbent and what it is worth.

        Columns: `architecture` and `string` of the incumbent (-1 and empty where nothing was
        found), `seconds` that were simulated, then what `finals` has.
        """
        return frame_of(self)

    def summary(self) -> dict[str, Any]:
        """What `summary.json` holds; see `summary_of`."""
        return deepcopy(self._summary)

    @cached_property
    def _summary(self) -> dict[str, Any]:
        """The summary, with its bootstraps: pages and tables ask for it several times."""
        found = summary_of(self)
        if self.shared:
            names = names_of_shares(self.shared)
            shared = zip(names, self.shared, strict=True)
            found["shared"] = {name: of.summary() for name, of in shared}
        return found


def _mean(scores: NDArray[np.float64]) -> float:
    """The mean of those that are known; NaN of none."""
    known = scores[np.isfinite(scores)]
    return float(known.mean()) if len(known) else np.nan


def _kept_runs(kept: Any) -> tuple[list[str], list[int], dict[str, str]]:
    """The strategies that ran, their seeds, and what is broken; ValueError for anything else."""
    names, seeds, broken = kept["strategies"], kept["seeds"], kept.get("broken", {})
    if not (type(names) is type(seeds) is list and type(broken) is dict and names and seeds):
        raise ValueError
    if set(map(type, [*names, *broken, *broken.values()])) != {str}:
        raise ValueError
    return names, [integer(seed) for seed in seeds], broken


def _kept_code(kept: Any) -> tuple[dict[str, str], dict[str, bool]]:
    """The hashes of strategies that were given as classes, and whether others can import them."""
    code, given = kept.get("code", {}), kept.get("given", {})
    if type(code) is not dict or type(given) is not dict or set(map(type, given.values())) - {bool}:
        raise ValueError
    return code, given
