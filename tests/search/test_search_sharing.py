"""Runs that share weights: prices, journals that go on to the same bytes, what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nasbench as nb
from nasbench._journal import line_of
from nasbench.errors import BadValue, NasbenchError, StrategyError, Unsupported
from nasbench.report.sharing import ending
from nasbench.search import sharing, strategy
from nasbench.search.goal import Limit, Query
from nasbench.search.share_journal import ShareLine, array_of, numbers_of
from nasbench.search.share_prices import Factors, Prices
from nasbench.search.share_runs import read_shares, share_seeds, shares_beside
from nasbench.search.share_setting import ShareSetting
from nasbench.search.share_testing import ToySupernet, drive
from nasbench.search.shares import Shares
from nasbench.search.sharing import SharedRun, judged_sample, run_shared
from nasbench.search.step import Schedule, SharingState, Step, check_step, one_hot
from nasbench.space import ChoiceSpace
from nasbench.table import Table
from tests.search.conftest import write_made_up

NB201 = nb.space("nb201")
RECIPE = nb.Recipe(epochs=1, train_images=64, valid_images=48, channels=4, cells=1, batch_size=32)
SMALL = (Limit("parameters", at_most=6000),)
FEW = {"candidates": 12, "images": 40, "train_best": 2}


@pytest.fixture(scope="module")
def table() -> Table:
    return nb.load("nb201-fashion16")


@pytest.fixture(autouse=True)
def _few_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "JUDGED", 12)
    monkeypatch.setattr(sharing, "JUDGED_IMAGES", 32)


def setting(table: Table | None, **changed: Any) -> ShareSetting:
    fields: dict[str, Any] = {"strategy": "fairnas", "epochs": 3, "parameters": FEW, **changed}
    task = nb.task("digits")
    return ShareSetting(space=NB201, task=task, name="r", recipe=RECIPE, table=table, **fields)


# Prices.


def test_a_path_costs_what_its_training_takes(table: Table) -> None:
    """Of the same examples, times the factor; a scored example a third of that."""
    factors = Factors()
    prices = Prices(table, "10ep", batch_size=32)
    architectures = NB201.sample(np.random.default_rng(0), 4)
    paths = NB201.ops(architectures).astype(np.int64)
    alone = table.values("train_seconds", architectures)
    step = Step.train(paths[None], [0.1])
    assert prices.of(step, 0) == pytest.approx(factors.path * alone.sum() / 10 / 5000 * 32)
    scored = Step.score(paths, 500)
    wanted = factors.path * alone.sum() / 10 / 5000 * 500 / 3
    assert prices.of(scored, 5000) == pytest.approx(wanted)
    assert prices.of(Step.score(paths), 5000) == pytest.approx(10 * wanted)


def test_a_mixture_costs_the_sum_of_its_choices(table: Table) -> None:
    """By the linear model, which a made-up table of sums fits exactly."""
    prices = Prices(table, "10ep", batch_size=32)
    rows = table.rows.astype(np.int64)
    paths = NB201.ops(rows).astype(np.int64)
    each = prices.of_paths(paths)
    assert np.corrcoef(each, table.column("train_seconds"))[0, 1] > 0.999
    mixture = np.full((6, 5), 0.2, dtype=np.float32)
    factors = prices.factors
    mixed = prices.of(Step.slope(mixture), 5000)
    assert mixed == prices.of(Step.mix(mixture, 0.1), 5000)
    assert mixed > factors.mixture * 32 * each.max()
    assert prices.of(Step.slope(mixture, unrolled=0.1), 5000) == mixed * factors.ahead
    along = Step.mix(one_hot(NB201, paths[0]), 0.1, path=paths[0])
    assert prices.of(along, 1) == pytest.approx(
        factors.along * prices.of(Step.train(paths[:1][None], [0.1]), 1)
    )


def test_what_pytorch_alone_does_costs_more_beside_native_seconds(table: Table) -> None:
    prices = Prices(table, "10ep", batch_size=32)
    paths = NB201.ops(NB201.sample(np.random.default_rng(0), 4)).astype(np.int64)[None]
    plain, distilled = (
        prices.of(Step.train(paths, [0.1], distil=distil), 0) for distil in (False, True)
    )
    assert distilled == pytest.approx(prices.factors.along * plain)
    assert prices.factors == Factors.of("native") == Factors()
    assert Factors.of("reference").mixture < Factors().mixture


# Runs.


def test_a_run_is_the_same_bytes_again_and_chooses_the_best_trained(
    table: Table, tmp_path: Path
) -> None:
    first = run_shared(setting(table), 0, tmp_path / "a.jsonl")
    run_shared(setting(table), 0, tmp_path / "b.jsonl")
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    kinds = [line.kind for line in first.lines]
    assert kinds.count("judge") == 3
    assert kinds.count("query") == 2
    trained = {line.asked[0]: line.answer["valid_accuracy"] for line in first.lines[-2:]}
    assert first.choice == max(trained, key=lambda a: trained[a])
    assert first.seconds == pytest.approx(sum(line.seconds for line in first.lines))
    assert all(line.seconds == 0 for line in first.lines if line.kind == "judge")
    other = run_shared(setting(table), 1, tmp_path / "c.jsonl")
    assert other.lines[0].answer != first.lines[0].answer


def test_choices_keep_the_limits_and_regret_is_within_them(table: Table, tmp_path: Path) -> None:
    """Candidates by the table's column; the best that keeps them is what regret is beside."""
    few = {"candidates": 6, "images": 20}
    run = share_seeds(setting(table, epochs=1, parameters=few, limits=SMALL), [0], tmp_path)
    small = table.column("parameters") <= 6000
    scored = [line for line in run.runs[0].lines if "accuracy" in line.answer]
    assert len(scored) == 1
    assert table.values("parameters", [int(run.choices[0])])[0] <= 6000
    best = table.column("valid_accuracy")[small].max()
    own = table.values("valid_accuracy", [int(run.choices[0])])[0]
    assert run.regret[0] == pytest.approx(best - own)
    assert run.spec["limits"][0]["metric"] == "parameters"
    again = read_shares(tmp_path, table)
    assert again.regret[0] == run.regret[0]
    with pytest.raises(BadValue, match="beside searches stand runs without"):
        shares_beside(table, again)


class KilledError(Exception):
    pass


@pytest.fixture(scope="module")
def whole(table: Table, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sharing, "JUDGED", 12)
        patch.setattr(sharing, "JUDGED_IMAGES", 32)
        path = tmp_path_factory.mktemp("whole") / "0.jsonl"
        run_shared(setting(table), 0, path)
        return path.read_bytes()


@pytest.mark.parametrize("patient", [0.0, 1e9])
@pytest.mark.parametrize("lines", [1, 3, 6, 8])
def test_a_run_that_was_killed_goes_on_to_the_same_bytes(
    table: Table, tmp_path: Path, whole: bytes, patient: float, lines: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """With the weights of the last request, or of none; and with a line that was torn."""
    monkeypatch.setattr(sharing, "PATIENT", patient)
    path = tmp_path / "0.jsonl"
    left = iter(range(lines - 1))

    def stop(done: int, total: int) -> None:
        if next(left, None) is None:
            raise KilledError

    with pytest.raises(KilledError):
        run_shared(setting(table), 0, path, progress=stop)
    assert len(path.read_bytes().splitlines()) == lines + 1
    with path.open("ab") as file:
        file.write(b'12345678 {"kind":"st')
    run_shared(setting(table), 0, path)
    assert path.read_bytes() == whole
    run_shared(setting(table), 0, path)  # nothing is left to do
    assert path.read_bytes() == whole


@pytest.mark.parametrize("weights", [b"", b"PK\x03\x04 torn", b"no archive"])
def test_weights_that_are_torn_are_trained_again(
    table: Table, tmp_path: Path, whole: bytes, weights: bytes
) -> None:
    path = tmp_path / "0.jsonl"
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[:4]))
    path.with_suffix(".npz").write_bytes(weights)
    run_shared(setting(table), 0, path)
    assert path.read_bytes() == whole


def test_a_journal_that_says_something_else_is_refused(
    table: Table, tmp_path: Path, whole: bytes
) -> None:
    lines = whole.splitlines(keepends=True)
    forged = json.loads(lines[1].split(b" ", 1)[1])
    forged["answer"]["loss"][0][0] += 1
    path = tmp_path / "0.jsonl"
    path.write_bytes(lines[0] + line_of(forged) + lines[2])
    with pytest.raises(NasbenchError, match="line 2 of it says something else"):
        run_shared(setting(table), 0, path)
    path.write_bytes(lines[0] + b"00000000 {}\n" + lines[2])
    with pytest.raises(NasbenchError, match="damaged in line 2"):
        run_shared(setting(table), 0, path)
    with pytest.raises(NasbenchError, match="holds another run"):
        run_shared(setting(table, epochs=4), 0, path)


def test_a_budget_cuts_a_run(table: Table, tmp_path: Path, whole: bytes) -> None:
    every = [json.loads(line.split(b" ", 1)[1]) for line in whole.splitlines()[1:]]
    limit = every[2]["clock"] * 1.0001
    run = run_shared(setting(table, budget_seconds=limit), 0, tmp_path / "0.jsonl")
    assert run.ended == "seconds"
    assert run.seconds <= limit
    assert run.choice is None
    assert 0 < len(run.lines) < len(every)


def test_without_a_table_the_best_are_really_trained(tmp_path: Path) -> None:
    run = run_shared(setting(None), 0, tmp_path / "0.jsonl")
    queries = [line for line in run.lines if line.kind == "query"]
    assert [line.asked[1:3] for line in queries] == [["r", 1]] * 2
    assert all(line.seconds > 0 for line in run.lines if line.kind != "judge")
    again = run_shared(setting(None), 0, tmp_path / "0.jsonl")
    assert again.lines == run.lines
    # Losses of a sample would be compared with nothing.
    judged = [line.answer["loss"] for line in run.lines if line.kind == "judge"]
    assert judged == [[]] * 3
    (moments,) = read_shares(tmp_path, None).moments.values()
    assert all(np.isnan(of) for moment in moments for of in moment.correlations.values())


def test_runs_are_read_and_judged(table: Table, tmp_path: Path) -> None:
    made = share_seeds(setting(table), [0, 1], tmp_path)
    found = read_shares(tmp_path, table)
    assert list(found.runs) == [0, 1]
    assert (found.choices == made.choices).all()
    values = table.values("valid_accuracy", found.choices)
    best = table.column("valid_accuracy").max()
    np.testing.assert_allclose(found.regret, best - values)
    for place, choice in enumerate(found.choices.tolist()):
        better = (table.column("valid_accuracy") > values[place]).sum()
        assert found.rank(choice) == better + 1
    summary = found.summary()
    assert summary["n"] == 2
    assert summary["regret"]["value"] == pytest.approx(found.regret.mean())
    assert json.dumps(summary)
    with pytest.raises(NasbenchError, match="holds no runs that share weights"):
        read_shares(tmp_path / "nothing", table)


def test_collapse_counts_operations_alone() -> None:
    """A pair of inputs, or a width, is no operation that could have weights."""
    space = nb.space("darts-mini")
    skips = {name: "skip_connect" for name in space.decisions if not name.endswith("inputs")}
    convs = dict.fromkeys(list(skips)[:3], "sep_conv_3x3")
    pairs = {name: space.decisions[name][0] for name in space.decisions if name not in skips}
    runs = {}
    for seed, choices in enumerate(({**pairs, **skips}, {**pairs, **skips, **convs})):
        line = ShareLine("step", "", {}, 0.0, 0.0, space.made_of(choices), 0)
        runs[seed] = SharedRun({"strategy": "darts"}, [line], "")
    shares = Shares(space, None, runs)
    assert shares.operations == 8
    assert shares.free_of_parameters == [8, 5]
    assert shares.collapsed() == [0]


def test_runs_that_end_before_their_schedule_are_said() -> None:
    spec = {"strategy": "darts", "schedule": {"epochs": 10, "steps_per_epoch": 157}}
    runs = {
        seed: SharedRun(spec, [ShareLine("step", "", {}, 0.0, 0.0, 0, trained)], "")
        for seed, trained in ((3, 1570), (4, 471), (7, 1569))
    }
    shares = Shares(NB201, None, runs)
    assert shares.ended_early == {4: 3, 7: 9}
    assert ending(shares) == "2 of 3 runs ended before 10 epochs: seed 4 after 3, seed 7 after 9."
    assert not ending(Shares(NB201, None, {3: runs[3]}))


def test_the_sample_that_is_judged_is_the_same_for_all() -> None:
    sample = judged_sample(NB201)
    assert len(set(sample.tolist())) == 12
    assert (NB201.canonical(sample) == sample).all()


# What is refused.


def test_what_shares_no_weights_and_what_does(table: Table) -> None:
    with pytest.raises(BadValue, match="random_search shares no weights: nasbench search"):
        ShareSetting("random_search", NB201, nb.task("digits"), "r", RECIPE)
    with pytest.raises(Unsupported, match="fairnas shares weights: nasbench share fairnas"):
        nb.compare(["fairnas"], table, budget_evaluations=2, seeds=[0])
    with pytest.raises(BadValue, match="is of nb201, and the recipe of nb201-mini"):
        replace(setting(table), space=nb.space("nb201-mini"))
    for changed, said in (
        ({"epochs": 0}, "1 to 100,000 epochs, got 0"),
        ({"parameters": {"schedule": 1}}, "set epochs, not schedule"),
        ({"parameters": {"costs": 1}}, "costs are read from the table"),
        ({"strategy": "gdas", "parameters": {}, "limits": SMALL}, "gdas heeds no limits"),
        ({"strategy": "fbnet", "parameters": {}, "limits": SMALL}, "fbnet heeds no limits"),
        ({"table": None, "limits": SMALL}, "parameters is a column of a table"),
        ({"limits": (Limit("parameters", at_most=1),)}, "keeps the limit parameters <= 1"),
        ({"limits": (Limit("phone/mj", at_most=1),)}, "phone"),
    ):
        with pytest.raises(NasbenchError, match=said):
            setting(**{"table": table, **changed})


MIXTURE = np.zeros((6, 5), dtype=np.float32)
PATHS = np.zeros((1, 1, 6), dtype=np.int64)


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (Step(None, None, "train", None), "has paths, a mixture or both"),
        (Step.train(PATHS + 5, [0.1]), "a choice that nb201 has not"),
        (Step.train(PATHS, [0.1, 0.1]), "2 rates for 1 steps"),
        (Step.train(PATHS, [np.nan]), "finite numbers of 0 or more"),
        (Step.train(PATHS[..., :5], [0.1]), r"\[steps, together, 6 decisions\]"),
        (Step.train(PATHS.astype(float), [0.1]), "whole numbers"),
        (Step.mix(MIXTURE[:5], 0.1), r"\[6 decisions, 5 choices"),
        (Step.mix(MIXTURE + np.inf, 0.1), "finite numbers"),
        (Step.score(PATHS[0])._replace(split="test"), "train or valid, got 'test'"),
        (Step.score(PATHS[0])._replace(gradient=True), "this step has none"),
        (Step.score(PATHS[0], -1), "counted from 0 on"),
        (Step.train(PATHS, [0.1])._replace(split="valid"), "on the training split alone"),
        (Step.slope(MIXTURE, path=PATHS[0, 0], unrolled=0.1), "of a whole mixture"),
    ],
)
def test_steps_that_cannot_be_run(step: Step, said: str) -> None:
    with pytest.raises(BadValue, match=said):
        check_step(NB201, step)


class Odd:
    """A strategy of which each request is what a test wants."""

    shares_weights = True
    asks: Any = None
    chooses: Any = SharingState(0)

    def __init__(self, space: Any, goal: Any, rng: Any, *, schedule: Schedule) -> None:
        self.schedule = schedule

    def ask(self) -> Any:
        return type(self).asks

    def tell(self, asked: Any, outcome: Any) -> None:
        pass

    def state(self) -> Any:
        return type(self).chooses


@pytest.fixture
def odd(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Odd]]:
    class Point:
        name = "odd"
        module = "odd"

        def load(self) -> type[Odd]:
            return Odd

    monkeypatch.setattr(strategy, "_registered", lambda: {"odd": Point()})
    yield Odd
    Odd.asks, Odd.chooses = None, SharingState(0)


@pytest.mark.parametrize(
    ("asks", "chooses", "said"),
    [
        ("a step", SharingState(0), "asked for 'a step', which is neither a step nor a query"),
        (Step.train(PATHS + 7, [0.1]), SharingState(0), "a step that cannot be run: a path holds"),
        (Step.slope(MIXTURE)._replace(split="train"), SharingState(0), "a slope without a rate"),
        (Query(0, "10ep", 10), SharingState(-1), "chose -1, which is no architecture of nb201"),
        (Query(0, "10ep", 10), None, "a state that is no SharingState"),
    ],
)
def test_a_strategy_that_breaks_the_contract_is_named(
    table: Table, tmp_path: Path, odd: type[Odd], asks: Any, chooses: Any, said: str
) -> None:
    odd.asks, odd.chooses = asks, chooses
    run = setting(table, strategy="odd", parameters={})
    with pytest.raises(StrategyError, match=said):
        run_shared(run, 0, tmp_path / "0.jsonl")


# Lines.


def test_arrays_come_back_bit_for_bit() -> None:
    drawn = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32) * 1e-7
    drawn[1, 2] = np.nan
    again = array_of(json.loads(json.dumps(numbers_of(drawn))))
    assert again is not None
    assert again.tobytes() == drawn.tobytes()
    assert array_of(None) is None
    line = ShareLine("step", "x", {"loss": numbers_of(drawn)}, 1.0, 2.0, None, 3)
    assert line.step_outcome().loss.tobytes() == drawn.tobytes()


# A made-up supernet.


def test_a_made_up_supernet_has_the_slope_that_it_says() -> None:
    space = ChoiceSpace("three", {"a": [1, 2], "b": [1, 2, 3], "c": [1, 2]})
    toy = ToySupernet(space)
    toy.run(Step.train(space.ops(np.arange(12)).astype(np.int64)[:, None], np.full(12, 0.1)))
    mixture = np.random.default_rng(0).random((3, 3), dtype=np.float32)
    slope = toy.run(Step.slope(mixture)).gradient
    assert slope is not None
    for place in np.ndindex(3, 3):
        moved = mixture.copy()
        moved[place] += 0.5
        both = [float(toy.run(Step.slope(m)).loss[0, 0]) for m in (moved, mixture)]
        assert (both[0] - both[1]) / 0.5 == pytest.approx(float(slope[place]), abs=1e-5)


def test_a_trial_counts_what_was_done() -> None:
    schedule = Schedule(2, 4)
    found = drive("fairnas", {"candidates": 5, "train_best": 3}, ToySupernet(NB201), schedule)
    assert (found.steps, found.queries) == (8, 3)


# Side by side, and beside tables that tell no prices.


def test_limits_hold_side_by_side(table: Table, tmp_path: Path) -> None:
    """Each process opens the table itself: it was refused for having none."""
    asked = setting(table, epochs=1, limits=SMALL)
    alone = share_seeds(asked, (0, 1), tmp_path / "alone")
    beside = share_seeds(asked, (0, 1), tmp_path / "beside", processes=2)
    assert beside.choices.tolist() == alone.choices.tolist()


def test_a_table_without_times_judges_alone(tmp_path: Path) -> None:
    """The clock prices, the best are really trained, and regret is the table's."""
    made = write_made_up(tmp_path / "made-up.h5", space=NB201, recipes={"short": 2, "long": 3})
    asked = setting(made, epochs=1, report_recipe="long")
    assert not asked.by_table
    found = share_seeds(asked, (0,), tmp_path / "runs")
    assert found.spec["prices"] == {"kind": "measured"}
    assert found.spec["queries"]["kind"] == "trainer"
    (chosen,) = found.choices
    known = made.column("valid_accuracy", recipe="long")
    worth = made.values("valid_accuracy", [chosen], recipe="long")[0]
    assert found.regret[0] == pytest.approx(np.nanmax(known) - worth)
    with pytest.raises(NasbenchError, match="short, long"):
        setting(made, epochs=1).make(0)
