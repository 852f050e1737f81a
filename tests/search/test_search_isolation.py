"""Strategies in a process of their own: the same answers, nothing to find, and no harm done."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cheating
import numpy as np
import pytest
from strangers import installed
from typer.testing import CliRunner

import nasbench as nb
from nasbench.cli import app
from nasbench.errors import NasbenchError, StrategyError
from nasbench.search import Budget, Goal, RunSpec, TableOracle, confinement, isolation, search
from nasbench.search.confinement import landlock, readable
from nasbench.search.isolation import Isolated, Isolation
from nasbench.search.prior import Prior
from nasbench.search.testing import ToyOracle, check_strategy
from nasbench.table import Table

pytestmark = pytest.mark.heavy

SHORT = Isolation(answer_seconds=20, memory_mib=256)
HERE = r" \(cheating.py, line \d+\)"


@pytest.fixture(autouse=True, scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with installed(tmp_path_factory.mktemp("strangers") / "site"):
        yield
    if isolation._idle:
        isolation._idle.kill()


@pytest.fixture
def oracle(made_up_table: Table) -> TableOracle:
    return TableOracle(made_up_table, recipe="short")


def cheat(name: str, oracle: Any) -> RunSpec:
    return spec_of("Cheat", oracle, parameters={"which": name})


def spec_of(name: str, oracle: Any, evaluations: int = 8, **given: Any) -> RunSpec:
    goal = Goal("valid_accuracy", Budget(evaluations=evaluations), oracle.fidelities)
    return RunSpec(name, goal, 0, **given)


# The same answers.


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("regularized_evolution", {"workers": 4, "parameters": {"population_size": 5}}),
        ("hyperband", {"workers": 3, "schedule": "synchronous"}),
        ("genetic_algorithm", {"start": (5, 9, 9), "repeats": "free", "failures": 0.3}),
    ],
)
def test_honest_strategies_ask_the_same(name: str, given: dict[str, Any]) -> None:
    oracle = ToyOracle(nb.space("nb201"), diverging=0.2)
    of = spec_of(name, oracle, 40, **given)
    here, apart = search(of, oracle), search(of, oracle, isolate=True)
    assert repr(apart.evaluations) == repr(here.evaluations)  # NaN is not itself
    assert apart.ended == here.ended


@pytest.mark.parametrize("name", ["BeginsWithTheBest", "Honest"])
def test_what_is_known_beforehand_is_known_there(
    name: str, make_table: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    oracle = TableOracle(make_table())
    scores = np.random.default_rng(1).random(oracle.space.size)
    monkeypatch.setattr(Prior, "scores", lambda self, table: scores.copy())
    of = spec_of(name, oracle, 12, prior=Prior("proxy/toy", 0.3), start=(7,))
    here, apart = search(of, oracle), search(of, oracle, isolate=True)
    assert apart.evaluations == here.evaluations


def test_every_run_is_fresh_and_one_process_serves_them(oracle: TableOracle) -> None:
    of = cheat("Remembers", oracle)
    first = search(of, oracle, isolate=SHORT)
    server = isolation._idle
    again = search(of, oracle, isolate=SHORT)
    assert isolation._idle is server
    assert again.evaluations == first.evaluations
    cheating.Remembers.best = None
    here = [search(of, oracle) for _ in range(2)]
    assert first.evaluations == here[0].evaluations != here[1].evaluations


def test_journals_go_on_from_one_to_the_other(oracle: TableOracle, tmp_path: Path) -> None:
    of = cheat("Honest", oracle)
    search(of, oracle, journal=tmp_path / "apart", isolate=SHORT)
    search(of, oracle, journal=tmp_path / "here")
    assert (tmp_path / "apart").read_bytes() == (tmp_path / "here").read_bytes()


def test_the_contract_is_also_tried_in_a_fresh_process() -> None:
    check_strategy("Honest", spaces=("nb201-mini",), evaluations=10)
    with pytest.raises(AssertionError, match="OfItsProcess asks differently for the same seed: it"):
        check_strategy("OfItsProcess", spaces=("nb201-mini",), evaluations=10)


# Nothing to find.


def test_in_one_process_test_accuracy_is_a_line_away(
    oracle: TableOracle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cheating.CollectsGarbage, "file", oracle.table.path)
    best = oracle.table.top(1, "test_accuracy", recipe="short").architecture[0]
    for name in ("WalksFrames", "CollectsGarbage"):
        run = search(spec_of(name, oracle), oracle)
        assert run.evaluations[2].query.architecture == best


@pytest.mark.skipif(landlock() == 0, reason="this kernel keeps no files from a process")
@pytest.mark.parametrize(
    "name",
    ["WalksFrames", "CollectsGarbage", "OpensTheFile", "ReadsItsParent", "ListsTheFolder"],
)
def test_in_its_own_process_it_is_out_of_reach(
    name: str, oracle: TableOracle, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = oracle.table.path
    monkeypatch.setattr("sys.argv", ["nasbench", "search", "--table", str(path)])
    monkeypatch.setenv("NASBENCH_TEST_TABLES", str(path.parent))
    with path.open("rb"), pytest.raises(StrategyError) as told:
        search(cheat(name, oracle), oracle, isolate=SHORT)
    assert re.fullmatch(
        rf"strategy Cheat failed in ask: (LookupError: no table|PermissionError: .*){HERE}",
        str(told.value),
    )


def test_neither_shipped_tables_nor_the_searched_one_are_readable(oracle: TableOracle) -> None:
    shipped = {path.parent for path in nb.table.shipped_tables().values()}
    folder = oracle.table.path.parent
    places = readable([*shipped, oracle.table.path])
    open_to = [Path(place.path) for place in places if place.contents]
    for hidden in (*shipped, folder / "made-up.h5", Path.home() / "my.h5", Path("/proc/1/mem")):
        assert not any(hidden.is_relative_to(place) for place in open_to)
    for needed in (Path(np.__file__), Path(nb.__file__), Path(os.__file__)):
        assert any(needed.resolve().is_relative_to(place) for place in open_to)


def test_the_command_line_says_where_files_are_within_reach(
    oracle: TableOracle, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["search", "Cheat", "--set", "which=Honest", "--table", str(oracle.table.path)]
    words += ["--search-recipe", "short", "--budget-evaluations", "3", "--isolate"]
    for version, said in ((0, "nasbench: this system has no Landlock: strategies are"), (1, "")):
        monkeypatch.setattr(confinement, "landlock", lambda version=version: version)
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, result.output
        assert ("Landlock" in result.stderr) == bool(said)
        assert said in result.stderr


# No harm done.


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("ExitsInInit", "failed in its __init__: SystemExit: 0" + HERE),
        ("Interrupts", "failed in ask: KeyboardInterrupt" + HERE),
        ("ExitsInTell", "failed in tell: SystemExit: 0" + HERE),
        ("LeavesTheProcess", "ended its process with exit status 0 in ask or tell"),
        ("KillsItself", r"lost its process to signal 9 \(SIGKILL\) in ask or tell"),
        ("Hog", "failed in ask: .*MemoryError: Unable to allocate .*" + HERE),
        ("ArrayResume", r"asked for Query\(.*, which is no query of nb201-mini"),
        ("LiesOfNumbers", r"asked for Query\(architecture=1000000, .* no query of nb201-mini"),
    ],
)
def test_it_is_told_in_a_sentence(name: str, says: str, oracle: TableOracle) -> None:
    with pytest.raises(StrategyError) as told:
        search(cheat(name, oracle), oracle, isolate=SHORT)
    assert re.fullmatch(f"strategy Cheat {says}", str(told.value))


def test_what_never_answers_is_ended(oracle: TableOracle) -> None:
    of = cheat("NeverLetsGo", oracle)
    with Isolated(of, oracle, SHORT) as apart:
        first, second = apart.ask(), apart.ask()
        assert first != second
        apart.wait(0.2)
        with pytest.raises(StrategyError, match=r"Cheat gave no answer for 0\.2 s"):
            apart.ask()
    assert isolation._idle is None


def test_a_budget_is_kept_here(oracle: TableOracle) -> None:
    run = search(cheat("WantsMore", oracle), oracle, isolate=SHORT)
    assert len(run.evaluations) == 8


def test_what_it_refuses_is_said_as_ever(oracle: TableOracle) -> None:
    of = spec_of("Cheat", oracle, parameters={"who": "Honest"})
    with pytest.raises(NasbenchError, match="unknown parameter of Cheat 'who'"):
        search(of, oracle, isolate=SHORT)


class Forged:
    """A socket that says what a hostile process would."""

    def __init__(self, *parts: bytes) -> None:
        self.parts = list(parts)

    def recv(self, most: int) -> bytes:
        return self.parts.pop(0) if self.parts else b""

    def sendall(self, message: bytes) -> None:
        pass


@pytest.mark.parametrize(
    "answer",
    [
        b"{\n",
        b"[" * 50_000 + b"\n",
        b'"' + b"x" * 70_000,
        b"\xff\n",
        b"7\n",
        b"[1]\n",
        b'[1, "short", 4, [1]]\n',
        b'[1.5, "short", 4, false]\n',
        b'{"failed": ["\\u001b[31m", 1]}\n',
        b'{"no_query": {}}\n',
        b"[" + b"9" * 5000 + b', "short", 4, false]\n',
    ],
)
def test_answers_are_not_believed(
    answer: bytes, oracle: TableOracle, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = cheat("Honest", oracle)
    with Isolated(of, oracle, SHORT) as apart:
        true = apart._socket
        monkeypatch.setattr(apart._server, "kill", lambda: None)  # it serves the next, too
        apart._socket = Forged(answer[:1], answer[1:])  # type: ignore[assignment]
        with pytest.raises(StrategyError) as told:
            search(of, oracle, strategy=apart)
        apart._socket = true
    assert str(told.value).isprintable()
