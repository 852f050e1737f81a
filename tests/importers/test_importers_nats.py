"""NATS-Bench as a table: every number is what the release and its API have."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nats_sample
import numpy as np
import pytest

import nasbench as nb
from nasbench.importers import import_table
from nasbench.table import Table

pytestmark = pytest.mark.heavy

DATASETS = ("cifar10", "cifar100", "ImageNet16-120")
RUNS = {
    "cifar10": {"-half": "cifar10-valid", "-full": "cifar10"},
    "cifar100": {"": "cifar100"},
    "ImageNet16-120": {"": "ImageNet16-120"},
}
SPLITS = {
    "cifar10-valid": {"x-valid": "valid", "ori-test": "test"},
    "cifar10": {"ori-test": "test"},
    "cifar100": {"x-valid": "valid", "x-test": "test", "ori-test": "valid_test"},
    "ImageNet16-120": {"x-valid": "valid", "x-test": "test", "ori-test": "valid_test"},
}
RECORDS = {"nb201": {"12": 12, "200": 200}, "nats-size": {"01": 1, "12": 12, "90": 90}}
CASES = [(space, dataset) for space in RECORDS for dataset in DATASETS]


@pytest.fixture(scope="module")
def folders(published_data: Path) -> dict[str, Path]:
    return {space: published_data / folder for space, folder in nats_sample.FOLDERS.items()}


@pytest.fixture(scope="module")
def raw(folders: dict[str, Path]) -> dict[str, dict[int, Any]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the release names numpy's modules of 2020
        return {space: nats_sample.records(folder) for space, folder in folders.items()}


@pytest.fixture(scope="module")
def tables(
    folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, str], Table]:
    out = tmp_path_factory.mktemp("tables")
    return {
        (space, dataset): import_table(
            "nats-bench", folders[space], out / f"{space}-{dataset}.h5", dataset=dataset
        )
        for space, dataset in CASES
    }


def test_what_the_sample_becomes(tables: dict[tuple[str, str], Table]) -> None:
    table = tables["nb201", "cifar10"]
    assert table.name == "nats-bench-nb201-cifar10"
    assert table.space is nb.space("nb201")
    assert table.rows.tolist() == [0, 11, 284]
    assert table.recipes == ("12ep-half", "12ep-full", "200ep-half", "200ep-full")
    assert table.seeds == {
        "12ep-half": (111, 777),
        "12ep-full": (111,),
        "200ep-half": (777, 888, 999),
        "200ep-full": (777, 888, 999),
    }
    for recipe, metrics in table.metrics.items():
        assert ("valid_accuracy" in metrics) == recipe.endswith("-half")
    # Half-trained networks were tested after their last epoch only.
    assert table.epochs("test_accuracy", recipe="200ep-half") == (200,)
    assert table.epochs("test_accuracy", recipe="200ep-full") == tuple(range(1, 201))
    trained = table.manifest["recipes"]["200ep-half"]["trained"]
    assert "25,000" in trained["on"]
    assert "x-valid" in trained["valid"]
    assert "ori-test" in trained["test"]
    assert table.manifest["source"]["licence"] == "MIT"
    assert "2021" in table.manifest["source"]["citation"]
    assert table.manifest["missing"] == []
    described = table.manifest["datasets"]
    assert described["recipe/200ep-half/valid_accuracy"]["unit"] == "percent"
    assert described["recipe/200ep-half/valid_loss"]["unit"] == "nats"
    assert described["recipe/200ep-half/train_seconds"]["kind"] == "derived"
    assert "same for every epoch" in described["recipe/200ep-half/train_seconds"]["note"]
    assert table.manifest["devices"]["nats-gpu"]["kinds"] == {"latency_ms": "imported"}

    assert tables["nb201", "cifar100"].recipes == ("12ep", "200ep")
    size = tables["nats-size", "ImageNet16-120"]
    assert size.space is nb.space("nats-size")
    assert size.rows.tolist() == [0, 11, 284]
    assert size.seeds == {"1ep": (777,), "12ep": (777, 888, 999), "90ep": (777,)}


@pytest.mark.parametrize(("space", "dataset"), CASES)
def test_every_number_is_the_record_s(
    tables: dict[tuple[str, str], Table],
    raw: dict[str, dict[int, Any]],
    space: str,
    dataset: str,
) -> None:
    table = tables[space, dataset]
    compared = 0
    for row, architecture in enumerate(table.rows.tolist()):
        for key, epochs in RECORDS[space].items():
            for suffix, run in RUNS[dataset].items():
                recipe = f"{epochs}ep{suffix}"
                state = raw[space][architecture][key]
                assert set(state["dataset_seed"][run]) == set(table.seeds[recipe])
                for s, seed in enumerate(table.seeds[recipe]):
                    result = state["all_results"][run, seed]
                    got = {m: table.curves(m, recipe=recipe)[row, s] for m in table.metrics[recipe]}
                    want = _curves(result, run, epochs)
                    assert set(got) == set(want)
                    for metric, curve in want.items():
                        if len(got[metric]) == 1 and epochs > 1:
                            assert np.isnan(curve[:-1]).all() or metric == "evaluation_seconds"
                            curve = curve[-1:]
                        assert table.epochs(metric, recipe=recipe)[-1] == epochs
                        # Accuracies to the last digit, the others to float32's.
                        exact = got[metric].dtype == np.float64
                        assert exact == metric.endswith("accuracy")
                        np.testing.assert_array_equal(got[metric], curve.astype(got[metric].dtype))
                        compared += len(curve)
    assert compared > 1_000


def _curves(result: Any, run: str, epochs: int) -> dict[str, Any]:
    """What a record's training holds, read in the simplest way."""
    each = range(epochs)
    curves = {
        "train_accuracy": [result["train_acc1es"][e] for e in each],
        "train_loss": [result["train_losses"][e] for e in each],
        "train_seconds": np.cumsum([result["train_times"][e] for e in each]),
    }
    if result["train_acc5es"] is not None:
        curves["train_top5_accuracy"] = [result["train_acc5es"][e] for e in each]
    for name, split in SPLITS[run].items():
        at = [f"{name}@{e}" for e in each]
        curves[f"{split}_accuracy"] = [result["eval_acc1es"].get(k, np.nan) for k in at]
        curves[f"{split}_loss"] = [result["eval_losses"].get(k, np.nan) for k in at]
        if split == "valid":
            curves["evaluation_seconds"] = np.cumsum([result["eval_times"][k] for k in at])
    return {metric: np.asarray(curve) for metric, curve in curves.items()}


@pytest.fixture(scope="module")
def apis(folders: dict[str, Path]) -> Iterator[dict[str, Any]]:
    nats_bench = pytest.importorskip("nats_bench")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = {
            space: nats_bench.create(str(folders[space]), kind, fast_mode=True, verbose=False)
            for space, kind in (("nb201", "topology"), ("nats-size", "size"))
        }
        for api in made.values():
            for architecture in (0, 11, 284):
                api.reload(api.archive_dir, architecture)
        yield made


@pytest.mark.parametrize(("space", "dataset"), CASES)
def test_every_number_is_what_nats_bench_returns(
    tables: dict[tuple[str, str], Table], apis: dict[str, Any], space: str, dataset: str
) -> None:
    table, api = tables[space, dataset], apis[space]
    for key, epochs in RECORDS[space].items():
        for suffix, run in RUNS[dataset].items():
            recipe = f"{epochs}ep{suffix}"
            for row, architecture in enumerate(table.rows.tolist()):
                trainings = api.query_by_index(architecture, run, key)
                assert list(trainings) == list(table.seeds[recipe])
                for s, (seed, training) in enumerate(trainings.items()):
                    _same_as_training(table, recipe, row, s, training, SPLITS[run], epochs)
                    for epoch in {1, (epochs + 1) // 2, epochs}:
                        told = api.get_more_info(architecture, run, epoch - 1, key, is_random=seed)
                        _same_as_told(table, recipe, architecture, seed, epoch, told)


def _same_as_training(
    table: Table, recipe: str, row: int, s: int, training: Any, splits: Any, epochs: int
) -> None:
    """Every epoch of every split of a `ResultsCount`."""
    for name, split in {"train": "train", **splits}.items():
        accuracy = table.curves(f"{split}_accuracy", recipe=recipe)[row, s]
        loss = table.curves(f"{split}_loss", recipe=recipe)[row, s]
        for at, epoch in enumerate(table.epochs(f"{split}_accuracy", recipe=recipe)):
            if name == "train":
                told = training.get_train(epoch - 1)
                seconds = table.curves("train_seconds", recipe=recipe)[row, s, epoch - 1]
                assert seconds == np.float32(told["all_time"])
            else:
                told = training.get_eval(name, epoch - 1)
            assert accuracy[at] == told["accuracy"]
            assert loss[at] == np.float32(told["loss"])
        if len(accuracy) == 1 and epochs > 1:
            with pytest.raises(KeyError):  # the API has no other epoch, either
                training.get_eval(name, 0)


def _same_as_told(
    table: Table, recipe: str, architecture: int, seed: int, epoch: int, told: Any
) -> None:
    names = {"train": "train", "valid": "valid", "test": "test", "valtest": "valid_test"}
    for theirs, ours in names.items():
        if f"{theirs}-accuracy" in told:
            for quantity in ("accuracy", "loss"):
                metric = f"{ours}_{quantity}"
                (got,) = table.values(metric, [architecture], recipe=recipe, epoch=epoch, seed=seed)
                want = told[f"{theirs}-{quantity}"]
                assert got == (want if quantity == "accuracy" else np.float32(want))


@pytest.mark.parametrize(("space", "dataset"), CASES)
def test_costs_are_what_nats_bench_returns(
    tables: dict[tuple[str, str], Table], apis: dict[str, Any], space: str, dataset: str
) -> None:
    table = tables[space, dataset]
    longest = max(RECORDS[space], key=lambda key: RECORDS[space][key])
    for architecture in table.rows.tolist():
        told = apis[space].get_cost_info(architecture, dataset, longest)
        (parameters,) = table.values("parameters", [architecture])
        (flops,) = table.values("flops", [architecture])
        assert parameters == round(told["params"] * 1e6)
        assert flops == round(told["flops"] * 1e6)
        (latency,) = table.cost("nats-gpu", "latency_ms", [architecture])
        assert latency == pytest.approx(told["latency"] * 1e3, rel=1e-12)


def test_counts_and_accuracies_are_the_published_ones(
    tables: dict[tuple[str, str], Table], published: Any
) -> None:
    table = tables["nb201", "cifar10"]
    rows = table.rows
    for metric in ("parameters", "flops"):
        np.testing.assert_allclose(table.values(metric, rows), published[metric][rows], rtol=1e-7)
    got = table.curves("valid_accuracy", recipe="200ep-half")[:, :, -1]
    np.testing.assert_allclose(got, published["recipe/200ep/valid_accuracy"][rows, :, 0], rtol=1e-6)
    got = table.curves("test_accuracy", recipe="200ep-full")[:, :, -1].mean(axis=1)
    np.testing.assert_allclose(got, published["recipe/200ep/test_accuracy"][rows], rtol=1e-6)


# The same in one file, and parts of it.


@pytest.mark.parametrize(("space", "dataset"), [("nb201", "cifar10"), ("nats-size", "cifar100")])
def test_one_file_gives_the_same_table(
    tables: dict[tuple[str, str], Table],
    raw: dict[str, dict[int, Any]],
    tmp_path: Path,
    space: str,
    dataset: str,
) -> None:
    backwards = dict(sorted(raw[space].items(), reverse=True))
    for name, found in (("forth", raw[space]), ("back", backwards)):
        file = nats_sample.write_file(tmp_path / f"{name}.pickle.pbz2", space, found)
        seen: list[tuple[str, int]] = []
        table = import_table(
            "nats-bench",
            file,
            tmp_path / f"{name}.h5",
            dataset=dataset,
            progress=lambda what, done, total: seen.append((what, done)),  # noqa: B023
        )
        want = tables[space, dataset]
        assert table.rows.tolist() == want.rows.tolist()
        assert table.manifest["content_sha256"] == want.manifest["content_sha256"]
        assert table.manifest["recipes"] == want.manifest["recipes"]
        assert ("reading architectures", 3) in seen
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        f"{name}{end}" for name in ("back", "forth") for end in (".h5", ".pickle.pbz2")
    ]


def test_many_architectures_over_many_blocks(
    raw: dict[str, dict[int, Any]], tmp_path: Path
) -> None:
    space = nb.space("nats-size")
    record = {"01": raw["nats-size"][0]["01"]}
    numbers = np.random.default_rng(3).permutation(space.size)[:600].tolist()
    found = {}
    for number in numbers:
        state = copy.copy(record["01"])
        result = copy.copy(state["all_results"]["cifar100", 777])
        result["train_losses"] = {0: number / 1e5}
        state |= {"arch_str": space.string(number), "all_results": {("cifar100", 777): result}}
        state["dataset_seed"] = {"cifar100": [777]}
        found[number] = {"01": state}
    file = nats_sample.write_file(tmp_path / "f", "nats-size", found)
    table = import_table("nats-bench", file, tmp_path / "t.h5", dataset="cifar100")
    assert table.rows.tolist() == sorted(numbers)
    np.testing.assert_array_equal(
        table.values("train_loss", table.rows), np.float32(table.rows / 1e5)
    )


def test_the_published_protocol_of_cifar10_runs_on_an_official_import(
    raw: dict[str, dict[int, Any]], tables: dict[tuple[str, str], Table]
) -> None:
    """Search 12 epochs, validation after 200 on half of the images, test after 200 on all."""
    found = nb.compare(
        ["random_search"],
        tables["nb201", "cifar10"],
        search_recipe="12ep-half",
        report_recipe="200ep-half",
        test_recipe="200ep-full",
        budget_evaluations=20,
        seeds=range(2),
        among_rows=True,
    )
    every = raw["nb201"]

    def mean(architecture: int, epochs: str, run: str, key: str) -> float:
        results = every[architecture][epochs]["all_results"]
        seeds = [result for (name, _), result in results.items() if name == run]
        return float(np.mean([result["eval_acc1es"][key] for result in seeds]))

    short = {a: mean(a, "12", "cifar10-valid", "x-valid@11") for a in every}
    best = max(short, key=lambda a: short[a])
    assert {int(a) for a in found.last["random_search"]} == {best}
    told = found.summary()["strategies"]["random_search"]
    valid = {a: mean(a, "200", "cifar10-valid", "x-valid@199") for a in every}
    assert told["valid_accuracy"]["mean"] == pytest.approx(valid[best])
    assert told["test_accuracy"]["mean"] == pytest.approx(
        mean(best, "200", "cifar10", "ori-test@199")
    )
    assert told["regret"]["mean"] == pytest.approx(max(valid.values()) - valid[best])
    assert round(told["test_accuracy"]["mean"], 2) == 88.79  # not the 85.64 of half the images


def test_what_is_missing_says_why(raw: dict[str, dict[int, Any]], tmp_path: Path) -> None:
    found = copy.deepcopy(raw["nb201"])
    long = found[11]["200"]
    for seed in (888, 999):
        del long["all_results"]["cifar10", seed]
    long["dataset_seed"]["cifar10"] = [777]
    long["all_results"]["cifar10", 777]["latency"] = [-1]
    del found[284]["200"]
    found[0]["12"]["all_results"]["cifar10", 111]["train_times"] = None
    found[0]["200"]["all_results"]["cifar10", 888]["train_losses"][199] = float("nan")
    del found[0]["200"]["all_results"]["cifar10", 999]["eval_losses"]["ori-test@199"]
    found[0]["200"]["all_results"]["cifar10-valid", 777]["eval_losses"]["x-valid@5"] = float("inf")
    for result in found[284]["12"]["all_results"].values():
        result.update(params=None, flop=None, latency=None)
    folder = nats_sample.write_folder(tmp_path / "folder", found)
    table = import_table("nats-bench", folder, tmp_path / "t.h5", dataset="cifar10")

    curves = table.curves("test_accuracy", recipe="200ep-full")
    assert np.isfinite(curves[:, :, -1]).tolist() == [
        [True, True, True],
        [True, False, False],
        [False, False, False],
    ]
    reasons = {
        (entry["scope"], entry["reason"]): entry["architectures"]
        for entry in table.manifest["missing"]
    }
    no_seed = "the release has no training with seed"
    assert reasons["recipe/200ep-full", f"{no_seed} 888"] == [11]
    assert reasons["recipe/200ep-full", f"{no_seed} 999"] == [11]
    assert "by this recipe" in table.missing("test_accuracy", recipe="200ep-full")[284]
    assert "no finite number" in table.missing("train_seconds", recipe="12ep-full")[0]
    no_number = "the release's record of the training has no finite number here"
    assert reasons["recipe/200ep-full/train_loss", no_number] == [0]
    assert reasons["recipe/200ep-full/test_loss", no_number] == [0]
    assert reasons["recipe/200ep-half/valid_loss", no_number] == [0]
    assert set(table.missing_cost("nats-gpu", "latency_ms")) >= {11, 284}
    assert "no value" in table.missing_cost("nats-gpu", "latency_ms")[11]
    assert np.isnan(table.values("parameters", [284])).all()
    assert (table.values("parameters", [0, 11]) > 0).all()


def test_counts_that_disagree_are_seed_888_s(
    raw: dict[str, dict[int, Any]], tmp_path: Path
) -> None:
    found = {0: copy.deepcopy(raw["nb201"][0])}
    found[0]["200"]["all_results"]["cifar100", 777]["params"] = 5.0
    found[0]["200"]["all_results"]["cifar100", 888]["params"] = 0.25
    folder = nats_sample.write_folder(tmp_path / "folder", found)
    table = import_table("nats-bench", folder, tmp_path / "t.h5", dataset="cifar100")
    assert table.values("parameters", [0]).tolist() == [250_000]


def test_epochs_with_seconds_of_their_own(raw: dict[str, dict[int, Any]], tmp_path: Path) -> None:
    found = {0: copy.deepcopy(raw["nb201"][0])}
    times = found[0]["12"]["all_results"]["cifar100", 111]["train_times"]
    times.update({epoch: 10.0 + epoch for epoch in range(12)})
    folder = nats_sample.write_folder(tmp_path / "folder", found)
    table = import_table("nats-bench", folder, tmp_path / "t.h5", dataset="cifar100")
    got = table.curves("train_seconds", recipe="12ep")[0, 0]
    assert got.tolist() == np.cumsum(10.0 + np.arange(12)).tolist()
    note = table.manifest["datasets"]["recipe/12ep/train_seconds"]["note"]
    assert "same for every epoch" not in note
