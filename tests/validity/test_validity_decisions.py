"""Which decisions matter, against effects that are known and an analysis of variance by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nasbench.errors import BadValue
from nasbench.space import ChoiceSpace
from nasbench.table import Dataset, Table, write_table
from nasbench.validity.decisions import decision_effects

SPACE = ChoiceSpace(
    "known",
    {"depth": [1, 2], "kernel2": [3, 5, 7], "act": ["relu", "gelu"], "fixed": [0]},
    only_if={"kernel2": {"depth": [2]}},
)


def _table(path: Path, rows: NDArray[Any], space: ChoiceSpace = SPACE) -> Table:
    about = {"kind": "trained", "epochs": [1]}
    return write_table(
        path,
        name="t",
        space=space,
        rows=rows,
        sharing="canonical",
        recipes={"r": {"epochs": 1, "seeds": [0]}},
        datasets={"recipe/r/valid_accuracy": Dataset(np.zeros((len(rows), 1, 1)), about)},
    )


def test_effects_are_those_that_made_the_values(tmp_path: Path) -> None:
    table = _table(tmp_path / "t.h5", SPACE.representatives)
    ops = SPACE.ops(table.rows)
    # depth 2 gains 4, kernel 7 over 3 gains 2 where it counts, the activation nothing.
    values = 50 + 4 * (ops[:, 0] == 1) + (ops[:, 0] == 1) * (ops[:, 1] - 1.0)
    found = {decision.name: decision for decision in decision_effects(table, values)}
    assert list(found) == sorted(found, key=lambda name: -found[name].share)
    assert set(found) == {"depth", "kernel2", "act"}, "one choice decides nothing"
    kernel = [choice.effect for choice in found["kernel2"].choices]
    assert kernel == pytest.approx([-1, 0, 1])
    assert [choice.rows for choice in found["kernel2"].choices] == [2, 2, 2]
    assert [choice.mean for choice in found["kernel2"].choices] == pytest.approx([53, 54, 55])
    assert [choice.effect for choice in found["act"].choices] == pytest.approx([0, 0])
    assert found["act"].share == 0


def test_shares_are_an_analysis_of_variance_and_intervals_hold_what_made_the_values(
    tmp_path: Path,
) -> None:
    space = ChoiceSpace("big", {f"d{i}": range(4) for i in range(40)})
    rng = np.random.default_rng(3)
    rows = np.unique(space.sample(rng, 300))
    table = _table(tmp_path / "t.h5", rows, space)
    ops = space.ops(table.rows).astype(float)
    values = 70 + 2 * ops[:, 5] + rng.normal(0, 1, len(rows))
    values[:3] = np.nan
    first, *others = decision_effects(table, values)
    known = np.isfinite(values)
    y, level = values[known], ops[known, 5]
    groups = [y[level == c] for c in range(4)]
    within = sum(((group - group.mean()) ** 2).sum() for group in groups)
    total = ((y - y.mean()) ** 2).sum()
    epsilon = 1 - (within / (len(y) - 4)) / (total / (len(y) - 1))
    assert first.name == "d5"
    assert first.share == pytest.approx(epsilon)
    assert first.low < 5 / 6 < first.high, "2 x uniform of 4 has a variance of 5, the noise of 1"
    assert sum(other.low == 0 for other in others) >= 36, "the others explain nothing"
    for c, choice in enumerate(first.choices):
        assert choice.effect == pytest.approx(groups[c].mean() - y.mean())
        assert choice.low < choice.effect < choice.high
        assert 0.2 < choice.high - choice.low < 1.2
    assert decision_effects(table, values)[0] == first


def test_too_few_rows_tell_nothing(tmp_path: Path) -> None:
    table = _table(tmp_path / "t.h5", SPACE.representatives)
    for values in (np.full(len(table.rows), np.nan), np.ones(len(table.rows))):
        with pytest.raises(BadValue, match="3 rows or more whose values differ"):
            decision_effects(table, values)
