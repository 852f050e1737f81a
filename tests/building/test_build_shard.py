"""Shards train what a plain build trains, each by itself, and one machine makes the table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import zygote
from hypothesis import given
from hypothesis import strategies as st
from small_builds import ENGINES, ONE, hold, killed_at_each_step, small_spec, trained

from nasbench.building import BuildSpec, Shard, assemble_shards, build, train_shard
from nasbench.building.executor import Unit
from nasbench.building.journal import BuildFolder, folder_of
from nasbench.building.shard import divide
from nasbench.device import DeviceSpec
from nasbench.errors import NasbenchError
from nasbench.space import CellSpace
from nasbench.table import Table

pytestmark = pytest.mark.heavy

HERE = Path(__file__).parent
ENGINE = ENGINES[-1]


class Stopped(BaseException):
    """As Ctrl-C."""


def _stop_at(number: int) -> Callable[[str, int, int], None]:
    def stop(what: str, done: int, total: int) -> None:
        if done == number:
            raise Stopped

    return stop


def _train(spec: BuildSpec, out: Path, *shards: str, engine: str = ENGINE) -> None:
    for shard in shards:
        train_shard(spec, out, Shard.parse(shard), processes=1, engine=engine)


# The division.


@given(st.integers(1, 40), st.integers(1, 12), st.integers(1, 60))
def test_shards_are_a_partition_into_equal_parts(cells: int, seeds: int, parts: int) -> None:
    units = [Unit("r", cell, seed) for cell in range(cells) for seed in range(seeds)]
    divided = divide(units, parts)
    assert sorted(unit for part in divided for unit in part) == units
    sizes = [len(part) for part in divided]
    assert len(divided) == parts
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("parts", [5, 25, 64])
def test_shards_of_nb201_get_their_share_of_dear_cells(nb201: CellSpace, parts: int) -> None:
    """No shard has a fifth more than the mean to do."""
    convolutions = {
        cell: nb201.string(cell).count("nor_conv_3x3") for cell in nb201.representatives.tolist()
    }
    units = [Unit("r", cell, seed) for cell in convolutions for seed in range(3)]
    work = np.asarray(
        [sum(convolutions[unit.architecture] for unit in part) for part in divide(units, parts)]
    )
    assert work.max() < 1.2 * work.mean()


@pytest.mark.parametrize("text", ["3/64", "1/1", "64/64"])
def test_a_shard_is_read_as_it_is_written(text: str) -> None:
    assert str(Shard.parse(text)) == text


@pytest.mark.parametrize("text", ["0/3", "4/3", "3", "a/3", "1/3/5", "-1/3", "1/0", "", "1 / 3"])
def test_what_is_no_shard_is_told(text: str) -> None:
    with pytest.raises(NasbenchError, match="a shard is I/N with I from 1 to N, as in 3/64"):
        Shard.parse(text)


# From shards to a table.


def test_shards_one_of_them_stopped_make_the_table_of_a_plain_build(
    spec: BuildSpec, engine: str, undisturbed: Table, tmp_path: Path
) -> None:
    out = tmp_path / "t.h5"
    _train(spec, out, "3/3", "1/3", engine=engine)
    with pytest.raises(Stopped):
        train_shard(spec, out, Shard(2, 3), processes=1, engine=engine, progress=_stop_at(2))
    begun = trained(out, "shard-2-of-3")
    assert len(begun) == 2
    _train(spec, out, "2/3", engine=engine)
    parts = [trained(out, f"shard-{number}-of-3") for number in (1, 2, 3)]
    assert parts[1][:2] == begun
    assert [len(part) for part in parts] == [4, 4, 4]
    assert len(set().union(*parts)) == 12
    table = assemble_shards(spec, out)
    table.verify()
    assert table.manifest["content_sha256"] == undisturbed.manifest["content_sha256"]
    assert table.manifest["engine"] == engine
    sessions = table.manifest["history"]
    assert [session.get("shard") for session in sessions] == ["1/3", "2/3", "2/3", "3/3", None]
    assert [path.name for path in tmp_path.iterdir()] == ["t.h5"]


@pytest.mark.parametrize("engine", ONE, indirect=True)
def test_more_shards_than_trainings_are_as_good(
    spec: BuildSpec, engine: str, undisturbed: Table, tmp_path: Path
) -> None:
    """A shard of nothing need not be run."""
    out = tmp_path / "t.h5"
    _train(spec, out, *(f"{number}/15" for number in range(1, 13)), engine=engine)
    _train(spec, out, "15/15", engine=engine)
    table = assemble_shards(spec, out)
    assert table.manifest["content_sha256"] == undisturbed.manifest["content_sha256"]


def test_missing_shards_are_named_and_the_others_kept(spec: BuildSpec, tmp_path: Path) -> None:
    out = tmp_path / "t.h5"
    _train(spec, out, "1/4")
    with pytest.raises(Stopped):
        train_shard(spec, out, Shard(3, 4), processes=1, engine=ENGINE, progress=_stop_at(1))
    named = r"8 of 12 .* with --shard 2/4 \(0 of 3 trained\), 3/4 \(1 of 3 .*\), 4/4 \(0 of 3 .*\)$"
    with pytest.raises(NasbenchError, match=named):
        assemble_shards(spec, out)
    assert not out.exists()
    assert len(trained(out, "shard-1-of-4")) == 3
    _train(spec, out, "2/4", "3/4", "4/4")
    assert len(trained(out, "shard-3-of-4")) == 3
    assert assemble_shards(spec, out).path == out


def test_a_plain_build_goes_on_from_shards(spec: BuildSpec, tmp_path: Path) -> None:
    out = tmp_path / "t.h5"
    _train(spec, out, "2/3", "3/3")
    told: list[int] = []

    def note(what: str, done: int, total: int) -> None:
        if what == "training":
            told.append(done)

    build(spec, out, processes=1, engine=ENGINE, progress=note)
    assert told == [8, 9, 10, 11, 12]
    assert [path.name for path in tmp_path.iterdir()] == ["t.h5"]


def test_shards_measure_nothing_and_who_assembles_measures_all(tmp_path: Path) -> None:
    device = DeviceSpec(warm_up=1, repeats=5, seconds=0.001)
    spec, out = replace(small_spec(), devices=(device,)), tmp_path / "t.h5"
    _train(spec, out, "1/2", "2/2")
    told: list[str] = []
    table = assemble_shards(spec, out, progress=lambda what, done, total: told.append(what))
    assert told == ["counting", *2 * ["measuring cpu-torch-b1"]]
    assert (table.cost("cpu-torch-b1", "latency_ms", np.arange(8)) > 0).all()


# Killed.


@pytest.mark.slow
def test_killed_before_any_change_of_the_disk_shards_can_be_finished(tmp_path: Path) -> None:
    spec = small_spec(("none", "skip_connect"), seeds=(0,))
    zygote.run(killed_at_each_step, tmp_path, ENGINE, spec, shards=2)
    outs = [tmp_path / f"{step}.h5" for step in range(200)]
    # The first that was not killed is whole, and its folder is gone.
    steps = [out.exists() and not folder_of(out).exists() for out in outs].index(True)
    assert steps >= 30
    expected = Table(outs[steps]).manifest["content_sha256"]
    for out in outs[:steps]:
        if not out.exists():
            for shard in (Shard(1, 2), Shard(2, 2)):
                train_shard(spec, out, shard, processes=1, engine=ENGINE)
        if folder_of(out).exists():
            assemble_shards(spec, out)
        assert Table(out).manifest["content_sha256"] == expected
        assert not folder_of(out).exists()


def test_a_table_beside_the_folder_of_another_build_is_not_taken_for_its_own(
    spec: BuildSpec, tmp_path: Path
) -> None:
    out, other = tmp_path / "t.h5", small_spec(epochs=3)
    _train(other, out, "1/2")
    build(spec, tmp_path / "made.h5", processes=1, engine=ENGINE).path.rename(out)
    for asked in (spec, other):
        for again in (build, assemble_shards):
            with pytest.raises(NasbenchError, match="is there already"):
                again(asked, out)
        with pytest.raises(NasbenchError, match="is there already"):
            _train(asked, out, "1/2")
    assert len(trained(out, "shard-1-of-2")) == 6


# Refused.


def test_without_shards_there_is_nothing_to_assemble(spec: BuildSpec, tmp_path: Path) -> None:
    with pytest.raises(NasbenchError, match=r"there are no shards in .*t\.h5\.build: train them"):
        assemble_shards(spec, tmp_path / "t.h5")
    assert not list(tmp_path.iterdir())


def test_shards_of_another_division_are_refused(spec: BuildSpec, tmp_path: Path) -> None:
    out = tmp_path / "t.h5"
    _train(spec, out, "1/2")
    with pytest.raises(NasbenchError, match="would hold shards of 2 and of 3"):
        _train(spec, out, "1/3")
    _train(spec, out, "2/2")  # nothing of the other is left to disturb it
    assert assemble_shards(spec, out).path == out


@pytest.mark.parametrize("change", [{"epochs": 3}, {"learning_rate": 0.2}])
def test_shards_of_another_recipe_are_refused(
    spec: BuildSpec, tmp_path: Path, change: dict[str, float]
) -> None:
    out, other = tmp_path / "t.h5", small_spec(**change)
    _train(spec, out, "1/2")
    for refused in (partial(_train, other, out, "2/2"), partial(assemble_shards, other, out)):
        with pytest.raises(NasbenchError, match=r"1/2 of .* is of another recipe, task, engine"):
            refused()
    _train(spec, out, "2/2")
    assert assemble_shards(spec, out).path == out


def test_a_shard_beside_a_build_of_another_recipe_is_refused(
    spec: BuildSpec, tmp_path: Path
) -> None:
    out, other = tmp_path / "t.h5", small_spec(epochs=3)
    with pytest.raises(Stopped):
        build(other, out, engine=ENGINE, progress=_stop_at(1))
    with pytest.raises(NasbenchError, match=r"t\.h5\.build holds a build of another recipe"):
        _train(spec, out, "1/2")


@pytest.mark.skipif(len(ENGINES) < 2, reason="one engine is here")
def test_shards_of_another_engine_are_refused(spec: BuildSpec, tmp_path: Path) -> None:
    out = tmp_path / "t.h5"
    _train(spec, out, "1/2", engine="native")
    with pytest.raises(NasbenchError, match=r"1/2 of .* is of another recipe, task, engine"):
        _train(spec, out, "2/2", engine="reference")


@pytest.mark.process
def test_a_shard_at_work_is_neither_doubled_nor_assembled(spec: BuildSpec, tmp_path: Path) -> None:
    out = tmp_path / "t.h5"
    _train(spec, out, "1/2", "2/2")
    at_work = zygote.Event()
    with zygote.begun(hold, out, None, at_work, "shard-2-of-2") as (other, _):
        assert at_work.wait(zygote.LIMIT)
        held = f"another build is at work on .*shard-2-of-2: process {other.pid} on"
        with pytest.raises(NasbenchError, match=held):
            _train(spec, out, "2/2")
        with pytest.raises(NasbenchError, match=held):
            assemble_shards(spec, out)
        _train(spec, out, "1/2")
        other.kill()
        other.join()
    assert assemble_shards(spec, out).path == out


def test_a_table_while_it_is_written_is_safe_from_shards(spec: BuildSpec, tmp_path: Path) -> None:
    """Who builds removes what a kill left of a table; a shard must not."""
    half = tmp_path / ".t.h5.123.partial"
    half.write_bytes(b"half")
    _train(spec, tmp_path / "t.h5", "1/12")
    assert half.exists()
    BuildFolder(tmp_path / "t.h5", {}).close(remove=True)
    assert not half.exists()
