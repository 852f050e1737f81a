"""Which decisions matter to a surrogate, against variances that are computed over a whole space."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray
from typer.testing import CliRunner

from nasbench.cli import app
from nasbench.errors import BadValue
from nasbench.report.decisions import importance_table
from nasbench.space import ChoiceSpace
from nasbench.surrogate import Surrogate, decision_importance

FREE = ChoiceSpace("free", {"a": [0, 1, 2], "b": [0, 1], "c": [0, 1, 2, 3], "one": [7]})
RULED = ChoiceSpace(
    "ruled",
    {"depth": [1, 2], "kernel2": [3, 5], "width": [8, 16]},
    only_if={"kernel2": {"depth": [2]}},
    never=[{"depth": 1, "width": 16}],
)


class Known:
    """A surrogate of a function that is written down."""

    primary = "valid_accuracy"

    def __init__(self, space: ChoiceSpace, weights: list[float], together: float = 0) -> None:
        self.space, self.weights, self.together = space, weights, together

    def predict(self, metric: str, architectures: ArrayLike) -> NDArray[np.float64]:
        ops = self.space.ops(architectures).astype(float)
        return np.asarray(ops @ self.weights + self.together * ops[:, 0] * ops[:, 1])


def importance(known: Known, **options: Any) -> dict[str, tuple[float, float, float]]:
    found = decision_importance(cast(Surrogate, known), **options)
    assert [one.share for one in found] == sorted((one.share for one in found), reverse=True)
    return {one.name: (one.share, one.low, one.high) for one in found}


@pytest.mark.parametrize("together", [0.0, 3.0])
def test_shares_are_the_total_effects(together: float) -> None:
    known = Known(FREE, [4.0, 2.0, 1.0, 0.0], together)
    found = importance(known, architectures=4_000)
    values = known.predict("", np.arange(FREE.size)).reshape(3, 2, 4, 1)
    for axis, name in enumerate("abc"):
        expected = values.var(axis=axis).mean() / values.var()
        share, low, high = found[name]
        assert share == pytest.approx(expected, abs=0.03)
        assert low < share < high
    assert "one" not in found
    assert sum(share for share, _, _ in found.values()) > 1.02 or not together


def test_what_does_not_count_or_cannot_be_built_is_left_as_it_is() -> None:
    found = importance(Known(RULED, [0.0, 0.0, 1.0]), architectures=500)
    assert found["depth"][0] == found["kernel2"][0] == 0
    assert found["width"][0] > 0.5
    kernel = importance(Known(RULED, [0.0, 1.0, 0.0]), architectures=500)
    assert kernel["width"][0] == 0 < kernel["depth"][0]


def test_a_seed_gives_the_same_and_equal_predictions_are_refused() -> None:
    known = Known(FREE, [4.0, 2.0, 1.0, 0.0])
    assert importance(known, seed=3) == importance(known, seed=3) != importance(known, seed=4)
    with pytest.raises(BadValue, match="predicts the same valid_accuracy of all 20 drawn"):
        importance(Known(FREE, [0.0] * 4), architectures=20)
    with pytest.raises(BadValue, match="2 architectures or more, got 1"):
        importance(known, architectures=1)


def test_the_table_says_them_with_their_intervals() -> None:
    found = decision_importance(cast(Surrogate, Known(FREE, [4.0, 2.0, 1.0, 0.0])))
    shown = importance_table(found, "valid_accuracy")
    assert [row[0] for row in shown.rows] == ["a", "c", "b"]
    first = found[0]
    assert shown.rows[0][1] == f"{100 * first.share:.1f}"
    assert shown.rows[0][2] == f"[{100 * first.low:.1f}, {100 * first.high:.1f}]"


def test_the_command_says_what_the_function_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = Known(FREE, [4.0, 2.0, 1.0, 0.0])
    monkeypatch.setattr(Surrogate, "load", lambda path: known)
    words = ["surrogate", "decisions", str(tmp_path / "s.json"), "--sample", "50", "--json"]
    told = json.loads(CliRunner().invoke(app, words).stdout)
    assert told["metric"] == "valid_accuracy"
    assert {one["name"]: (one["share"], one["low"], one["high"]) for one in told["decisions"]} == (
        importance(known, architectures=50)
    )
