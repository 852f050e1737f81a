"""A file that is damaged, foreign or hostile is refused; no changed number is ever read."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up_table import write

from nasbench.errors import NasbenchError
from nasbench.table import Table, load
from nasbench.table.format import BLOCK, MAGIC


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write(tmp_path_factory.mktemp("tables") / "t.h5").path.read_bytes()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damaged") / "t.h5"


def everything(path: Path) -> tuple[str, dict[str, Any], dict[str, bytes]]:
    """All that can be read of a table."""
    table = Table(path)
    names = table.manifest["datasets"]
    return table.sha256, table.manifest, {n: table._file.array(n).tobytes() for n in names}


def header(content: bytes) -> dict[str, Any]:
    return json.loads(content[len(MAGIC) : BLOCK].split(b"\n")[0])


def with_header(content: bytes, **changes: Any) -> bytes:
    block = MAGIC + json.dumps({**header(content), **changes}).encode() + b"\n"
    return block.ljust(BLOCK, b"\0") + content[BLOCK:]


def with_manifest(content: bytes, manifest: bytes) -> bytes:
    """The file with another manifest at its end and hashes that fit: damage by intent."""
    longer = content + manifest
    return with_header(
        longer,
        length=len(longer),
        sha256=hashlib.sha256(longer[BLOCK:]).hexdigest(),
        manifest={
            "offset": len(content),
            "length": len(manifest),
            "sha256": hashlib.sha256(manifest).hexdigest(),
        },
    )


def manifest_of(content: bytes) -> dict[str, Any]:
    at = header(content)["manifest"]
    return json.loads(content[at["offset"] : at["offset"] + at["length"]])


# Damage.


@given(data=st.data())
def test_no_flipped_bit_is_read(whole: bytes, place: Path, data: st.DataObject) -> None:
    """Wherever it is, also in what only other HDF5 readers read."""
    length = len(whole)
    byte = data.draw(
        st.one_of(st.integers(0, length - 1), st.integers(0, BLOCK - 1), st.integers(0, 4_000))
    )
    damaged = bytearray(whole)
    damaged[byte] ^= 1 << data.draw(st.integers(0, 7))
    place.write_bytes(whole)
    before = everything(place)
    place.write_bytes(damaged)
    try:
        Table(place).verify()
        found = False
    except NasbenchError as error:
        assert str(place) in str(error)  # noqa: PT017
        found = True
    assert found or byte < BLOCK
    try:
        after = everything(place)
    except NasbenchError:
        assert found
        return
    assert after[1:] == before[1:]
    assert found or after == before


@given(data=st.data())
def test_a_table_of_another_length_is_refused(
    whole: bytes, place: Path, data: st.DataObject
) -> None:
    length = data.draw(st.integers(0, len(whole) - 1))
    place.write_bytes(whole[:length])
    with pytest.raises(NasbenchError, match=r"not a table|cannot be read|was cut short"):
        Table(place)
    place.write_bytes(whole + b"\0")
    with pytest.raises(NasbenchError, match="it was cut short or changed; get it anew"):
        Table(place)


@pytest.mark.parametrize(
    ("name", "epoch"),
    [
        ("ops", -1),
        ("others", -1),
        ("others_row", -1),
        ("last/short/valid_accuracy", -1),
        ("recipe/short/valid_accuracy", 1),
    ],
)
def test_damaged_data_are_found_when_they_are_first_read(
    whole: bytes, place: Path, name: str, epoch: int
) -> None:
    damaged = bytearray(whole)
    damaged[manifest_of(whole)["datasets"][name]["offset"] + 5] ^= 4
    place.write_bytes(damaged)
    table = Table(place)
    assert table.recipes == ("short", "long")
    with pytest.raises(NasbenchError, match=f"damaged: data set {name} does not have the hash"):
        table.values("valid_accuracy", 0, recipe="short", epoch=epoch)
    if name not in ("ops", "others", "others_row"):
        assert np.isfinite(table.values("parameters", 0))
    with pytest.raises(NasbenchError, match="the file does not have the hash it states"):
        table.verify()


def test_a_damaged_manifest_is_found_at_once(whole: bytes, place: Path) -> None:
    damaged = bytearray(whole)
    damaged[header(whole)["manifest"]["offset"] + 9] ^= 1
    place.write_bytes(damaged)
    with pytest.raises(NasbenchError, match="its manifest does not have the hash it states"):
        Table(place)


# What is no table.


def test_what_is_no_table_is_refused(whole: bytes, tmp_path: Path) -> None:
    for name, content in (
        ("empty.h5", b""),
        ("text.h5", b"epochs = 3\n"),
        ("plain.h5", b"\x89HDF\r\n\x1a\n" + bytes(2_000)),
        ("behind.h5", b"\0" + whole),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(NasbenchError, match=f"{name} is not a table of this project"):
            load(tmp_path / name)
    with pytest.raises(NasbenchError, match=r"cannot read table .*: it is a folder"):
        Table(tmp_path)
    with pytest.raises(NasbenchError, match=r"cannot read table .*: No such file"):
        Table(tmp_path / "absent.h5")


def test_another_version_is_named(whole: bytes, place: Path) -> None:
    place.write_bytes(with_header(whole, version=3))
    with pytest.raises(
        NasbenchError, match="has table format 3, this release reads formats 1 and 2"
    ):
        Table(place)
    # Also where nothing else of the first line is as this release knows it.
    block = MAGIC + b'{"version": 3, "new": true}\n'
    place.write_bytes(block.ljust(BLOCK, b"\0") + whole[BLOCK:])
    with pytest.raises(NasbenchError, match="has table format 3"):
        Table(place)


@given(st.binary(max_size=BLOCK))
def test_no_first_line_is_too_strange_to_be_refused(whole: bytes, place: Path, line: bytes) -> None:
    place.write_bytes((MAGIC + line).ljust(BLOCK, b"\0")[:BLOCK] + whole[BLOCK:])
    with pytest.raises(NasbenchError, match="its first line cannot be read"):
        Table(place)


@pytest.mark.parametrize(
    "changes",
    [
        {"version": "new"},
        {"version": None},
        {"version": float("inf")},
        {"length": "long"},
        {"manifest": None},
        {"manifest": {"offset": 1e400, "length": 2, "sha256": ""}},
        {"manifest": {"offset": 0}},
    ],
)
def test_a_first_line_of_other_types_is_refused(
    whole: bytes, place: Path, changes: dict[str, Any]
) -> None:
    place.write_bytes(with_header(whole, **changes))
    with pytest.raises(NasbenchError, match="its first line cannot be read"):
        Table(place)


# Intent: hashes that fit, and a manifest that does not.


@pytest.mark.parametrize(
    ("manifest", "told"),
    [
        (b"not json", "its manifest is not JSON"),
        (b"\xff\xfe", "its manifest is not JSON"),
        (b"5", "its manifest names no data sets"),
        (b"[]", "its manifest names no data sets"),
        (b'{"datasets": []}', "its manifest names no data sets"),
        (b'{"datasets": {}, "name": "x"}', "the manifest has no 'space'"),
    ],
)
def test_a_manifest_that_is_none_is_refused(
    whole: bytes, place: Path, manifest: bytes, told: str
) -> None:
    place.write_bytes(with_manifest(whole, manifest))
    with pytest.raises(NasbenchError, match=told):
        Table(place)


@pytest.mark.parametrize(
    "changes",
    [
        {"dtype": "object"},
        {"dtype": "O"},
        {"dtype": "float128"},
        {"dtype": ["float32"]},
        {"dtype": None},
        {"shape": [-65, -3, 3]},
        {"shape": [10**12]},
        {"shape": [10**30]},
        {"shape": "65"},
        {"offset": -8},
        {"offset": 10**12},
        {"offset": 10**30},
        {"offset": "x"},
    ],
)
def test_a_data_set_that_lies_elsewhere_is_refused(
    whole: bytes, place: Path, changes: dict[str, Any]
) -> None:
    manifest = manifest_of(whole)
    name = "last/short/valid_accuracy"
    manifest["datasets"][name].update(changes)
    place.write_bytes(with_manifest(whole, json.dumps(manifest).encode()))
    with pytest.raises(NasbenchError, match=f"damaged: .*{name}"):
        Table(place).values("valid_accuracy", 0, recipe="short")


def test_last_epochs_that_are_not_of_their_curves_are_found(whole: bytes, place: Path) -> None:
    manifest = manifest_of(whole)
    datasets = manifest["datasets"]
    other = {k: datasets["last/short/train_seconds"][k] for k in ("offset", "sha256")}
    datasets["last/short/valid_accuracy"].update(other)
    place.write_bytes(with_manifest(whole, json.dumps(manifest).encode()))
    with pytest.raises(NasbenchError, match="last/short/valid_accuracy is not of its curves"):
        Table(place).verify()


def test_rows_that_do_not_fit_the_space_are_refused(whole: bytes, place: Path) -> None:
    manifest = manifest_of(whole)
    manifest["space"] = {"name": "other", "nodes": 3, "operations": ["none", "skip_connect"]}
    place.write_bytes(with_manifest(whole, json.dumps(manifest).encode()))
    with pytest.raises(NasbenchError, match="its rows do not fit its space"):
        Table(place).values("parameters", 0)
