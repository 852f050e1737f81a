"""What it takes to come near, and how new finds are, as a table of a comparison's page."""

from __future__ import annotations

import re

import numpy as np

import nasbench as nb
from nasbench.report.toll import toll_table
from nasbench.search import Comparison
from nasbench.table import Table

NAMES = ["random_search", "local_search"]


def numbers(cell: str) -> list[float]:
    return [float(part.replace(",", "")) for part in re.findall(r"[\d.,]*\d", cell)]


def spent_by_hand(comparison: Comparison, name: str, within: float) -> tuple[float, float]:
    """The share that came near, and evaluations in all divided by the runs that did."""
    spent, near = 0, 0
    for trace in comparison.traces[name]:
        regret = comparison.lookup.regret(trace.incumbents())
        hits = np.flatnonzero(regret <= within)
        spent += hits[0] + 1 if len(hits) else len(regret)
        near += bool(len(hits))
    return near / len(comparison.traces[name]), spent / near


def test_the_table_is_what_one_counts(table: Table) -> None:
    found = nb.compare(NAMES, table, budget_evaluations=12, seeds=range(8), processes=1)
    within = float(np.median(np.concatenate(list(found.scores.values()))))
    shown = toll_table(found, within)
    assert list(shown.columns) == [
        "strategy",
        "came near",
        "evaluations",
        "seconds",
        "new",
        "rarity, bits",
    ]
    space = table.space
    for name, near, evaluations, seconds, new, _ in shown.rows:
        share, expected = spent_by_hand(found, name, within)
        value, low, high = numbers(near)
        assert low <= value <= high
        assert abs(value - share) < 0.006
        value, low, *high = numbers(evaluations)  # which may be infinite
        assert low <= value <= min([*high, np.inf])
        assert abs(value / expected - 1) < 0.006
        assert numbers(seconds)[0] >= numbers(evaluations)[0]  # each took a second or more
        (other,) = set(NAMES) - {name}
        ops = [space.ops(space.canonical(int(a))) for a in found.last[other]]
        apart = [
            min(int((space.ops(space.canonical(int(a))) != op).sum()) for op in ops)
            for a in found.last[name]
        ]
        assert numbers(new) == [round(np.mean(apart), 1)]


def test_what_never_came_near_and_one_strategy_alone(table: Table) -> None:
    found = nb.compare(NAMES[:1], table, budget_evaluations=2, seeds=range(2), processes=1)
    shown = toll_table(found, within=-1.0)
    assert list(shown.columns) == [
        "strategy",
        "came near",
        "evaluations",
        "seconds",
        "rarity, bits",
    ]
    assert list(shown.rows[0][2:4]) == ["no run did", "no run did"]
    known = nb.compare(
        NAMES[:1],
        table,
        budget_evaluations=2,
        seeds=range(2),
        processes=1,
        start=found.last[NAMES[0]].tolist(),
    )
    assert toll_table(known, within=1.0).columns[4] == "new"
