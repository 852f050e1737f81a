"""What a build is said to cost, against what it costs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_builds import ONE, journal_of, small_spec

from nasbench.building import BuildSpec, Sampling, Shard, build, build_sample, train_shard
from nasbench.building.estimate import estimate, table_bytes
from nasbench.building.executor import Unit
from nasbench.building.journal import folder_of
from nasbench.building.proxies import Scoring
from nasbench.device import DeviceSpec
from nasbench.errors import NasbenchError
from nasbench.space import CellSpace
from nasbench.train import Record

pytestmark = pytest.mark.heavy


class Stopped(BaseException):
    """As Ctrl-C."""


QUICK = DeviceSpec(warm_up=1, repeats=5, seconds=0.001)


@pytest.fixture(scope="module")
def spec() -> BuildSpec:
    """27 cells, two recipes, a device."""
    base = small_spec(("none", "skip_connect", "nor_conv_1x1"), (0, 1, 2))
    recipe = base.recipes["2ep"]
    recipes = {"one": replace(recipe, epochs=1), "twenty": replace(recipe, epochs=20)}
    return replace(base, recipes=recipes, devices=(QUICK,))


def test_the_table_is_as_large_as_said(spec: BuildSpec, tmp_path: Path) -> None:
    table = build(spec, tmp_path / "t.h5", processes=1)
    data = spec.space.unique * 3 * (20 + 1) * 5 * 4
    assert table.path.stat().st_size > data  # five curves of four bytes a value, and more
    # The manifest's sentences differ by the names of engine and space; HDF5 puts arrays at
    # multiples of 64 bytes, and what describes them into blocks of 2,048.
    slack = 2_048 + 64 * len(table.manifest["datasets"])
    found = table_bytes(spec, spec.space.unique)
    assert found == pytest.approx(table.path.stat().st_size, abs=slack)


def test_a_large_table_is_as_large_as_its_arrays() -> None:
    spec = small_spec(epochs=2)
    small = table_bytes(spec, spec.space.unique)
    larger = replace(spec, space=CellSpace("larger", 4, ("none", "nor_conv_1x1", "nor_conv_3x3")))
    rows = larger.space.unique - spec.space.unique
    others = [of.size - of.unique for of in (larger.space, spec.space)]
    # Five curves and their ends, test accuracy and seconds of evaluation; four counts.
    row = 2 * (2 * 5 + 5 + 2) * 4 + 4 * 8
    # Decisions of a byte each: six edges and three; and rows of those without one.
    index = 6 * larger.space.size - 3 * spec.space.size + 4 * (others[0] - others[1])
    # HDF5 describes them in blocks of 2,048 bytes.
    found = table_bytes(larger, larger.space.unique) - small
    assert found == pytest.approx(rows * row + index, abs=2_048)


@pytest.mark.slow
def test_the_journal_is_as_large_as_said(spec: BuildSpec, tmp_path: Path) -> None:
    out = tmp_path / "t.h5"

    def stop(what: str, done: int, total: int) -> None:
        if what.startswith("measuring") and done == total:
            raise Stopped

    with pytest.raises(Stopped):
        build(spec, out, processes=1, progress=stop)
    said = estimate(replace(spec, name="other"), tmp_path / "other.h5", processes=1)
    assert said.journal_bytes == pytest.approx(journal_of(out).stat().st_size, rel=0.15)


@pytest.mark.parametrize("engine", ONE)
def test_trainings_that_are_journaled_are_not_counted_again(engine: str, tmp_path: Path) -> None:
    spec, out = replace(small_spec(), devices=(QUICK,)), tmp_path / "t.h5"
    fresh = estimate(spec, out, processes=1, engine=engine)
    assert (fresh.trainings, fresh.journaled, fresh.distinct) == (12, 0, 6)
    assert fresh.engine == engine
    assert not list(tmp_path.iterdir())
    train_shard(spec, out, Shard(1, 3), processes=1, engine=engine)
    before = sorted(tmp_path.rglob("*"))
    after = estimate(spec, out, processes=1, engine=engine)
    assert after.journaled == 4
    assert sorted(tmp_path.rglob("*")) == before
    left = after.training_seconds["2ep"].value * 8 / 3600
    assert after.training_hours.value == pytest.approx(left)
    beside = after.measuring_hours["cpu-torch-b1"] + after.counting_hours
    assert after.hours == pytest.approx(left + beside)
    assert after.measuring_hours["cpu-torch-b1"] > 0


@pytest.mark.process
@pytest.mark.usefixtures("forked")
def test_hours_add_up_over_recipes_and_workers(spec: BuildSpec, tmp_path: Path) -> None:
    found = estimate(replace(spec, devices=()), tmp_path / "t.h5", processes=2)
    n = spec.space.unique * 3
    seconds = sum(n * found.training_seconds[name].value for name in ("one", "twenty"))
    assert found.training_hours.value == pytest.approx(seconds / 2 / 3600)
    assert found.training_hours.low < found.training_hours.value < found.training_hours.high
    assert found.timed == found.training_hours.n == min(16, spec.space.unique)


def test_seconds_grow_with_images_and_epochs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Timed on the same few images and one epoch, scaled by what the recipe really asks for."""

    def train(_: object, units: list[Unit], joined: object) -> Iterator[tuple[Unit, Record]]:
        for unit in units:
            curves = {"train_seconds": np.float32([0.5])}
            yield unit, Record(unit.architecture, unit.seed, curves, {"test_accuracy": 1.0}, 0.1)

    monkeypatch.setattr("nasbench.building.crew.Crew.train", train)
    monkeypatch.setattr("nasbench.building.estimate.table_bytes", lambda spec, rows: 0)
    monkeypatch.setattr("nasbench.building.estimate.MOST_IMAGES", 50)
    spec = small_spec()
    recipe = replace(
        spec.recipes["2ep"], epochs=10, train_images=200, valid_images=100, test_images=300
    )
    spec = replace(spec, recipes={"10ep": recipe})
    found = estimate(spec, tmp_path / "t.h5", processes=1)
    # 10 epochs of 200 for one of 50; 10 validations of 100 and a test of 300 for 50 and 50.
    assert found.training_seconds["10ep"].value == pytest.approx(0.5 * 40 + 0.1 * 13)


def test_what_cannot_be_built_is_told(tmp_path: Path) -> None:
    spec, out = small_spec(), tmp_path / "t.h5"
    train_shard(spec, out, Shard(1, 2), processes=1)
    with pytest.raises(NasbenchError, match="holds a build of another recipe"):
        estimate(small_spec(epochs=3), out)
    out.write_text("mine")
    with pytest.raises(NasbenchError, match="is there already"):
        estimate(spec, out)


def test_a_space_of_one_cell_has_a_figure_without_an_interval(tmp_path: Path) -> None:
    spec = replace(small_spec(), space=CellSpace("one", 2, ("skip_connect",)))
    found = estimate(spec, tmp_path / "t.h5", processes=1)
    assert found.timed == 1
    assert found.training_hours.value > 0
    assert np.isnan(found.training_hours.low)


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.usefixtures("forked")
def test_networks_of_a_fused_group_share_their_time(tmp_path: Path) -> None:
    spec = small_spec()
    found = estimate(spec, tmp_path / "t.h5", engine="fused", hardware="cpu", processes=2)
    assert found.processes == 1  # the threads of one group
    seconds = found.trainings * found.training_seconds["2ep"].value
    assert found.training_hours.value == pytest.approx(seconds / 3600)


def test_a_folder_without_a_journal_holds_nothing(tmp_path: Path) -> None:
    spec, out = small_spec(), tmp_path / "t.h5"
    train_shard(spec, out, Shard(1, 2), processes=1)
    (folder_of(out) / "shard-1-of-2" / "journal.jsonl").unlink()
    assert estimate(spec, out, processes=1).journaled == 0


@pytest.mark.process
@pytest.mark.usefixtures("forked")
def test_a_sample_is_said_to_be_scored_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the clock of a made-up machine: a chunk is scored in 8 s, a network counted in 2 s."""
    spec, out = small_spec(), tmp_path / "t.h5"
    now = 0.0

    def later(seconds: float) -> None:
        nonlocal now
        now += seconds

    def score(_: object, scoring: Scoring, chunks: list[tuple[int, ...]], *__: object) -> object:
        assert (scoring.proxies, scoring.draws, scoring.seed) == (("nwot",), 1, 3)
        later(8)
        return [(chunk, {"entry": "scores", "architectures": list(chunk)}) for chunk in chunks]

    monkeypatch.setattr("nasbench.building.estimate.perf_counter", lambda: now)
    monkeypatch.setattr("nasbench.building.estimate.score_chunks", score)
    monkeypatch.setattr("nasbench.building.estimate.counts_of", lambda spec, cell: later(2))
    sampling = Sampling(4, "stratified", 3, "nwot")
    n = spec.space.unique
    candidates = n - n // 5
    chunk = min(n, 8)
    found = estimate(spec, out, processes=2, sampling=sampling)
    assert found.scoring_hours == pytest.approx(8 / chunk * candidates / 2 / 3600)
    assert found.counting_hours == pytest.approx(2 * 4 / 3600)
    parts = found.training_hours.value + found.scoring_hours + found.counting_hours
    assert found.hours == pytest.approx(parts)
    by_size = estimate(spec, out, processes=2, sampling=Sampling(4, "stratified", 3, "flops"))
    assert by_size.scoring_hours == 0
    assert by_size.counting_hours == pytest.approx(2 * (candidates + 4 // 5) / 3600)
    whole = estimate(spec, out, processes=2)
    assert (whole.scoring_hours, whole.distinct) == (0, n)
    assert whole.counting_hours == pytest.approx(2 * n / 3600)


def test_what_is_scored_and_counted_is_not_waited_for(tmp_path: Path) -> None:
    spec, out = small_spec(), tmp_path / "t.h5"
    sampling = Sampling(2, "stratified", 0, "nwot")
    build_sample(spec, out, sampling, processes=1)
    again = estimate(spec, out, processes=1, sampling=Sampling(2, "stratified", 0, "nwot"))
    assert (again.scoring_hours, again.counting_hours, again.training_hours.value) == (0, 0, 0)
    more = estimate(spec, out, processes=1, sampling=Sampling(4, "stratified", 0, "nwot"))
    assert more.scoring_hours == 0
    assert more.counting_hours > 0
    for other in (Sampling(2, "stratified", 1, "nwot"), Sampling(2, "stratified", 0, "synflow")):
        assert estimate(spec, out, processes=1, sampling=other).scoring_hours > 0
