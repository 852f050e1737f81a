"""Damaged, mistaken and hostile NATS-Bench files: a sentence or the right table, nothing else."""

from __future__ import annotations

import bz2
import copy
import os
import pickle
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nats_sample
import numpy as np
import pytest
from hostile_pickles import Call

from nasbench.errors import NasbenchError
from nasbench.importers import import_table
from nasbench.table import Table


@pytest.fixture(scope="module")
def raw(published_data: Path) -> dict[str, dict[int, Any]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the release names numpy's modules of 2020
        return {
            space: nats_sample.records(published_data / folder)
            for space, folder in nats_sample.FOLDERS.items()
        }


def refusal(source: Path, **options: Any) -> str:
    with pytest.raises(NasbenchError) as caught:
        import_table(
            "nats-bench", source, source.parent / "t.h5", **{"dataset": "cifar10", **options}
        )
    assert not [p for p in source.parent.iterdir() if p.name.startswith((".", "t.h5"))]
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_no_release_is_refused(raw: dict[str, dict[int, Any]], tmp_path: Path) -> None:
    topology, size = raw["nb201"], raw["nats-size"]

    def folder(name: str, found: dict[int, Any]) -> Path:
        return nats_sample.write_folder(tmp_path / name, found)

    assert "did you mean cifar10" in refusal(folder("sound", topology), dataset="cifar-10")
    assert "000000.pickle.pbz2" in refusal(folder("empty", {}))
    assert "is architecture 11" in refusal(folder("misnamed", {12: topology[11]}))
    assert "not a cell" in refusal(folder("mixed", {0: topology[0], 11: size[11]}))
    other = {k: v for k, v in topology[0]["12"].items() if k != "all_results"}
    assert "no entry 'all_results'" in refusal(folder("no results", {0: {"12": other}}))
    assert "expected trainings under" in refusal(folder("keys", {0: {"13": other}}))
    empty = {**other, "all_results": {}, "dataset_seed": {}}
    assert "no training on cifar10" in refusal(folder("nothing", {0: {"12": empty}}))
    file = nats_sample.write_file(tmp_path / "no records", "nb201", {})
    assert "no architectures" in refusal(file)
    (tmp_path / "other").write_bytes(pickle.dumps([1, 2]))
    assert "list where a dict belongs" in refusal(tmp_path / "other")
    for number, seeds in ((0, [111]), (0, [111, 777, 888]), (0, ["777"]), (0, 777)):
        found = {number: copy.deepcopy(topology[0])}
        found[0]["12"]["dataset_seed"]["cifar10-valid"] = seeds
        assert "seeds of cifar10-valid" in refusal(folder(f"{seeds}", found))
    one_more = {**topology[0], "200": topology[0]["12"]}
    assert "not of 200 epochs" in refusal(folder("epochs", {0: one_more}))


WRONG: list[Any] = [None, True, -1, 1e300, "x", b"x", [], [1], {}, {"a": 1}, (1, 2), {1, 2}, 2**64]


def places(node: Any, depth: int = 7) -> Iterator[tuple[Any, ...]]:
    """The way to every entry of a record, a few of those that are alike."""
    if isinstance(node, dict) and depth:
        for key in list(node)[:2] + list(node)[-1:] if len(node) > 20 else node:
            yield (key,)
            for rest in places(node[key], depth - 1):
                yield (key, *rest)


def put(record: Any, place: tuple[Any, ...], value: Any) -> Any:
    """A record with another value at a place, the rest shared."""
    if not place:
        return value
    changed = dict(record)
    changed[place[0]] = put(changed[place[0]], place[1:], value)
    return changed


@pytest.fixture
def try_import(tmp_path: Path) -> Callable[[Any], Table | NasbenchError]:
    folder = nats_sample.write_folder(tmp_path / "folder", {})

    def attempt(record: Any) -> Table | NasbenchError:
        nats_sample.write_folder(folder, {0: record})
        try:
            return import_table("nats-bench", folder, tmp_path / "t.h5", dataset="cifar10")
        except NasbenchError as error:
            return error

    return attempt


@pytest.mark.parametrize("step", [4, pytest.param(1, marks=pytest.mark.slow)])
def test_wrong_types_anywhere_end_in_a_sentence_or_in_the_right_table(
    raw: dict[str, dict[int, Any]], try_import: Callable[[Any], Table | NasbenchError], step: int
) -> None:
    record = {"01": raw["nats-size"][0]["01"]}
    rng = np.random.default_rng(1)
    everywhere = list(places(record))
    assert len(everywhere) > 80
    refused = 0
    for place in everywhere[::step]:
        got = try_import(put(record, place, WRONG[rng.integers(len(WRONG))]))
        if isinstance(got, NasbenchError):
            refused += 1
            assert "000000.pickle.pbz2" in str(got) or "no training on" in str(got)
        else:
            for metric in got.metrics["1ep-full"]:
                values = got.values(metric, got.rows, recipe="1ep-full")
                assert ((values >= 0) | np.isnan(values)).all()
    assert refused > 30 // step


def test_code_anywhere_in_a_record_is_refused(
    raw: dict[str, dict[int, Any]],
    try_import: Callable[[Any], Table | NasbenchError],
    tmp_path: Path,
) -> None:
    record = {"01": raw["nats-size"][0]["01"]}
    for place in [(), *places(record)]:
        got = try_import(put(record, place, Call(os.system, f"touch {tmp_path / 'canary'}")))
        assert "names posix.system" in str(got)
    assert not (tmp_path / "canary").exists()


def _damage(whole: bytes, rng: np.random.Generator) -> bytes:
    """Bits turned, or an end cut off."""
    damaged = np.frombuffer(whole, np.uint8).copy()
    where = rng.integers(len(damaged), size=int(rng.integers(1, 4)))
    damaged[where] ^= (1 << rng.integers(0, 8, size=len(where))).astype(np.uint8)
    end = len(damaged) if rng.random() < 0.8 else int(rng.integers(len(damaged)))
    return damaged[:end].tobytes()


def fuzz(raw: dict[str, dict[int, Any]], tmp_path: Path, n: int) -> tuple[int, int]:
    """Damaged files and damaged pickles within sound compression: how many were refused, read."""
    folder = tmp_path / "folder"
    folder.mkdir()
    file = folder / "000000.pickle.pbz2"
    small = pickle.dumps({"01": raw["nats-size"][0]["01"]}, protocol=4)
    packed = bz2.compress(small, 1)
    rng = np.random.default_rng(n)
    counts = [0, 0]
    for trial in range(n):
        inside = trial % 3
        file.write_bytes(bz2.compress(_damage(small, rng), 1) if inside else _damage(packed, rng))
        try:
            table = import_table("nats-bench", folder, tmp_path / "t.h5", dataset="cifar10")
            table.verify()
            counts[1] += 1
        except NasbenchError:
            counts[0] += 1
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]
    return counts[0], counts[1]


def test_damaged_files_end_in_a_sentence_or_in_a_table(
    raw: dict[str, dict[int, Any]], tmp_path: Path
) -> None:
    refused, read = fuzz(raw, tmp_path, 150)
    assert refused > 50
    assert read > 5  # a digit that changed


@pytest.mark.slow
def test_thousands_of_damaged_files(raw: dict[str, dict[int, Any]], tmp_path: Path) -> None:
    refused, read = fuzz(raw, tmp_path, 6_000)
    assert refused > 2_000
    assert read > 200
