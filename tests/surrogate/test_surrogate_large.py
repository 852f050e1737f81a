"""Surrogates on sampled tables of spaces that nobody can list, and on spaces with rules."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nasbench.errors import NasbenchError, Unsupported
from nasbench.search import Budget, Goal, Limit, Query, RunSpec, SurrogateOracle, search
from nasbench.space import ChoiceSpace
from nasbench.surrogate import Surrogate, fit, score
from nasbench.table import Table

STAGES = 24
LARGE = ChoiceSpace(
    "large",
    {
        f"s{stage}.{name}": choices
        for stage in range(STAGES)
        for name, choices in {"depth": [1, 2], "kernel": [3, 5, 7, 9, 11, 13, 15, 17]}.items()
    },
    only_if={f"s{stage}.kernel": {f"s{stage}.depth": [2]} for stage in range(STAGES)},
)
SMALL = ChoiceSpace(
    "small",
    {"a": range(6), "c": [1, 2], "b": range(6)},
    only_if={"b": {"c": [2]}},
    never=[{"a": 0, "c": 2}],
)


def _table(make: Callable[..., Table], space: ChoiceSpace, rows: Any) -> Table:
    ops = space.normal(space.ops(rows))
    rng = np.random.default_rng(1)
    accuracy = 20 + 60 * ops[:, ::2].mean(1) / ops[:, ::2].max() + rng.normal(0, 0.1, len(ops))
    metrics = {
        "valid_accuracy": accuracy[:, None] + rng.normal(0, 0.2, (len(ops), 2)),
        "train_seconds": np.repeat(10.0 + ops.sum(1)[:, None], 2, axis=1),
    }
    return make(metrics, space=space, rows=rows)


@pytest.fixture
def large(make_table: Callable[..., Table]) -> Table:
    rows = np.unique(LARGE.sample(np.random.default_rng(0), 80))
    return _table(make_table, LARGE, rows)


def test_a_sample_of_a_space_without_limit_is_fitted_kept_scored_and_searched(
    large: Table, tmp_path: Path
) -> None:
    assert LARGE.size > 2**62
    fitted = fit(large, train=50)
    fitted.save(tmp_path / "s.json")
    kept = Surrogate.load(tmp_path / "s.json")
    assert kept.trained_on.tolist() == fitted.trained_on.tolist()
    scored = score(kept, large)
    assert len(scored.architectures) == len(large.rows) - 50
    assert scored.agreement.kendall > 0.3
    oracle = SurrogateOracle(kept, training_seed=3)
    goal = Goal("valid_accuracy", Budget(evaluations=30), oracle.fidelities)
    first, again = (search(RunSpec("regularized_evolution", goal, 7), oracle) for _ in range(2))
    assert first.evaluations == again.evaluations
    assert len(first.evaluations) == 30
    asked = [e.query.architecture for e in first.evaluations]
    mean = kept.predict("valid_accuracy", asked)
    shown = np.asarray([e.outcome.values["valid_accuracy"] for e in first.evaluations])
    assert 0 < np.abs(shown - mean).max() < 2, "noise of seeds, and nothing else"
    with pytest.raises(Unsupported, match="the most that are predicted as a whole"):
        kept.predict_all()


def test_a_goal_that_is_not_predicted_is_refused_before_anything_is(large: Table) -> None:
    oracle = SurrogateOracle(fit(large, train=50))
    for metric, limit in (("latency_ms", ()), ("valid_accuracy", (Limit("flops", at_least=5.0),))):
        goal = Goal(metric, Budget(evaluations=3), oracle.fidelities, limits=limit)
        with pytest.raises(NasbenchError, match="unknown metric"):
            search(RunSpec("random_search", goal, 1), oracle)


def test_one_is_predicted_as_all_are_and_what_cannot_be_built_is_not(
    make_table: Callable[..., Table],
) -> None:
    surrogate = fit(_table(make_table, SMALL, SMALL.representatives), train=30)
    whole = surrogate.predict_all()
    ones = [surrogate.predict_one(architecture) for architecture in range(SMALL.size)]
    for metric, column in whole.items():
        assert np.array_equal(column, [one[metric] for one in ones], equal_nan=True)
        assert np.array_equal(np.isnan(column), ~SMALL.allowed(np.arange(SMALL.size)))
    oracle = SurrogateOracle(surrogate)
    forbidden = SMALL.index("0:2:0")
    assert math.isnan(oracle.evaluate(Query(forbidden, "5ep", 5)).values["valid_accuracy"])
