"""Journals: the same bytes for the same run, wherever it was cut."""

from __future__ import annotations

import json
import math
import os
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up import MadeUpOracle, Scripted, spec, whole

from nasbench._journal import line_of
from nasbench.errors import NasbenchError
from nasbench.search import (
    Budget,
    Evaluation,
    Fidelity,
    Goal,
    Outcome,
    Query,
    RunSpec,
    TableOracle,
    search,
)
from nasbench.search.journal import read_run
from nasbench.search.testing import EPOCHS, ToyOracle
from nasbench.space import get
from nasbench.table import Table

STRATEGIES = ("random_search", "regularized_evolution", "reinforce")


def _spec(strategy: str = "reinforce", seed: int = 1, workers: int = 1, **more: Any) -> RunSpec:
    budget = more.pop("budget", Budget(evaluations=25))
    goal = Goal("valid_accuracy", budget, (Fidelity("toy", EPOCHS),))
    return RunSpec(strategy, goal, seed, more.pop("parameters", {}), workers, **more)


def _oracle() -> ToyOracle:
    return ToyOracle(get("nb201-mini"), diverging=0.2)


def _entries(path: Path) -> list[dict[str, Any]]:
    """What the lines of a journal say, each behind its checksum."""
    found = []
    for line in path.read_bytes().splitlines():
        checksum, text = line.split(b" ", 1)
        assert int(checksum, 16) == zlib.crc32(text)
        found.append(json.loads(text))
    return found


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("repeats", ["paid", "free"])
def test_two_runs_of_one_spec_leave_the_same_bytes(
    tmp_path: Path, strategy: str, workers: int, repeats: str
) -> None:
    of = _spec(strategy, workers=workers, repeats=repeats)
    runs = [search(of, _oracle(), journal=tmp_path / name / "j") for name in ("a", "b")]
    first, second = ((tmp_path / name / "j").read_bytes() for name in ("a", "b"))
    assert first == second
    header, *lines = _entries(tmp_path / "a" / "j")
    assert header["spec"]["strategy"] == strategy
    # All that was told is there, as it was told.
    kept = {line["ask"]: line for line in lines}
    for e in runs[0].evaluations:
        line = kept[e.ask]
        assert (line["architecture"], line["epochs"]) == (e.query.architecture, e.query.epochs)
        assert (line["started"], line["finished"]) == (e.started, e.finished)
        value = e.outcome.values["valid_accuracy"]
        assert line["values"]["valid_accuracy"] == (None if math.isnan(value) else value)


def test_another_seed_leaves_other_bytes(tmp_path: Path) -> None:
    for seed in (1, 2):
        search(_spec(seed=seed), _oracle(), journal=tmp_path / str(seed))
    first, second = ((tmp_path / str(seed)).read_bytes().splitlines()[1:] for seed in (1, 2))
    assert first != second


def test_wall_clock_stands_in_a_file_of_its_own(tmp_path: Path) -> None:
    search(_spec(), _oracle(), journal=tmp_path / "run.jsonl")
    (line,) = (tmp_path / "run.wall.jsonl").read_text().splitlines()
    assert json.loads(line)["ended_by"] == "evaluations"


@pytest.fixture(scope="module")
def whole_runs(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, int], bytes]:
    """The journals of uninterrupted runs by strategy and workers."""
    folder = tmp_path_factory.mktemp("whole")
    found = {}
    for strategy in STRATEGIES:
        for workers in (1, 3):
            path = folder / f"{strategy}-{workers}"
            search(_spec(strategy, workers=workers), _oracle(), journal=path)
            found[strategy, workers] = path.read_bytes()
    return found


@given(
    strategy=st.sampled_from(STRATEGIES),
    workers=st.sampled_from([1, 3]),
    share=st.floats(0, 1),
    torn=st.binary(max_size=8).filter(lambda tail: b"\n" not in tail),
)
def test_a_run_cut_at_any_byte_ends_as_if_it_had_not_been(
    whole_runs: dict[tuple[str, int], bytes],
    tmp_path_factory: pytest.TempPathFactory,
    strategy: str,
    workers: int,
    share: float,
    torn: bytes,
) -> None:
    text = whole_runs[strategy, workers]
    path = tmp_path_factory.mktemp("cut") / "run.jsonl"
    kept = text[: round(share * len(text))]
    # A torn block may hold anything, once the header is there.
    path.write_bytes(kept + (torn if b"\n" in kept else b""))
    oracle = _oracle()
    run = search(_spec(strategy, workers=workers), oracle, journal=path)
    assert path.read_bytes() == text
    assert len(run.evaluations) == 25
    # Nothing that the journal held was evaluated again.
    assert len(oracle.asked) == 25 - max(kept.count(b"\n") - 1, 0)


@given(cut=st.integers(0, 12), tenths=st.lists(st.integers(1, 99), min_size=4, max_size=4))
def test_resumed_trainings_cost_the_same_after_a_cut(
    tmp_path_factory: pytest.TempPathFactory, cut: int, tenths: list[int]
) -> None:
    """Sums of decimal seconds round: the journal must not see in which order they were made."""
    until = [sum(tenths[:n]) / 10 for n in range(5)]

    def oracle() -> MadeUpOracle:
        return MadeUpOracle(seconds=lambda architecture, epochs: until[epochs])

    def script() -> Scripted:
        return Scripted(
            Query(a, "r", epochs, resume=True) for epochs in (1, 2, 3, 4) for a in (7, 8, 9)
        )

    folder = tmp_path_factory.mktemp("sums")
    search(spec(), oracle(), strategy=script(), journal=folder / "whole")
    lines = (folder / "whole").read_bytes().splitlines(keepends=True)
    (folder / "cut").write_bytes(b"".join(lines[: cut + 1]))
    search(spec(), oracle(), strategy=script(), journal=folder / "cut")
    assert (folder / "cut").read_bytes() == (folder / "whole").read_bytes()


class Stopped(BaseException):
    """As Ctrl-C."""


class _Timed(MadeUpOracle):
    """As the trainer: a training takes another time whenever it is done. Stops after `most`."""

    def __init__(self, machine: int, most: float = math.inf) -> None:
        super().__init__()
        self.machine, self.most = machine, most

    def evaluate(self, query: Query) -> Outcome:
        if len(self.asked) >= self.most:
            raise Stopped
        shown = super().evaluate(query)
        return Outcome(shown.values, 1.0 + (len(self.asked) * self.machine) % 17)


@given(stop=st.integers(0, 30), workers=st.integers(1, 5))
def test_no_finished_training_is_lost_or_repeated(
    tmp_path_factory: pytest.TempPathFactory, stop: int, workers: int
) -> None:
    """Those of workers that run at the same time in simulated time among them."""
    path = tmp_path_factory.mktemp("timed") / "run.jsonl"
    of = spec(Budget(evaluations=30), strategy="regularized_evolution", workers=workers)
    first = _Timed(machine=7, most=stop)
    with suppress(Stopped):
        search(of, first, journal=path)
    before = path.read_bytes()
    second = _Timed(machine=11)
    run = search(of, second, journal=path)
    assert path.read_bytes().startswith(before)
    assert len(first.asked) + len(second.asked) == 30
    kept = _entries(path)[1:]
    assert [line["ask"] for line in kept] == list(range(30))
    assert sorted(e.ask for e in run.evaluations) == list(range(30))
    # The order of telling follows the seconds that the journal holds.
    ends = [(line["finished"], line["ask"]) for line in kept]
    assert [e.ask for e in run.evaluations] == [ask for _, ask in sorted(ends)]


# A larger budget.


@pytest.mark.parametrize("strategy", [*STRATEGIES, "hyperband"])
@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("repeats", ["paid", "free"])
@pytest.mark.parametrize(
    ("small", "large"),
    [
        (Budget(evaluations=9), Budget(evaluations=25)),
        (Budget(seconds=40.0), Budget(seconds=200.0)),
    ],
)
def test_a_finished_search_goes_on_with_a_larger_budget(
    tmp_path: Path, strategy: str, workers: int, repeats: str, small: Budget, large: Budget
) -> None:
    more = {"workers": workers, "repeats": repeats}
    whole, grown = tmp_path / "whole", tmp_path / "grown"
    expected = search(_spec(strategy, budget=large, **more), _oracle(), journal=whole)
    search(_spec(strategy, budget=small, **more), _oracle(), journal=grown)
    before = len(_entries(grown)) - 1
    oracle = _oracle()
    run = search(_spec(strategy, budget=large, **more), oracle, journal=grown)
    assert grown.read_bytes() == whole.read_bytes()
    assert str(run.evaluations) == str(expected.evaluations)
    # What was evaluated before is not evaluated again.
    assert 0 < before == len(_entries(whole)) - 1 - len(oracle.asked)


def test_a_bound_that_goes_is_a_larger_budget(tmp_path: Path) -> None:
    either, one = Budget(evaluations=25, seconds=40.0), Budget(evaluations=25)
    search(_spec(budget=one), _oracle(), journal=tmp_path / "whole")
    search(_spec(budget=either), _oracle(), journal=tmp_path / "grown")
    search(_spec(budget=one), _oracle(), journal=tmp_path / "grown")
    assert (tmp_path / "grown").read_bytes() == (tmp_path / "whole").read_bytes()


def test_a_strategy_that_plans_by_its_budget_cannot_go_on_with_another(tmp_path: Path) -> None:
    path, strategy = tmp_path / "run.jsonl", "meta_qnn"
    search(_spec(strategy, budget=Budget(evaluations=40)), _oracle(), journal=path)
    before = path.read_bytes()
    oracle = _oracle()
    with pytest.raises(NasbenchError, match="with a larger budget the strategy asks for something"):
        search(_spec(strategy, budget=Budget(evaluations=400)), oracle, journal=path)
    assert path.read_bytes() == before
    assert oracle.asked == []


@pytest.mark.parametrize(
    ("budget", "held"),
    [
        (Budget(evaluations=24), "25 evaluations"),
        (Budget(evaluations=10**6, seconds=1.0), "25 evaluations"),
    ],
)
def test_a_smaller_budget_is_refused_and_the_journal_kept(
    tmp_path: Path, budget: Budget, held: str
) -> None:
    path = tmp_path / "run.jsonl"
    search(_spec(), _oracle(), journal=path)
    before = path.read_bytes()
    with pytest.raises(NasbenchError, match=rf"with a larger budget \({held}\): give"):
        search(_spec(budget=budget), _oracle(), journal=path)
    assert path.read_bytes() == before


def test_a_journal_that_grows_is_whole_wherever_it_is_stopped(tmp_path: Path) -> None:
    small, large = (spec(Budget(evaluations=n), strategy="reinforce") for n in (9, 25))
    whole, path = tmp_path / "whole", tmp_path / "grown"
    search(large, MadeUpOracle(), journal=whole)
    search(small, MadeUpOracle(), journal=path)
    short = path.read_bytes()
    for stop in (0, 3, 8, 9, 10, 20):

        def end(evaluation: Evaluation, at: int = stop) -> None:
            if evaluation.ask == at:
                raise Stopped

        with suppress(Stopped):
            search(large, MadeUpOracle(), journal=path, progress=end)
        found = path.read_bytes()
        assert found == short if stop < 9 else whole.read_bytes().startswith(found)
    search(large, MadeUpOracle(), journal=path)
    assert path.read_bytes() == whole.read_bytes()


def test_a_search_that_has_nothing_left_to_ask_takes_up_its_larger_budget(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    for budget in (Budget(evaluations=5), Budget(evaluations=6)):
        script = Scripted([whole(1), whole(2)])
        search(spec(budget), MadeUpOracle(), strategy=script, journal=path)
    assert _entries(path)[0]["spec"]["goal"]["budget"]["evaluations"] == 6


# What is refused.


@pytest.mark.parametrize(
    "other",
    [
        _spec(seed=2),
        _spec("random_search"),
        _spec(workers=2),
        _spec(repeats="free"),
        _spec(parameters={"learning_rate": 0.02}),
    ],
)
def test_the_journal_of_another_run_is_refused_and_kept(tmp_path: Path, other: RunSpec) -> None:
    path = tmp_path / "run.jsonl"
    search(_spec(), _oracle(), journal=path)
    before = path.read_bytes()
    with pytest.raises(NasbenchError, match="holds another run") as told:
        search(other, _oracle(), journal=path)
    assert path.read_bytes() == before
    assert "\n" not in str(told.value)


def test_the_journal_of_another_oracle_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    search(_spec(), _oracle(), journal=path)
    with pytest.raises(NasbenchError, match="holds another run"):
        search(_spec(), ToyOracle(get("nb201-mini"), diverging=0.3), journal=path)


@pytest.mark.parametrize("text", [b"my thesis", b"my thesis\n", b'{"spec": {}}\n', b"\0\xff\n\n"])
def test_files_of_others_are_not_written_over(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "thesis.txt"
    path.write_bytes(text)
    with pytest.raises(NasbenchError, match=r"holds (another run|lines without checksums)"):
        search(_spec(), _oracle(), journal=path)
    assert path.read_bytes() == text


def _drop(line: bytes) -> bytes:
    return b""


@pytest.mark.parametrize(
    "damage",
    [
        _drop,
        lambda line: b"5\n",
        lambda line: b"null\n",
        lambda line: b"\0" * len(line) + b"\n",
        lambda line: line.replace(b'"ask":3', b'"ask":9'),
        lambda line: line.replace(b'"epochs":4', b'"epochs":3'),
        lambda line: line.replace(b'"valid_accuracy":', b'"valid_accuracy":1'),
    ],
)
def test_damage_inside_a_journal_is_told_by_line(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "run.jsonl"
    search(_spec(), _oracle(), journal=path)
    lines = path.read_bytes().splitlines(keepends=True)
    changed = damage(lines[4])
    assert changed != lines[4]
    path.write_bytes(b"".join((*lines[:4], changed, *lines[5:])))
    with pytest.raises(NasbenchError, match=r"damaged in line 5: (its .*; )?give another --out"):
        search(_spec(), _oracle(), journal=path)


@pytest.mark.parametrize(
    "forge",
    [
        lambda e: e.pop("epochs"),
        lambda e: e.update(more=1),
        lambda e: e.update(ask="3"),
        lambda e: e.update(architecture=[1]),
        lambda e: e.update(architecture=10**30),
        lambda e: e.update(resume=0),
        lambda e: e.update(recipe=None),
        lambda e: e.update(values=3),
        lambda e: e.update(values={}),
        lambda e: e.update(values={"valid_accuracy": "90"}),
        lambda e: e.update(values={"valid_accuracy": 10**400}),
        lambda e: e.update(values={"valid_accuracy": math.nan}),
        lambda e: e.update(seconds=math.nan),
        lambda e: e.update(seconds=-1e9),
        lambda e: e.update(seconds="4.0"),
        lambda e: e.update(seconds=e["seconds"] + 1),
        lambda e: e.update(finished=e["finished"] + 1),
        lambda e: e.update(started=0.5),
        lambda e: e.update(repeat=not e["repeat"]),
    ],
)
def test_a_forged_line_whose_checksum_is_right_is_told(
    tmp_path: Path, forge: Callable[[dict[str, Any]], object]
) -> None:
    path = tmp_path / "run.jsonl"
    search(_spec(), _oracle(), journal=path)
    lines = path.read_bytes().splitlines(keepends=True)
    entry = json.loads(lines[4][9:])
    forge(entry)
    text = b"".join((*lines[:4], line_of(entry), *lines[5:]))
    path.write_bytes(text)
    with pytest.raises(NasbenchError, match=r"line 5: its checksum|asks for something") as told:
        search(_spec(), _oracle(), journal=path)
    assert "\n" not in str(told.value)
    assert path.read_bytes() == text


def test_a_forged_accuracy_of_a_table_is_looked_up_again(
    made_up_table: Table, tmp_path: Path
) -> None:
    path, oracle = tmp_path / "run.jsonl", TableOracle(made_up_table, recipe="short")
    goal = Goal("valid_accuracy", Budget(evaluations=6), oracle.fidelities)
    of = RunSpec("random_search", goal, 0)
    search(of, oracle, journal=path)
    lines = path.read_bytes().splitlines(keepends=True)
    entry = json.loads(lines[3][9:])
    entry["values"]["valid_accuracy"] += 0.5
    path.write_bytes(b"".join((*lines[:3], line_of(entry), *lines[4:])))
    with pytest.raises(NasbenchError, match="damaged in line 4: its checksum is right"):
        search(of, oracle, journal=path)


@pytest.mark.parametrize("text", [b"[]", b"[" * 200_000, b'{"a":' * 100_000, b"9" * 5000, b"\xff"])
@pytest.mark.parametrize("line", [1, 3])
def test_a_line_that_is_no_object_is_told(tmp_path: Path, text: bytes, line: int) -> None:
    path = tmp_path / "run.jsonl"
    search(_spec(), _oracle(), journal=path)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[line - 1] = b"%08x %s\n" % (zlib.crc32(text), text)
    path.write_bytes(b"".join(lines))
    for read in (lambda: search(_spec(), _oracle(), journal=path), lambda: read_run(path)):
        with pytest.raises(NasbenchError, match=f"damaged in line {line}: its checksum is right"):
            read()


@pytest.mark.parametrize(
    "forge",
    [
        lambda spec: spec["goal"].update(budget={"evaluations": math.nan, "seconds": None}),
        lambda spec: spec["goal"].update(budget={"evaluations": -5, "seconds": None}),
        lambda spec: spec["goal"].update(budget={"evaluations": "5", "seconds": None}),
        lambda spec: spec["goal"].update(budget={"evaluations": 10**400, "seconds": None}),
        lambda spec: spec["goal"].update(budget=[["evaluations", 5]]),
        lambda spec: spec["goal"].update(budget={}),
        lambda spec: spec["goal"].update(budget=None),
        lambda spec: spec.update(goal=None),
        lambda spec: spec.clear(),
    ],
)
def test_a_forged_header_is_of_another_run(
    tmp_path: Path, forge: Callable[[dict[str, Any]], object]
) -> None:
    path = tmp_path / "run.jsonl"
    search(_spec(), _oracle(), journal=path)
    header, *lines = path.read_bytes().splitlines(keepends=True)
    entry = json.loads(header[9:])
    forge(entry["spec"])
    text = b"".join((line_of(entry), *lines))
    path.write_bytes(text)
    with pytest.raises(NasbenchError, match="holds another run"):
        search(_spec(), _oracle(), journal=path)
    assert path.read_bytes() == text


def test_lines_beyond_the_end_of_a_run_are_told(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    search(_spec(), _oracle(), journal=path)
    further = _entries(path)[-1]
    path.write_bytes(path.read_bytes() + line_of({**further, "ask": 25}))
    with pytest.raises(NasbenchError, match="asks for something else than it did then"):
        search(_spec(), _oracle(), journal=path)


def test_a_strategy_that_forgot_what_it_asked_cannot_resume(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    search(spec(), MadeUpOracle(), strategy=Scripted([whole(1), whole(2)]), journal=path)
    with pytest.raises(NasbenchError, match="asks for something else than it did then"):
        search(spec(), MadeUpOracle(), strategy=Scripted([whole(1), whole(3)]), journal=path)


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NasbenchError, match=r"cannot write .*file/run\.jsonl"):
        search(_spec(), _oracle(), journal=tmp_path / "file" / "run.jsonl")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_told_and_the_run_goes_on_when_there_is_room(tmp_path: Path) -> None:
    path, reference = tmp_path / "run.jsonl", tmp_path / "reference.jsonl"
    search(_spec(), _oracle(), journal=reference)

    def fill_disk(evaluation: Evaluation) -> None:
        if evaluation.ask == 9:
            for fd in os.listdir("/proc/self/fd"):
                if os.path.realpath(f"/proc/self/fd/{fd}") == str(path):
                    with open("/dev/full", "wb") as full:
                        os.dup2(full.fileno(), int(fd))

    with pytest.raises(NasbenchError, match="No space left on device; what is finished is kept"):
        search(_spec(), _oracle(), journal=path, progress=fill_disk)
    assert path.read_bytes().count(b"\n") == 1 + 10
    search(_spec(), _oracle(), journal=path)
    assert path.read_bytes() == reference.read_bytes()
