"""Builds that are killed, crash or run out of disk end as if nothing had happened."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import zygote
from hypothesis import given
from hypothesis import strategies as st
from seldom import seldom
from small_builds import (
    ENGINES,
    ONE,
    hold,
    journal_of,
    journaled,
    killed_at_each_step,
    killed_at_random,
    small_spec,
    trained,
    trained_for_hours,
)

from nasbench.building import BuildSpec, build
from nasbench.building.journal import BuildFolder
from nasbench.errors import NasbenchError
from nasbench.table import Table
from nasbench.table.published import published

pytestmark = pytest.mark.heavy

HERE = Path(__file__).parent


def by_engine(cases: Sequence[Any], often: int) -> list[Any]:
    """Each engine with each case; the slower one has `often` of them with the quick tests."""
    fastest = [(ENGINES[-1], case) for case in cases]
    others = [(engine, case) for engine in ENGINES[:-1] for case in cases]
    rare = [(engine, case) for engine in ENGINES[:-1] for case in cases[often:]]
    return seldom(rare, others + fastest)


class Stopped(BaseException):
    """As Ctrl-C."""


def _content(table: Table) -> str:
    table.verify()
    return str(table.manifest["content_sha256"])


def _finish(spec: BuildSpec, out: Path, engine: str) -> tuple[Table, list[int]]:
    """Build to the end in this process; how many trainings were done at each report."""
    reports: list[int] = []

    def note(what: str, done: int, total: int) -> None:
        if what == "training":
            reports.append(done)

    table = build(spec, out, processes=1, engine=engine, progress=note)
    assert not journal_of(out).parent.exists()
    return table, reports


# Killed.


KILLS = [
    pytest.param("reference", 3, 4, marks=[pytest.mark.slow] * (len(ENGINES) > 1)),
    *(
        pytest.param("native", kills, seeds, marks=[pytest.mark.slow] * (kills > 6))
        for kills, seeds in ((6, 9), (20, 30))
        if "native" in ENGINES
    ),
]
"""An engine, how often it is killed, and at how many seeds' work."""


@pytest.mark.process
@pytest.mark.parametrize(("engine", "kills", "seeds"), KILLS)
def test_killed_at_random_moments_nothing_is_lost_or_repeated(
    engine: str, kills: int, seeds: int, tmp_path: Path
) -> None:
    spec, out = small_spec(seeds=tuple(range(seeds))), tmp_path / "t.h5"
    zygote.run(killed_at_random, out, engine, seeds=seeds, kills=kills)
    units = trained(out)
    assert set(Counter(units).values()) == {1}
    sessions = [entry for entry in journaled(out) if entry["entry"] == "session"]
    table, reports = _finish(spec, out, engine)
    assert reports == list(range(len(units), 6 * seeds + 1))  # only what is missing is trained
    assert table.manifest["history"][:-1] == published({"history": sessions})["history"]
    undisturbed = build(spec, tmp_path / "expected.h5", processes=1, engine=engine)
    assert _content(table) == _content(undisturbed)


@pytest.mark.process
def test_killed_before_any_change_of_the_disk_it_can_be_finished(tmp_path: Path) -> None:
    engine = ENGINES[-1]
    tiny = small_spec(("none", "skip_connect"), seeds=(0,))
    zygote.run(killed_at_each_step, tmp_path, engine, tiny)
    outs = [tmp_path / f"{step}.h5" for step in range(100)]
    # The first that was not killed is whole, and its folder is gone.
    whole = [out.exists() and not journal_of(out).parent.exists() for out in outs]
    steps = whole.index(True)
    assert steps >= 10
    expected = _content(Table(outs[steps]))
    for out in outs[:steps]:
        if journal_of(out).exists():
            assert set(Counter(trained(out)).values()) <= {1}
        # A table whose folder was not yet removed is finished, too: by removing the folder.
        if journal_of(out).parent.exists() or not out.exists():
            _finish(tiny, out, engine)
        assert _content(Table(out)) == expected
    assert not list(tmp_path.glob(".*"))


@pytest.mark.process
@pytest.mark.usefixtures("forked")
def test_a_killed_training_process_is_told_and_the_rest_is_kept(
    spec: BuildSpec, tmp_path: Path
) -> None:
    """The native engine has threads in their place."""
    out = tmp_path / "t.h5"

    def kill(what: str, done: int, total: int) -> None:
        if done == 3:
            for child in multiprocessing.active_children():
                child.kill()  # also where the pool has done so by now

    with pytest.raises(NasbenchError, match="a training process died") as told:
        build(spec, out, processes=2, engine="reference", progress=kill)
    assert "\n" not in str(told.value)
    assert not out.exists()
    kept = trained(out)
    assert len(kept) >= 3
    table, reports = _finish(spec, out, "reference")
    assert reports[0] == len(kept)
    assert _content(table) == _content(
        build(spec, tmp_path / "expected.h5", processes=1, engine="reference")
    )


@pytest.mark.process
@pytest.mark.usefixtures("forked")
@pytest.mark.parametrize("engine", ONE, indirect=True)
def test_two_processes_train_what_one_trains(
    spec: BuildSpec, engine: str, undisturbed: Table, tmp_path: Path
) -> None:
    table = build(spec, tmp_path / "t.h5", processes=2, engine=engine)
    assert _content(table) == _content(undisturbed)


# Stopped, torn, full.


@pytest.mark.parametrize(("engine", "at"), by_engine([7, 0, 12, 1], 2), indirect=["engine"])
def test_stopped_it_goes_on(
    spec: BuildSpec, engine: str, undisturbed: Table, tmp_path: Path, at: int
) -> None:
    out = tmp_path / "t.h5"

    def stop(what: str, done: int, total: int) -> None:
        if what == "training" and done == at:
            raise Stopped

    with pytest.raises(Stopped):
        build(spec, out, processes=1, engine=engine, progress=stop)
    assert not out.exists()
    assert len(trained(out)) == at
    table, reports = _finish(spec, out, engine)
    assert reports == list(range(at, 13))
    assert _content(table) == _content(undisturbed)


@contextmanager
def _begun(out: Path, engine: str) -> Iterator[subprocess.Popen[bytes]]:
    """A build whose second recipe takes hours; it and its processes end with the context."""
    code = f"""if True:
        import signal, sys
        from pathlib import Path
        from small_builds import trained_for_hours

        # A job in the background of a shell is begun deaf to it.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            trained_for_hours(Path({str(out)!r}), {engine!r})
        except KeyboardInterrupt:
            sys.exit(130)
    """
    with subprocess.Popen(
        [sys.executable, "-c", code], stderr=subprocess.PIPE, cwd=HERE, start_new_session=True
    ) as builder:
        try:
            yield builder
        finally:
            with suppress(ProcessLookupError):
                os.killpg(builder.pid, signal.SIGKILL)


def _wait_until(begun: Callable[[], bool], builder: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + zygote.LIMIT
    while not begun():
        assert builder.poll() is None
        assert time.monotonic() < until
        time.sleep(0.01)


def _assert_stopped_quietly(builder: subprocess.Popen[bytes]) -> None:
    # Also waits for the processes that it started: they hold its stderr.
    _, told = builder.communicate(timeout=zygote.LIMIT)
    assert (builder.returncode, told) == (130, b"")


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.parametrize("engine", ENGINES)
def test_ctrl_c_ends_trainings_of_hours_at_once(engine: str, tmp_path: Path) -> None:
    """As users begin them: a program of its own, whose processes are, too."""
    out = tmp_path / "t.h5"
    with _begun(out, engine) as builder:
        _wait_until(lambda: journal_of(out).exists() and len(trained(out)) >= 6, builder)
        builder.send_signal(signal.SIGINT)
        _assert_stopped_quietly(builder)
    assert len(trained(out)) == 6


@pytest.mark.process
def test_ctrl_c_ends_threads_that_train_for_hours_at_once(tmp_path: Path) -> None:
    out = tmp_path / "t.h5"
    with zygote.begun(trained_for_hours, out, ENGINES[-1]) as (builder, stderr):
        while not (journal_of(out).exists() and len(trained(out)) >= 6):
            assert builder.is_alive(), stderr.read_text(encoding="utf-8")
            time.sleep(0.01)
        os.kill(builder.pid or 0, signal.SIGINT)
        builder.join(zygote.LIMIT)
        assert builder.exitcode == zygote.STOPPED
        assert stderr.read_text(encoding="utf-8") == ""
    assert len(trained(out)) == 6


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="asks Linux for processes")
def test_ctrl_c_while_processes_begin_is_quiet(tmp_path: Path) -> None:
    """A terminal sends it to all of them."""
    with _begun(tmp_path / "t.h5", engine="reference") as builder:
        children = Path(f"/proc/{builder.pid}/task/{builder.pid}/children")

        def trainers() -> int:
            lines = [
                Path(f"/proc/{c}/cmdline").read_bytes()
                for c in children.read_text(encoding="utf-8").split()
            ]
            return sum(b"spawn_main" in line for line in lines)

        _wait_until(lambda: trainers() == 2, builder)
        os.killpg(builder.pid, signal.SIGINT)
        _assert_stopped_quietly(builder)


@pytest.mark.parametrize(
    ("engine", "tail"),
    by_engine([b"", b"\0" * 512, b"\n1234", b"\n\xff\xfe\n", b"\n00000000 {}\n"], 2),
    indirect=["engine"],
)
def test_torn_and_damaged_lines_are_trained_again(
    spec: BuildSpec, engine: str, undisturbed: Table, tmp_path: Path, tail: bytes
) -> None:
    out = tmp_path / "t.h5"

    def stop(what: str, done: int, total: int) -> None:
        if done == 4:
            raise Stopped

    with pytest.raises(Stopped):
        build(spec, out, processes=1, engine=engine, progress=stop)
    journal = journal_of(out)
    text = bytearray(journal.read_bytes())
    text[len(text) // 2] ^= 1  # in one of the middle trainings
    journal.write_bytes(bytes(text[:-30]) + tail)  # the last one is torn
    assert len(trained(out)) == 2
    table, reports = _finish(spec, out, engine)
    assert reports == list(range(2, 13))
    assert _content(table) == _content(undisturbed)


@given(cut=st.floats(0, 1), tail=st.binary(max_size=12), number=st.integers(1, 6))
def test_a_journal_cut_at_any_byte_gives_its_whole_entries(
    tmp_path_factory: pytest.TempPathFactory, cut: float, tail: bytes, number: int
) -> None:
    out = tmp_path_factory.mktemp("cut") / "t.h5"
    written = [{"entry": "n", "text": "x\n" * n, "n": n} for n in range(number)]
    folder = BuildFolder(out, {})
    ends = [0]
    for entry in written:
        folder.add(entry)
        ends.append(journal_of(out).stat().st_size)
    folder.close(remove=False)
    text = journal_of(out).read_bytes()
    keep = round(cut * len(text))
    journal_of(out).write_bytes(text[:keep] + tail)
    folder = BuildFolder(out, {})
    whole = [entry for entry, end in zip(written, ends[1:], strict=True) if end - 1 <= keep]
    found = list(folder.entries(dict))
    # What the tail completes or spoils is the line that was cut.
    assert found[: len(whole) - 1] == whole[:-1]
    assert len(found) <= len(whole) + 1
    folder.add({"entry": "after"})
    assert list(folder.entries(dict))[-1] == {"entry": "after"}
    folder.close(remove=True)
    assert not journal_of(out).parent.exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("engine", ONE, indirect=True)
def test_a_full_disk_is_told_and_the_build_goes_on_when_there_is_room(
    spec: BuildSpec, engine: str, undisturbed: Table, tmp_path: Path
) -> None:
    out = tmp_path / "t.h5"

    def fill_disk(what: str, done: int, total: int) -> None:
        if what == "training" and done == 5:
            for fd in os.listdir("/proc/self/fd"):
                if os.path.realpath(f"/proc/self/fd/{fd}") == str(journal_of(out)):
                    with open("/dev/full", "wb") as full:
                        os.dup2(full.fileno(), int(fd))

    with pytest.raises(NasbenchError, match="No space left on device; what is finished is kept"):
        build(spec, out, processes=1, engine=engine, progress=fill_disk)
    assert not out.exists()
    assert len(trained(out)) == 5
    table, reports = _finish(spec, out, engine)
    assert reports == list(range(5, 13))
    assert _content(table) == _content(undisturbed)


@pytest.mark.parametrize("engine", ONE, indirect=True)
def test_a_disk_too_full_for_the_table_loses_no_training(
    spec: BuildSpec,
    engine: str,
    undisturbed: Table,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "t.h5"
    fsync = os.fsync

    def full(fd: int) -> None:
        if os.readlink(f"/proc/self/fd/{fd}").endswith(".partial"):
            raise OSError(28, os.strerror(28))
        fsync(fd)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(NasbenchError, match=r"cannot write .*: No space left on device"):
        build(spec, out, processes=1, engine=engine)
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["t.h5.build"]
    table, reports = _finish(spec, out, engine)
    assert reports == [12]
    assert _content(table) == _content(undisturbed)


@pytest.mark.parametrize("engine", ONE, indirect=True)
def test_a_disk_that_was_full_before_is_told(spec: BuildSpec, engine: str, tmp_path: Path) -> None:
    """A limit on files refuses as a full disk does: when they are written, and when closed."""
    out, limits = tmp_path / "t.h5", resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        with pytest.raises(NasbenchError, match=r"cannot build in .*t\.h5\.build: File too large"):
            build(spec, out, processes=1, engine=engine)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    _finish(spec, out, engine)


# Refused.


@pytest.mark.process
def test_two_builds_of_one_table_are_told_of_each_other(spec: BuildSpec, tmp_path: Path) -> None:
    out = tmp_path / "t.h5"
    held = zygote.Event()
    with zygote.begun(hold, out, {}, held) as (other, _):
        assert held.wait(zygote.LIMIT)
        with pytest.raises(NasbenchError, match=f"another build is at work on .*{other.pid} on"):
            build(spec, out, processes=1)
        with pytest.raises(NasbenchError, match=f"process {other.pid} on"):  # and still says so
            build(spec, out, processes=1)
        other.kill()
        other.join()
    BuildFolder(out, {}).close(remove=True)  # the lock went with its process


@pytest.mark.parametrize(
    "change",
    [
        lambda spec: replace(spec, seeds=(0, 2)),
        lambda spec: small_spec(learning_rate=0.2),
        lambda spec: small_spec(epochs=3),
        lambda spec: small_spec(("none", "nor_conv_3x3")),
    ],
)
def test_the_folder_of_another_recipe_is_refused_and_kept(
    spec: BuildSpec, tmp_path: Path, change: Callable[[BuildSpec], BuildSpec]
) -> None:
    out = tmp_path / "t.h5"

    def stop(what: str, done: int, total: int) -> None:
        if done == 2:
            raise Stopped

    with pytest.raises(Stopped):
        build(spec, out, processes=1, progress=stop)
    before = journal_of(out).read_bytes()
    with pytest.raises(
        NasbenchError, match="holds a build of another recipe, task, engine or version"
    ):
        build(change(spec), out, processes=1)
    assert journal_of(out).read_bytes() == before


def test_an_existing_table_is_not_written_over(spec: BuildSpec, undisturbed: Table) -> None:
    before = undisturbed.path.read_bytes()
    with pytest.raises(NasbenchError, match="is there already: give another --out or remove it"):
        build(spec, undisturbed.path, processes=1)
    assert undisturbed.path.read_bytes() == before
    assert not journal_of(undisturbed.path).parent.exists()


@pytest.mark.parametrize("processes", [0, -2])
def test_no_processes_are_refused(spec: BuildSpec, tmp_path: Path, processes: int) -> None:
    with pytest.raises(NasbenchError, match=f"1 process or more, got {processes}"):
        build(spec, tmp_path / "t.h5", processes=processes)
    assert not list(tmp_path.iterdir())


def test_a_place_under_a_file_is_refused(spec: BuildSpec, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NasbenchError, match=r"cannot write .*t\.h5: there is no folder"):
        build(spec, tmp_path / "file" / "t.h5", processes=1)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_cannot_be_written_is_refused(spec: BuildSpec, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(NasbenchError, match=r"cannot build in .*: Permission denied"):
        build(spec, tmp_path / "t.h5", processes=1)


def test_history_says_who_built_when(spec: BuildSpec, tmp_path: Path) -> None:
    out = tmp_path / "t.h5"

    def stop(what: str, done: int, total: int) -> None:
        if done == 6:
            raise Stopped

    for _ in range(2):
        with pytest.raises(Stopped):
            build(spec, out, processes=1, progress=stop)
    sessions = [entry for entry in journaled(out) if entry["entry"] == "session"]
    table, _ = _finish(spec, out, "auto")
    history: list[dict[str, Any]] = table.manifest["history"]
    assert {session["process"] for session in sessions} == {os.getpid()}
    assert history[:2] == published({"history": sessions})["history"]
    assert len(history) == 3
    assert all("torch" in session["versions"] for session in history)
