"""Tables by people who mean harm: whatever the manifest says, an answer or one sentence.

Every hash fits, so that nothing but the checks of what is read stands in the way.
"""

from __future__ import annotations

import copy
import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nasbench.table import Table
from nasbench.table.format import BLOCK, MAGIC

JUNK: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    10**30,
    1.5,
    float("nan"),
    "",
    "none",
    "../../etc/passwd",
    "float64",
    "int32",
    "uint8",
    "{x!r}",
    "\x1b[2J\n",
    [],
    [None],
    [[[1]]],
    [-1, 10**9],
    {},
    {"a": 1},
    {"name": "nb201"},
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value in a document."""
    if path:
        yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*path, key))


def spoil(manifest: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """The manifest with one to three values replaced, removed, or moved to another key."""
    spoiled = copy.deepcopy(manifest)
    for _ in range(rng.integers(1, 4)):
        known = list(places(spoiled))
        *way, last = known[int(rng.integers(len(known)))]
        parent = spoiled
        for key in way:
            parent = parent[key]
        junk = copy.deepcopy(JUNK[int(rng.integers(len(JUNK)))])
        kind = rng.random()
        if kind < 0.2:
            del parent[last]
        elif kind < 0.3 and isinstance(parent, dict):
            parent[str(junk)] = parent.pop(last)
        else:
            parent[last] = junk
    return spoiled


def with_text(whole: bytes, text: bytes) -> bytes:
    """The file with another manifest at its end, and hashes that fit."""
    longer = whole + text
    block = {
        "version": 1,
        "length": len(longer),
        "sha256": hashlib.sha256(longer[BLOCK:]).hexdigest(),
        "manifest": {
            "offset": len(whole),
            "length": len(text),
            "sha256": hashlib.sha256(text).hexdigest(),
        },
    }
    return (MAGIC + json.dumps(block).encode() + b"\n").ljust(BLOCK, b"\0") + longer[BLOCK:]


def attack(cli: Any, table: Path, folder: Path, times: int, seed: int) -> tuple[int, int]:
    """How many of so many spoiled tables were refused, and how many read; nothing else is."""
    whole, manifest = table.read_bytes(), Table(table).manifest
    rng = np.random.default_rng(seed)
    path, refused, read = folder / "hostile.h5", 0, 0
    out = folder / "out"
    commands: tuple[tuple[Any, ...], ...] = (
        ("info", path),
        ("verify", path),
        ("query", path, 3),
        ("query", path, 3, "--epoch", 1, "--seed", 0, "--json"),
        ("dump", path, "--to", "csv", "--per", "epoch", "--out", out),
        ("dump", path, "--to", "npz", "--out", out),
        ("search", "random_search", "--table", path, "--budget-evaluations", 3),
        ("diff", table, path),
        ("merge", table, path, "--out", out),
        ("report", path, "--out", out),
        (
            *("compare", "--table", path, "--strategies", "random_search", "--out", out),
            *("--budget-evaluations", 3, "--seeds", 2, "--processes", 1),
        ),
    )
    for _ in range(times):
        path.write_bytes(with_text(whole, json.dumps(spoil(manifest, rng)).encode()))
        words = commands[int(rng.integers(len(commands)))]
        done = cli(*words)
        assert done.status in (0, 1, 2), words
        if done.status == 2:
            assert done.err.startswith("nasbench: "), done.err
            assert done.err.count("\n") == 1, done.err
            # A comparison keeps the runs that finished.
            assert words[0] == "compare" or not list(folder.glob("out*"))
            refused += 1
        else:
            assert not done.err
            read += 1
        for left in folder.glob("out*"):
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        assert [left.name for left in folder.iterdir()] == ["hostile.h5"]
    return refused, read


def test_hostile_manifests(cli, table, tmp_path):
    refused, read = attack(cli, table, tmp_path, times=20, seed=0)
    assert min(refused, read) >= 5  # a quarter: neither is the rule


@pytest.mark.slow
def test_ten_thousand_hostile_manifests(cli, table, tmp_path):
    refused, read = attack(cli, table, tmp_path, times=10_000, seed=1)
    assert min(refused, read) > 1_000


def test_a_manifest_nested_without_end(cli, table, tmp_path):
    whole = table.read_bytes()
    path = tmp_path / "deep.h5"
    path.write_bytes(with_text(whole, b"[" * 10**5))
    done = cli("info", path)
    assert done.status == 2
    assert "its manifest is not JSON" in done.err


def test_a_device_that_keeps_a_metric_to_itself(cli, table, tmp_path):
    """The data set is there, and the device does not say that it is its own."""
    manifest = copy.deepcopy(Table(table).manifest)
    del manifest["devices"]["cpu-onnxruntime-b1"]["kinds"]["latency_ms"]
    path = tmp_path / "t.h5"
    path.write_bytes(with_text(table.read_bytes(), json.dumps(manifest).encode()))
    done = cli("report", path, "--out", tmp_path / "page")
    assert (done.status, done.err) == (0, "")
    assert "latency, ms" not in (tmp_path / "page" / "index.html").read_text()
