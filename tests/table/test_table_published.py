"""A table names no host, no process and no folder; older ones are written anew without."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from made_up_table import write

from nasbench.errors import DamagedFile
from nasbench.table import Table, load, manifests, shipped_tables, write_anew
from nasbench.table.dumping import dump
from nasbench.table.format import Dataset, TableFile
from nasbench.table.pack import write_file
from nasbench.table.published import published

HISTORY = [
    {
        "entry": "session",
        "host": "lab-3.example.org",
        "process": 4711,
        "started": "2026-11-22T05:43:51+00:00",
        "hardware": {"processor": "a fast one", "cores": 2},
        "versions": {"torch": "2.13.0"},
    }
]
SECRETS = ("lab-3.example.org", "4711", "/home/me", "C:\\\\Users")


def old_table(path: Path, **changes: Any) -> TableFile:
    """A table as earlier versions wrote it, which names host and process."""
    written = TableFile(write(path).path)
    manifest = {**written.manifest, "history": HISTORY, **changes}
    datasets = {
        name: Dataset(
            written.array(name).copy(),
            {k: v for k, v in entry.items() if k not in ("shape", "dtype", "offset", "sha256")},
        )
        for name, entry in manifest.pop("datasets").items()
    }
    write_file(path, manifest, datasets)
    return TableFile(path)


def test_hosts_and_folders_go_and_all_else_stays():
    told = {
        "name": "mine",
        "history": HISTORY,
        "source": {
            "kind": "csv",
            "options": {
                "space": "/home/me/spaces/widths.toml",
                "companion": "C:\\Users\\me\\b.json",
                "columns": "data/a.csv",
                "task": "cifar10",
                "ratio": "1/3",
                "separator": "/",
                "n": 3,
            },
        },
        "sources": [{"name": "one", "history": HISTORY, "sources": [{"history": HISTORY}]}],
        "task": {"notes": ["/ is a letter"]},
    }
    before = copy.deepcopy(told)
    found = published(told)
    assert told == before
    assert not [secret for secret in SECRETS if secret in json.dumps(found)]
    kept = {k: v for k, v in HISTORY[0].items() if k not in ("host", "process")}
    assert all(one["history"] == [kept] for one in manifests(found))
    options = {"space": "widths.toml", "companion": "b.json"}
    assert found["source"]["options"] == {**told["source"]["options"], **options}
    assert {k: found[k] for k in ("name", "task")} == {k: told[k] for k in ("name", "task")}
    assert published(found) == found


def test_a_table_written_anew_has_the_same_values_and_names_nobody(tmp_path):
    old = old_table(tmp_path / "old.h5")
    assert b"lab-3" in old.path.read_bytes()
    write_anew(old.path, tmp_path / "new.h5")
    assert b"lab-3" not in (tmp_path / "new.h5").read_bytes()
    new = TableFile(tmp_path / "new.h5")
    new.verify()
    assert new.manifest["datasets"].keys() == old.manifest["datasets"].keys()
    for name, entry in old.manifest["datasets"].items():
        assert new.array(name).tobytes() == old.array(name).tobytes()
        assert {**new.manifest["datasets"][name], "offset": 0} == {**entry, "offset": 0}
    said = [
        {k: v for k, v in f.manifest.items() if k not in ("history", "datasets")}
        for f in (old, new)
    ]
    assert said[0] == said[1]
    write_anew(new.path, new.path)  # in its own place, and again
    assert TableFile(new.path).sha256 == new.sha256


def test_a_table_whose_content_is_not_what_it_says_is_not_written_anew(tmp_path):
    lying = old_table(tmp_path / "old.h5", content_sha256="0" * 64)
    with pytest.raises(DamagedFile, match="content hash"):
        write_anew(lying.path, tmp_path / "new.h5")
    assert not (tmp_path / "new.h5").exists()


@pytest.mark.parametrize("to", ["csv", "npz"])
def test_what_is_dumped_of_an_old_table_names_nobody(to, tmp_path):
    old = old_table(tmp_path / "old.h5")
    dump(Table(old.path), tmp_path / f"d.{to}", to=to)
    said = (tmp_path / f"d.{to}.json").read_text(encoding="utf-8")
    assert "started" in said
    assert not [secret for secret in SECRETS if secret in said]


@pytest.mark.parametrize("name", sorted(shipped_tables()))
def test_shipped_tables_name_nobody(name):
    table = load(name)
    assert published(table.manifest) == table.manifest
    assert all("started" in session for session in table.manifest.get("history", ()))
