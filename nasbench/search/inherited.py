"""Inherited scores of a whole space as columns of a table: one supernet, one column.

A column ranks architectures as any proxy does: two-stage searches run on it hundreds of seeds in
the time of none, without torch.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasbench._files import check_out
from nasbench._journal import Journal, Kind, integer, number
from nasbench._names import KEYS, is_key
from nasbench._pool import in_processes
from nasbench._processes import end_on_ctrl_c, leave_with_parent
from nasbench._progress import Progress, silent
from nasbench.errors import BadValue, NasbenchError
from nasbench.search.share_journal import array_of, numbers_of
from nasbench.search.share_setting import ShareSetting
from nasbench.search.step import Step
from nasbench.table import Dataset, Table, write_table

__all__ = ["Inheriting", "TrainedSupernet", "inherited_table", "parse_supernets"]

TOGETHER = 128
"""Architectures that are scored and journaled together."""

_KIND = Kind(
    "scores of another supernet (strategy, recipe, seed or version differ)",
    "give another --out or remove the folder",
    ordered=True,
)


class TrainedSupernet(NamedTuple):
    """How the weights of a column are trained: a strategy's own way, for so many epochs."""

    strategy: str
    epochs: int

    @property
    def name(self) -> str:
        """As columns have it, such as `fairnas10`."""
        return f"{self.strategy}{self.epochs}"


def parse_supernets(text: str, epochs: int = 10) -> list[TrainedSupernet]:
    """Names with commas between, each with its epochs behind it where they are others.

    Example:
        >>> [supernet.name for supernet in parse_supernets("fairnas,spos50")]
        ['fairnas10', 'spos50']
    """
    found = []
    for part in filter(None, map(str.strip, text.split(","))):
        match = re.fullmatch(r"(.*?[^0-9])([0-9]{0,6})", part)
        if match is None:
            raise BadValue(f"a supernet is a strategy and epochs, as fairnas10, got {part[:40]!r}")
        found.append(TrainedSupernet(match[1], int(match[2] or epochs)))
    if not found:
        raise BadValue("name the strategies that train supernets, as fairnas10,spos50")
    return list(dict.fromkeys(found))


@dataclass(frozen=True)
class Inheriting:
    """What is scored of a space.

    Attributes:
        setting: space, task, recipe and how weights are shared; its strategy and epochs are
            those of each supernet in turn.
        supernets: how weights are trained.
        seeds: of each: a supernet's own column.
        images: validation examples of a score, the first ones: the same for all; 0: all.
    """

    setting: ShareSetting
    supernets: tuple[TrainedSupernet, ...]
    seeds: tuple[int, ...]
    images: int = 2000

    def __post_init__(self) -> None:
        self.setting.space.check_listable("inherited scores")
        if not self.supernets or not self.seeds:
            raise BadValue("inherited scores need a supernet and a seed at least")
        if self.images < 0:
            raise BadValue(f"images of a score are 0 or more, got {self.images}")
        for supernet in self.supernets:
            if not is_key(supernet.name):
                raise BadValue(f"a column's name is {KEYS}, not {supernet.name[:40]!r}")
            self.of(supernet)

    def of(self, supernet: TrainedSupernet) -> ShareSetting:
        """What a run of this supernet would be."""
        return replace(self.setting, strategy=supernet.strategy, epochs=supernet.epochs)

    @property
    def columns(self) -> list[tuple[TrainedSupernet, int]]:
        """Every supernet with every seed."""
        return [(supernet, seed) for supernet in self.supernets for seed in self.seeds]

    def describe(self, supernet: TrainedSupernet, seed: int) -> dict[str, Any]:
        """What a column is a function of; plain JSON values."""
        setting = self.of(supernet)
        oracle = setting.supernet(seed)
        described = setting.describe(seed, oracle)
        for name in ("queries", "prices", "budget_seconds"):
            del described[name]
        return {**described, "kind": "inherited", "images": self.images}


class InheritedScores(NamedTuple):
    """Inherited scores of every distinct architecture, and measured seconds."""

    loss: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    train_seconds: float
    score_seconds: float


def inherited_table(
    asked: Inheriting,
    out: Path,
    *,
    name: str,
    about: Mapping[str, Any],
    processes: int = 1,
    progress: Progress = silent,
) -> Table:
    """Train supernets, score every distinct architecture by each, and write the columns.

    What was scored is kept in the folder `<out>.build` until the table is there: a run that was
    killed goes on from it.

    Args:
        asked: which.
        out: the table; must not exist.
        name: of the table.
        about: entries of its manifest.
        processes: supernets side by side.
        progress: called with architectures that are scored, over all supernets.
    """
    if check_out(out):
        raise NasbenchError(f"{out} exists already: give another --out or remove it")
    folder = out.with_name(f"{out.name}.build")
    rows = np.asarray(asked.setting.space.representatives)
    found = dict(_columns(asked, folder, processes, progress))
    datasets: dict[str, Dataset] = {}
    for supernet, seed in asked.columns:
        column = found[supernet, seed]
        each = (column.train_seconds + column.score_seconds) / len(rows)
        spec = asked.describe(supernet, seed)
        for metric, values, better in (
            ("loss", column.loss, "low"),
            ("accuracy", column.accuracy, "high"),
        ):
            datasets[f"proxy/{supernet.name}_{metric}_s{seed}"] = Dataset(
                values,
                {
                    "kind": "computed",
                    "better": better,
                    "paper": "",
                    "mode": f"validation {metric} with weights that all architectures share",
                    "draws": 1,
                    "images": asked.images,
                    "supernet": spec,
                    "seed": seed,
                    "task": asked.setting.task.hash,
                    "seconds": each,
                    "train_seconds": column.train_seconds,
                },
            )
    write_table(
        out,
        name=name,
        space=asked.setting.space,
        rows=rows,
        sharing="canonical",
        recipes={},
        datasets=datasets,
        about={"origin": "inherited", "task": asked.setting.task.manifest(), **about},
        new=True,
    )
    for supernet, seed in asked.columns:
        _journal_path(folder, supernet, seed).unlink(missing_ok=True)
    folder.rmdir()
    return Table(out)


def _journal_path(folder: Path, supernet: TrainedSupernet, seed: int) -> Path:
    return folder / f"{supernet.name}_s{seed}.jsonl"


def _columns(
    asked: Inheriting, folder: Path, processes: int, progress: Progress
) -> Iterator[tuple[tuple[TrainedSupernet, int], InheritedScores]]:
    jobs = asked.columns
    n = len(asked.setting.space.representatives)
    if processes == 1 or len(jobs) == 1:
        for place, (supernet, seed) in enumerate(jobs):

            def tell(done: int, before: int = place) -> None:
                progress("scoring", before * n + done, len(jobs) * n)

            path = _journal_path(folder, supernet, seed)
            yield (supernet, seed), _column(asked, supernet, seed, path, tell)
        return
    given = (replace(asked, setting=replace(asked.setting, table=None)), folder)
    together = in_processes(_column_there, jobs, min(processes, len(jobs)), _open, given)
    for place, made in enumerate(together, 1):
        yield made
        progress("scoring", place * n, len(jobs) * n)


_opened: tuple[Inheriting, Path] | None = None  # of a worker process


def _open(asked: Inheriting, folder: Path) -> None:
    global _opened
    leave_with_parent()
    end_on_ctrl_c()
    import torch

    torch.set_num_threads(1)
    _opened = asked, folder


def _column_there(job: tuple[TrainedSupernet, int]) -> InheritedScores:
    if _opened is None:
        raise RuntimeError("the worker was not opened")
    asked, folder = _opened
    return _column(asked, *job, _journal_path(folder, *job), lambda _: None)


def _column(
    asked: Inheriting,
    supernet: TrainedSupernet,
    seed: int,
    path: Path,
    tell: Callable[[int], None],
) -> InheritedScores:
    """Train one supernet as its strategy does, and score every distinct architecture by it."""
    setting = asked.of(supernet)
    oracle = setting.supernet(seed)
    strategy = setting.begin(seed, oracle, setting.goal(oracle))
    space = setting.space
    rows = np.asarray(space.representatives)
    journal = Journal(path, {"spec": asked.describe(supernet, seed)}, _KIND)
    try:
        parts = journal.read(_part)
        done = sum(len(part["loss"]) for part in parts)
        if done < len(rows):
            _train(strategy, oracle)
            wanted = supernet.epochs * oracle.steps_per_epoch
            if oracle.trained < wanted:
                raise BadValue(
                    f"{supernet.strategy} asks for slopes or scores between its steps, so that "
                    f"its weights were trained {oracle.trained} of {wanted:,} steps: inherited "
                    f"scores are of strategies that train first, as fairnas, spos and rsps"
                )
        trained = oracle.pass_seconds
        while done < len(rows):
            paths = space.ops(rows[done : done + TOGETHER]).astype(np.int64)
            before = oracle.pass_seconds
            scores = oracle.shared.judge(paths, asked.images)
            part = {
                "loss": numbers_of(scores[0]),
                "accuracy": numbers_of(scores[1]),
                "train_seconds": round(trained, 3),
                "score_seconds": round(oracle.pass_seconds - before, 3),
            }
            journal.add(part)
            parts.append(part)
            done += len(paths)
            tell(done)
    finally:
        journal.close()
    loss, accuracy = (
        np.concatenate([np.asarray(array_of(part[name]), np.float64) for part in parts])
        for name in ("loss", "accuracy")
    )
    seconds = sum(part["score_seconds"] for part in parts)
    return InheritedScores(loss, accuracy, max(part["train_seconds"] for part in parts), seconds)


def _train(strategy: Any, oracle: Any) -> None:
    """The strategy's requests as long as they train."""
    while isinstance(request := strategy.ask(), Step) and request.rates is not None:
        strategy.tell(request, oracle.run(request))


def _part(entry: dict[str, Any]) -> dict[str, Any]:
    """A line of plain JSON values; ValueError and its like for what is never written."""
    losses, accuracies = array_of(entry["loss"]), array_of(entry["accuracy"])
    if losses is None or accuracies is None or losses.ndim != 1:
        raise ValueError
    integer(len(losses), 1, TOGETHER)
    integer(len(accuracies), len(losses), len(losses))
    number(entry["train_seconds"], 0)
    number(entry["score_seconds"], 0)
    return entry
