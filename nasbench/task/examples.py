"""From rows to a task: targets, groups and times are alike whatever the inputs are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench._files import utf8
from nasbench.errors import BadValue
from nasbench.task.base import Split, Task
from nasbench.task.columns import code_groups, code_targets, code_times
from nasbench.task.rows import RowOptions, Rows
from nasbench.task.signal import Signal, Target
from nasbench.task.splitting import SplitPlan, check_shares, divide
from nasbench.task.unread import counted

__all__ = ["Labelled", "as_float32", "check_options", "label_rows", "task_name", "unused"]


@dataclass(frozen=True, slots=True)
class Labelled:
    """What rows say beside the inputs, in their splits.

    Attributes:
        target: what is to be answered.
        splits: by name; the inputs are the numbers of the rows where they were read.
        groups: by name of each grouping that is kept, the groups' names.
        about: how they were split.
        notes: what was not read.
    """

    target: Target
    splits: Mapping[str, Split]
    groups: Mapping[str, tuple[str, ...]]
    about: Mapping[str, Any]
    notes: tuple[str, ...]

    def task(
        self,
        name: str,
        signal: Signal,
        inputs: Mapping[str, NDArray[Any]],
        *,
        about: Mapping[str, Any],
        legend: Mapping[str, tuple[str, ...]],
        notes: Sequence[str] = (),
    ) -> Task:
        """The task of these and of the inputs by split, in the splits' order."""
        train, valid, test = (
            Split(inputs[split], of.targets, of.groups) for split, of in self.splits.items()
        )
        return Task(
            name=name,
            train=train,
            valid=valid,
            test=test,
            classes=self.target.names if self.target.kind == "classes" else (),
            about={**about, "split": self.about},
            notes=(*self.notes, *notes),
            signal=signal,
            target=self.target,
            groups=self.groups,
            legend=legend,
        )


def check_options(group: str, time: str, plan: SplitPlan) -> SplitPlan:
    """The plan of splits with what `group` and `time` ask for.

    Raises:
        BadValue: where both are.
    """
    if group and time:
        raise BadValue("[task]: splits are by group or by time: leave one of the two out")
    if group:
        return replace(plan, by="group", key=group)
    return replace(plan, by="time", key=time) if time else plan


def label_rows(
    name: str, rows: Rows, options: RowOptions, plan: SplitPlan
) -> tuple[Rows, Labelled]:
    """The rows in their splits, in order, and what they say beside the inputs.

    Args:
        name: of the task, for errors.
        rows: all in `train`, but for the splits that come apart.
        options: with a target.
        plan: of the splits.

    Raises:
        NasbenchError: where a column is not there, or does not hold what it has to.
    """
    plan = check_options(options.group, options.time, plan)
    check_shares(name, set(rows.splits) - {"train"}, plan.valid, plan.test_share, "example")
    rows, notes = _whole(name, rows, options)
    target, targets = code_targets(
        name, options.target, rows.columns[options.target], options.kind_of_target
    )
    kept = dict.fromkeys([*([options.group] if options.group else []), *options.groups])
    groups = {by: code_groups(rows.column(by, "groups")) for by in kept}
    keys: Mapping[str, NDArray[Any]] = {}
    if options.group:
        keys = groups[options.group].codes
    elif options.time:
        keys = code_times(name, options.time, rows.columns[options.time])
    parts = {
        part: Split(np.arange(len(of)), of, {by: coded.codes[part] for by, coded in groups.items()})
        for part, of in targets.items()
    }
    divided = divide(name, parts, plan, target, keys=keys)
    found = Labelled(
        target,
        divided.splits,
        {by: coded.names for by, coded in groups.items()},
        divided.about,
        (*notes, *divided.notes),
    )
    return rows.divided({split: of.inputs for split, of in divided.splits.items()}), found


def _whole(name: str, rows: Rows, options: RowOptions) -> tuple[Rows, list[str]]:
    """The rows that have a target, and a group and a time where these are asked for."""
    notes = list(rows.unread)
    for option in ("target", "group", "time"):
        column = getattr(options, option)
        if not column:
            continue
        rows.column(column, option)
        rows, lost = rows.without(column)
        notes += [f"not read: {lost:,} row{'s' * (lost > 1)} without {column}"] if lost else []
        if empty := [split for split in rows.splits if not rows.columns[column][split]]:
            raise BadValue(f"task {name}: no row of {empty[0]} has a value in {column}")
    return rows, notes


def task_name(name: str, path: Path) -> str:
    """The task's name; by default the file's or the folder's."""
    return name or utf8(path.stem if path.suffix else path.resolve().name)


def unused(rows: Rows, used: Iterable[str]) -> list[str]:
    """A sentence on the columns that nothing was read from, if there are any."""
    columns = [column for column in rows.columns if column not in set(used)]
    return [f"not read: {counted(columns, 'column')}"] if columns else []


def as_float32(where: str, values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Numbers as float32, NaN included.

    Raises:
        BadValue: where one is beyond what float32 holds.
    """
    with np.errstate(over="ignore"):
        narrow = values.astype(np.float32)
    if np.isinf(narrow).any():
        raise BadValue(f"{where} holds {values[np.isinf(narrow)][0]:g}, more than float32 can")
    return narrow
