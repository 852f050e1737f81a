"""Pickles larger than memory: records arrive whole, one by one, and are not kept."""

from __future__ import annotations

import bz2
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile_pickles import hostile

from nasbench._pickles import machine, stream
from nasbench._pickles.load import drain_pickle, load_pickle
from nasbench.errors import NasbenchError

pytestmark = pytest.mark.heavy


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a.pickle"


def drain(file: Path, under: str = "rows") -> tuple[dict[Any, Any], list[tuple[Any, Any]]]:
    taken: list[tuple[Any, Any]] = []
    rest = drain_pickle(file, under, lambda key, value: taken.append((key, value)), lambda n: None)
    return rest, taken


def in_order(file: Path) -> bool:
    """Whether the file is read, or refused in a sentence about it."""
    try:
        drain(file)
    except NasbenchError as error:
        return str(file) in str(error)
    return True


def records(n: int) -> dict[str, Any]:
    """A dict of dicts whose records share strings, an array and a list with later ones."""
    shared_list, shared_array = [1, 2], np.arange(3.0)
    return {
        "before": ["x", shared_list],
        "rows": {
            i: {
                "name": f"row {i}",
                "kind": "kind",
                "values": [0.5 * i, None],
                "nested": OrderedDict(a={"b": (i, "c")}),
                "now and then": shared_list if i % 3 == 0 else None,
                "array": shared_array if i % 5 == 4 else np.float64(i),
            }
            for i in range(n)
        },
        "after": {1, 2},
    }


@pytest.mark.parametrize("protocol", range(1, 6))
@pytest.mark.parametrize("n", [1, 2, 3, 999, 1000, 1001, 2345])
def test_records_arrive_whole_one_by_one_in_order(file: Path, n: int, protocol: int) -> None:
    data = records(n)
    file.write_bytes(bz2.compress(pickle.dumps(data, protocol=protocol), 1))
    rest, taken = drain(file)
    assert [key for key, _ in taken] == list(range(n))
    for key, value in taken:
        want = data["rows"][key]
        np.testing.assert_array_equal(value.pop("array"), want["array"])
        assert value == {k: v for k, v in want.items() if k != "array"}
    assert rest == {"before": data["before"], "after": {1, 2}}


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_records_of_a_torch_file(file: Path, zipped: bool) -> None:
    torch = pytest.importorskip("torch")
    torch.save({"rows": {i: {"a": [i]} for i in range(1500)}, "z": 1}, file,
               _use_new_zipfile_serialization=zipped)  # fmt: skip
    rest, taken = drain(file)
    assert taken == [(i, {"a": [i]}) for i in range(1500)]
    assert rest == {"z": 1}


def test_records_are_not_kept(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Far fewer objects than the file has are ever held."""
    data = {"meta": 0, "rows": {i: {f"x{j}@{i}": [0.5] for j in range(50)} for i in range(2500)}}
    file.write_bytes(pickle.dumps(data))
    monkeypatch.setattr(machine, "MOST_OBJECTS", 4_000)
    monkeypatch.setattr(machine, "MOST_BYTES", 200_000)
    taken: list[int] = []
    drain_pickle(file, "rows", lambda key, value: taken.append(key), lambda n: None)
    assert taken == list(range(2500))
    with pytest.raises(NasbenchError, match="in one piece"):
        load_pickle(file)


def test_what_later_records_share_is_held_within_the_bounds(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists = [[0.5] * 9 for _ in range(3000)]
    data = {"meta": 0, "rows": {i: {"a": lists[i]} for i in range(3000)}, "again": lists}
    file.write_bytes(pickle.dumps(data))
    assert drain(file)[0]["again"] == lists
    monkeypatch.setattr(machine, "MOST_OBJECTS", 1_000)
    with pytest.raises(NasbenchError, match="in one piece"):
        drain(file)
    monkeypatch.setattr(stream, "MOST_OBJECTS", 1_000)
    with pytest.raises(NasbenchError, match="comes back to more than"):
        drain(file)


@pytest.mark.parametrize(
    "record", [{"a": [1, 2]}, {"a": {"b": {"c": (1, 2, 3, 4)}}}, [[[1, 2]]], [{"a": 1, "b": 2}], {}]
)
def test_records_of_one_thing_arrive_whole(file: Path, record: Any) -> None:
    for n in (1, 2, 1500):
        for protocol in (1, 2, 4):
            rows = {i: pickle.loads(pickle.dumps(record)) for i in range(n)}
            file.write_bytes(pickle.dumps({"before": 1, "rows": rows}, protocol=protocol))
            assert drain(file)[1] == [(i, record) for i in range(n)]


def test_records_that_cannot_be_told_apart_are_refused(file: Path) -> None:
    file.write_bytes(pickle.dumps({"before": 1, "rows": {i: {7: [1, 2]} for i in range(3)}}))
    with pytest.raises(NasbenchError, match="dicts of integers"):
        drain(file)


def test_code_among_records_is_refused(file: Path) -> None:
    canary = file.with_name("canary")
    for thing in hostile(canary):
        data = records(3)
        data["rows"][1]["values"] = thing
        file.write_bytes(pickle.dumps(data))
        with pytest.raises(NasbenchError, match="refused"):
            drain(file)
    assert not canary.exists()


def test_damaged_records_end_in_a_sentence_or_in_data(file: Path) -> None:
    rng = np.random.default_rng(5)
    for protocol in (2, 4):
        sound = pickle.dumps(records(6), protocol=protocol)
        for _ in range(300):
            damaged = bytearray(sound)
            damaged[int(rng.integers(len(damaged)))] ^= 1 << int(rng.integers(8))
            file.write_bytes(damaged[: int(rng.integers(1, 2 * len(damaged)))])
            assert in_order(file)
