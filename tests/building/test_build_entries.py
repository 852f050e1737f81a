"""Lines of a build's journal whose checksum is right and which say what no build does."""

from __future__ import annotations

import copy
import math
import zlib
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_builds import journal_of, small_spec

from nasbench._journal import line_of
from nasbench.building import build
from nasbench.building.builder import plan_of
from nasbench.building.entries import COUNTS, EntryCheck
from nasbench.building.journal import BuildFolder, folder_of, read_entries, read_plan
from nasbench.device import DeviceSpec
from nasbench.device.base import METRICS, Reading, measurement_of
from nasbench.errors import NasbenchError
from nasbench.train.record import CURVES, Record

SPEC = replace(small_spec(), devices=(DeviceSpec(),))
DEVICE = SPEC.devices[0].name


def _entries() -> dict[str, dict[str, Any]]:
    """One of each kind, as builds write them."""
    curves = {name: np.asarray([1.5, 2.5], dtype=np.float32) for name in CURVES}
    curves["valid_loss"] = np.asarray([1.5, np.nan], dtype=np.float32)
    record = Record(3, 1, curves, {"test_accuracy": math.nan}, 0.25, diverged=2).to_json()
    costs = measurement_of({metric: Reading(0.5, "measured") for metric in METRICS})
    costs = replace(costs, energy_mj=math.nan, reasons={"energy_mj": "no"})
    return {
        "training": {"entry": "training", "recipe": "2ep", "record": record},
        "measurement": {
            "entry": "measurement",
            "device": DEVICE,
            "description": {"name": DEVICE},
            "measurements": {"3": asdict(costs)},
        },
        "counts": {"entry": "counts", "counts": {"3": dict.fromkeys(COUNTS, 7)}},
        "scores": {
            "entry": "scores",
            "architectures": [3, 4],
            "values": {"synflow": [[1.0], [math.nan]]},
            "reasons": [["synflow", 1, 0, "it is none"]],
            "seconds": {"synflow": 0.5},
            "seed": 0,
            "batch_size": 8,
        },
        "session": {
            "entry": "session",
            "started": "2026-01-01",
            "hardware": {"cores": 2, "memory_gib": 1.5},
            "versions": {"torch": "2.9"},
        },
    }


def _folder(tmp_path: Path, *lines: bytes) -> Path:
    """The folder of a build whose journal has these lines."""
    out = tmp_path / "t.h5"
    BuildFolder(out, plan_of(SPEC, "reference")).close(remove=False)
    journal_of(out).write_bytes(b"".join(lines))
    return folder_of(out)


def test_what_builds_write_is_read_back(tmp_path: Path) -> None:
    entries = list(_entries().values())
    folder = _folder(tmp_path, *map(line_of, entries))
    found = list(read_entries(folder, EntryCheck(SPEC)))
    assert str(found) == str(entries)  # NaN is no equal of itself


@pytest.mark.parametrize(
    ("kind", "forge"),
    [
        ("training", lambda e: e.pop("record")),
        ("training", lambda e: e.update(record=[])),
        ("training", lambda e: e.update(record=None)),
        ("training", lambda e: e.update(recipe="3ep")),
        ("training", lambda e: e.update(recipe=["2ep"])),
        ("training", lambda e: e.update(entry="trainings")),
        ("training", lambda e: e.update(entry=None)),
        ("training", lambda e: e.update(entry={})),
        ("training", lambda e: e.pop("entry")),
        ("training", lambda e: e["record"].update(architecture=8)),
        ("training", lambda e: e["record"].update(architecture=-1)),
        ("training", lambda e: e["record"].update(architecture="3")),
        ("training", lambda e: e["record"].update(architecture=True)),
        ("training", lambda e: e["record"].update(seed=2)),
        ("training", lambda e: e["record"].update(seed=10**30)),
        ("training", lambda e: e["record"].update(diverged=3)),
        ("training", lambda e: e["record"].update(test_accuracy=100.5)),
        ("training", lambda e: e["record"].update(test_accuracy=10**400)),
        ("training", lambda e: e["record"].update(evaluation_seconds=math.nan)),
        ("training", lambda e: e["record"].update(evaluation_seconds=-1)),
        ("training", lambda e: e["record"].update(evaluation_seconds=1e39)),
        ("training", lambda e: e["record"]["curves"].update(valid_loss=[1.0, 1e39])),
        ("training", lambda e: e["record"]["curves"].update(valid_loss=[1.0, -1e39])),
        ("training", lambda e: e["record"]["curves"].update(train_seconds=[1.0, 1e300])),
        ("training", lambda e: e["record"]["curves"].pop("valid_loss")),
        ("training", lambda e: e["record"]["curves"].update(more=[1.0, 2.0])),
        ("training", lambda e: e["record"]["curves"].update(valid_loss=[1.0])),
        ("training", lambda e: e["record"]["curves"].update(valid_loss=[1.0, 2.0, 3.0])),
        ("training", lambda e: e["record"]["curves"].update(valid_loss=[1.0, "2"])),
        ("training", lambda e: e["record"]["curves"].update(valid_loss=[1.0, math.inf])),
        ("training", lambda e: e["record"]["curves"].update(valid_loss=[1.0, [2.0]])),
        ("training", lambda e: e["record"]["curves"].update(valid_accuracy=[1.0, 180.0])),
        ("training", lambda e: e["record"]["curves"].update(valid_accuracy=[1.0, -1.0])),
        ("training", lambda e: e["record"]["curves"].update(train_seconds=[2.0, 1.0])),
        ("training", lambda e: e["record"]["curves"].update(train_seconds=[2.0, None])),
        ("training", lambda e: e["record"]["curves"].update(train_seconds=5)),
        ("measurement", lambda e: e.update(device="raspi4")),
        ("measurement", lambda e: e.update(description=None)),
        ("measurement", lambda e: e.update(measurements=[])),
        ("measurement", lambda e: e["measurements"].update({"8": e["measurements"]["3"]})),
        ("measurement", lambda e: e["measurements"].update({"x": e["measurements"]["3"]})),
        ("measurement", lambda e: e["measurements"]["3"].pop("latency_ms")),
        ("measurement", lambda e: e["measurements"]["3"].update(latency_ms="5")),
        ("measurement", lambda e: e["measurements"]["3"].update(latency_n=10**400)),
        ("measurement", lambda e: e["measurements"]["3"].update(kind=[])),
        ("measurement", lambda e: e["measurements"]["3"].update(reasons={"energy_mj": 5})),
        ("counts", lambda e: e["counts"].update({"-1": e["counts"]["3"]})),
        ("counts", lambda e: e["counts"]["3"].update(flops=None)),
        ("counts", lambda e: e["counts"]["3"].update(flops=-5)),
        ("counts", lambda e: e["counts"]["3"].pop("flops")),
        ("scores", lambda e: e.update(architectures=[3, 99])),
        ("scores", lambda e: e.update(architectures=[3])),
        ("scores", lambda e: e["values"].update(synflow=[[1.0], []])),
        ("scores", lambda e: e["values"].update(synflow=[[1.0], ["x"]])),
        ("scores", lambda e: e.update(reasons=[["synflow", 2, 0, "it is none"]])),
        ("scores", lambda e: e.update(reasons=[5])),
        ("scores", lambda e: e.update(seconds={"synflow": math.inf})),
        ("scores", lambda e: e.update(seed="0")),
        ("session", lambda e: e.pop("started")),
        ("session", lambda e: e.update(versions={"torch": ["2"]})),
        ("session", lambda e: e.update(hardware=None)),
        ("session", lambda e: e.update(versions={"torch": math.nan})),
        ("session", lambda e: e.update(process=math.inf)),
    ],
)
def test_a_forged_line_is_told_by_file_and_number(
    tmp_path: Path, kind: str, forge: Callable[[dict[str, Any]], object]
) -> None:
    entries = _entries()
    forged = copy.deepcopy(entries[kind])
    forge(forged)
    folder = _folder(tmp_path, line_of(entries["session"]), b"torn\n", line_of(forged))
    with pytest.raises(NasbenchError, match=r"t\.h5\.build/journal\.jsonl is damaged in line 3: "):
        list(read_entries(folder, EntryCheck(SPEC)))


@pytest.mark.parametrize(
    "text", [b"[]", b"5", b"null", b"[" * 200_000, b'{"a":' * 100_000, b"\xff"]
)
def test_a_line_that_is_no_object_is_told_and_the_journal_stays(
    tmp_path: Path, text: bytes
) -> None:
    forged = b"%08x %s\n" % (zlib.crc32(text), text)
    _folder(tmp_path, forged)
    with pytest.raises(NasbenchError, match=r"journal\.jsonl is damaged in line 1: its checksum"):
        build(SPEC, tmp_path / "t.h5", processes=1, engine="reference")
    assert journal_of(tmp_path / "t.h5").read_bytes() == forged


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "[]", "5", "", "{}x", "\0"])
def test_a_plan_that_is_none_is_one_sentence(tmp_path: Path, text: str) -> None:
    folder = _folder(tmp_path)
    (folder / "plan.json").write_text(text)
    with pytest.raises(NasbenchError, match=r"plan\.json is damaged") as told:
        build(SPEC, tmp_path / "t.h5", processes=1, engine="reference")
    assert "\n" not in str(told.value)
    assert (folder / "plan.json").read_text() == text


def test_a_folder_without_a_plan_is_as_a_kill_leaves_it(tmp_path: Path) -> None:
    assert read_plan(tmp_path) is None
