"""What a build is called is judged at once, and is nothing to what it trains."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from small_builds import small_spec, trained

from nasbench._names import LONGEST, is_key
from nasbench.building import (
    BuildSpec,
    Sampling,
    Shard,
    assemble_shards,
    build,
    build_sample,
    train_shard,
)
from nasbench.building.journal import folder_of, holds_plan
from nasbench.building.pilot import pilot
from nasbench.building.spec import MOST_RECIPE_NAME, read_spec
from nasbench.device import DeviceSpec
from nasbench.errors import NasbenchError
from nasbench.table import Table

RECIPE = 'space = "nb201-mini"\ntask = "digits"\n[recipe.a]\nepochs = 1\ntrain_images = 9\n'
NO_KEYS = ["", " ", " a", "a ", "a\n", "a\nb", "\x1b[31m", ".", "..", "/", "/a", "a/", "a//b"]
NO_KEYS += ["a/../b", "../a", "a/.", "\u202e", "a\x00", "\udcff", "a" * (LONGEST + 1)]


class Stopped(BaseException):
    """As Ctrl-C."""


def _stop(what: str, done: int, total: int) -> None:
    if done == 3:
        raise Stopped


@pytest.mark.parametrize("name", NO_KEYS, ids=lambda name: repr(name)[:20])
def test_what_is_no_key_of_a_data_set_is_no_name(name: str) -> None:
    assert not is_key(name)
    with pytest.raises(NasbenchError, match="a table's name is 1 to 200 printable characters") as e:
        replace(small_spec(), name=name)
    assert len(str(e.value)) < 400
    assert str(e.value).isprintable()
    assert "without backslashes" in str(e.value)
    recipe = small_spec().recipes["2ep"]
    with pytest.raises(NasbenchError, match="a recipe's name"):
        replace(small_spec(), recipes={name: recipe})


@pytest.mark.parametrize("name", ["a", "é", "a.b", "200ep", "a/b", "..a", "a b", "a" * LONGEST])
def test_other_names_are_keys(name: str) -> None:
    assert is_key(name)
    assert replace(small_spec(), name=name).name == name


def test_a_file_that_is_called_strangely_names_its_table_so(tmp_path: Path) -> None:
    for strange in ("line\nbreak", " .", "-\x07"):
        path = tmp_path / f"{strange}.toml"
        path.write_text(RECIPE, encoding="utf-8")
        with pytest.raises(NasbenchError, match="a table's name is"):
            read_spec(path)
        path.write_text(f'name = "good"\n{RECIPE}', encoding="utf-8")
        assert read_spec(path).name == "good"


def test_names_are_judged_before_images_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(*_: object) -> None:
        raise AssertionError("the images were read")

    monkeypatch.setattr("nasbench.building.spec.task_from_spec", read)
    path = tmp_path / "mine.toml"
    for text in (f'name = ""\n{RECIPE}', RECIPE.replace("recipe.a", 'recipe."."')):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(NasbenchError, match=r"mine\.toml: a (table|recipe)'s name"):
            read_spec(path)


def test_the_longest_recipe_name_makes_a_table_that_can_be_read(tmp_path: Path) -> None:
    spec = small_spec(seeds=(0,), epochs=1)
    name = "é" * MOST_RECIPE_NAME
    named = replace(spec, recipes={name: spec.recipes["2ep"]})
    assert build(named, tmp_path / "t.h5", processes=1).recipes == (name,)
    with pytest.raises(NasbenchError, match=f"{MOST_RECIPE_NAME} letters at most"):
        replace(spec, recipes={name + "e": spec.recipes["2ep"]})


def test_one_name_means_one_thing() -> None:
    spec, device = small_spec(), DeviceSpec()
    recipe = spec.recipes["2ep"]
    for name, devices, of in ((device.name, (device,), "a device"), ("proxy", (), "the proxies")):
        with pytest.raises(NasbenchError, match=f"called {name}, and so are the metrics of {of}"):
            replace(spec, recipes={name: recipe}, devices=devices)
    assert replace(spec, recipes={device.name: recipe}).recipes
    with pytest.raises(NasbenchError, match="two devices are called cpu-torch-b1"):
        replace(spec, devices=(device, replace(device, warm_up=2)))


def test_the_names_of_samples_and_scores_are_judged_before_they_are_made(tmp_path: Path) -> None:
    spec = replace(small_spec(), name="a" * LONGEST)
    with pytest.raises(NasbenchError, match="a table's name is"):
        build_sample(spec, tmp_path / "t.h5", Sampling(3, "random"))
    assert not list(tmp_path.iterdir())


def _whole(spec: BuildSpec, out: Path, progress: Callable[..., None] | None = None) -> Table:
    return build(spec, out, processes=1, progress=progress)


def _sample(spec: BuildSpec, out: Path, progress: Callable[..., None] | None = None) -> Table:
    sampling = Sampling(5, "random")
    return build_sample(spec, out, sampling, processes=1, progress=progress).table


@pytest.mark.parametrize("make", [_whole, _sample])
def test_a_build_goes_on_under_a_corrected_name(tmp_path: Path, make: Callable[..., Table]) -> None:
    spec, out = small_spec(), tmp_path / "t.h5"
    with pytest.raises(Stopped):
        make(spec, out, _stop)
    before = trained(out)
    _as_plans_were(out, spec)
    table = make(replace(spec, name="corrected"), out)
    assert table.name.startswith("corrected")
    assert (
        table.manifest["content_sha256"]
        == make(spec, tmp_path / "again.h5").manifest["content_sha256"]
    )
    if folder_of(out).exists():
        assert trained(out)[: len(before)] == before, "nothing is trained twice"


def test_shards_and_pilots_go_on_under_a_corrected_name(tmp_path: Path) -> None:
    spec, out = small_spec(seeds=(0, 1, 2)), tmp_path / "t.h5"
    other = replace(spec, name="corrected")
    train_shard(spec, out, Shard(1, 2), processes=1)
    train_shard(other, out, Shard(2, 2), processes=1)
    assert assemble_shards(other, out).name == "corrected"
    judged = tmp_path / "p.json"
    pilot(spec, judged, budget_seconds=600, cells=5, processes=1)
    before = trained(judged)
    pilot(other, judged, budget_seconds=600, cells=5, processes=1)
    assert trained(judged) == before


@pytest.mark.parametrize("make", [_whole, _sample])
def test_a_file_that_appears_during_a_build_stays_and_so_does_the_build(
    tmp_path: Path, make: Callable[..., Table]
) -> None:
    spec, out = small_spec(seeds=(0,), epochs=1), tmp_path / "t.h5"

    def appear(what: str, done: int, total: int) -> None:
        out.write_text("mine", encoding="utf-8")

    with pytest.raises(NasbenchError, match="appeared meanwhile and was left as it is: move it"):
        make(spec, out, appear)
    assert out.read_text(encoding="utf-8") == "mine"
    out.unlink()
    before = trained(out)
    assert len(make(spec, out).rows) >= 5
    if folder_of(out).exists():
        assert trained(out) == before


def _as_plans_were(out: Path, spec: BuildSpec) -> None:
    """A plan as releases wrote it that compared the name."""
    path = folder_of(out) / "plan.json"
    plan = json.loads(path.read_text(encoding="utf-8"))
    assert "name" not in plan["spec"]
    plan["spec"]["name"] = spec.name
    path.write_text(json.dumps(plan), encoding="utf-8")
    del plan["spec"]["name"]
    assert holds_plan(out, plan)
