"""A search that begins in a smaller space pays once, and goes on as if in the larger."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import nasbench as nb
from nasbench.errors import BadValue, NasbenchError, UnknownName
from nasbench.report.again import compare_command
from nasbench.search import Budget, Fidelity, Goal, RunSpec, SearchProtocol, TableOracle, search
from nasbench.search.growing import Growing, SmallerSpace
from nasbench.search.strategy import Outcome
from nasbench.space import ChoiceSpace
from nasbench.table import Dataset, Table, write_table

SMALL = ChoiceSpace("small", {"a": [1, 2, 3], "b": [1, 2, 3]})
MIDDLE = ChoiceSpace("middle", {"a": [1, 2, 3, 4], "b": [1, 2, 3], "c": ["x", "y", "z"]})
LARGE = ChoiceSpace("large", {**MIDDLE.values, "d": [0, 1, 2, 3]})
BEGIN = (
    SmallerSpace.of(SMALL, 5, {"c": "x"}),
    SmallerSpace.of(MIDDLE, 4, {"d": 2}),
)
OWN = {"regularized_evolution": {"population_size": 4}, "pnas": {"beam_size": 3}}


def table_in(folder: Path, rows: np.ndarray) -> Table:
    values = LARGE.ops(rows).astype(float) @ [3, 2, 1, 0.5]
    recipe = {"valid_accuracy": values, "train_seconds": np.ones(len(rows))}
    about = {"kind": "trained", "epochs": [1]}
    return write_table(
        folder / "t.h5",
        name="t",
        space=LARGE,
        rows=rows,
        recipes={"r": {"epochs": 1, "seeds": [0]}},
        datasets={
            f"recipe/r/{name}": Dataset(of[:, None, None], about) for name, of in recipe.items()
        },
        sharing="none",
    )


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    return table_in(tmp_path_factory.mktemp("growing"), np.arange(LARGE.size))


def spec_of(strategy: str, evaluations: int = 16, **more: object) -> RunSpec:
    goal = Goal("valid_accuracy", Budget(evaluations), (Fidelity("r", 1),))
    given = {"parameters": OWN.get(strategy, {}), "begin_in": BEGIN, **more}
    return RunSpec(strategy, goal, 3, **given)


def asked(run):
    return [evaluation.query.architecture for evaluation in run.evaluations]


@pytest.mark.parametrize("strategy", ["pnas", "regularized_evolution", "local_search", "bohb"])
def test_each_space_has_its_share_of_the_budget(strategy: str, table: Table) -> None:
    run = search(spec_of(strategy), TableOracle(table))
    ops = LARGE.ops(asked(run))
    assert len(ops) == 16
    a, _, c, d = ops.T
    assert ((a[:5] < 3) & (c[:5] == 0) & (d[:5] == 2)).all()
    assert (d[5:9] == 2).all()
    assert (d[9:] != 2).any() or strategy == "bohb"
    again = search(spec_of(strategy), TableOracle(table))
    assert asked(again) == asked(run)


def test_what_was_trained_is_known_and_not_paid_again(table: Table) -> None:
    """A population of four is born of nine known architectures: its best four, in order."""
    run = search(spec_of("regularized_evolution", 14), TableOracle(table))
    rewards = {
        e.query.architecture: e.outcome.values["valid_accuracy"] for e in run.evaluations[:9]
    }
    best = sorted(rewards, key=lambda a: -rewards[a])[:4]
    first = LARGE.ops(asked(run)[9])
    assert any((LARGE.ops(parent) != first).sum() == 1 for parent in best)
    pnas = search(spec_of("pnas"), TableOracle(table))
    assert len(set(asked(pnas))) == 16
    assert not any(evaluation.repeat for evaluation in pnas.evaluations)


def test_pnas_grows_what_was_trained_by_the_decisions_that_are_new(table: Table) -> None:
    begin = (SmallerSpace.of(MIDDLE, 36, {"d": 2}),)  # all of it
    run = search(spec_of("pnas", 39, begin_in=begin), TableOracle(table))
    middle, later = LARGE.ops(asked(run)[:36]), LARGE.ops(asked(run)[36:])
    assert len(np.unique(middle, axis=0)) == 36
    assert (middle[:, 3] == 2).all()
    assert (later[:, 3] != 2).all()


def test_a_killed_search_goes_on(table: Table, tmp_path: Path) -> None:
    journal, spec = tmp_path / "run.jsonl", spec_of("pnas")
    whole = search(spec, TableOracle(table), journal=journal)
    lines = journal.read_bytes().splitlines(keepends=True)
    for kept in (3, 8, 12):
        journal.write_bytes(b"".join(lines[:kept]))
        assert asked(search(spec, TableOracle(table), journal=journal)) == asked(whole)
        assert journal.read_bytes() == b"".join(lines)
    assert b"begin_in" in lines[0]
    assert "begin_in" not in json.dumps(spec_of("pnas", begin_in=()).describe(TableOracle(table)))


def test_workers_wait_for_the_last_of_a_smaller_space() -> None:
    goal = Goal("valid_accuracy", Budget(20), (Fidelity("r", 1),))
    made = Growing("random_search", LARGE, goal, np.random.default_rng(0), {}, BEGIN)
    first = [made.ask() for _ in range(5)]
    assert None not in first
    assert made.ask() is None
    for query in reversed(first):
        assert made.ask() is None
        made.tell(query, Outcome({"valid_accuracy": 1.0}, 1.0))
    assert made.ask() is not None


def test_a_part_of_a_table_is_searched_among_its_rows(tmp_path: Path) -> None:
    rows = np.sort(np.random.default_rng(0).choice(LARGE.size, 100, replace=False))
    oracle = TableOracle(table_in(tmp_path, rows))
    begin = (SmallerSpace.of(MIDDLE, 4, {"d": 2}),)
    run = search(spec_of("random_search", 9, begin_in=begin, among_rows=True), oracle)
    assert set(asked(run)) <= set(rows.tolist())
    assert (LARGE.ops(asked(run)[:4])[:, 3] == 2).all()


@pytest.mark.parametrize(
    ("begin", "error", "says"),
    [
        ((SmallerSpace.of(SMALL, 5, {"c": "x"}),), BadValue, "decision d of large: name the"),
        ((SmallerSpace.of(LARGE, 2), SmallerSpace.of(SMALL, 2)), UnknownName, "large is no part"),
        ((SmallerSpace.of(MIDDLE, 2, {"e": 1}),), UnknownName, "decision of large 'e'"),
        ((SmallerSpace.of(MIDDLE, 16, {"d": 2}),), BadValue, "ends before large is searched: 16"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_asked(
    begin: tuple[SmallerSpace, ...], error: type[NasbenchError], says: str, table: Table
) -> None:
    with pytest.raises(error, match=says):
        search(spec_of("random_search", begin_in=begin), TableOracle(table))


def test_a_start_is_of_the_largest_space(table: Table) -> None:
    with pytest.raises(BadValue, match="takes no start"):
        search(spec_of("random_search", start=(3,)), TableOracle(table))
    with pytest.raises(BadValue, match="begins with 1 or more evaluations"):
        SmallerSpace.of(SMALL, 0)


def test_a_comparison_keeps_it(table: Table, tmp_path: Path) -> None:
    begin = [(SMALL, 3, {"c": "x", "d": 1})]
    asks = {"budget_evaluations": 6, "begin_in": begin, "seeds": range(2), "workers": 1}
    protocol = SearchProtocol(budget_evaluations=6, begin_in=begin)
    assert SearchProtocol.from_json(json.loads(json.dumps(protocol.to_json()))) == protocol
    assert "begin_in" not in SearchProtocol(budget_evaluations=6).to_json()
    found = nb.compare(["random_search"], table, out=tmp_path, progress=False, **asks)
    again = nb.compare(["random_search"], table, out=tmp_path, progress=False, **asks)
    ops = LARGE.ops(found.traces["random_search"][0].architectures[:3])
    assert (ops[:, 3] == 1).all()
    assert again.traces["random_search"][0].architectures.tolist() == (
        found.traces["random_search"][0].architectures.tolist()
    )
    said = compare_command(found)
    assert "--begin-in small.toml:3 --begin-with 'c=\"x\"' --begin-with d=1" in said
