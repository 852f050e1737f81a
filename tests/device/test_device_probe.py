"""The probe's jobs: what is kept, resumed, locked and refused, without a network between."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from device_jobs import files, job, results, sent

from nasbench.device import probe
from nasbench.device.probe import Board, Refused, answer, entries_of, line_of, measure
from nasbench.device.results import read_results
from nasbench.space import CellSpace


def measured(folder: Path, name: str) -> list[str]:
    found = entries_of(results(folder, name).read_bytes())
    return [entry["file"] for entry in found if "file" in entry]


def test_a_job_is_measured_once_and_a_torn_line_again(tmp_path: Path, mini: CellSpace) -> None:
    contents = files(mini, 6)
    said = job(list(contents))
    name = sent(tmp_path, contents, said)
    measure(str(tmp_path), name, Board())
    path = results(tmp_path, name)
    whole = path.read_bytes()
    assert sorted(measured(tmp_path, name)) == sorted(said["files"])
    measure(str(tmp_path), name, Board())
    assert path.read_bytes() == whole
    lines = whole.splitlines(keepends=True)
    damaged = lines[2][:30] + b"x" + lines[2][31:]
    path.write_bytes(b"".join([*lines[:2], damaged, *lines[3:5], lines[5][:-9]]))
    measure(str(tmp_path), name, Board())
    again = path.read_bytes()
    assert again.startswith(b"".join([*lines[:2], damaged, *lines[3:5]]))
    assert sorted(measured(tmp_path, name)) == sorted(said["files"])
    found = read_results(again, name, said["files"])
    assert found.found.keys() == set(said["files"])
    assert found.board["python"]


def test_the_reference_may_be_asked_for_too(tmp_path: Path, mini: CellSpace) -> None:
    contents = files(mini, 2)
    names = list(contents)
    name = sent(tmp_path, contents, job(names, files=names))
    measure(str(tmp_path), name, Board())
    assert measured(tmp_path, name) == names


def test_a_probe_without_a_job_says_how_one_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(probe, "__file__", str(tmp_path / "nb_probe.py"))
    for _ in range(2):  # without a folder of jobs, and with an empty one
        assert probe.main([]) == 2
        assert "no job lies in" in capsys.readouterr().err
        (tmp_path / "jobs").mkdir(exist_ok=True)
    assert probe.main(["measure", str(tmp_path), "0" * 64]) == 2
    assert "cannot read or write" in capsys.readouterr().err


def test_what_is_there_whole_is_not_asked_for_again(tmp_path: Path, mini: CellSpace) -> None:
    contents = files(mini, 3)
    one, two, three = contents
    folder = str(tmp_path)
    sent(tmp_path, {one: contents[one], two: contents[two]}, job([one, two]))
    asked = json.dumps(list(contents)).encode()
    assert probe.missing(folder, asked) == {"missing": [three]}
    path = tmp_path / "files" / two
    path.write_bytes(path.read_bytes()[:-1])
    assert probe.missing(folder, asked) == {"missing": [two, three]}


def test_a_damaged_file_is_one_sentence_and_others_are_measured(
    tmp_path: Path, mini: CellSpace
) -> None:
    contents = files(mini, 4)
    names = list(contents)
    name = sent(tmp_path, contents, job(names))
    (tmp_path / "files" / names[2]).write_bytes(b"x")
    with pytest.raises(Refused, match=f"file {names[2][:16]} came damaged"):
        measure(str(tmp_path), name, Board())
    assert sorted(measured(tmp_path, name)) == sorted([names[1], names[3]])


def test_what_a_runtime_cannot_run_has_a_line(tmp_path: Path, mini: CellSpace) -> None:
    contents = files(mini, 2)
    bad = hashlib.sha256(b"no network").hexdigest()
    names = [*contents, bad]
    name = sent(tmp_path, {**contents, bad: b"no network"}, job(names))
    measure(str(tmp_path), name, Board())
    found = {e["file"]: e for e in entries_of(results(tmp_path, name).read_bytes()) if "file" in e}
    assert found[bad]["error"]
    assert found[names[1]]["timing"]


BAD: dict[str, tuple[str, bytes, str]] = {
    "a name that is a path": ("missing", b'["../../etc/passwd"]', "not called by its SHA-256"),
    "another hash": ("put", b'[["%s",3]]\nabc' % (b"0" * 64), "came damaged: run the command"),
    "no JSON": ("missing", b"[", "what came cannot be read"),
    "another version": ("begin", b'{"probe":99}', "the job is of version 99"),
    "a job that is not there": ("state", b'["%s",0]' % (b"0" * 64), "No such file"),
    "a runtime that is none": ("about", b"os", "no runtime 'os'"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_cannot_be_done_is_one_sentence(what: str, tmp_path: Path) -> None:
    command, data, sentence = BAD[what]
    said = answer(command, str(tmp_path / "p"), data)
    assert sentence in said["error"]
    assert "\n" not in said["error"]


@pytest.mark.parametrize("package", ["numpy", "onnxruntime"])
def test_a_missing_package_is_named(
    package: str, tmp_path: Path, mini: CellSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = files(mini, 2)
    monkeypatch.setitem(sys.modules, package, None)
    said = answer("begin", str(tmp_path), json.dumps(job(list(contents))).encode(), "source")
    assert said["error"] == f"{package} is not installed there: python3 -m pip install {package}"


@pytest.mark.parametrize("part", ["", "files", "jobs"])
def test_folders_that_are_links_are_refused(part: str, tmp_path: Path) -> None:
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "probe"
    elsewhere.mkdir()
    if part:
        folder.mkdir()
    os.symlink(elsewhere, folder / part if part else folder)
    assert "is a link" in answer("missing", str(folder), b"[]")["error"]
    assert not list(elsewhere.iterdir())


def test_a_full_disk_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device", "files/x")

    monkeypatch.setattr(probe.os, "fsync", full)
    content = b"abc"
    head = json.dumps([[hashlib.sha256(content).hexdigest(), 3]]).encode()
    said = answer("put", str(tmp_path), b"\n".join([head, content]))
    assert said["error"] == "cannot read or write files/x: No space left on device"


def test_two_jobs_do_not_time_each_other(tmp_path: Path, mini: CellSpace) -> None:
    contents = files(mini, 3)
    names = list(contents)
    folder = str(tmp_path)
    first = sent(tmp_path, contents, job(names))
    other = json.dumps(job(names, batch=2)).encode()
    lock = probe._lock(folder, first)
    assert lock is not None
    try:
        said = answer("begin", folder, other, "source")
        assert f"another job, {first[:16]}, is at work on that device" in said["error"]
        state = probe.state(folder, json.dumps([first, 0]).encode())
        assert (state["running"], state["left"]) == (True, 2)
        # The same job is taken up: nothing begins beside it.
        assert probe._lock(folder, first) is None
    finally:
        os.close(lock)
    assert not probe.state(folder, json.dumps([first, 0]).encode())["running"]


def test_lines_are_those_of_journals() -> None:
    from nasbench._journal import line_of as journaled

    entry = {"file": "a", "n": [1.5, None]}
    assert line_of(entry) == journaled(entry)
    assert entries_of(line_of(entry) + b"torn") == [entry]
    assert entries_of(b"00000000 {}\n\n" + line_of({}) + b"\xff\n") == [{}]


@pytest.mark.slow
@pytest.mark.process
def test_a_hundred_kills_lose_and_double_no_line(tmp_path: Path, mini: CellSpace) -> None:
    draw = random.Random(0)
    contents = files(mini, 601)
    said = job(list(contents))
    name = sent(tmp_path, contents, said)
    command = [sys.executable, probe.__file__, "measure", str(tmp_path), name]
    kept = b""
    kills = 0
    while kills < 100 and len(measured_of(kept)) < len(said["files"]):
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        for _ in range(draw.randrange(3)):
            process.stdout.readline()
        with process:  # anywhere within what comes next, also while it starts
            try:
                process.wait(draw.random() * draw.choice([0.002, 0.02, 0.1]))
            except subprocess.TimeoutExpired:
                process.kill()
                kills += 1
        path = results(tmp_path, name)
        data = path.read_bytes() if path.exists() else b""
        whole = data[: data.rfind(b"\n") + 1]
        assert whole.startswith(kept)
        kept = whole
    assert kills == 100
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    found = measured(tmp_path, name)
    assert results(tmp_path, name).read_bytes().startswith(kept)
    assert len(found) == len(set(found)) == 600
    assert len(read_results(results(tmp_path, name).read_bytes(), name, said["files"]).found) == 600


def measured_of(data: bytes) -> list[str]:
    return [entry["file"] for entry in entries_of(data) if "file" in entry]
