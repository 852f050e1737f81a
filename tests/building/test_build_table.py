"""What a build writes: every value where it belongs, and why one is missing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from small_builds import journaled, small_spec, trained

import nasbench as nb
from nasbench.building import BuildSpec, build
from nasbench.device import DeviceSpec
from nasbench.errors import NasbenchError
from nasbench.network import network
from nasbench.network.count import count
from nasbench.space import CellSpace
from nasbench.table import Table
from nasbench.train import CURVES
from nasbench.train.engine import make_trainer

pytestmark = pytest.mark.heavy


class Stopped(BaseException):
    """As Ctrl-C."""


# What was trained.


@pytest.fixture(scope="module")
def two_recipes(tmp_path_factory: pytest.TempPathFactory) -> tuple[BuildSpec, Table]:
    """Recipes of one and three epochs, seeds in an order of their own."""
    base = small_spec().recipes["2ep"]
    recipes = {"short": replace(base, epochs=1), "long": replace(base, epochs=3, channels=2)}
    spec = replace(small_spec(), seeds=(7, 3), recipes=recipes)
    table = build(spec, tmp_path_factory.mktemp("two") / "two.h5", engine="reference", processes=1)
    return spec, table


def test_every_value_stands_where_it_was_trained(two_recipes: tuple[BuildSpec, Table]) -> None:
    spec, table = two_recipes
    table.verify()
    assert table.rows.tolist() == spec.space.representatives.tolist()
    assert set(table.recipes) == {"short", "long"}
    assert table.seeds == {"short": (7, 3), "long": (7, 3)}
    trainer = make_trainer("reference")
    some = spec.space.representatives[[1, 4]].tolist()
    for name, recipe in spec.recipes.items():
        for record in trainer.train(spec.space, some, spec.task, recipe, spec.seeds):
            where = {"recipe": name, "seed": record.seed}
            for curve in CURVES:
                stored = [
                    float(table.values(curve, record.architecture, epoch=epoch, **where))
                    for epoch in range(1, recipe.epochs + 1)
                ]
                if curve == "train_seconds":  # clocked anew
                    assert np.all(np.diff([0.0, *stored]) > 0)
                else:
                    assert stored == record.curves[curve].tolist()
            assert table.values("test_accuracy", record.architecture, **where) == pytest.approx(
                record.test_accuracy, rel=1e-7
            )


def test_rows_stand_for_their_classes(two_recipes: tuple[BuildSpec, Table]) -> None:
    spec, table = two_recipes
    every = np.arange(spec.space.size)
    for metric in ("valid_accuracy", "parameters", "flops"):
        values = table.values(metric, every, recipe="long")
        assert (values == values[spec.space.classes]).all()
    assert table.manifest["sharing"] == "canonical"


def test_networks_are_counted_alive_and_as_the_release_counts(
    two_recipes: tuple[BuildSpec, Table],
) -> None:
    spec, table = two_recipes
    first = spec.recipes["short"]  # gives width and depth of what is counted and measured
    for architecture in spec.space.representatives.tolist():
        for prefix, live in (("", True), ("release_", False)):
            net = network(spec.space, architecture, spec.task, first, live=live)
            counted = count(net, spec.task.shape)
            assert table.values(f"{prefix}parameters", architecture) == counted.parameters
            assert table.values(f"{prefix}flops", architecture) == counted.flops
    dead = table.values("release_parameters", table.rows) - table.values("parameters", table.rows)
    assert (dead >= 0).all()


def test_manifest_says_where_all_comes_from(two_recipes: tuple[BuildSpec, Table]) -> None:
    spec, table = two_recipes
    manifest = table.manifest
    assert manifest["origin"] == "built"
    assert manifest["engine"] == "reference"
    assert manifest["task"]["hash"] == spec.task.hash
    assert manifest["space"] == dict(spec.space.describe())
    assert manifest["recipes"]["long"]["trained"] == spec.recipes["long"].describe()
    assert {"python", "torch", "numpy"} <= set(manifest["versions"])
    assert manifest["hardware"]["cores"] >= 1
    kinds = {name: about["kind"] for name, about in manifest["datasets"].items() if "kind" in about}
    assert kinds["recipe/long/valid_accuracy"] == "trained"
    assert kinds["recipe/long/train_seconds"] == "measured"
    assert kinds["network/flops"] == "counted"
    assert table.missing("valid_accuracy", recipe="long") == {}


def test_content_hash_leaves_out_what_was_clocked(
    two_recipes: tuple[BuildSpec, Table], tmp_path: Path
) -> None:
    spec, table = two_recipes
    again = build(spec, tmp_path / "two.h5", engine="reference", processes=1)
    assert again.manifest["content_sha256"] == table.manifest["content_sha256"]
    assert again.sha256 != table.sha256
    other = replace(spec, seeds=(7, 4))
    changed = build(other, tmp_path / "other.h5", engine="reference", processes=1)
    assert changed.manifest["content_sha256"] != table.manifest["content_sha256"]


def test_diverged_trainings_are_missing_with_a_reason(engine: str, tmp_path: Path) -> None:
    """A rate of 1e12 breaks every cell; without a nonzero path there is but the classifier."""
    spec = small_spec(("none", "nor_conv_3x3"), learning_rate=1e12, epochs=3)
    table = build(spec, tmp_path / "t.h5", processes=1, engine=engine)
    missing = table.missing("valid_accuracy")
    values = table.values("valid_accuracy", np.arange(8))
    assert set(missing) == set(np.flatnonzero(np.isnan(values)).tolist())
    assert len(missing) >= 4
    for reason in missing.values():
        assert reason.startswith("training diverged: seed 0 in epoch ")
        assert ", seed 1 in epoch " in reason
    assert set(table.missing("test_accuracy")) == set(missing)
    # Time was spent all the same, up to the divergence and no further.
    seconds = table.curves("train_seconds")
    assert np.isfinite(seconds).all()
    broken = np.isnan(table.curves("valid_accuracy")).any(2)
    assert (seconds[broken][:, -1] == seconds[broken][:, -2]).any()


# Progress.


def test_progress_counts_up_to_all(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    build(
        small_spec(),
        tmp_path / "t.h5",
        processes=1,
        progress=lambda what, done, total: told.append((what, done, total)),
    )
    training = [(done, total) for what, done, total in told if what == "training"]
    assert training == [(n, 12) for n in range(13)]
    assert told[-1] == ("counting", 6, 6)


# Devices.

QUICK = {"warm_up": 1, "repeats": 5, "seconds": 0.001}
DEVICES = (DeviceSpec(**QUICK), DeviceSpec(batch_size=4, **QUICK))  # type: ignore[arg-type]


def test_devices_are_measured_after_training(tmp_path: Path) -> None:
    spec = replace(small_spec(), devices=DEVICES)
    table = build(spec, tmp_path / "t.h5", processes=1)
    assert set(table.devices) == {"cpu-torch-b1", "cpu-torch-b4"}
    every = np.arange(8)
    for device in table.devices:
        described = table.manifest["devices"][device]
        for metric in ("latency_ms", "latency_spread_ms", "latency_n", "energy_mj", "memory_mib"):
            values = table.cost(device, metric, every)
            assert (values == values[spec.space.classes]).all()
            missing = table.missing_cost(device, metric)
            assert set(missing) == set(np.flatnonzero(np.isnan(values)).tolist())
            assert described["kinds"][metric] in ("measured", "estimated")
        assert (table.cost(device, "latency_ms", every) > 0).all()
        assert (table.cost(device, "latency_n", every) >= 5).all()
        assert described["runtime"] == "torch"
    larger = table.cost("cpu-torch-b4", "memory_mib", every)
    assert (larger > table.cost("cpu-torch-b1", "memory_mib", every)).all()


def test_a_build_stopped_while_it_measures_trains_nothing_again(tmp_path: Path) -> None:
    spec, out = replace(small_spec(), devices=DEVICES), tmp_path / "t.h5"

    def stop(what: str, done: int, total: int) -> None:
        if what == "measuring cpu-torch-b4":
            raise Stopped

    with pytest.raises(Stopped):
        build(spec, out, processes=1, progress=stop)
    kept = [entry for entry in journaled(out) if entry["entry"] == "measurement"]
    assert {entry["device"] for entry in kept} == {"cpu-torch-b1"}
    assert len(trained(out)) == 12
    told: list[str] = []
    table = build(spec, out, processes=1, progress=lambda what, done, total: told.append(what))
    assert told.count("training") == 1
    measured = {int(a): m for entry in kept for a, m in entry["measurements"].items()}
    latency = table.cost("cpu-torch-b1", "latency_ms", list(measured))
    assert latency.tolist() == [m["latency_ms"] for m in measured.values()]


def test_a_build_that_goes_on_elsewhere_measures_all_of_a_device_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, out = replace(small_spec(), devices=DEVICES), tmp_path / "t.h5"

    def stop(what: str, done: int, total: int) -> None:
        if what == "measuring cpu-torch-b4":
            raise Stopped

    def latencies() -> list[float]:
        return [
            measured["latency_ms"]
            for entry in journaled(out)
            if entry["entry"] == "measurement"
            for measured in entry["measurements"].values()
        ]

    with pytest.raises(Stopped):
        build(spec, out, processes=1, progress=stop)
    here = latencies()
    monkeypatch.setattr("nasbench.device.measure.hardware_model", lambda hardware: "another")
    with pytest.raises(Stopped):
        build(spec, out, processes=1, progress=stop)
    there = latencies()[len(here) :]
    assert len(there) == len(here) == 6
    table = build(spec, out, processes=1)
    device = "cpu-torch-b1"
    assert table.manifest["devices"][device]["hardware_model"] == "another"
    assert table.cost(device, "latency_ms", table.rows).tolist() == there


def test_content_does_not_depend_on_devices(tmp_path: Path) -> None:
    plain = build(small_spec(), tmp_path / "a.h5", processes=1)
    measured = build(replace(small_spec(), devices=DEVICES[:1]), tmp_path / "b.h5", processes=1)
    assert measured.manifest["content_sha256"] == plain.manifest["content_sha256"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda spec: replace(spec, devices=(DeviceSpec(hardware="mps"),)), "mps"),
        (
            lambda spec: replace(spec, space=CellSpace("huge", 9, ("none", "skip_connect"))),
            "huge has 68,719,476,736 architectures, too many to train them all: train a sample",
        ),
    ],
)
def test_what_cannot_be_built_is_told_before_anything_is_written(
    tmp_path: Path, change: Callable[[BuildSpec], BuildSpec], why: str
) -> None:
    with pytest.raises(NasbenchError, match=why):
        build(change(small_spec()), tmp_path / "t.h5", processes=1)
    assert not list(tmp_path.iterdir())


def test_unknown_engines_and_hardware_are_told(tmp_path: Path) -> None:
    with pytest.raises(NasbenchError, match="unknown engine 'natve'; did you mean native"):
        build(small_spec(), tmp_path / "t.h5", engine="natve")
    for engine in ("auto", "reference"):
        with pytest.raises(NasbenchError, match="no hardware 'gpu'"):
            build(small_spec(), tmp_path / "t.h5", engine=engine, hardware="gpu")
    assert not list(tmp_path.iterdir())


def test_specs_of_equal_values_are_one_plan() -> None:
    spec = replace(small_spec(), devices=DEVICES)
    again = replace(small_spec(), devices=tuple(DeviceSpec(**asdict(d)) for d in DEVICES))
    assert spec.describe() == again.describe()
    assert spec.describe()["task"]["hash"] == nb.task("digits").hash
