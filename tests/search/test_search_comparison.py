"""Comparisons: the same whatever ran where, resumable, and worth what a slow sum says."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nasbench as nb
from nasbench.errors import NasbenchError
from nasbench.search import Comparison, Evaluation, Limit, RunSpec, compare, search
from nasbench.surrogate import fit
from nasbench.table import Table

STRATEGIES = ("random_search", "regularized_evolution", "reinforce")
COMMON: dict[str, Any] = {
    "budget_seconds": 150.0,
    "seeds": range(6),
    "search_recipe": "short",
    "report_recipe": "long",
}

ALONE: dict[str, Any] = {"budget_evaluations": 5, "seeds": range(2)}


@pytest.fixture(scope="module")
def comparison(made_up_table: Table) -> Comparison:
    return nb.compare(STRATEGIES, made_up_table, **COMMON)


def _same(first: Comparison, second: Comparison) -> bool:
    return first.summary() == second.summary() and all(
        a.to_json() == b.to_json()
        for name in first.traces
        for a, b in zip(first.traces[name], second.traces[name], strict=True)
    )


# What incumbents are worth.


def _best(done: list[Evaluation]) -> int:
    """The architecture with the best validation accuracy, the first of equals."""
    return max(done, key=lambda e: e.outcome.values["valid_accuracy"]).query.architecture


def test_worth_against_a_slow_computation(made_up_table: Table, comparison: Comparison) -> None:
    table = made_up_table
    at_end = table.curves("valid_accuracy", recipe="long")[:, :, -1].astype(float).mean(1)
    tested = table.curves("test_accuracy", recipe="long")[:, :, -1].astype(float).mean(1)
    optimum = max(at_end)
    assert comparison.optimum == pytest.approx(optimum)
    oracle = comparison.setting.oracle()
    grid = np.arange(0.0, 151.0, 7.0)
    counts = np.arange(1.0, 30.0)
    for name in STRATEGIES:
        finals = comparison.finals(name)
        by_seconds = comparison.regret(name, grid, "seconds")
        by_evaluations = comparison.regret(name, counts, "evaluations")
        assert by_seconds.shape == (6, len(grid))
        for seed in range(6):
            done = search(comparison.setting.spec(name, seed, oracle), oracle).evaluations
            for i, now in enumerate(grid):
                until = [e for e in done if e.finished <= now]
                if until:
                    regret = optimum - at_end[table.row_of[_best(until)]]
                    assert by_seconds[seed, i] == pytest.approx(regret)
                else:
                    assert np.isnan(by_seconds[seed, i])
            for i, n in enumerate(counts):
                regret = optimum - at_end[table.row_of[_best(done[: int(n)])]]
                assert by_evaluations[seed, i] == pytest.approx(regret)
            row = table.row_of[_best(done)]
            assert finals["regret"][seed] == pytest.approx(optimum - at_end[row])
            assert finals["valid_accuracy"][seed] == pytest.approx(at_end[row])
            assert finals["test_accuracy"][seed] == pytest.approx(tested[row])
            asked = {table.row_of[e.query.architecture] for e in done}
            assert finals["evaluations"][seed] == len(done)
            assert finals["distinct"][seed] == len(asked)
            assert sum(e.outcome.seconds for e in done) <= 150 + 1e-9


def test_free_repeats_are_not_on_the_axis_of_evaluations(made_up_table: Table) -> None:
    found = nb.compare(
        ["regularized_evolution"],
        made_up_table,
        budget_evaluations=40,
        seeds=[3],
        search_recipe="short",
        repeats="free",
    )
    (trace,) = found.traces["regularized_evolution"]
    assert trace.repeats.sum() > 0
    assert trace.evaluations == 40
    assert found.finals("regularized_evolution")["distinct"] == [40]
    regret = found.regret("regularized_evolution", np.arange(1.0, 41.0), "evaluations")[0]
    # After n evaluations: the best of the first n distinct architectures.
    worth = made_up_table.values("valid_accuracy", trace.architectures, recipe="short")
    best = np.maximum.accumulate(worth[~trace.repeats])
    assert regret == pytest.approx(found.optimum - best)


def test_summary_has_the_form_that_scripts_rely_on(comparison: Comparison) -> None:
    summary = comparison.summary()
    assert {"table", "budget_seconds", "strategies", "also"} <= set(summary)
    assert (summary["table"], summary["budget_seconds"]) == ("made-up", 150.0)
    assert list(summary["strategies"]) == list(STRATEGIES)
    for name, measures in summary["strategies"].items():
        assert measures["n"] == 6
        assert set(measures) - {"n"} == {
            "evaluations",
            "distinct",
            "valid_accuracy",
            "test_accuracy",
            "regret",
        }
        for measure, stat in measures.items():
            if measure == "n":
                continue
            assert list(stat) == ["mean", "std", "median", "low", "high"]
            values = comparison.finals(name)[measure]
            assert stat["mean"] == pytest.approx(values.mean())
            assert stat["std"] == pytest.approx(np.sqrt(((values - values.mean()) ** 2).mean()))
            assert stat["median"] == pytest.approx(np.median(values))
            assert stat["low"] <= stat["mean"] <= stat["high"]
    assert json.loads(json.dumps(summary)) == summary


def test_seeds_and_training_seeds_matter(made_up_table: Table, comparison: Comparison) -> None:
    shifted = nb.compare(STRATEGIES, made_up_table, **{**COMMON, "seeds": range(1, 7)})
    for name in STRATEGIES:
        assert shifted.finals(name)["regret"][:-1] == pytest.approx(
            comparison.finals(name)["regret"][1:]
        )
    noisy = nb.compare(STRATEGIES, made_up_table, training_seed=1, **COMMON)
    assert not _same(noisy, comparison)


def test_cost_can_be_minimised_and_limited(made_up_table: Table) -> None:
    found = nb.compare(
        ["random_search"],
        made_up_table,
        budget_evaluations=125,
        parameters={"random_search": {"repeats": False}},
        seeds=[0],
        search_recipe="short",
        metric="toy/latency_ms",
        maximize=False,
        limits=[Limit("train_loss", 0.5)],
    )
    (trace,) = found.traces["random_search"]
    every = range(125)
    loss = made_up_table.values("train_loss", every, recipe="short")
    latency = made_up_table.cost("toy", "latency_ms", every)
    best = int(np.where(loss <= 0.5, latency, np.inf).argmin())
    assert made_up_table.row_of[trace.incumbents()[-1]] == made_up_table.row_of[best]


@pytest.mark.process
@pytest.mark.usefixtures("forked")
def test_search_on_a_surrogate_is_looked_up_in_the_table(
    made_up_table: Table, tmp_path: Path
) -> None:
    fit(made_up_table, recipe="short", train=40).save(tmp_path / "s.json")
    given = {**COMMON, "search_recipe": None, "seeds": range(3)}
    found = nb.compare(
        ["reinforce"], made_up_table, surrogate=tmp_path / "s.json", processes=2, **given
    )
    last = [trace.incumbents()[-1] for trace in found.traces["reinforce"]]
    assert found.finals("reinforce")["valid_accuracy"] == pytest.approx(
        made_up_table.values("valid_accuracy", last, recipe="long")
    )


# Processes and resuming.


@pytest.mark.process
def test_two_processes_find_what_one_finds(made_up_table: Table, comparison: Comparison) -> None:
    calls: list[tuple[int, int]] = []
    found = nb.compare(
        STRATEGIES,
        str(made_up_table.path),
        processes=2,
        progress=lambda done, total: calls.append((done, total)),
        **COMMON,
    )
    assert _same(found, comparison)
    assert calls == [(n, 18) for n in range(1, 19)]


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The runs that were really made, by strategy and seed."""
    made: list[tuple[str, int]] = []

    def counting(spec: RunSpec, *given: Any, **more: Any) -> Any:
        made.append((spec.strategy, spec.seed))
        return search(spec, *given, **more)

    monkeypatch.setattr("nasbench.search.workers.search", counting)
    return made


def test_a_folder_keeps_what_was_run(
    made_up_table: Table, comparison: Comparison, counted: list[tuple[str, int]], tmp_path: Path
) -> None:
    fewer = {**COMMON, "seeds": [0, 2, 5]}
    nb.compare(STRATEGIES[:2], made_up_table, out=tmp_path, **fewer)
    assert counted == [(name, seed) for name in STRATEGIES[:2] for seed in (0, 2, 5)]
    counted.clear()
    found = nb.compare(STRATEGIES, made_up_table, out=str(tmp_path), **COMMON)
    assert _same(found, comparison)
    assert len(counted) == 18 - 6
    counted.clear()
    assert _same(nb.compare(STRATEGIES, made_up_table, out=tmp_path, **COMMON), comparison)
    assert _same(Comparison.load(tmp_path), comparison)
    assert not counted


class Stopped(BaseException):
    """As Ctrl-C."""


def test_a_stopped_comparison_goes_on(
    made_up_table: Table, comparison: Comparison, counted: list[tuple[str, int]], tmp_path: Path
) -> None:
    def stop(done: int, total: int) -> None:
        if done == 9:
            raise Stopped

    with pytest.raises(Stopped):
        nb.compare(STRATEGIES, made_up_table, out=tmp_path, progress=stop, **COMMON)
    with pytest.raises(NasbenchError, match=r"holds no comparison|not finished"):
        Comparison.load(tmp_path)
    found = nb.compare(STRATEGIES, made_up_table, out=tmp_path, **COMMON)
    assert _same(found, comparison)
    assert len(counted) == len(set(counted)) == 18


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_runs_cut_at_any_byte_are_made_again(
    made_up_table: Table, comparison: Comparison, tmp_path: Path, share: float
) -> None:
    path = tmp_path / "runs" / "reinforce.jsonl"
    nb.compare(["reinforce"], made_up_table, out=tmp_path, **COMMON)
    text = path.read_bytes()
    path.write_bytes(text[: round(share * len(text))])
    found = nb.compare(["reinforce"], made_up_table, out=tmp_path, **COMMON)
    assert (
        found.summary()["strategies"]["reinforce"]
        == (comparison.summary()["strategies"]["reinforce"])
    )
    assert path.read_bytes() == text


def test_runs_of_another_setting_are_refused_and_kept(
    made_up_table: Table, counted: list[tuple[str, int]], tmp_path: Path
) -> None:
    nb.compare(["reinforce"], made_up_table, out=tmp_path, **COMMON)
    counted.clear()
    for change in (
        {"parameters": {"reinforce": {"learning_rate": 0.1}}},
        {"repeats": "free"},
        {"training_seed": 0},
        {"search_recipe": "long"},
    ):
        with pytest.raises(NasbenchError, match="holds runs of another setting"):
            nb.compare(["reinforce"], made_up_table, out=tmp_path, **{**COMMON, **change})
    nb.compare(["reinforce"], made_up_table, out=tmp_path, **COMMON)
    assert counted == []


def test_a_folder_whose_runs_were_exchanged_is_refused(
    made_up_table: Table, tmp_path: Path
) -> None:
    for name, seconds in (("one", 100.0), ("other", 150.0)):
        setting = {**COMMON, "budget_seconds": seconds}
        nb.compare(["reinforce"], made_up_table, out=tmp_path / name, **setting)
    runs = Path("runs") / "reinforce.jsonl"
    (tmp_path / "one" / runs).write_bytes((tmp_path / "other" / runs).read_bytes())
    with pytest.raises(NasbenchError, match="of another setting"):
        Comparison.load(tmp_path / "one")


def test_what_breaks_a_limit_is_never_found(made_up_table: Table) -> None:
    latency = made_up_table.device_column("toy", "latency_ms")
    bound = float(np.quantile(latency, 0.1))
    found = nb.compare(
        ["random_search"], made_up_table, limits=[Limit("toy/latency_ms", bound)], **COMMON
    )
    accuracy = made_up_table.column("valid_accuracy", recipe=found.report_recipe)
    assert found.optimum == accuracy[latency <= bound].max()
    for trace in found.traces["random_search"]:
        known = [a for a in trace.incumbents().tolist() if a >= 0]
        kept = made_up_table.cost("toy", "latency_ms", np.asarray(known, dtype=int))
        assert (kept <= bound).all()


def test_runs_whose_every_training_is_lost_have_failed(made_up_table: Table) -> None:
    nothing = nb.compare(["random_search"], made_up_table, failures=0.9999, **COMMON).summary()
    assert nothing["failed"] == {"random_search": nothing["strategies"]["random_search"]["n"]}
    assert nothing["strategies"]["random_search"]["regret"] is None


# Bad input.


@pytest.mark.parametrize(
    ("strategies", "change", "why"),
    [
        (["random_serch"], {}, "unknown strategy 'random_serch'; did you mean random_search"),
        (["reinforce"], {"seeds": []}, "needs a strategy and a seed"),
        ([], {}, "needs a strategy and a seed"),
        (["reinforce"], {"budget_seconds": None}, "needs a budget"),
        (["reinforce"], {"budget_seconds": 0.5}, "finished no evaluation with seed 0"),
        (["reinforce"], {"search_recipe": "shart"}, "unknown recipe 'shart'; did you mean short"),
        (["reinforce"], {"report_recipe": "lang"}, "unknown recipe 'lang'; did you mean long"),
        (["reinforce"], {"search_recipe": None}, "has the recipes .*: name one"),
        (["reinforce"], {"metric": "test_accuracy"}, "test_accuracy is kept for the report"),
        (["reinforce"], {"metric": "toy/latency"}, "did you mean latency_ms"),
        (["reinforce"], {"limits": [Limit("test_accuracy", 1)]}, "is kept for the report"),
        (
            ["reinforce"],
            {"limits": [Limit("toy/latency_ms", -1.0)]},
            r"nothing in made-up keeps the limit toy/latency_ms <= -1: its values are from 0\.",
        ),
        (
            ["reinforce"],
            {"limits": [Limit("flops", 3e6), Limit("flops", at_least=5e6)]},
            r"limits of flops contradict each other: at least 5e\+06 and at most 3e\+06",
        ),
        (["reinforce"], {"repeats": "cheap"}, "unknown way to count repeats 'cheap'"),
        (["reinforce"], {"workers": 0}, "workers are 1 to 10,000, got 0"),
        (["reinforce"], {"processes": 0}, "1 process or more"),
        (["reinforce"], {"training_seed": 9}, "was trained with seeds"),
        (
            ["reinforce"],
            {"parameters": {"reinforce": {"learning_rte": 1}}},
            "unknown parameter of reinforce 'learning_rte'; did you mean learning_rate",
        ),
        (
            ["reinforce"],
            {"parameters": {"reinfroce": {"learning_rate": 1}}},
            "unknown strategy to set parameters of 'reinfroce'; did you mean reinforce",
        ),
        (
            ["reinforce"],
            {"parameters": {"reinforce": {"learning_rate": "fast"}}},
            "strategy reinforce does not take learning_rate='fast'",
        ),
    ],
)
def test_bad_input_is_one_sentence(
    made_up_table: Table, strategies: list[str], change: dict[str, Any], why: str
) -> None:
    with pytest.raises(NasbenchError, match=why) as told:
        nb.compare(strategies, made_up_table, **{**COMMON, **change})
    assert "\n" not in str(told.value)


@pytest.mark.process
@pytest.mark.usefixtures("forked")
def test_errors_of_processes_are_told(made_up_table: Table) -> None:
    with pytest.raises(NasbenchError, match="finished no evaluation with seed"):
        nb.compare(["reinforce"], made_up_table, processes=2, **{**COMMON, "budget_seconds": 0.5})


@pytest.mark.process
@pytest.mark.usefixtures("forked")
def test_a_killed_process_is_told_and_the_rest_is_kept(
    made_up_table: Table, counted: list[tuple[str, int]], tmp_path: Path
) -> None:
    def kill(done: int, total: int) -> None:
        for child in multiprocessing.active_children():
            child.kill()  # also where the pool has done so by now

    many = {**COMMON, "budget_seconds": 600.0, "seeds": range(40)}
    with pytest.raises(NasbenchError, match="a search process died"):
        nb.compare(["reinforce"], made_up_table, out=tmp_path, processes=2, progress=kill, **many)
    kept = (tmp_path / "runs" / "reinforce.jsonl").read_bytes().count(b"\n") - 1
    assert kept >= 1
    found = nb.compare(["reinforce"], made_up_table, out=tmp_path, **many)
    assert len(counted) == 40 - kept
    assert _same(found, nb.compare(["reinforce"], made_up_table, **many))


@pytest.mark.process
def test_ctrl_c_ends_processes_and_their_pool_without_a_word(
    made_up_table: Table, capfd: pytest.CaptureFixture[str]
) -> None:
    """A terminal sends it to all of them; a thread of the pool that dies fails this test."""
    here = threading.get_ident()

    def send() -> None:
        while sys._current_frames()[here].f_code.co_name != "wait":  # for the next run
            pass
        for child in multiprocessing.active_children():
            os.kill(child.pid or 0, signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    sender = threading.Thread(target=send)

    def stop(done: int, total: int) -> None:
        if done == 1:
            sender.start()

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may ignore it
    many = {**COMMON, "budget_seconds": 600.0, "seeds": range(200)}
    try:
        with pytest.raises(KeyboardInterrupt):
            nb.compare(["reinforce"], made_up_table, processes=2, progress=stop, **many)
    finally:
        signal.signal(signal.SIGINT, before)
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(300)
    assert capfd.readouterr().err == ""


def test_damaged_runs_are_made_again(
    made_up_table: Table, comparison: Comparison, counted: list[tuple[str, int]], tmp_path: Path
) -> None:
    path = tmp_path / "runs" / "reinforce.jsonl"
    nb.compare(["reinforce"], made_up_table, out=tmp_path, **COMMON)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], lines[2].replace(b'"seed"', b'"sead"'), *lines[3:]]))
    with pytest.raises(NasbenchError, match="is not finished or damaged"):
        Comparison.load(tmp_path)
    counted.clear()
    found = nb.compare(["reinforce"], made_up_table, out=tmp_path, **COMMON)
    assert len(counted) == 1
    assert _same(found, Comparison.load(tmp_path))
    expected = comparison.summary()["strategies"]["reinforce"]
    assert found.summary()["strategies"]["reinforce"] == expected


def test_a_folder_that_cannot_be_written_is_told(made_up_table: Table, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NasbenchError, match=r"cannot write .*Not a directory"):
        compare(["reinforce"], made_up_table, out=tmp_path / "file", **COMMON)


# On other tables.


def test_what_was_found_is_looked_up_on_other_tables(
    made_up_table: Table, make_table: Any, comparison: Comparison
) -> None:
    """One has the report recipe; the other has one recipe, and rows for a few cells alone."""
    same = make_table("same", recipes={"long": 6, "short": 4}, seed=5)
    few = make_table("few", rows=range(0, 125, 2), sharing="none", seed=6)
    found = compare(STRATEGIES, made_up_table, **COMMON, also=[same.path, few.path])
    summary = found.summary()
    assert {**summary, "also": {}, "remarks": []} == comparison.summary()
    assert summary["remarks"] == [
        f"table few has no {metric}_accuracy for {sum(made_up_table.rows % 2)} of the 65 rows that "
        f"the search can find: runs that end there are left out of its means"
        for metric in ("valid", "test")
    ]
    for strategy, traces in found.traces.items():
        last = [int(trace.incumbents()[-1]) for trace in traces]
        told = found.summary()["also"]["same"][strategy]
        for metric in ("valid_accuracy", "test_accuracy"):
            worth = same.values(metric, last, recipe="long")
            assert told[metric]["mean"] == pytest.approx(worth.mean())
            assert told[metric]["std"] == pytest.approx(worth.std())
        known = [a for a in last if a % 2 == 0]
        told = found.summary()["also"]["few"][strategy]["valid_accuracy"]
        if known:
            assert told["mean"] == pytest.approx(few.values("valid_accuracy", known).mean())
        else:
            assert told is None


def test_other_tables_must_fit(made_up_table: Table, make_table: Any) -> None:
    other = make_table("other", space=nb.space("nb-macro"), rows=range(9), sharing="none")
    with pytest.raises(NasbenchError, match="other is of nb-macro, made-up of nb201-mini"):
        compare(STRATEGIES, made_up_table, **COMMON, also=[other.path])
    two = make_table("two", recipes={"a": 4, "b": 4})
    with pytest.raises(NasbenchError, match="two has the recipes a, b: name one"):
        compare(STRATEGIES, made_up_table, **COMMON, also=[two.path])


# What runs are read against.


def test_one_random_draw_by_plain_sums(made_up_table: Table, comparison: Comparison) -> None:
    every = np.arange(made_up_table.space.size)
    for metric, (mean, std) in comparison.one_draw.items():
        if metric == "regret":
            worth = comparison.optimum - made_up_table.values(
                "valid_accuracy", every, recipe="long"
            )
        else:
            worth = made_up_table.values(metric, every, recipe="long")
        assert (mean, std) == pytest.approx((worth.mean(), worth.std()))
    assert set(comparison.one_draw) == {"valid_accuracy", "test_accuracy", "regret"}


def test_one_random_draw_keeps_the_limits(made_up_table: Table) -> None:
    limits = [Limit("toy/latency_ms", 0.5)]
    limited = compare(["random_search"], made_up_table, **COMMON, limits=limits)
    every = np.arange(made_up_table.space.size)
    within = every[made_up_table.cost("toy", "latency_ms", every) <= 0.5]
    worth = made_up_table.values("valid_accuracy", within, recipe="long")
    assert limited.one_draw["valid_accuracy"] == pytest.approx((worth.mean(), worth.std()))


def test_the_noise_is_that_of_the_seeds(make_table: Any) -> None:
    """The made-up trainings scatter by 1 about their rows."""
    one = compare(["random_search"], make_table("one", seeds=[3]).path, **ALONE)
    assert one.noise is None
    many = compare(["random_search"], make_table("many", seeds=range(8)).path, **ALONE)
    assert many.noise is not None
    assert many.noise.std == pytest.approx(1, rel=0.15)
    assert many.noise.error == pytest.approx(many.noise.std / np.sqrt(8))
