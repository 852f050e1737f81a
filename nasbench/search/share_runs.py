"""Runs of several seeds that share weights: made side by side, and read again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from nasbench._limits import MOST_PROCESSES
from nasbench._pool import in_processes
from nasbench._processes import end_on_ctrl_c, leave_with_parent
from nasbench._words import counted, in_shell
from nasbench.errors import BadValue, DamagedFile, NasbenchError
from nasbench.search.share_journal import ShareLine, read_shared_run
from nasbench.search.share_setting import ShareSetting
from nasbench.search.shares import Shares
from nasbench.search.sharing import SharedRun, run_shared
from nasbench.space import Space, from_description
from nasbench.table import Table, table_name

__all__ = ["names_of_shares", "read_shares", "share_seeds", "shares_beside"]


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
    found = {seed: runs[seed] for seed in numbers}
    return Shares(setting.space, setting.table, found, setting.judged_by)


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
                    f"{table.name}: share them anew with --table {in_shell(table_name(table))}"
                )
        found.append(shares)
    return tuple(found)


def names_of_shares(shared: Sequence[Shares]) -> list[str]:
    """A name for each: the strategy's, with what it differs in where several have it.

    Example:
        >>> names_of_shares([])
        []
    """
    names = []
    for of in shared:
        alike = [_facts(one) for one in shared if one.title == of.title]
        own = [
            said
            for name, said in _facts(of).items()
            if any(other.get(name) != said for other in alike)
        ]
        names.append(", ".join([of.title, *own]))
    return [
        f"{name} ({names[: place + 1].count(name)})" if names.count(name) > 1 else name
        for place, name in enumerate(names)
    ]


def _facts(shares: Shares) -> dict[str, str]:
    """In what runs can differ from others of their strategy, in words."""
    spec = shares.spec
    set_by_hand = {name: f"{name}={value}" for name, value in spec["parameters"].items()}
    columns = spec.get("columns")
    return {
        "epochs": counted(spec["schedule"]["epochs"], "epoch"),
        "norm": f"{spec['sharing']['norm']} norm",
        "columns": "columns" if columns else "weights",
        **set_by_hand,
    }


def _side_by_side(
    setting: ShareSetting, jobs: Sequence[tuple[int, Path]], processes: int
) -> Iterator[tuple[int, SharedRun]]:
    """Runs as they finish; processes end with this one, and at once on Ctrl-C."""
    # An open table stays here: each process opens its own.
    values = {of.name: getattr(setting, of.name) for of in fields(setting) if of.name != "table"}
    given: tuple[Any, ...] = (values, setting.table and setting.table.path)
    together = in_processes(_run_one, jobs, min(processes, len(jobs)), _begin, given)
    for (seed, _), run in together:
        yield seed, run


_opened: ShareSetting | None = None  # of a worker process


def _begin(values: Mapping[str, Any], table: Path | None) -> None:
    global _opened
    leave_with_parent()
    end_on_ctrl_c()
    import torch

    torch.set_num_threads(1)
    _opened = ShareSetting(**values, table=Table(table) if table else None)


def _run_one(job: tuple[int, Path]) -> SharedRun:
    if _opened is None:
        raise RuntimeError("the worker was not opened")
    return run_shared(_opened, *job)


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
    by_table = first["queries"].get("kind") == "table"
    recipe = first["queries"]["recipe"] if by_table else None
    return Shares(space if table is None else table.space, table, runs, recipe)


def _check_lines(space: Space, lines: Sequence[ShareLine]) -> None:
    for line in lines:
        if line.choice is not None and not 0 <= line.choice < space.size:
            raise ValueError
