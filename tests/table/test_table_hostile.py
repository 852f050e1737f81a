"""What a stranger can write into a table with every hash right: refused, or without harm."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile_tables import corrupt, forged, in_format_1, mutate
from made_up_table import write

from nasbench.errors import BadValue, DamagedFile, NasbenchError
from nasbench.search import TableOracle
from nasbench.table import Dataset, Table
from nasbench.table.dumping import dump

pytestmark = pytest.mark.heavy

Datasets = dict[str, Dataset]


@pytest.fixture(scope="module", params=[1, 2], ids=["format_1", "format_2"])
def table(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Table:
    hardware = {"processor": "a processor", "system": "Linux", "cores": 4}
    about = {
        "task": {"name": "digits", "hash": "0" * 64, "shape": [1, 8, 8], "splits": {"train": 10}},
        "engine": "native",
        "versions": {"torch": "2.6"},
        "hardware": hardware,
        "history": [{"started": "2026-01-01", "hardware": hardware}],
        "source": {"kind": "csv", "name": "sheet", "licence": "MIT", "citation": "Who, 2026"},
        "sources": [{"name": "first", "hardware": hardware}],
    }
    folder = tmp_path_factory.mktemp("tables")
    made = write(folder / "sound.h5", about=about)
    return made if request.param == 2 else in_format_1(made, folder / "old.h5")


def _recipe(key: str, value: Any) -> Callable[[dict[str, Any], Datasets], None]:
    return lambda manifest, _: manifest["recipes"]["short"].update({key: value})


def _entry(key: str, value: Any) -> Callable[[dict[str, Any], Datasets], None]:
    return lambda manifest, _: manifest.update({key: value})


def _late_epochs(manifest: dict[str, Any], datasets: Datasets) -> None:
    for name in ("recipe/long/valid_accuracy", "last/long/valid_accuracy"):
        dataset = datasets[name]
        epochs = [*dataset.about["epochs"][:-1], 10**30]
        datasets[name] = Dataset(dataset.values, {**dataset.about, "epochs": epochs})


TASK: dict[str, Any] = {
    "name": "t",
    "signal": {"kind": "features", "shape": [2], "dtype": "float32", "categories": [0, 3]},
    "target": {"kind": "number", "names": ["price"]},
}
MANIFESTS: dict[str, tuple[Callable[[dict[str, Any], Datasets], None], str]] = {
    "epochs_1e9": (_recipe("epochs", 10**9), "epochs of short"),
    "epochs_huge": (_recipe("epochs", 10**30), "epochs of short"),
    "seeds_huge": (_recipe("seeds", [7, 2, 10**30]), "seeds of short"),
    "seeds_negative": (_recipe("seeds", [7, 2, -1]), "seeds of short"),
    "epochs_of_data": (_late_epochs, "epochs of recipe/long/valid_accuracy"),
    "signal": (_entry("task", {"name": "t", "signal": "image"}), "task"),
    "shape": (_entry("task", {**TASK, "signal": {**TASK["signal"], "shape": ["x"]}}), "task"),
    "categories": (_entry("task", {**TASK, "signal": {**TASK["signal"], "categories": 5}}), "task"),
    "target": (_entry("task", {**TASK, "target": {"kind": "number", "names": []}}), "task"),
    "groups": (_entry("task", {**TASK, "groups": {"by": ["a"]}}), "task"),
    "engine": (_entry("engine", 7), "engine"),
    "primary": (_entry("primary", "test_accuracy"), "primary metric"),
    "primary_list": (_entry("primary", ["valid_accuracy"]), "primary metric"),
    "family": (_entry("family", "mine.py"), "family"),
    "family_name": (_entry("family", {"name": 7}), "family"),
    "family_of_source": (_entry("sources", [{"family": {"name": 7}}]), "family"),
    "family_hash": (_entry("family", {"name": "m", "sha256": "0" * 63}), "hash of its family"),
    "family_text": (_entry("family", {"name": "m", "text": "#" * (2**20 + 1)}), "text of its fam"),
    "network": (_recipe("trained", {"network": [1]}), "network sizes of short"),
    "network_name": (_recipe("trained", {"network": {"": 1}}), "network sizes of short"),
    "network_size": (_recipe("trained", {"network": {"width": [1]}}), "network sizes of short"),
    "network_huge": (_recipe("trained", {"network": {"width": 10**400}}), "network sizes of short"),
    "versions": (_entry("versions", {"torch": [2]}), "versions"),
}


@pytest.mark.parametrize(("change", "what"), MANIFESTS.values(), ids=MANIFESTS)
def test_manifests_that_cannot_be_are_refused_when_opened(
    table: Table, tmp_path: Path, change: Callable[[dict[str, Any], Datasets], None], what: str
) -> None:
    path = forged(tmp_path / "t.h5", table, change)
    with pytest.raises(DamagedFile, match=f"is damaged: its manifest has no sound {what}"):
        Table(path)


def test_a_manifest_with_nan_is_no_json(table: Table, tmp_path: Path) -> None:
    """Others' readers of JSON stop at it, and so would those of what is written from it."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        forged(tmp_path / "t.h5", table, _recipe("trained", {"learning_rate": np.nan}))


@pytest.mark.parametrize("value", [np.inf, -np.inf, 3e38])
@pytest.mark.parametrize(
    "name", ["recipe/short/valid_accuracy", "recipe/short/train_seconds", "device/cpu/latency_ms"]
)
def test_numbers_that_nothing_measures_are_refused_when_read(
    table: Table, tmp_path: Path, name: str, value: float
) -> None:
    def change(_: dict[str, Any], datasets: Datasets) -> None:
        datasets[name].values.flat[0] = value

    opened = Table(forged(tmp_path / "t.h5", table, change))
    with pytest.raises(DamagedFile, match=f"is damaged: data set {name} has values from"):
        opened.dataset(name)
    values = np.full(len(table.rows), value)
    with pytest.raises(BadValue, match="device/cpu/latency_ms has values from"):
        write(tmp_path / "new.h5", datasets={"device/cpu/latency_ms": Dataset(values)})
    assert not (tmp_path / "new.h5").exists()


def test_seconds_never_run_backwards(table: Table, tmp_path: Path) -> None:
    def change(_: dict[str, Any], datasets: Datasets) -> None:
        datasets["last/short/train_seconds"].values.flat[0] = -1.0

    opened = Table(forged(tmp_path / "t.h5", table, change))
    with pytest.raises(DamagedFile, match="where 0 to 1e"):
        opened.column("train_seconds", recipe="short")


def _rows(name: str, value: int) -> Callable[[dict[str, Any], Datasets], None]:
    in_format_2 = {"rows": "ops", "row_of": "others_row"}

    def change(_: dict[str, Any], datasets: Datasets) -> None:
        where = in_format_2[name] if "ops" in datasets else name
        datasets[where].values[:] = value

    return change


@pytest.mark.parametrize(
    "change",
    [_rows("row_of", -1), _rows("row_of", -2), _rows("row_of", 70), _rows("rows", 1)],
    ids=["none", "negative", "beyond", "twice"],
)
def test_rows_that_do_not_fit_the_space_are_refused(
    table: Table, tmp_path: Path, change: Callable[[dict[str, Any], Datasets], None]
) -> None:
    opened = Table(forged(tmp_path / "t.h5", table, change))
    for use in (opened.verify, lambda: opened.architectures):
        with pytest.raises(DamagedFile, match="its rows do not fit its space"):
            use()


def _others(**lies: Any) -> Callable[[dict[str, Any], Datasets], None]:
    """What format 2 says of the further members of classes, otherwise; None takes it away."""

    def change(_: dict[str, Any], datasets: Datasets) -> None:
        for name, lie in lies.items():
            values = datasets.pop(name).values
            if lie is not None:
                datasets[name] = Dataset(lie(values, datasets))

    return change


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (_others(others=None), "no sound others"),
        (_others(others_row=None), "no sound others"),
        (_others(others=lambda v, _: v[:-1]), "no sound others"),
        (_others(others=lambda v, _: v[:, :-1]), "no sound others"),
        (_others(others=lambda v, _: v.astype(np.uint16)), "no sound others"),
        (_others(others_row=lambda v, _: v.astype(np.int64)), "no sound others_row"),
        (_others(ops=lambda v, _: v[0]), "no sound ops"),
        (_others(ops=lambda v, _: v.astype(np.int32)), "no sound ops"),
        (_others(ops=lambda v, _: v[:-1]), "no sound shape"),
        (_others(ops=lambda v, _: v[:, :-1], others=lambda v, _: v[:, :-1]), "rows do not fit"),
        (_others(others=None, others_row=None), "rows do not fit"),
        (_others(others=lambda v, _: v + 5), "rows do not fit"),
        (_others(others=lambda v, sets: sets["ops"].values[: len(v)].copy()), "rows do not fit"),
        (_others(others=lambda v, _: np.roll(v, 1, 0)[[0, 0, *range(2, len(v))]]), "do not fit"),
    ],
)
def test_what_format_2_says_of_rows_is_refused_where_it_cannot_be(
    tmp_path: Path, change: Callable[[dict[str, Any], Datasets], None], what: str
) -> None:
    path = forged(tmp_path / "t.h5", write(tmp_path / "sound.h5"), change)
    with pytest.raises(DamagedFile, match=f"^[^\n]*is damaged: [^\n]*{what}"):
        Table(path).row(0)


def test_rows_beyond_the_space_are_refused_before_they_are_looked_up(
    table: Table, tmp_path: Path
) -> None:
    opened = Table(forged(tmp_path / "t.h5", table, _rows("rows", 125)))
    with pytest.raises(DamagedFile, match="its rows do not fit its space"):
        opened.rows  # noqa: B018


@pytest.mark.parametrize(
    "table",
    [pytest.param(1, marks=pytest.mark.slow), 2],
    ids=["format_1", "format_2"],
    indirect=True,
)
@pytest.mark.parametrize("changes", [60, pytest.param(150, marks=pytest.mark.slow)])
def test_no_change_of_structure_is_a_traceback(table: Table, changes: int, tmp_path: Path) -> None:
    """Warnings are errors here, as everywhere in these tests."""
    rng = random.Random(15)
    told = {"refused": 0, "read": 0, "no table": 0}

    def change(manifest: dict[str, Any], datasets: Datasets) -> None:
        corrupt(datasets, rng) if rng.random() < 0.3 else mutate(manifest, datasets, rng)

    for _ in range(changes):
        path = tmp_path / "t.h5"
        try:
            forged(path, table, change)
        except (ValueError, TypeError, KeyError, AttributeError):  # no file can say so
            told["no table"] += 1
            continue
        try:
            opened = Table(path)
            opened.verify()
            opened.frame()
            opened.top(3, "cpu/latency_ms")
            TableOracle(opened, recipe="short")
            dump(opened, tmp_path / "t.csv", to="csv")
            dump(opened, tmp_path / "t.npz", to="npz")
            told["read"] += 1
        except NasbenchError as error:
            told["refused"] += 1
            if "\n" in str(error):
                raise RuntimeError("more than one line") from error
    assert told["read"] > changes / 8
    assert told["refused"] > changes / 4
