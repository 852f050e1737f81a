"""Journals: one answer to torn tails, damage, forged lines, files of others and full disks."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nasbench._journal as module
from nasbench._journal import Journal, Kind, line_of, read_journal, read_lines
from nasbench.errors import DamagedFile, NasbenchError

HEADER = {"of": "this", "seed": 3}
KINDS = {ordered: Kind("another thing", "remove it", ordered) for ordered in (False, True)}


def _write(path: Path, kind: Kind, *entries: dict[str, Any]) -> bytes:
    journal = Journal(path, HEADER, kind)
    for entry in entries:
        journal.add(entry)
    journal.close()
    return path.read_bytes()


def _held(path: Path, kind: Kind) -> list[dict[str, Any]]:
    return [line.entry for line in read_journal(path, HEADER, kind)]


@given(
    ordered=st.booleans(),
    entries=st.lists(st.dictionaries(st.text(max_size=3), st.floats(allow_nan=False), max_size=3)),
    share=st.floats(0, 1),
)
def test_a_journal_cut_anywhere_goes_on_to_the_same_bytes(
    tmp_path_factory: pytest.TempPathFactory,
    ordered: bool,
    entries: list[dict[str, Any]],
    share: float,
) -> None:
    path, kind = tmp_path_factory.mktemp("cut") / "j", KINDS[ordered]
    text = _write(path, kind, *entries)
    assert _held(path, kind) == entries
    path.write_bytes(text[: round(share * len(text))])
    journal = Journal(path, HEADER, kind)
    kept = journal.read(dict)
    assert kept == entries[: len(kept)]
    for entry in entries[len(kept) :]:
        journal.add(entry)
    journal.close()
    assert path.read_bytes() == text


@pytest.mark.parametrize("entries", [(), ({"n": 1}, {"n": 2})])
def test_who_writes_lines_that_follow_from_each_other_has_the_file_alone(
    tmp_path: Path, entries: tuple[dict[str, Any], ...]
) -> None:
    path, kind = tmp_path / "j", KINDS[True]
    _write(path, kind, *entries)
    first = Journal(path, HEADER, kind)
    first.add({"n": 3})
    kept = path.read_bytes()
    with pytest.raises(NasbenchError, match=r"another process is at work on .*j: wait until"):
        Journal(path, HEADER, kind)
    assert path.read_bytes() == kept
    assert _held(path, kind) == [*entries, {"n": 3}]  # to read it is free
    first.close()
    Journal(path, HEADER, kind).close()


def test_a_run_that_grows_is_nobody_elses_meanwhile(tmp_path: Path) -> None:
    path, kind = tmp_path / "j", KINDS[True]
    _write(path, kind, {"n": 1})
    grown = Journal(path, {"of": "more"}, kind, accept=lambda header: True)
    for header in (HEADER, {"of": "more"}):  # before and after it is renewed
        with pytest.raises(NasbenchError, match="another process is at work"):
            Journal(path, header, kind, accept=lambda header: True)
        grown.add({"n": 2})
    grown.close()
    assert [line.entry["n"] for line in read_lines(path, kind) if "n" in line.entry] == [1, 2, 2]


def test_what_was_renewed_since_it_was_opened_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, kind, open_file = tmp_path / "j", KINDS[True], module.open_file
    _write(path, kind, {"n": 1})

    @contextmanager
    def opened_too_early(*of: Any) -> Iterator[Any]:
        with open_file(*of) as file:
            monkeypatch.setattr(module, "open_file", open_file)
            new = path.with_name("new")
            _write(new, kind, {"n": 2})
            os.replace(new, path)
            yield file

    monkeypatch.setattr(module, "open_file", opened_too_early)
    with pytest.raises(NasbenchError, match="another process is at work"):
        Journal(path, HEADER, kind)
    assert _held(path, kind) == [{"n": 2}]


@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_one_wrong_bit_is_never_taken_for_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, place: float, bit: int
) -> None:
    path = tmp_path_factory.mktemp("bit") / "j"
    entries = [{"n": n} for n in range(4)]
    text = bytearray(_write(path, KINDS[False], *entries))
    text[int(place * len(text))] ^= 1 << bit
    path.write_bytes(bytes(text))
    for kind in KINDS.values():
        try:
            found = _held(path, kind)
        except NasbenchError:  # of the header, or of a line of those in order
            continue
        assert all(entry in entries for entry in found)
        assert not kind.ordered or found == entries[:3]  # the last newline went


def test_lines_of_several_processes_stand_beside_each_other(tmp_path: Path) -> None:
    path, kind = tmp_path / "j", KINDS[False]
    one, other = Journal(path, HEADER, kind), Journal(path, HEADER, kind)
    for n in range(3):
        one.add({"one": n})
        other.add({"other": n})
    one.close()
    other.close()
    assert len(_held(path, kind)) == 6


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("text", [b"mine", b"mine\n", b"\0" * 50, b"\n", line_of({"of": "that"})])
def test_files_of_others_keep_every_byte(tmp_path: Path, text: bytes, ordered: bool) -> None:
    path = tmp_path / "j"
    path.write_bytes(text)
    with pytest.raises(NasbenchError, match="holds another thing: remove it"):
        Journal(path, HEADER, KINDS[ordered])
    assert path.read_bytes() == text


def test_a_header_is_the_same_whatever_the_order_of_its_values(tmp_path: Path) -> None:
    _write(tmp_path / "j", KINDS[True], {"n": 1})
    turned = dict(reversed(HEADER.items()))
    assert len(read_journal(tmp_path / "j", turned, KINDS[True])) == 1


@pytest.mark.parametrize("torn", [b"", b"0123"])
def test_an_accepted_header_is_renewed_with_the_first_line(tmp_path: Path, torn: bytes) -> None:
    path, kind = tmp_path / "j", KINDS[True]
    text = _write(path, kind, {"n": 1}) + torn
    path.write_bytes(text)
    journal = Journal(path, {"of": "more"}, kind, accept=lambda header: header == HEADER)
    assert path.read_bytes() == text
    journal.add({"n": 2})
    journal.add({"n": 3})
    journal.close()
    expected = b"".join(map(line_of, ({"of": "more"}, {"n": 1}, {"n": 2}, {"n": 3})))
    assert path.read_bytes() == expected
    assert os.listdir(tmp_path) == ["j"]


def test_a_line_without_an_end_is_no_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_LINE", 100)
    (tmp_path / "j").write_bytes(line_of({}) + b"a" * 300)
    with pytest.raises(DamagedFile, match="is no journal: line 2 has no end"):
        list(read_lines(tmp_path / "j", KINDS[True]))


def test_no_pipe_is_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "j")
    with pytest.raises(NasbenchError, match="it is no regular file"):
        Journal(tmp_path / "j", HEADER, KINDS[True])


def test_checksums_are_those_of_zlib() -> None:
    checksum, text = line_of({"a": 1.5}).rstrip(b"\n").split(b" ", 1)
    assert int(checksum, 16) == zlib.crc32(text)
