"""NAS-Bench-201's original file as a table.

No original is at hand: the files here are built, in the layout that the release's own API reads
(`meta_archs`, `arch2infos` with `less` and `full` for each architecture, `evaluated_indexes`, by
torch.save), from real records of NATS-Bench, which took them over from NAS-Bench-201.
"""

from __future__ import annotations

import copy
import os
import pickle
import warnings
from pathlib import Path
from typing import Any

import nats_sample
import numpy as np
import pytest
from hostile_pickles import Call

from nasbench.errors import NasbenchError
from nasbench.importers import import_table
from nasbench.table import Table

pytestmark = pytest.mark.heavy

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def built(published_data: Path) -> dict[str, Any]:
    """What `torch.load` gives of the original, as far as the sample goes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the release names numpy's modules of 2020
        found = nats_sample.records(published_data / nats_sample.FOLDERS["nb201"])
    return nats_sample.whole(
        "nb201", {n: {"full": r["200"], "less": r["12"]} for n, r in found.items()}
    )


def save(document: Any, file: Path, *, zipped: bool = False) -> Path:
    """As torch.save wrote it in 2020, or as it does since version 1.6."""
    torch.save(document, file, _use_new_zipfile_serialization=zipped)
    return file


def read(file: Path, dataset: str = "cifar10") -> Table:
    return import_table("nas-bench-201", file, file.with_suffix(".h5"), dataset=dataset)


@pytest.mark.parametrize(
    ("zipped", "dataset"),
    [
        (False, "cifar10"),
        (True, "ImageNet16-120"),
        *(
            pytest.param(*rest, marks=pytest.mark.slow)
            for rest in (
                *((True, "cifar10"), (False, "ImageNet16-120")),
                *((False, "cifar100"), (True, "cifar100")),
            )
        ),
    ],
)
def test_the_table_is_that_of_the_same_records_in_nats_bench(
    published_data: Path, built: dict[str, Any], tmp_path: Path, dataset: str, zipped: bool
) -> None:
    table = read(save(built, tmp_path / "a.pth", zipped=zipped), dataset)
    folder = published_data / nats_sample.FOLDERS["nb201"]
    other = import_table("nats-bench", folder, tmp_path / "b.h5", dataset=dataset)
    assert table.rows.tolist() == [0, 11, 284]
    assert table.manifest["content_sha256"] == other.manifest["content_sha256"]
    assert table.manifest["recipes"] == other.manifest["recipes"]
    assert table.name == f"nas-bench-201-nb201-{dataset}"
    assert table.manifest["source"]["licence"] == "MIT"
    assert "2020" in table.manifest["source"]["citation"]


def test_less_is_12_epochs_and_full_is_200(built: dict[str, Any], tmp_path: Path) -> None:
    table = read(save(built, tmp_path / "a.pth"))
    for row, number in enumerate(table.rows.tolist()):
        for key, recipe, epochs in (("less", "12ep-half", 12), ("full", "200ep-half", 200)):
            results = built["arch2infos"][number][key]["all_results"]
            for s, seed in enumerate(table.seeds[recipe]):
                accuracies = results["cifar10-valid", seed]["eval_acc1es"]
                got = table.curves("valid_accuracy", recipe=recipe)[row, s]
                assert got.tolist() == [accuracies[f"x-valid@{e}"] for e in range(epochs)]


def test_version_1_0_has_12_epochs_on_half_of_cifar10_only(
    built: dict[str, Any], tmp_path: Path
) -> None:
    document = copy.deepcopy(built)
    for record in document["arch2infos"].values():
        less = record["less"]
        less["dataset_seed"] = {"cifar10-valid": less["dataset_seed"]["cifar10-valid"]}
        less["all_results"] = {k: v for k, v in less["all_results"].items() if k[0] != "cifar10"}
        for result in [*less["all_results"].values(), *record["full"]["all_results"].values()]:
            result.update(train_times=None, eval_times={}, latency=None)
            result.pop("train_acc5es")
    file = save(document, tmp_path / "a.pth")
    table = read(file)
    assert table.recipes == ("12ep-half", "200ep-half", "200ep-full")
    assert table.devices == ()
    assert set(table.metrics["200ep-full"]) == {
        f"{split}_{quantity}" for split in ("train", "test") for quantity in ("accuracy", "loss")
    }


def test_files_with_weights_are_read_without_them(built: dict[str, Any], tmp_path: Path) -> None:
    document = copy.deepcopy(built)
    weights = {"stem.weight": torch.zeros(16, 3, 3, 3), "steps": torch.tensor(3)}
    for result in document["arch2infos"][11]["full"]["all_results"].values():
        result["net_state_dict"] = weights
    plain = read(save(built, tmp_path / "plain.pth"))
    for zipped in (False, True):
        table = read(save(document, tmp_path / f"{zipped}.pth", zipped=zipped))
        assert table.manifest["content_sha256"] == plain.manifest["content_sha256"]


@pytest.mark.parametrize("zipped", [False, True], ids=["legacy", "zip"])
def test_code_is_refused_and_nothing_is_left(
    built: dict[str, Any], tmp_path: Path, zipped: bool
) -> None:
    touch = Call(os.system, f"touch {tmp_path / 'canary'}")
    record = built["arch2infos"][11]
    result = record["full"]["all_results"]["cifar100", 777]
    for document in (
        touch,
        {**built, "meta_archs": touch},
        {**built, "arch2infos": touch},
        {**built, "arch2infos": {11: touch}},
        {**built, "arch2infos": {11: {**record, "less": touch}}},
        {**built, "arch2infos": {11: {"full": {"all_results": {("cifar100", 777): touch}}}}},
        {**built, "arch2infos": {11: {"full": {**record["full"], "x": {**result, "y": touch}}}}},
        {**built, "evaluated_indexes": touch},
    ):
        with pytest.raises(NasbenchError, match=r"names posix\.system"):
            read(save(document, tmp_path / "a.pth", zipped=zipped))
    assert [path.name for path in tmp_path.iterdir()] == ["a.pth"]


@pytest.mark.parametrize("zipped", [False, True], ids=["legacy", "zip"])
def test_damaged_files_end_in_a_sentence_or_in_a_table(
    built: dict[str, Any], tmp_path: Path, zipped: bool
) -> None:
    less = built["arch2infos"][0]["less"]
    results = {key: less["all_results"][key] for key in (("cifar10", 111), ("cifar100", 111))}
    small = {**less, "all_results": results, "dataset_seed": {"cifar10": [111], "cifar100": [111]}}
    document = {"meta_archs": ["x"], "arch2infos": {0: {"less": small}}}
    file = save(document, tmp_path / "a.pth", zipped=zipped)
    assert read(file).rows.tolist() == [0]
    sound = file.read_bytes()
    rng = np.random.default_rng(7)
    refused = 0
    for _ in range(80):
        damaged = bytearray(sound)
        for where in rng.integers(len(damaged), size=int(rng.integers(1, 4))).tolist():
            damaged[where] ^= 1 << int(rng.integers(8))
        end = len(damaged) if rng.random() < 0.8 else int(rng.integers(len(damaged)))
        file.write_bytes(damaged[:end])
        try:
            read(file).verify()
        except NasbenchError:
            refused += 1
    assert refused > 20


def test_what_is_no_nas_bench_201_is_refused(built: dict[str, Any], tmp_path: Path) -> None:
    for document, told in (
        ([1, 2], "a list where a dict belongs"),
        ({"meta_archs": []}, "no architectures under 'arch2infos'"),
        ({"arch2infos": {0: {"12": {}}}}, "expected trainings under less or full"),
        ({"arch2infos": {11: built["arch2infos"][0]}, "x": 1}, "is architecture 0"),
        ({"arch2infos": {"0": built["arch2infos"][0]}, "x": 1}, "expected its number"),
    ):
        with pytest.raises(NasbenchError, match=told):
            read(save(document, tmp_path / "a.pth"))
    (tmp_path / "b.pth").write_bytes(pickle.dumps(built["arch2infos"][0]["less"]))
    with pytest.raises(NasbenchError, match="no architectures"):
        read(tmp_path / "b.pth")
    with pytest.raises(NasbenchError, match="one file"):
        read(tmp_path)
