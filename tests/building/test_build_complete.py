"""Partly trained spaces: what is chosen, when it ends, what is predicted, and what is kept."""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy
import zygote
from numpy.typing import NDArray
from quick_models import QUICK
from small_builds import ENGINES, journal_of, small_spec, trained

from nasbench.building import BuildSpec, Sampling, build, build_sample, rounds
from nasbench.building.designs import DESIGNS, divided, spread, unsure
from nasbench.building.retrain import retrain
from nasbench.building.rounds import SamplingResult, run_rounds
from nasbench.device import DeviceSpec
from nasbench.errors import NasbenchError
from nasbench.report.text import build_facts
from nasbench.space import CellSpace
from nasbench.surrogate import fit
from nasbench.surrogate.predictors import PREDICTORS, Predictor
from nasbench.table import Dataset, Table, write_table
from nasbench.table.merging import merge

pytestmark = pytest.mark.heavy

FOUR = CellSpace("four", 4, ("none", "nor_conv_1x1", "avg_pool_3x3"))
"""297 distinct cells."""

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "avg_pool_3x3")
"""Of three nodes: 30 distinct cells."""

Truth = NDArray[np.float64]


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of which most of the time of a round would be."""
    monkeypatch.setattr(rounds, "RESAMPLES", 40)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """More rounds of few architectures."""
    monkeypatch.setattr(rounds, "FIRST", 8)


@pytest.fixture
def spec() -> BuildSpec:
    """Thirty distinct cells, one seed: thirty trainings."""
    return small_spec(OPERATIONS, seeds=(0,))


def worth(space: CellSpace, seeds: int = 1, noise: float = 0.0) -> dict[int, Truth]:
    """A made-up accuracy of each distinct cell with each seed."""
    rng = np.random.default_rng(0)
    cells = space.representatives
    seen = space.one_hot(cells).astype(float)
    value = seen @ rng.normal(0, 1, seen.shape[1])
    spread_out = 80 + 3 * (value - value.mean()) / value.std()
    found = spread_out[:, None] + rng.normal(0, noise, (len(cells), seeds))
    return dict(zip(cells.tolist(), found, strict=True))


def run(sampling: Sampling, truth: dict[int, Truth], models: bool = True) -> SamplingResult:
    """Rounds on cells of `FOUR` with a made-up truth; each may be trained once."""
    asked: list[int] = []

    def train(architectures: NDArray[np.int64]) -> Truth:
        asked.extend(architectures.tolist())
        values = [truth[a] for a in architectures.tolist()]
        return np.asarray(values).reshape(len(values), -1)

    def proxy(architectures: NDArray[np.int64]) -> Truth:
        return FOUR.ops(architectures).sum(1).astype(float)

    outcome = run_rounds(FOUR, sampling, train, proxy=proxy, models=models, report=lambda one: None)
    assert len(set(asked)) == len(asked)
    assert sorted(asked) == outcome.trained.tolist()
    return outcome


# Which architectures.


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "design",
    [
        pytest.param(design, marks=() if design == "active" else pytest.mark.slow)
        for design in DESIGNS
    ],
)
def test_a_larger_sample_begins_with_a_smaller_one(design: str) -> None:
    truth = worth(FOUR)
    smaller, larger = (run(Sampling(n, design, seed=3), truth) for n in (24, 40))
    assert len(smaller.trained) == 24
    assert (len(smaller.held_out), len(larger.held_out)) == (4, 8)
    assert larger.held_out[:4].tolist() == smaller.held_out.tolist()
    assert larger.chosen[: len(smaller.chosen)].tolist() == smaller.chosen.tolist()
    again = run(Sampling(24, design, seed=3), truth)
    assert again.describe() == smaller.describe()
    assert run(Sampling(24, design, seed=4), truth).chosen.tolist() != smaller.chosen.tolist()
    without = run(Sampling(24, design, seed=3), truth, models=False)
    assert without.chosen.tolist() == smaller.chosen.tolist()


@pytest.mark.usefixtures("quick")
def test_what_is_held_out_has_no_part_in_what_is_chosen() -> None:
    truth = worth(FOUR)
    before = run(Sampling(40, "active"), truth)
    for architecture in before.held_out.tolist():
        truth[architecture] = 100 - truth[architecture]
    after = run(Sampling(40, "active"), truth)
    assert after.chosen.tolist() == before.chosen.tolist()
    assert not set(after.chosen.tolist()) & set(after.held_out.tolist())
    assert after.rounds[-1].kendall.value == pytest.approx(-before.rounds[-1].kendall.value)
    # Another truth of what is chosen asks for others.
    for architecture in before.chosen[:8].tolist():
        truth[architecture] = truth[architecture][::-1] - 5 * (architecture % 2)
    assert run(Sampling(40, "active"), truth).chosen[8:].tolist() != after.chosen[8:].tolist()


def test_each_beginning_of_a_stratified_order_is_spread_over_the_proxy() -> None:
    candidates = np.random.default_rng(1).permutation(1000).astype(np.int64)
    order = spread(candidates, candidates.astype(float), seed=0)
    assert sorted(order.tolist()) == list(range(1000))
    for n in (8, 21, 50, 100, 300):
        places = np.sort(order[:n]) / 1000
        off = np.abs(places - (np.arange(n) + 0.5) / n).max() * n
        assert off < 3, n  # of a random order about sqrt(n)


def test_all_are_held_out_or_candidates() -> None:
    cells = FOUR.representatives.astype(np.int64)
    held, others = divided(cells, seed=0)
    assert len(held) == len(cells) // 5
    assert sorted([*held.tolist(), *others.tolist()]) == cells.tolist()


def test_the_unsure_are_drawn_as_often_as_they_are_unsure() -> None:
    candidates, doubt = np.asarray([5, 6, 7]), np.asarray([1.0, 2.0, 7.0])
    draws = [unsure(candidates, doubt, 2, seed=0, number=n) for n in range(3000)]
    first = np.asarray([(np.asarray(draws)[:, 0] == c).mean() for c in candidates])
    assert first == pytest.approx(doubt / 10, abs=4 * math.sqrt(0.25 / 3000))
    assert all(len(set(draw.tolist())) == 2 for draw in draws)
    # The second is drawn from those that are left.
    after = [draw[1] == 6 for draw in draws if draw[0] == 7]
    assert np.mean(after) == pytest.approx(2 / 3, abs=4 * math.sqrt(0.25 / len(after)))


# When it ends.


class Growing:
    """Ranks better the more it has seen: the truth with noise that falls as 1 / n."""

    def __init__(self, weights: Truth) -> None:
        self.weights = weights
        self.n = 1

    def fit(self, x: NDArray[np.float32], y: Truth) -> None:
        self.n = len(x)

    def predict(self, x: NDArray[np.float32]) -> Truth:
        noise = np.random.default_rng(self.n).normal(0, 2000 / self.n**2, len(x))
        return np.asarray(x[:, : len(self.weights)] @ self.weights + noise)


def growing_truth() -> tuple[dict[int, Truth], Truth]:
    cells = FOUR.representatives
    seen = FOUR.one_hot(cells)
    weights = np.random.default_rng(5).normal(0, 1, seen.shape[1])
    values = 50 + seen @ weights
    return {a: np.asarray([v]) for a, v in zip(cells.tolist(), values, strict=True)}, weights


def by_the_rule(outcome: SamplingResult) -> list[bool]:
    """After which rounds the rule, as `run_rounds` states it, would end them."""
    flat = [not math.isnan(one.gain) and one.gain <= one.noise for one in outcome.rounds]
    return [
        i > 0 and flat[i] and flat[i - 1] and one.fitted >= 100 and one.kendall.n >= 40
        for i, one in enumerate(outcome.rounds)
    ]


def test_it_ends_where_more_trainings_no_longer_help(monkeypatch: pytest.MonkeyPatch) -> None:
    linear = replace(PREDICTORS["ridge"], members=2)
    monkeypatch.setitem(PREDICTORS, "xgboost", linear)
    outcome = run(Sampling(250, "random"), worth(FOUR, seeds=3, noise=0.5))
    assert outcome.stopped
    assert len(outcome.trained) == 50 + outcome.rounds[-1].fitted < 250
    assert by_the_rule(outcome) == [False] * (len(outcome.rounds) - 1) + [True]
    assert outcome.ceiling is not None
    assert outcome.rounds[-1].kendall.value == pytest.approx(outcome.ceiling.kendall, abs=0.1)
    # Of the same with few that are held out, all that was asked for is trained.
    few = run(Sampling(150, "random"), worth(FOUR, seeds=3, noise=0.5))
    assert len(few.trained) == 150
    assert not few.stopped


def test_it_goes_on_while_trainings_help(monkeypatch: pytest.MonkeyPatch) -> None:
    truth, weights = growing_truth()
    model = Predictor(lambda settings, seed: Growing(weights))
    monkeypatch.setitem(PREDICTORS, "xgboost", model)
    outcome = run(Sampling(250, "random"), truth)
    assert not outcome.stopped
    assert len(outcome.trained) == 250
    assert not any(by_the_rule(outcome)[:-1])
    taus = [one.kendall.value for one in outcome.rounds]
    assert taus[-1] > taus[3] + 0.1
    # Gain and tau, once more and in another way.
    true = np.asarray([truth[a][0] for a in outcome.held_out.tolist()])
    x = FOUR.one_hot(FOUR.representatives)
    held = np.searchsorted(FOUR.representatives, outcome.held_out)
    for number in (4, len(taus) - 1):
        now = []
        for one in (outcome.rounds[number], outcome.rounds[number - 3]):
            noise = np.random.default_rng(one.fitted).normal(0, 2000 / one.fitted**2, len(x))
            guess = (x @ weights + noise)[held]
            now.append(scipy.stats.kendalltau(true, guess).statistic)
        one = outcome.rounds[number]
        assert one.kendall.value == pytest.approx(now[0], abs=1e-3)
        assert one.gain == pytest.approx(now[0] - now[1], abs=2e-3)
        assert one.kendall.low < one.kendall.value < one.kendall.high
        assert one.kendall.n == 50


@pytest.mark.usefixtures("quick")
def test_what_diverged_is_trained_and_neither_fitted_nor_scored() -> None:
    truth = worth(FOUR, seeds=2, noise=0.5)
    whole = run(Sampling(40, "random"), truth)
    lost = [*whole.held_out[:2].tolist(), *whole.chosen[5:8].tolist()]
    for architecture in lost:
        truth[architecture] = np.full(2, np.nan)
    outcome = run(Sampling(40, "random"), truth)
    assert sorted(outcome.diverged.tolist()) == sorted(lost)
    assert outcome.rounds[-1].kendall.n == 6
    assert outcome.fitted.tolist() == sorted(set(whole.chosen.tolist()) - set(lost))
    assert outcome.trained.tolist() == whole.trained.tolist()


# Tables.


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Table:
    """All thirty cells, trained."""
    out = tmp_path_factory.mktemp("whole") / "whole.h5"
    return build(small_spec(OPERATIONS, seeds=(0,)), out, processes=1, engine=ENGINES[-1])


def same_values(one: Table, other: Table) -> Iterator[bool]:
    """Of all that does not depend on how long something took."""
    for metric in ("valid_accuracy", "test_accuracy"):
        values = [t.values(metric, t.rows) for t in (one, other)]
        yield np.array_equal(*values, equal_nan=True)
    yield one.manifest["sample"] == other.manifest["sample"]


def make(spec: BuildSpec, out: Path, sampling: Sampling, **options: Any) -> Table:
    made = build_sample(spec, out, sampling, processes=1, engine=ENGINES[-1], **options)
    made.table.verify()
    assert made.table.manifest["sample"] == made.outcome.describe()
    return made.table


@pytest.mark.usefixtures("quick")
def test_nothing_that_is_predicted_is_unmarked(
    spec: BuildSpec, whole: Table, tmp_path: Path
) -> None:
    device = DeviceSpec(warm_up=1, repeats=5, seconds=0.001)
    spec, sampling = replace(spec, devices=(device,)), Sampling(20, "active")
    table = make(spec, tmp_path / "t.h5", sampling, complete=True)
    sample = table.manifest["sample"]
    trained_rows = np.sort(np.asarray([*sample["chosen"], *sample["held_out"]]))
    assert (len(sample["chosen"]), len(sample["held_out"])) == (16, 4)
    assert table.rows.tolist() == whole.rows.tolist()
    others = ~np.isin(table.rows, trained_rows)
    for metric in ("valid_accuracy", "train_seconds"):
        marked = table.predicted(metric)
        assert marked.tolist() == others.tolist()
        assert table.dataset(f"recipe/2ep/{metric}").about["kind"] == "predicted"
        assert np.isfinite(table.values(metric, table.rows)).all()
    with pytest.raises(NasbenchError, match="holds predicted values"):
        retrain(table, 2)
    counted_too = write_table(
        tmp_path / "counts.h5",
        name="counts",
        space=table.space,
        rows=table.rows,
        sharing="canonical",
        recipes={},
        datasets={"network/layers": Dataset(np.ones(len(table.rows)), {"kind": "counted"})},
    )
    joined = merge([table, counted_too], tmp_path / "joined.h5")
    with pytest.raises(NasbenchError, match="holds predicted values"):
        retrain(joined, 2)
    said = dict(build_facts(joined, "2ep").rows)["predicted"]
    assert f"{others.sum()} rows of recipe 2ep were not trained" in said
    # What is not marked was trained, and is what a whole build has; the rest is not there.
    for metric in ("valid_accuracy", "test_accuracy", "valid_loss"):
        found = table.values(metric, trained_rows)
        assert found.tolist() == whole.values(metric, trained_rows).tolist()
    for metric in set(table.metrics["2ep"]) - {"valid_accuracy", "train_seconds"}:
        assert np.isnan(table.values(metric, table.rows[others])).all()
        reasons = table.missing(metric)
        assert {reasons[a] for a in table.rows[others].tolist()} == {
            "not trained, and not predicted"
        }
    # Costs are counted and measured, of all, and nothing of them is predicted.
    assert table.manifest["devices"]["cpu-torch-b1"]["kinds"]["latency_ms"] == "measured"
    assert (table.cost("cpu-torch-b1", "latency_ms", table.rows) > 0).all()
    counted = [t.dataset("network/flops").values.tolist() for t in (table, whole)]
    assert counted[0] == counted[1]
    assert {n for n in table.manifest["datasets"] if n.startswith("predicted/")} == {
        "predicted/2ep/valid_accuracy",
        "predicted/2ep/train_seconds",
    }


@pytest.mark.usefixtures("quick")
def test_tau_is_that_of_the_surrogate_on_what_it_never_saw(spec: BuildSpec, tmp_path: Path) -> None:
    completed = make(spec, tmp_path / "c.h5", Sampling(24, "random", seed=2), complete=True)
    only = make(spec, tmp_path / "s.h5", Sampling(24, "random", seed=2))
    assert only.rows.tolist() == completed.rows[np.isin(completed.rows, only.rows)].tolist()
    assert len(only.rows) == 24
    sample = completed.manifest["sample"]
    surrogate = fit(only, train=np.asarray(sample["chosen"]), seed=2)
    held = np.asarray(sample["held_out"])
    guess, truth = surrogate.predict("valid_accuracy", held), only.values("valid_accuracy", held)
    tau = scipy.stats.kendalltau(truth, guess).statistic
    assert sample["rounds"][-1]["kendall"]["value"] == pytest.approx(tau)
    assert sample["rounds"][-1]["kendall"]["n"] == 4
    assert completed.manifest["predicted"]["rows_fitted"] == 20
    assert completed.manifest["predicted"]["rows_trained"] == 24
    others = completed.rows[~np.isin(completed.rows, only.rows)]
    predicted = completed.values("valid_accuracy", others)
    assert predicted == pytest.approx(surrogate.predict("valid_accuracy", others), rel=1e-6)


@pytest.mark.usefixtures("quick")
def test_more_goes_on_from_what_a_sample_trained(
    spec: BuildSpec, whole: Table, tmp_path: Path
) -> None:
    out = tmp_path / "t.h5"
    make(spec, out, Sampling(15, "stratified"), complete=True)
    first = trained(out)
    assert len(first) == 15
    make(spec, out, Sampling(20, "stratified"), complete=True)
    assert trained(out)[:15] == first
    assert len(set(trained(out))) == len(trained(out)) == 20
    counts: list[int] = []

    def told(what: str, done: int, total: int) -> None:
        if what == "training":
            counts.append(done)

    again = make(spec, out, Sampling(20, "stratified"), complete=True, progress=told)
    assert len(trained(out)) == 20
    assert set(again.rows.tolist()) == set(whole.rows.tolist())
    assert counts == [20]  # and not round by round, as if each took no time
    counts.clear()
    table = build(spec, out, processes=1, engine=ENGINES[-1], progress=told)
    assert counts == list(range(20, 31))
    assert table.manifest["content_sha256"] == whole.manifest["content_sha256"]
    assert "sample" not in table.manifest
    assert not journal_of(out).parent.exists()
    with pytest.raises(NasbenchError, match="is there already"):
        build_sample(spec, out, Sampling(20, "random"))


# Killed.


def killed(folder: Path, kills: list[int]) -> None:
    """A build of a sample for each: killed at that report of its progress."""
    rounds.RESAMPLES, rounds.FIRST = 40, 8
    dict.__setitem__(PREDICTORS, "xgboost", QUICK)
    for kill in kills:
        child = os.fork()
        if not child:
            reports = 0

            def told(what: str, done: int, total: int, at: int = kill) -> None:
                nonlocal reports
                reports += 1
                if reports == at:
                    os.kill(os.getpid(), signal.SIGKILL)

            make(
                small_spec(OPERATIONS, seeds=(0,)),
                folder / f"{kill}.h5",
                Sampling(20, "active"),
                complete=True,
                progress=told,
            )
            os._exit(0)
        assert os.waitpid(child, 0)[1] == signal.SIGKILL, "it ended before it was killed"


@pytest.mark.process
@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("kills", [[18], pytest.param([3, 18, 30], marks=pytest.mark.slow)])
def test_killed_at_any_moment_it_ends_as_if_nothing_had_happened(
    spec: BuildSpec, tmp_path: Path, kills: list[int]
) -> None:
    zygote.run(killed, tmp_path, kills)
    undisturbed = make(spec, tmp_path / "u.h5", Sampling(20, "active"), complete=True)
    numbers = []
    for kill in kills:
        out = tmp_path / f"{kill}.h5"
        assert not out.exists()
        before = trained(out)
        numbers.append(len(before))
        table = make(spec, out, Sampling(20, "active"), complete=True)
        assert trained(out)[: len(before)] == before
        assert len(set(trained(out))) == len(trained(out)) == 20
        assert all(same_values(table, undisturbed))
    assert numbers == sorted(numbers)
    for kill, number in zip(kills, numbers, strict=True):
        assert {3: number < 4, 18: 4 <= number < 20, 30: number == 20}[kill]


# Errors.


@pytest.mark.parametrize(
    ("sampling", "complete", "said"),
    [
        (Sampling(30, "random"), True, "15 to 29 of them, got 30; leave --sample out"),
        (Sampling(31, "random"), False, "1 to 29 of them, got 31"),
        (
            Sampling(14, "random"),
            True,
            "15 to 29 of them, to fit on some and hold out others, got 14",
        ),
        (Sampling(0, "random"), False, "1 to 29 of them"),
    ],
)
def test_a_sample_is_part_of_the_space(
    spec: BuildSpec, tmp_path: Path, sampling: Sampling, complete: bool, said: str
) -> None:
    with pytest.raises(NasbenchError, match=said):
        build_sample(spec, tmp_path / "t.h5", sampling, complete=complete)
    assert not list(tmp_path.iterdir())


def test_models_are_of_one_recipe_and_other_samples_of_all(spec: BuildSpec, tmp_path: Path) -> None:
    base = spec.recipes["2ep"]
    two = replace(spec, recipes={"one": replace(base, epochs=1), "two": base})
    for sampling, complete in ((Sampling(20, "random"), True), (Sampling(20, "active"), False)):
        with pytest.raises(NasbenchError, match=r"models predict one recipe.*one, two"):
            build_sample(two, tmp_path / "t.h5", sampling, complete=complete)
    table = make(two, tmp_path / "t.h5", Sampling(6, "random"))
    assert len(table.rows) == 6
    for recipe in ("one", "two"):
        assert np.isfinite(table.values("valid_accuracy", table.rows, recipe=recipe)).all()


def test_a_space_can_be_too_small_and_a_design_unknown(tmp_path: Path) -> None:
    with pytest.raises(NasbenchError, match="6 distinct architectures, too few for a sample"):
        build_sample(small_spec(), tmp_path / "t.h5", Sampling(5, "random"), complete=True)
    with pytest.raises(NasbenchError, match="did you mean stratified"):
        Sampling(5, "stratifed")
    with pytest.raises(NasbenchError, match="seed of a sample is 0 or more"):
        Sampling(5, "random", seed=-1)
