"""Runs of several seeds that share weights: made side by side, read again, and judged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from functools import cached_property
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasbench._limits import MOST_PROCESSES
from nasbench._processes import deaf_to_ctrl_c, end_on_ctrl_c, leave_with_parent
from nasbench._result import Result
from nasbench._words import counted
from nasbench.errors import BadValue, DamagedFile, NasbenchError
from nasbench.search.goal import Limit, SoftTarget
from nasbench.search.lookup import LookUp
from nasbench.search.protocol import SearchProtocol
from nasbench.search.share_journal import ShareLine, array_of, read_shared_run
from nasbench.search.sharing import METRIC, SharedRun, ShareSetting, judged_sample, run_shared
from nasbench.space import Space, from_description
from nasbench.stats import Estimate, bootstrap_estimate, spearman
from nasbench.table import Table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Moment", "Shares", "names_of_shares", "read_shares", "share_seeds", "shares_beside"]

BETTER = (("all", 1.0), ("better half", 0.5), ("best tenth", 0.1))
"""The scopes of rank correlations, and the share of the judged architectures in each."""

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
    """

    space: Space
    table: Table | None
    runs: Mapping[int, SharedRun]

    def __repr__(self) -> str:
        chosen = ", ".join("none" if one < 0 else str(one) for one in self.choices.tolist())
        judged = "" if self.lookup is None else f"; mean regret {self.mean_regret.value:.4g}"
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

    @cached_property
    def lookup(self) -> LookUp | None:
        """What the table says of choices; None without one."""
        if self.table is None:
            return None
        return LookUp.of(
            self.table,
            SearchProtocol(
                budget_evaluations=1,
                search_recipe=self.spec["queries"].get("recipe"),
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
            if loss is None or len(loss) != len(sample):
                raise DamagedFile("a run judges other architectures than this version does")
            found = array_of(line.answer.get("probabilities"))
            sure = (line.answer.get("gap"), line.answer.get("eigenvalue"))
            yield Moment(int(line.asked), correlations_of(-loss, truth), found, *sure)

    def correlation(self, scope: str = "all") -> Estimate:
        """The mean over seeds of the last moments' rank correlation, and its interval."""
        last = [moments[-1].correlations[scope] for moments in self.moments.values() if moments]
        return bootstrap_estimate(_mean, np.asarray([x for x in last if np.isfinite(x)]))

    @cached_property
    def free_of_parameters(self) -> list[int | None]:
        """Of each choice, how many decisions are operations without weights; None where unknown."""
        free = {"none", "skip_connect", "avg_pool_3x3", "max_pool_3x3"}
        known = set().union(*self.space.decisions.values())
        if not known & free:
            return [None] * len(self.runs)
        options = list(self.space.decisions.values())
        found: list[int | None] = []
        for choice in self.choices.tolist():
            if choice < 0:
                found.append(None)
                continue
            ops = self.space.ops(choice)
            names = [option[op] for option, op in zip(options, ops, strict=True)]
            found.append(sum(name in free for name in names))
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
        """The seeds whose choice has weights on a third of its decisions at most."""
        decisions = len(self.space.choices)
        counts = zip(self.runs, self.free_of_parameters, strict=True)
        return [seed for seed, n in counts if n is not None and 3 * n >= 2 * decisions]

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
            "schedule": self.spec["schedule"],
            "sharing": self.spec["sharing"],
            "regret": _described(self.mean_regret),
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


def share_seeds(
    setting: ShareSetting,
    seeds: Iterable[int],
    out: Path,
    *,
    processes: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Shares:
    """Run a strategy that shares weights with each seed; what is there already goes on.

    Args:
        setting: what the runs share.
        seeds: of the runs.
        out: a folder: `SEED.jsonl` for each, its weights beside it, and what was clocked on the
            wall in `SEED.wall.jsonl`.
        processes: that run side by side.
        progress: called with training steps that are done, of all runs, and those in all; side by
            side with runs.

    Raises:
        NasbenchError: before anything is trained for what can be known by then.
    """
    numbers = list(dict.fromkeys(int(seed) for seed in seeds))
    if not numbers:
        raise BadValue("a run needs a seed")
    if not 1 <= processes <= MOST_PROCESSES:
        raise BadValue(f"runs need 1 process or more, got {processes}")
    jobs = [(seed, out / f"{seed}.jsonl") for seed in numbers]
    runs: dict[int, SharedRun] = {}
    if processes == 1 or len(jobs) == 1:
        for place, (seed, path) in enumerate(jobs):

            def tell(done: int, total: int, before: int = place) -> None:
                if progress:
                    progress(before * total + done, len(jobs) * total)

            runs[seed] = run_shared(setting, seed, path, progress=tell)
    else:
        setting.begin(numbers[0], *setting.make(numbers[0]))  # what is wrong is said here, once
        for seed, run in _side_by_side(setting, jobs, processes):
            runs[seed] = run
            if progress:
                progress(len(runs), len(jobs))
    return Shares(setting.space, setting.table, {seed: runs[seed] for seed in numbers})


def shares_beside(
    table: Table, given: Shares | str | Path | Sequence[Shares | str | Path]
) -> tuple[Shares, ...]:
    """Runs that share weights, or the folders that keep them, to stand beside searches on a table.

    Raises:
        NasbenchError: for a folder without runs, and for runs whose seconds are not the table's.
    """
    several = [given] if isinstance(given, Shares | str | Path) else given
    found = []
    for one in several:
        shares = one if isinstance(one, Shares) else read_shares(Path(one), table)
        for run in shares.runs.values():
            if run.spec.get("limits") or run.spec.get("targets"):
                raise BadValue(
                    f"runs of {shares.strategy} have limits or soft targets of their own: beside "
                    f"searches stand runs without"
                )
            queries, priced = run.spec["queries"], run.spec["prices"]["kind"] == "table"
            if not priced or queries.get("sha256") != table.sha256:
                by = queries.get("name") if priced else "the clock"
                raise BadValue(
                    f"runs of {shares.strategy} are priced by {by}, and this comparison by "
                    f"{table.name}: share them anew with --table {table.name}"
                )
        found.append(shares)
    return tuple(found)


def names_of_shares(shared: Sequence[Shares]) -> list[str]:
    """A name for each: the strategy's, with its epochs where several have it."""
    names = [of.strategy for of in shared]
    return [
        name if names.count(name) == 1 else f"{name}, {of.spec['schedule']['epochs']} epochs"
        for name, of in zip(names, shared, strict=True)
    ]


def _side_by_side(
    setting: ShareSetting, jobs: Sequence[tuple[int, Path]], processes: int
) -> Iterator[tuple[int, SharedRun]]:
    """Runs as they finish; processes end with this one, and at once on Ctrl-C."""
    context = get_context("spawn")  # a fork would copy half of torch's threads
    # An open table stays here: each process opens its own.
    given: tuple[Any, ...] = (replace(setting, table=None), setting.table and setting.table.path)
    with ProcessPoolExecutor(min(processes, len(jobs)), context, _begin, given) as pool:
        waiting: dict[Future[SharedRun], int] = {}
        try:
            with deaf_to_ctrl_c():
                for seed, path in jobs:
                    waiting[pool.submit(_run_one, seed, path)] = seed
            while waiting:
                for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                    yield waiting.pop(future), future.result()
        except BrokenProcessPool as error:
            raise NasbenchError(
                "a training process died (killed, or out of memory); what is finished is kept, "
                "and the same command goes on from there"
            ) from error
        finally:
            if waiting:
                for process in list(pool._processes.values()):
                    process.terminate()
            pool.shutdown(wait=False, cancel_futures=True)


_opened: ShareSetting | None = None  # of a worker process


def _begin(setting: ShareSetting, table: Path | None) -> None:
    global _opened
    leave_with_parent()
    end_on_ctrl_c()
    import torch

    torch.set_num_threads(1)
    _opened = replace(setting, table=Table(table) if table else None)


def _run_one(seed: int, path: Path) -> SharedRun:
    if _opened is None:
        raise RuntimeError("the worker was not opened")
    return run_shared(_opened, seed, path)


def read_shares(folder: Path, table: Table | None) -> Shares:
    """The runs that a folder holds, whole or begun.

    Args:
        folder: that `nasbench share` wrote.
        table: that judges them.

    Raises:
        NasbenchError: where there are none, or they are not of the table's space.
        DamagedFile: for what is no such run.
    """
    paths = [p for p in folder.glob("*.jsonl") if p.stem.isdecimal()]
    if not paths:
        raise NasbenchError(f"{folder} holds no runs that share weights: nasbench share makes them")
    runs = {}
    for path in sorted(paths, key=lambda p: int(p.stem)):
        spec, lines = read_shared_run(path)
        runs[int(path.stem)] = SharedRun(spec, lines, "")
    first = next(iter(runs.values())).spec
    try:
        space = from_description(first["space"])
        strategies = {str(run.spec["strategy"]) for run in runs.values()}
        for run in runs.values():
            _check_lines(space, run.lines)
    except NasbenchError:
        raise
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise DamagedFile(f"the runs in {folder} are damaged") from error
    if len(strategies) > 1:
        raise NasbenchError(f"{folder} holds runs of several strategies: give each a folder")
    if table is not None and space.describe() != table.space.describe():
        raise BadValue(
            f"{folder} holds runs on {space.name}, and {table.name} is of {table.space.name}"
        )
    return Shares(space if table is None else table.space, table, runs)


def _check_lines(space: Space, lines: Sequence[ShareLine]) -> None:
    for line in lines:
        if line.choice is not None and not 0 <= line.choice < space.size:
            raise ValueError
