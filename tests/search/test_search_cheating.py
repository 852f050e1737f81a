"""Strategies that cheat, in one process with the harness: told in a sentence, harming nobody."""

from __future__ import annotations

import _signal
import os
import re
import signal
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cheating
import numpy as np
import pytest
from strangers import installed
from typer.testing import CliRunner

from nasbench.cli import app
from nasbench.errors import StrategyError
from nasbench.search import Budget, Goal, RunSpec, TableOracle, compare, guard, search, strategy
from nasbench.search.arrival import NotAQuery, arrived
from nasbench.search.listening import listening
from nasbench.search.strategy import Query
from nasbench.table import Table

pytestmark = pytest.mark.heavy

COMMON: dict[str, Any] = {"budget_evaluations": 8, "seeds": range(3), "search_recipe": "short"}
HERE = r" \(cheating.py, line \d+\)"
LATE = "gave no answer for 2 s"
SAYS = {
    cheating.ExitsInInit: "failed in its __init__: SystemExit: 0" + HERE,
    cheating.ExitsInAsk: "failed in ask: SystemExit: 0" + HERE,
    cheating.ExitsInTell: "failed in tell: SystemExit: 0" + HERE,
    cheating.Interrupts: "failed in ask: KeyboardInterrupt" + HERE,
    cheating.RaisesItsOwn: "failed in ask: Own" + HERE,
    cheating.ArrayResume: r"asked for Query\(.* resume=array\(\[1, 2\]\)\), which is no query .*",
    cheating.LiesOfNumbers: r"asked for Query\(architecture=1000000, .* no query of nb201-mini",
    cheating.ChangesTheSpace: "changed size of .*, which others search",
    cheating.ChangesHowItDraws: "changed sample of .*, which others search",
    cheating.WritesIntoTheSpace: "failed in ask: ValueError: .* is read-only" + HERE,
    cheating.Swallows: LATE,
    cheating.StopsTheAlarm: LATE,
    cheating.SwallowsOnce: LATE,
}


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    classes = [one for one in vars(cheating).values() if isinstance(one, type)]
    points = {one.__name__: SimpleNamespace(load=lambda one=one: one) for one in classes}
    monkeypatch.setattr(strategy, "_registered", lambda: points)
    monkeypatch.setattr(guard, "PATIENCE", 2.0)  # a busy machine may take long to answer


@pytest.fixture
def oracle(made_up_table: Table) -> TableOracle:
    return TableOracle(made_up_table, recipe="short")


def spec_of(name: str, oracle: TableOracle, evaluations: int = 8, **given: Any) -> RunSpec:
    goal = Goal("valid_accuracy", Budget(evaluations=evaluations), oracle.fidelities)
    return RunSpec(name, goal, 0, **given)


@pytest.mark.parametrize("cheat", SAYS, ids=lambda cheat: cheat.__name__)
def test_a_search_says_it_in_a_sentence(cheat: type, oracle: TableOracle) -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(StrategyError) as told:
        search(spec_of(cheat.__name__, oracle), oracle)
    assert re.fullmatch(f"strategy {cheat.__name__} {SAYS[cheat]}", str(told.value))
    assert signal.getsignal(signal.SIGINT) is before


def test_copies_that_a_strategy_forks_end_and_the_search_goes_on(
    oracle: TableOracle,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(guard, "PATIENCE", 60.0)  # or to fork
    monkeypatch.setattr(guard, "_forked", False)
    monkeypatch.setattr(cheating.Forks, "copies", [], raising=False)
    this = os.getpid()
    try:
        run = search(spec_of("Forks", oracle), oracle, journal=tmp_path / "run.jsonl")
    finally:
        if os.getpid() != this:  # a copy would go on with the tests
            os._exit(0)
    assert len(run.evaluations) == 8
    assert len((tmp_path / "run.jsonl").read_text(encoding="utf-8").splitlines()) == 1 + 8
    ended = [os.waitstatus_to_exitcode(os.waitpid(copy, 0)[1]) for copy in cheating.Forks.copies]
    assert ended == [1, 1]
    told = "nasbench: strategy Forks forked the search (os.fork); the copy is ended\n"
    assert capfd.readouterr().err == told


def test_a_comparison_goes_on_without_them(made_up_table: Table, tmp_path: Path) -> None:
    names = [*(cheat.__name__ for cheat in SAYS), "Honest"]
    found = compare(names, made_up_table, out=tmp_path, **COMMON)
    alone = compare(["Honest"], made_up_table, **COMMON)
    assert found.summary()["strategies"] == alone.summary()["strategies"]
    for cheat in SAYS:
        said = f"strategy {cheat.__name__} {SAYS[cheat]}"
        assert re.fullmatch(said, found.broken[cheat.__name__])


@pytest.mark.parametrize("name", ["Remembers", "GlobalNumbers"])
def test_runs_that_are_no_function_of_their_seed_are_found(
    name: str,
    made_up_table: Table,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(cheating.Remembers, "best", None)
    found = compare([name, "Honest"], made_up_table, **COMMON)
    assert list(found.traces) == ["Honest"]
    assert found.broken[name].startswith(f"strategy {name} asks differently for the same seed: it")
    assert f"strategy {name} cannot be imported in a fresh process: whether it" in caplog.text


def test_they_are_found_in_a_fresh_process_and_one_that_ends_does_no_harm(
    made_up_table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # these are installed
    cheats = ["Remembers", "LeavesTheProcess", "LeavesLater"]
    with installed(tmp_path / "site"):
        given = {**COMMON, "budget_evaluations": 25, "processes": 2}
        found = compare([*cheats, "Honest"], made_up_table, **given)
    assert list(found.traces) == ["Honest"]
    remembers, early, late = (found.broken[name] for name in cheats)
    assert remembers.startswith("strategy Remembers asks differently for the same seed: it keeps")
    assert early == (
        "strategy LeavesTheProcess ended its process with exit status 0 in ask or tell"
    )
    assert late.startswith("strategy LeavesLater took a search process with it: it ended the")


def test_the_command_line_outlives_a_strategy_that_ends_its_process(
    made_up_table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    words = ["search", "LeavesLater", "--table", str(made_up_table.path), "--search-recipe"]
    words += ["short", "--budget-evaluations", "30", "--out", str(tmp_path / "run.jsonl")]
    with installed(tmp_path / "site"):
        apart = CliRunner().invoke(app, [*words, "--isolate"])
        (tmp_path / "run.jsonl").unlink()
        here = CliRunner().invoke(app, words)
    assert str(apart.exception) == (
        "strategy LeavesLater ended its process with exit status 0 in ask or tell"
    )
    assert str(here.exception) == (
        "strategy LeavesLater took the search with it: it ended the process, crashed, or ran out "
        "of memory"
    )
    assert len((tmp_path / "run.jsonl").read_text(encoding="utf-8").splitlines()) > 20


def test_a_budget_is_nobody_elses(made_up_table: Table) -> None:
    found = compare(["WantsMore", "Honest"], made_up_table, **COMMON)
    alone = compare(["Honest"], made_up_table, **COMMON)
    assert [trace.evaluations for trace in found.traces["WantsMore"]] == [8, 8, 8]
    assert found.setting.protocol.budget == Budget(evaluations=8)
    assert found.summary()["strategies"]["Honest"] == alone.summary()["strategies"]["Honest"]


def test_a_run_keeps_its_own_goal_and_parameters(oracle: TableOracle) -> None:
    of = spec_of("WantsMore", oracle)
    before = asdict(of.goal)
    run = search(of, oracle)
    assert len(run.evaluations) == 8
    assert asdict(of.goal) == before


def test_what_a_query_says_later_counts_for_nothing(oracle: TableOracle) -> None:
    of = spec_of("one", oracle, 5, repeats="free")
    made = [one(oracle.space, of.goal, of.rng()) for one in (cheating.Honest, cheating.Lies)]
    honest, lied = (search(of, oracle, strategy=one) for one in made)
    assert lied.evaluations == honest.evaluations
    assert {type(e.query) for e in lied.evaluations} == {Query}


def test_arrived_queries_are_made_of_exact_types() -> None:
    class Text(str):
        pass

    numbers = Query(np.int64(3), Text("r"), np.uint8(4), np.True_)  # type: ignore[arg-type]
    assert arrived(numbers) == (3, "r", 4, True)
    found = arrived(cheating.LyingQuery(cheating.LyingInt(3), "r", cheating.LyingInt(4), 1))
    assert found is not None
    assert [type(value) for value in found] == [int, str, int, bool]
    assert tuple(found) == (3, "r", 4, True)
    exact = Query(3, "r", 4)
    assert arrived(exact) is exact
    assert arrived(None) is None


@pytest.mark.parametrize(
    "nonsense",
    [
        7,
        (1, "r", 4, False),
        Query(1.0, "r", 4),  # type: ignore[arg-type]
        Query(1, b"r", 4),  # type: ignore[arg-type]
        Query(1, "r", None),  # type: ignore[arg-type]
        Query(1, "r", 4, "yes"),  # type: ignore[arg-type]
        Query(1, "r", np.array([4])),  # type: ignore[arg-type]
        tuple.__new__(Query, (1, "r")),
        SimpleNamespace(architecture=1, recipe="r", epochs=4, resume=False, __class__=Query),
    ],
)
def test_what_has_no_plain_values_is_no_query(nonsense: Any) -> None:
    with pytest.raises(NotAQuery):
        arrived(nonsense)


class Stopped(cheating.Honest):
    """Ctrl-C comes while it thinks; as other code may, it catches what it can."""

    swallows = False

    def third(self, query: Query) -> Any:
        try:
            signal.raise_signal(signal.SIGINT)
        except BaseException:
            if not self.swallows:
                raise
        return query


@pytest.mark.parametrize("swallows", [False, True])
def test_ctrl_c_ends_a_search_and_is_no_fault_of_the_strategy(
    swallows: bool, oracle: TableOracle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Stopped, "swallows", swallows)
    of = spec_of("Stopped", oracle)
    made = Stopped(oracle.space, of.goal, of.rng())
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may ignore it
    try:
        with pytest.raises(KeyboardInterrupt):
            search(of, oracle, strategy=made)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_many_searches_listen_for_ctrl_c_once(
    oracle: TableOracle, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = lambda number, frame: None  # noqa: E731 (anybody's handler)
    before = signal.signal(signal.SIGINT, mine)
    taken: list[Any] = []
    take_over = _signal.signal
    try:
        with monkeypatch.context() as patched, listening():
            patched.setattr(_signal, "signal", lambda *args: taken.append(args) or take_over(*args))
            for seed in range(3):
                assert search(replace(spec_of("Honest", oracle), seed=seed), oracle).evaluations
            assert not taken
        assert signal.getsignal(signal.SIGINT) is mine
    finally:
        signal.signal(signal.SIGINT, before)
