"""Pages of spaces that are not cells: which decisions matter, and what the best chose."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nasbench.report import Report, write_report
from nasbench.report.decisions import MOST_DECISIONS
from nasbench.space import ChoiceSpace
from nasbench.table import Dataset, Table, write_table


def _page(folder: Path, space: ChoiceSpace, n: int = 40) -> str:
    rows = np.unique(space.canonical(space.sample(np.random.default_rng(0), n)))
    ops = space.normal(space.ops(rows)).astype(float)
    accuracy = 60 + 5 * ops[:, 0] + np.random.default_rng(1).normal(0, 0.5, len(rows))
    table = write_table(
        folder / "t.h5",
        name="t",
        space=space,
        rows=rows,
        sharing="canonical",
        recipes={"r": {"epochs": 1, "seeds": [0]}},
        datasets={
            "recipe/r/valid_accuracy": Dataset(
                accuracy[:, None, None], {"kind": "trained", "epochs": [1]}
            )
        },
    )
    write_report(Report(Table(table.path), "r"), folder / "page", "Any space")
    return (folder / "page" / "report.md").read_text("utf-8")


@pytest.mark.drawn
def test_a_page_says_what_matters_and_lists_what_the_best_chose(tmp_path: Path) -> None:
    space = ChoiceSpace(
        "mine",
        {"depth": [1, 2, 3], "kernel2": [3, 5], "act": ["relu", "ge|lu"]},
        only_if={"kernel2": {"depth": [2, 3]}},
    )
    text = _page(tmp_path, space)
    shares = text.partition("### What each decision explains")[2]
    assert shares.index("| depth | ") < shares.index("| act | ")
    assert "| depth = 3 | " in text
    assert "| act = ge\\|lu | " in text
    best = text.partition("### The best architectures")[2].partition("###")[0]
    assert "| depth | 3 | 3 | 3 |" in best
    assert "Which decisions matter" in (tmp_path / "page" / "index.html").read_text("utf-8")


def test_of_many_decisions_those_that_explain_most_are_shown(tmp_path: Path) -> None:
    space = ChoiceSpace("huge", {f"d{i}": range(8) for i in range(40)})
    text = _page(tmp_path, space, 60)
    shares = text.partition("### What each decision explains")[2].partition("###")[0]
    assert shares.count("\n| d") == 1 + MOST_DECISIONS, "their head, too"
    assert "| d0 | " in shares.splitlines()[4]
