"""What searches that were run side by side found, and what it is worth."""

from __future__ import annotations

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
from nasbench.search.compared_runs import ComparedRuns
from nasbench.search.setting import Setting, header_of
from nasbench.search.share_runs import names_of_shares
from nasbench.search.summary import frame_of, summary_of
from nasbench.search.trace import read_traces
from nasbench.stats import (
    Estimate,
    Friedman,
    Pair,
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


class Comparison(ComparedRuns, Result):
    """Runs of several strategies on one table, and which of them can be told apart.

    What a run is worth is in `ComparedRuns`.

    Example:
        >>> import nasbench as nb
        >>> table = nb.load("nb201-fashion16")
        >>> found = nb.compare(["random_search"], table, budget_evaluations=3, seeds=range(2))
        >>> found.last["random_search"].shape, list(found.curves)
        ((2,), ['seconds', 'evaluations'])
    """

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
