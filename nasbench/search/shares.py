"""What runs of several seeds that share weights chose, and what a table says of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasbench._result import Result
from nasbench._words import counted, rounded
from nasbench.errors import DamagedFile
from nasbench.search.goal import Limit, SoftTarget
from nasbench.search.lookup import LookUp
from nasbench.search.protocol import SearchProtocol
from nasbench.search.share_journal import array_of
from nasbench.search.share_setting import METRIC
from nasbench.search.sharing import SharedRun, judged_sample
from nasbench.space import Space
from nasbench.stats import Estimate, bootstrap_estimate, spearman
from nasbench.table import Table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Moment", "Shares"]

BETTER = (("all", 1.0), ("better half", 0.5), ("best tenth", 0.1))
"""The scopes of rank correlations, and the share of the judged architectures in each."""

FREE = frozenset({"none", "skip_connect", "avg_pool_3x3", "max_pool_3x3"})
"""Operations without weights."""

FEWEST = 10
"""Of fewer architectures a rank correlation says nothing."""


class Moment(NamedTuple):
    """What inherited losses said at a moment of a training.

    Attributes:
        epoch: of the training.
        correlations: Spearman's with the table's validation accuracy by scope, see `BETTER`;
            NaN of scopes of too few.
        probabilities: of each choice of each decision; None where the strategy holds none.
        gap: validation loss along the chosen path less that of the mixture, with the shared
            weights of then; None without probabilities.
        eigenvalue: the dominant one of the Hessian to the logits; None where it was not taken.
    """

    epoch: int
    correlations: dict[str, float]
    probabilities: NDArray[np.float32] | None
    gap: float | None = None
    eigenvalue: float | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Shares(Result):
    """Runs of one strategy that shares weights.

    Attributes:
        space: of the architectures.
        table: that judges them; None without one.
        runs: by seed.
        report_recipe: of the table; by default its only one.
    """

    space: Space
    table: Table | None
    runs: Mapping[int, SharedRun]
    report_recipe: str | None = None

    def __repr__(self) -> str:
        chosen = ", ".join("none" if one < 0 else str(one) for one in self.choices.tolist())
        judged = "" if self.lookup is None else f"; mean regret {rounded(self.mean_regret.value)}"
        return f"<Shares {self.strategy}, {counted(len(self.runs), 'run')}: {chosen}{judged}>"

    def frame(self) -> pd.DataFrame:
        """A row a run: its seed, what it chose, and what the table says of that."""
        import pandas as pd

        runs = self.summary()["runs"]
        return pd.DataFrame(
            [{key: of for key, of in run.items() if key != "moments"} for run in runs]
        )

    @property
    def spec(self) -> dict[str, Any]:
        """What the runs share, with the first one's seed."""
        return next(iter(self.runs.values())).spec

    @property
    def strategy(self) -> str:
        """What was run."""
        return str(self.spec["strategy"])

    @property
    def title(self) -> str:
        """What was run, as pages have it: with a proxy that stands in the weights' place."""
        columns = self.spec.get("columns")
        if columns and "seeds" not in columns:
            return f"{self.strategy} by {columns['name']}"
        return self.strategy

    @cached_property
    def lookup(self) -> LookUp | None:
        """What the table says of choices; None without one."""
        if self.table is None:
            return None
        return LookUp.of(
            self.table,
            SearchProtocol(
                budget_evaluations=1,
                search_recipe=self.report_recipe,
                limits=[Limit(**given) for given in self.spec.get("limits", ())],
                targets=[SoftTarget(**given) for given in self.spec.get("targets", ())],
            ),
        )

    @cached_property
    def choices(self) -> NDArray[np.int64]:
        """The architecture that each run chose, `[seeds]`; -1 where none."""
        chosen = [-1 if run.choice is None else run.choice for run in self.runs.values()]
        return np.asarray(chosen, dtype=np.int64)

    @cached_property
    def regret(self) -> NDArray[np.float64]:
        """Points of validation accuracy below the table's best, `[seeds]`; NaN without a table."""
        if self.lookup is None:
            return np.full(len(self.runs), np.nan)
        return self.lookup.regret(self.choices)

    @property
    def mean_regret(self) -> Estimate:
        """The mean over the seeds whose choice the table has, and its interval."""
        return bootstrap_estimate(_mean, self.regret[np.isfinite(self.regret)])

    @cached_property
    def by_supernet(self) -> dict[int, float]:
        """The mean regret of the runs on each supernet of a table's; empty for weights of a run.

        Runs on one supernet share its luck: an interval over runs is of their draws alone.
        """
        supernets = (self.spec.get("columns") or {}).get("seeds", [])
        places = np.asarray(list(self.runs)) % max(len(supernets), 1)
        found = {}
        for place, seed in enumerate(supernets):
            regret = self.regret[places == place]
            regret = regret[np.isfinite(regret)]
            if len(regret):
                found[int(seed)] = float(regret.mean())
        return found

    def worth(self, metric: str) -> NDArray[np.float64]:
        """What the choices show by the table, `[seeds]`."""
        if self.lookup is None:
            return np.full(len(self.runs), np.nan)
        return self.lookup.worth(metric, self.choices)

    def rank(self, architecture: int) -> int | None:
        """How many of the table's rows are better, plus one."""
        if self.lookup is None or architecture < 0:
            return None
        column = self.lookup.column("valid_accuracy")
        own = self.lookup.worth("valid_accuracy", np.asarray([architecture]))[0]
        return None if np.isnan(own) else int((column > own).sum()) + 1

    @cached_property
    def moments(self) -> dict[int, list[Moment]]:
        """What was judged of each run, by seed."""
        return {seed: list(self._moments(run)) for seed, run in self.runs.items()}

    def _moments(self, run: SharedRun) -> Iterator[Moment]:
        sample = judged_sample(self.space)
        truth = np.full(len(sample), np.nan)
        if self.lookup is not None:
            truth = self.lookup.worth("valid_accuracy", sample)
        for line in run.lines:
            if line.kind != "judge":
                continue
            loss = array_of(line.answer["loss"])
            if loss is None or len(loss) not in (0, len(sample)):  # 0: of a run without a table
                raise DamagedFile("a run judges other architectures than this version does")
            found = array_of(line.answer.get("probabilities"))
            sure = (line.answer.get("gap"), line.answer.get("eigenvalue"))
            yield Moment(int(line.asked), correlations_of(-loss, truth[: len(loss)]), found, *sure)

    def correlation(self, scope: str = "all") -> Estimate:
        """The mean over seeds of the last moments' rank correlation, and its interval."""
        last = [moments[-1].correlations[scope] for moments in self.moments.values() if moments]
        return bootstrap_estimate(_mean, np.asarray([x for x in last if np.isfinite(x)]))

    @cached_property
    def operations(self) -> int:
        """How many decisions can be operations without weights; others are no operations."""
        return sum(not FREE.isdisjoint(choices) for choices in self.space.decisions.values())

    @cached_property
    def free_of_parameters(self) -> list[int | None]:
        """Of each choice, how many decisions are operations without weights; None where unknown."""
        if not self.operations:
            return [None] * len(self.runs)
        options = list(self.space.decisions.values())
        found: list[int | None] = []
        for choice in self.choices.tolist():
            if choice < 0:
                found.append(None)
                continue
            ops = self.space.ops(choice)
            names = [option[op] for option, op in zip(options, ops, strict=True)]
            found.append(sum(name in FREE for name in names))
        return found

    @cached_property
    def specialised(self) -> dict[int, dict[str, int]]:
        """Of each run the architectures that it chose for limits of their own, by limit."""
        return {
            seed: dict((run.lines[-1].also if run.lines else None) or {})
            for seed, run in self.runs.items()
        }

    def _specialised(self, run: SharedRun) -> dict[str, dict[str, Any]]:
        """What each of them is, for `summary.json`."""
        found = {}
        for limit, architecture in (run.lines[-1].also or {}).items():
            one = np.asarray([architecture])
            found[limit] = {
                "architecture": architecture,
                "string": self.space.string(architecture),
                "valid_accuracy": None
                if self.lookup is None
                else _number(self.lookup.worth(METRIC, one)[0]),
            }
        return found

    def collapsed(self) -> list[int]:
        """The seeds whose choice has weights on a third of its operations at most."""
        counts = zip(self.runs, self.free_of_parameters, strict=True)
        return [seed for seed, n in counts if n is not None and 3 * n >= 2 * self.operations]

    @cached_property
    def ended_early(self) -> dict[int, int]:
        """Epochs of the runs that ended before their schedule did, whole ones, by seed."""
        steps, epochs = self.spec["schedule"]["steps_per_epoch"], self.spec["schedule"]["epochs"]
        trained = {seed: run.lines[-1].trained for seed, run in self.runs.items() if run.lines}
        return {seed: n // steps for seed, n in trained.items() if 0 < n < epochs * steps}

    def summary(self) -> dict[str, Any]:
        """What `summary.json` holds; plain JSON values, NaN as null."""
        rows = []
        for place, (seed, run) in enumerate(self.runs.items()):
            choice = int(self.choices[place])
            rows.append(
                {
                    "seed": seed,
                    "architecture": None if choice < 0 else choice,
                    "string": None if choice < 0 else self.space.string(choice),
                    "seconds": run.seconds,
                    "requests": len(run.lines),
                    "ended": run.ended,
                    "regret": _number(self.regret[place]),
                    "rank": self.rank(choice),
                    "valid_accuracy": _number(self.worth("valid_accuracy")[place]),
                    "test_accuracy": _number(self.tested[place]),
                    "without_weights": self.free_of_parameters[place],
                    **({"also": self._specialised(run)} if self.specialised[seed] else {}),
                    "moments": [
                        {
                            "epoch": moment.epoch,
                            **{k: _number(v) for k, v in moment.correlations.items()},
                            **{k: v for k, v in _sureness(moment).items() if v is not None},
                        }
                        for moment in self.moments[seed]
                    ],
                }
            )
        return {
            "strategy": self.strategy,
            "n": len(self.runs),
            "table": None if self.table is None else self.table.name,
            "space": self.space.name,
            "priced": self.spec["prices"],
            **({"columns": self.spec["columns"]} if self.spec.get("columns") else {}),
            "schedule": self.spec["schedule"],
            "sharing": self.spec["sharing"],
            "regret": _described(self.mean_regret),
            **({"by_supernet": self.by_supernet} if self.by_supernet else {}),
            "correlation": {scope: _described(self.correlation(scope)) for scope, _ in BETTER},
            "collapsed": self.collapsed(),
            "runs": rows,
        }

    @cached_property
    def tested(self) -> NDArray[np.float64]:
        """Test accuracy of the choices, looked up after the runs, `[seeds]`; NaN without any."""
        if self.lookup is None or "test_accuracy" not in self.lookup.metrics:
            return np.full(len(self.runs), np.nan)
        return self.worth("test_accuracy")


def _mean(sample: NDArray[np.float64]) -> NDArray[np.float64]:
    mean: NDArray[np.float64] = np.asarray(sample.mean(-1))
    return mean


def correlations_of(
    scores: NDArray[np.floating[Any]], truth: NDArray[np.float64]
) -> dict[str, float]:
    """Rank correlations of scores with the truth, by scope of the truth."""
    known = np.isfinite(scores) & np.isfinite(truth)
    scores, truth = scores[known], truth[known]
    found = {}
    for scope, share in BETTER:
        least = np.quantile(truth, 1 - share) if len(truth) else np.nan
        within = truth >= least
        enough = within.sum() >= FEWEST
        found[scope] = float(spearman(scores[within], truth[within])) if enough else np.nan
    return found


def _sureness(moment: Moment) -> dict[str, float | None]:
    return {"gap": moment.gap, "eigenvalue": moment.eigenvalue}


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None


def _described(estimate: Estimate) -> dict[str, Any]:
    return dict(estimate.describe())
