"""Parts of a table make the whole; what contradicts itself is refused; nothing is invented."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_tables import Contents, contents, some_rows, some_seeds, written
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_table import DEVICES, RECIPES, made_up, write

from nasbench.errors import NasbenchError
from nasbench.space import CellSpace, get
from nasbench.table import Dataset, Table, alignment
from nasbench.table.merging import merge

pytestmark = pytest.mark.heavy


def expect_whole(whole: Table, merged: Table) -> None:
    """All of it the same: by the content hash, and what an untrained row says."""
    assert merged.manifest["content_sha256"] == whole.manifest["content_sha256"]
    assert merged.row_of.tolist() == whole.row_of.tolist()
    assert merged.manifest["sharing"] == whole.manifest["sharing"]
    assert merged.manifest["devices"] == whole.manifest["devices"]
    assert merged.manifest["recipes"] == whole.manifest["recipes"]
    for name in whole.manifest["datasets"]:
        about = merged.dataset(name).about
        assert about == whole.dataset(name).about
    merged.verify()


@settings(max_examples=40)
@given(drawn=contents(), data=st.data())
def test_parts_with_some_rows_make_the_whole(
    tmp_path_factory: pytest.TempPathFactory, drawn: Contents, data: st.DataObject
) -> None:
    """Rows may be in both parts; the parts come in either order."""
    folder = tmp_path_factory.mktemp("tables")
    n = len(drawn["rows"])
    part = np.asarray(data.draw(st.lists(st.integers(0, 2), min_size=n, max_size=n)))
    part[:2] = 0, 1
    whole = written(folder / "whole.h5", drawn)
    parts = [written(folder / f"{k}.h5", some_rows(drawn, part != k)) for k in (0, 1)]
    expect_whole(whole, merge(parts, folder / "merged.h5"))
    expect_whole(whole, merge(parts[::-1], folder / "again.h5"))


@settings(max_examples=25)
@given(drawn=contents(), at=st.integers(1, 2))
def test_parts_with_some_seeds_make_the_whole(
    tmp_path_factory: pytest.TempPathFactory, drawn: Contents, at: int
) -> None:
    folder = tmp_path_factory.mktemp("tables")
    whole = written(folder / "whole.h5", drawn)
    parts = [
        written(folder / f"{k}.h5", some_seeds(drawn, keep))
        for k, keep in enumerate((slice(None, at), slice(at, None)))
        if all(recipe["seeds"][keep] for recipe in drawn["recipes"].values())
    ]
    if len(parts) == 2:
        expect_whole(whole, merge(parts, folder / "merged.h5"))


@settings(max_examples=25)
@given(drawn=contents(), data=st.data())
def test_parts_with_some_data_sets_make_the_whole(
    tmp_path_factory: pytest.TempPathFactory, drawn: Contents, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("tables")
    whole = written(folder / "whole.h5", drawn)
    names = sorted(drawn["datasets"])
    first = data.draw(st.sets(st.sampled_from(names)))
    parts = []
    for k, mine in enumerate((first, set(names) - first)):
        changes: dict[str, Any] = {"datasets": {n: drawn["datasets"][n] for n in sorted(mine)}}
        parts.append(written(folder / f"{k}.h5", drawn, **changes))
    merged = merge(parts, folder / "merged.h5")
    assert merged.manifest["content_sha256"] == whole.manifest["content_sha256"]


def test_the_same_however_it_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both = [write(tmp_path / "a.h5"), write(tmp_path / "b.h5", name="costs")]
    merge(both, tmp_path / "whole.h5")
    monkeypatch.setattr(alignment, "_CELLS", 20)
    merge(both, tmp_path / "cut.h5")
    assert (tmp_path / "whole.h5").read_bytes() == (tmp_path / "cut.h5").read_bytes()


def cost_table(path: Path, rows: Any, values: Any, **changes: Any) -> Table:
    """Latencies alone, without seeds and without rows shared."""
    values = np.asarray(values, dtype=np.float64)
    given_: dict[str, Any] = {
        "name": "costs",
        "sharing": "none",
        "rows": rows,
        "recipes": {},
        "devices": {"npu": {"batch": 1}},
        "missing": [],
        "about": {},
        "datasets": {"device/npu/latency_ms": Dataset(values, {"kind": "imported"})},
    }
    return write(path, **{**given_, **changes})


def test_costs_join_accuracies_and_shared_rows_are_written_out(
    tmp_path: Path, mini: CellSpace
) -> None:
    """As HW-NAS-Bench's costs, one for each architecture, join accuracies that we trained."""
    trained = write(tmp_path / "a.h5")
    latency = np.random.default_rng(0).uniform(1, 9, 125)
    costs = cost_table(tmp_path / "b.h5", range(125), latency)
    merged = merge([trained, costs], tmp_path / "c.h5", name="both")
    assert (merged.name, merged.manifest["sharing"], len(merged.rows)) == ("both", "none", 125)
    every = np.arange(125)
    assert merged.cost("npu", "latency_ms", every).tolist() == latency.tolist()
    for recipe in trained.recipes:
        np.testing.assert_array_equal(
            merged.trainings("valid_accuracy", every, recipe=recipe),
            trained.trainings("valid_accuracy", every, recipe=recipe),
        )
    np.testing.assert_array_equal(
        merged.values("proxy/synflow", every), trained.values("proxy/synflow", every)
    )
    sources = merged.manifest["sources"]
    assert [source["written_out"] for source in sources] == [True, False]
    assert [source["sha256"] for source in sources] == [trained.sha256, costs.sha256]
    assert merged.manifest["task"] == trained.manifest["task"]
    # The reason for a class is the reason for each architecture of it.
    expected = trained.missing("valid_accuracy", recipe="short")
    assert set(expected.values()) == {"diverged"}
    assert merged.missing("valid_accuracy", recipe="short") == expected


def test_a_value_stands_where_the_other_table_has_none(tmp_path: Path) -> None:
    nan = np.nan
    a = cost_table(tmp_path / "a.h5", [3, 1, 2], [3.0, nan, nan])
    b = cost_table(tmp_path / "b.h5", [1, 2, 9], [1.0, nan, 9.0], name="others")
    merged = merge([a, b], tmp_path / "c.h5")
    assert merged.rows.tolist() == [1, 2, 3, 9]
    np.testing.assert_array_equal(merged.device_column("npu", "latency_ms"), [1, nan, 3, 9])


def test_every_hole_has_its_reason(tmp_path: Path) -> None:
    nan = np.nan
    a = cost_table(
        tmp_path / "a.h5",
        [1, 2, 3],
        [nan, nan, 3],
        missing=[{"scope": "device/npu", "reason": "no kernel", "architectures": []}],
    )
    synflow = {"proxy/synflow": Dataset(np.asarray([5.0, 6.0]), {"kind": "derived"})}
    b = cost_table(tmp_path / "b.h5", [2, 9], [], name="proxies", devices={}, datasets=synflow)
    merged = merge([a, b], tmp_path / "c.h5")
    known = {x: y for x, y in merged.missing_cost("npu", "latency_ms").items() if x in merged.rows}
    assert known == {1: "no kernel", 2: "no kernel", 9: "costs has no row for it"}
    known = {x: y for x, y in merged.missing("proxy/synflow").items() if x in merged.rows}
    assert known == {1: "proxies has no row for it", 3: "proxies has no row for it"}
    assert merged.manifest["missing"] == [
        {"scope": "device", "reason": "costs has no row for it", "architectures": [9]},
        {"scope": "proxy", "reason": "proxies has no row for it", "architectures": [1, 3]},
        {"scope": "device/npu", "reason": "no kernel", "architectures": [1, 2]},
    ]


def test_a_reason_goes_before_the_want_of_a_row(tmp_path: Path) -> None:
    entry = {"scope": "device/npu", "reason": "no kernel", "architectures": [2]}
    a = cost_table(tmp_path / "a.h5", [1], [1.0])
    b = cost_table(tmp_path / "b.h5", [1, 2], [1, np.nan], name="more", missing=[entry])
    for tables in ([a, b], [b, a]):
        merged = merge(tables, tmp_path / "c.h5")
        assert merged.missing_cost("npu", "latency_ms")[2] == "no kernel"


def test_a_reason_does_not_spread_to_another_table(tmp_path: Path) -> None:
    entry = {"scope": "device", "reason": "no kernel", "architectures": []}
    a = cost_table(tmp_path / "a.h5", [1, 2], [np.nan, 2], missing=[entry])
    gpu = {"device/gpu/latency_ms": Dataset(np.asarray([1.0, np.nan]), {"kind": "imported"})}
    b = cost_table(tmp_path / "b.h5", [1, 2], [], name="gpu", devices={"gpu": {}}, datasets=gpu)
    merged = merge([a, b], tmp_path / "c.h5")
    assert merged.missing_cost("npu", "latency_ms")[1] == "no kernel"
    assert merged.missing_cost("gpu", "latency_ms")[2] == "the source gives no reason"


def test_seeds_and_epochs_are_united(tmp_path: Path) -> None:
    """Each by its number: seeds in the order in which they come, epochs ascending."""

    def part(path: str, seeds: list[int], epochs: list[int], first: float) -> Table:
        values = first + np.arange(2 * len(seeds) * len(epochs), dtype=np.float32)
        return write(
            tmp_path / path,
            name=path,
            sharing="none",
            rows=[4, 8],
            recipes={"long": {"epochs": 10, "seeds": seeds}},
            devices={},
            missing=[],
            datasets={
                "recipe/long/valid_accuracy": Dataset(
                    values.reshape(2, len(seeds), len(epochs)),
                    {"kind": "trained", "epochs": epochs},
                )
            },
        )

    merged = merge([part("a", [7, 2], [2, 10], 10), part("b", [5], [5, 10], 50)], tmp_path / "c")
    assert merged.seeds == {"long": (7, 2, 5)}
    assert merged.epochs("valid_accuracy") == (2, 5, 10)
    nan = np.nan
    np.testing.assert_array_equal(
        merged.curves("valid_accuracy")[0],
        np.asarray([[10, nan, 11], [12, nan, 13], [nan, 50, 51]], np.float32),
    )


def test_a_training_that_two_clocked_has_the_seconds_of_one(tmp_path: Path) -> None:
    """Of the table that knows more of its epochs, the first of equals; never some of each."""

    def part(path: str, clocked: dict[int, list[float]], **about: Any) -> Table:
        epochs = [5, 10] if len(next(iter(clocked.values()))) == 2 else [10]
        kind = {"kind": "measured", "unit": "seconds, cumulative", "epochs": epochs, **about}
        values = np.asarray([*clocked.values()])[:, None]
        return cost_table(
            tmp_path / path,
            list(clocked),
            [],
            name=path,
            recipes={"long": {"epochs": 10, "seeds": [0]}},
            devices={},
            datasets={"recipe/long/train_seconds": Dataset(values, kind)},
        )

    nan = np.nan
    one = part("one", {4: [1.0, 3.0], 8: [nan, nan], 9: [1.0, nan]})
    other = part("other", {4: [2.0, 4.0], 8: [3.0, 6.0], 9: [2.0, 5.0]})
    merged = merge([one, other], tmp_path / "a.h5")
    np.testing.assert_array_equal(merged.curves("train_seconds")[:, 0], [[1, 3], [3, 6], [2, 5]])
    # Where they do not contradict each other, nothing is lost, whichever comes first.
    last = part("last", {4: [4.0]})
    for k, order in enumerate(([last, other], [other, last])):
        merged = merge(order, tmp_path / f"b{k}.h5")
        np.testing.assert_array_equal(
            merged.curves("train_seconds")[:, 0], [[2, 4], [3, 6], [2, 5]]
        )
    told = [part(p, {4: [s, 4.0]}, kind="imported") for p, s in (("d", 1.0), ("e", 2.0))]
    with pytest.raises(NasbenchError, match=r"train_seconds of architecture 4.* is 1\.0 in d"):
        merge(told, tmp_path / "f")


def test_seconds_of_the_clock_that_was_left_out_are_missing_with_the_reason(tmp_path: Path) -> None:
    def clocked(path: str, epochs: list[int], seconds: list[float]) -> Table:
        about = {"kind": "measured", "unit": "seconds, cumulative", "epochs": epochs}
        return cost_table(
            tmp_path / path,
            [4],
            [],
            name=path,
            recipes={"long": {"epochs": 3, "seeds": [0]}},
            devices={},
            datasets={"recipe/long/train_seconds": Dataset(np.asarray([[seconds]]), about)},
        )

    tables = [clocked("one", [2, 3], [4.0, 6.0]), clocked("other", [1, 3], [1.0, 3.0])]
    merged = merge(tables, tmp_path / "merged")
    np.testing.assert_array_equal(merged.curves("train_seconds")[0, 0], [np.nan, 4, 6])
    (missing,) = merged.manifest["missing"]
    assert missing["scope"] == "recipe/long/train_seconds"
    assert "two clocks contradict each other" in missing["reason"]


def test_a_recipe_that_nobody_trained_yet_takes_trainings_up(tmp_path: Path) -> None:
    def table(name: str, seeds: list[int]) -> Table:
        about = {"kind": "trained", "epochs": [3]}
        curves = Dataset(np.full((1, len(seeds), 1), 50, np.float32), about)
        recipes = {"short": {"epochs": 3, "seeds": seeds}}
        datasets = {"recipe/short/valid_accuracy": curves}
        return cost_table(
            tmp_path / name,
            [1],
            [],
            name=name,
            recipes=recipes,
            datasets=datasets,
            devices={},
        )

    none = table("a", [])
    assert merge([none, table("b", [4])], tmp_path / "c").curves("valid_accuracy").tolist() == [
        [[50]]
    ]
    assert merge([none, table("d", [])], tmp_path / "e").seeds == {"short": ()}


def test_whole_numbers_stay_whole_where_none_is_missing(tmp_path: Path) -> None:
    def counted(path: str, rows: list[int], value: int) -> Table:
        counts = np.full(len(rows), value, np.int64)
        datasets = {"network/parameters": Dataset(counts, {"kind": "counted"})}
        return cost_table(tmp_path / path, rows, [], name=path, devices={}, datasets=datasets)

    a, b = counted("a", [1], 2**60 + 1), counted("b", [2], 7)
    whole = merge([a, b], tmp_path / "ab").dataset("network/parameters").values
    assert (whole.dtype, whole.tolist()) == (np.int64, [2**60 + 1, 7])
    holed = merge([b, cost_table(tmp_path / "c", [5], [1.0])], tmp_path / "bc")
    np.testing.assert_array_equal(holed.column("parameters"), [7, np.nan])


def test_what_all_say_is_said_of_the_whole(tmp_path: Path) -> None:
    def half(name: str, rows: slice, when: str) -> Table:
        at = get("nb201-mini").representatives[rows]
        datasets = {n: Dataset(d.values[rows], d.about) for n, d in made_up(65).items()}
        about = {"origin": "built", "engine": "native", "finished": when, "versions": {"x": when}}
        return write(
            tmp_path / name, name="halves", rows=at, datasets=datasets, about=about, missing=[]
        )

    parts = [half("a", slice(None, 30), "then"), half("b", slice(30, None), "now")]
    manifest = merge(parts, tmp_path / "c").manifest
    assert (manifest["origin"], manifest["engine"]) == ("built", "native")
    assert "finished" not in manifest
    assert [source["finished"] for source in manifest["sources"]] == ["then", "now"]
    assert [source["versions"]["x"] for source in manifest["sources"]] == ["then", "now"]
    assert "engine" not in manifest["sources"][0]
    assert set(manifest["versions"]) == {"nasbench"}


OTHER = {
    "space": ({"space": get("nb201"), "sharing": "none"}, "made-up is of space nb201-mini, b of"),
    "task by its hash": (
        {"about": {"task": {"name": "digits", "hash": "1" * 64}}},
        r"task digits \(hash 0000000000000000\), b on digits \(hash 1111111111111111\)",
    ),
    "task by its name": ({"about": {"task": {"name": "cifar10"}}}, "b on cifar10: only tables of"),
    "epochs": (
        {"recipes": {**RECIPES, "short": {**RECIPES["short"], "epochs": 4}}},
        "recipe short: epochs is 3 in made-up and 4 in b",
    ),
    "training": (
        {"recipes": {**RECIPES, "long": {**RECIPES["long"], "trained": {"epochs": 9}}}},
        "recipe long, trained: epochs is 10 in made-up and 9 in b",
    ),
    "device": (
        {"devices": {**DEVICES, "cpu": {"threads": 2}}},
        "device cpu is not the same in made-up and b: threads is 1 and 2",
    ),
    "device that says more": (
        {"devices": {**DEVICES, "cpu": {"threads": 1, "runtime": "torch"}}},
        "device cpu is not the same in made-up and b: runtime is None and 'torch'",
    ),
    "clock": (
        {"devices": {**DEVICES, "cpu": {"threads": 1, "clock": "cpu"}}},
        "cpu/latency_ms is by the wall clock in made-up and by the cpu clock in b",
    ),
    "kind": (
        {"datasets": {"proxy/synflow": Dataset(np.zeros(65), {"kind": "imported"})}, "devices": {}},
        "proxy/synflow: kind is 'derived' in made-up and 'imported' in b",
    ),
    "seeds": (
        {
            "datasets": {
                "recipe/short/valid_accuracy": Dataset(
                    np.zeros(65), {"kind": "trained", "unit": "percent", "epochs": [3]}
                )
            },
            "devices": {},
        },
        "valid_accuracy is kept for each seed in made-up and as one number in b",
    ),
}


@pytest.mark.parametrize("what", OTHER)
def test_tables_that_do_not_agree_are_refused(tmp_path: Path, what: str) -> None:
    changes, told = OTHER[what]
    if what == "space":
        changes = {**changes, "rows": range(65), "datasets": made_up(65)}
    a, b = write(tmp_path / "a.h5"), write(tmp_path / "b.h5", name="b", **changes)
    with pytest.raises(NasbenchError, match=told):
        merge([a, b], tmp_path / "c.h5")
    assert sorted(os.listdir(tmp_path)) == ["a.h5", "b.h5"]


@settings(max_examples=30)
@given(drawn=contents(), data=st.data())
def test_one_number_that_differs_is_found(
    tmp_path_factory: pytest.TempPathFactory, drawn: Contents, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("tables")
    name = data.draw(st.sampled_from(sorted(drawn["datasets"])))
    dataset = drawn["datasets"][name]
    values = dataset.values.copy()
    known = np.argwhere(~np.isnan(values))
    place = tuple(known[data.draw(st.integers(0, len(known) - 1))])
    values[place] += 1
    datasets = {**drawn["datasets"], name: Dataset(values, dataset.about)}
    tables = [
        written(folder / "a.h5", drawn),
        written(folder / "b.h5", drawn, name="changed", datasets=datasets),
    ]
    with pytest.raises(NasbenchError) as refused:
        merge(tables, folder / "c.h5")
    text = str(refused.value)
    assert f"{name} of architecture {drawn['rows'][place[0]]}" in text
    assert f" is {dataset.values[place]} in drawn and {values[place]} in changed" in text
    if values.ndim == 3:
        seed = drawn["recipes"][name.split("/")[1]]["seeds"][place[1]]
        assert f"seed {seed}, epoch {dataset.about['epochs'][place[2]]} is" in text
    assert not (folder / "c.h5").exists()


def test_notes_are_kept_and_a_device_may_be_described_by_one_table(tmp_path: Path) -> None:
    """As for costs that came by two ways, of which one says more."""

    def table(name: str, note: str, device: dict[str, Any]) -> Table:
        about = {"kind": "derived", "note": note}
        datasets = {"device/npu/energy_mj": Dataset(np.asarray([7.0]), about)}
        devices = {"npu": device}
        return cost_table(tmp_path / name, [1], [], name=name, datasets=datasets, devices=devices)

    tables = [table("a", "7 x", {}), table("b", "7 times", {"batch": 1}), table("c", "7 x", {})]
    merged = merge(tables, tmp_path / "d")
    assert merged.dataset("device/npu/energy_mj").about["note"] == "7 x; 7 times"
    assert merged.manifest["devices"]["npu"] == {"batch": 1, "kinds": {"energy_mj": "derived"}}


def test_one_table_is_no_merge(tmp_path: Path) -> None:
    table = write(tmp_path / "a.h5")
    with pytest.raises(NasbenchError, match="two tables or more"):
        merge([table], tmp_path / "c.h5")
    with pytest.raises(NasbenchError, match="named twice"):
        merge([table, table], tmp_path / "c.h5")


def test_the_first_that_contradicts_is_named_of_three(tmp_path: Path) -> None:
    """The value that stands may come from the second table, where the first has none."""
    tables = [
        cost_table(tmp_path / name, [1, 2], values, name=name)
        for name, values in {"a": [1, np.nan], "b": [1, 2], "c": [1, 3]}.items()
    ]
    with pytest.raises(NasbenchError, match=r"architecture 2 is 2\.0 in b and 3\.0 in c"):
        merge(tables, tmp_path / "d")


# Predictions.

VALID = "recipe/short/valid_accuracy"
MARKS = "predicted/short/valid_accuracy"


def sampled(path: Path, trained: list[int], guess: float | None) -> Table:
    """Six rows of one recipe, those that are trained at 50 + row; a guess of the others, or NaN."""
    rows = np.arange(6)
    kept = np.isin(rows, trained)
    values = np.where(kept, 50.0 + rows, np.nan if guess is None else guess).astype(np.float32)
    about = {"kind": "trained", "unit": "percent", "epochs": [3]}
    datasets = {VALID: Dataset(values[:, None, None], about)}
    if guess is not None:
        datasets[VALID] = Dataset(values[:, None, None], {**about, "kind": "predicted"})
        datasets[MARKS] = Dataset((~kept).astype(np.uint8), {"kind": "derived"})
    recipes = {"short": {"epochs": 3, "seeds": [0]}}
    return cost_table(
        path, rows, [], name=path.stem, recipes=recipes, datasets=datasets, devices={}
    )


def test_what_is_predicted_here_and_not_there_is_not_merged(tmp_path: Path) -> None:
    one = sampled(tmp_path / "one.h5", [0, 1, 2], 70)
    other = sampled(tmp_path / "other.h5", [2, 3], 70)
    whole = sampled(tmp_path / "whole.h5", list(range(6)), None)
    only = sampled(tmp_path / "only.h5", [0, 1], None)
    for tables, said in (
        ([one, other], r"one and other \(3 and 4\)"),
        ([one, whole], r"one and whole \(3 and 0\)"),
        ([whole, one], r"whole and one \(0 and 3\)"),
        ([only, one], r"only and one \(0 and 3\)"),
    ):
        with pytest.raises(NasbenchError, match=f"same architectures in {said}: merge"):
            merge(tables, tmp_path / "m.h5")
    assert not (tmp_path / "m.h5").exists()
    # What both say of the same row by two models.
    again = sampled(tmp_path / "again.h5", [0, 1, 2], 71)
    with pytest.raises(NasbenchError, match=r"3, .* is 70\.0 in one and 71\.0 in again"):
        merge([one, again], tmp_path / "m.h5")


def test_marks_are_taken_from_where_the_values_are(tmp_path: Path) -> None:
    one = sampled(tmp_path / "one.h5", [0, 1, 2], 70)
    whole = sampled(tmp_path / "whole.h5", list(range(6)), None)
    merged = merge([whole, one], tmp_path / "a.h5", from_first=[VALID])
    assert merged.values("valid_accuracy", range(6)).tolist() == [50, 51, 52, 53, 54, 55]
    assert not merged.predicted("valid_accuracy").any()
    assert MARKS not in merged.manifest["datasets"]
    assert merged.dataset(VALID).about["kind"] == "trained"
    merged = merge([one, whole], tmp_path / "b.h5", from_first=["short/valid_accuracy"])
    assert merged.values("valid_accuracy", range(6)).tolist() == [50, 51, 52, 70, 70, 70]
    assert merged.predicted("valid_accuracy").tolist() == [False] * 3 + [True] * 3
    assert merged.dataset(VALID).about["kind"] == "predicted"
    with pytest.raises(NasbenchError, match=f"unknown data set '{MARKS}'"):
        merge([one, whole], tmp_path / "c.h5", from_first=[MARKS])


def test_predictions_stay_marked_beside_what_others_measured(tmp_path: Path) -> None:
    one = sampled(tmp_path / "one.h5", [0, 1, 2], 70)
    # The second table knows an architecture that the first does not.
    costs = cost_table(tmp_path / "costs.h5", range(7), range(7))
    merged = merge([one, costs], tmp_path / "a.h5")
    assert merged.rows.tolist() == list(range(7))
    assert merged.predicted("valid_accuracy").tolist() == [False] * 3 + [True] * 3 + [False]
    assert merged.dataset(MARKS).values.dtype == np.uint8
    assert np.isnan(merged.values("valid_accuracy", 6))
    assert merged.missing("valid_accuracy")[6] == "one has no row for it"
    assert [entry["scope"] for entry in merged.manifest["missing"]] == ["recipe"]
    # The same predictions in two tables are one.
    both = merge([merged, one], tmp_path / "b.h5")
    assert both.manifest["content_sha256"] == merged.manifest["content_sha256"]
    assert both.predicted("valid_accuracy").tolist() == merged.predicted("valid_accuracy").tolist()
    merged.verify()


def test_a_class_that_is_predicted_is_so_of_each_architecture(
    tmp_path: Path, mini: CellSpace
) -> None:
    marked = np.arange(65) % 3 == 0
    about = {"unit": "percent", "epochs": [3], "kind": "predicted"}
    datasets = {
        VALID: Dataset(np.linspace(10, 90, 65, dtype=np.float32)[:, None, None], about),
        MARKS: Dataset(marked.astype(np.uint8), {"kind": "derived"}),
    }
    one = cost_table(
        tmp_path / "one.h5",
        mini.representatives,
        [],
        sharing="canonical",
        recipes={"short": {"epochs": 3, "seeds": [0]}},
        datasets=datasets,
        devices={},
    )
    costs = cost_table(tmp_path / "costs.h5", range(125), range(125), name="costs")
    merged = merge([one, costs], tmp_path / "c.h5")
    of_class = np.searchsorted(mini.representatives, mini.classes)
    assert merged.predicted("valid_accuracy").tolist() == marked[of_class].tolist()
    assert merged.manifest["sharing"] == "none"
