"""What a command is to write is judged before it begins, by one rule for all commands."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer

from nasbench._files import atomic_path, check_folder, check_out
from nasbench._progress import Progress, silent
from nasbench.cli import app
from nasbench.errors import NasbenchError
from nasbench.importers import import_table
from nasbench.table import Table
from nasbench.table.dumping import dump
from nasbench.table.merging import merge

COMMANDS = typer.main.get_command(app)


def _writers(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command that writes, with each option by which it names what."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _writers(command, (*path, name))
            continue
        for parameter in command.params:
            if parameter.metavar == "PATH":
                yield (*path, name, parameter.opts[0])
            assert parameter.metavar == "PATH" or "--out" not in parameter.opts


WRITERS = list(_writers(COMMANDS))
FOLDERS = {("compare",), ("report",), ("demo",), ("surrogate", "score")}
FOLDERS |= {("proxies", "report"), ("transfer", "evaluate"), ("explore",), ("share",)}


@pytest.fixture
def places(tmp_path: Path) -> dict[str, str]:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    names = ("pipe", "folder", "file", "file/inside", "none/inside", "a\nb", "a\x1b[31m", "é" * 120)
    return {name: str(tmp_path / name) for name in names}


@pytest.mark.parametrize("words", WRITERS, ids=" ".join)
def test_every_command_judges_what_it_is_to_write(
    tmp_path, places: dict[str, str], words: tuple[str, ...]
) -> None:
    folder = words[:-1] in FOLDERS or words[-1] == "--folder"
    cannot = "cannot write to" if folder else "cannot write"
    told = {
        "": "a file or a folder has a name, got ''",
        "  ": "a file or a folder has a name, got '  '",
        "/": f"{words[-1]} names a f",
        os.devnull: cannot,
        places["pipe"]: cannot,
        places["file" if folder else "folder"]: f"{cannot} {tmp_path}",
        places["file/inside"]: f"there is no folder {tmp_path}/file; make it first",
        places["none/inside"]: f"there is no folder {tmp_path}/none; make it first",
        places["a\nb"]: "a name has no control characters, got 'a\\nb'",
        places["a\x1b[31m"]: "a name has no control characters",
        places["é" * 120]: "a name has at most 220 bytes",
        "x/" * 3_000 + "y": "File name too long",
    }
    before = sorted(tmp_path.iterdir())
    for out, why in told.items():
        with pytest.raises((NasbenchError, typer.BadParameter)) as refused:
            COMMANDS.main([*words, out], standalone_mode=False)
        assert why in str(refused.value)
        assert "\n" not in str(refused.value)
    assert sorted(tmp_path.iterdir()) == before


def test_an_empty_name_is_one_sentence(cli) -> None:
    done = cli("build", "nb201-mini-fashion16", "--out", "")
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1)
    assert "Invalid value for '--out': a file or a folder has a name, got ''" in done.err
    assert {words[:-1] for words in WRITERS} > FOLDERS
    assert len(WRITERS) >= 19


@pytest.mark.parametrize("command", ["import", "merge", "dump"])
def test_what_is_there_is_not_written_over(cli, places, command: str) -> None:
    done = cli(command, "--out", places["file"])
    said = f"nasbench: {places['file']} is there already: give another --out or remove it\n"
    assert (done.status, done.err) == (2, said)
    assert Path(places["file"]).read_text(encoding="utf-8") == "mine"


def test_a_folder_that_is_here_can_be_written_to(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in (Path(), Path(".."), tmp_path, tmp_path / "new"):
        check_folder(folder)
    assert check_out(Path("new")) is False
    Path("link").symlink_to("nowhere")
    assert check_out(Path("link")) is True, "a link is not nothing"
    monkeypatch.setattr(os, "access", lambda *_: False)
    for check in (check_out, check_folder):
        with pytest.raises(NasbenchError, match=r"the folder .* is not yours to write"):
            check(tmp_path / "new")


@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
def test_a_file_that_appears_stays(tmp_path, monkeypatch, links: bool) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError

    if not links:
        monkeypatch.setattr(os, "link", no_links)
    out = tmp_path / "x"
    with atomic_path(out, new=True) as partial:
        partial.write_text("ours", encoding="utf-8")
    assert out.read_text(encoding="utf-8") == "ours"
    with (
        pytest.raises(NasbenchError, match="appeared meanwhile and was left as it is"),
        atomic_path(out, new=True) as partial,
    ):
        partial.write_text("another", encoding="utf-8")
    assert out.read_text(encoding="utf-8") == "ours"
    assert list(tmp_path.iterdir()) == [out]


def test_tables_that_appear_while_they_are_made_stay(tmp_path: Path) -> None:
    """Of importing, merging and dumping; a build's is in `test_build_names`."""
    space = tmp_path / "space.toml"
    space.write_text('name = "k"\n[decisions]\nkernel = ["3x3", "5x5"]\n', encoding="utf-8")

    def made(out: Path, progress: Progress = silent, name: str = "parameters") -> Table:
        source = tmp_path / f"{name}.npz"
        np.savez(source, architectures=["3x3"], **{name: [3.0]})
        return import_table("npz", source, out, space=str(space), progress=progress)

    one, other = made(tmp_path / "1.h5"), made(tmp_path / "2.h5", name="flops")
    for number, write in enumerate(
        (
            made,
            lambda out, tell: merge([one, other], out, progress=tell),
            lambda out, tell: dump(one, out, to="csv", progress=tell),
            lambda out, tell: dump(one, out, to="npz", progress=tell),
        )
    ):
        out = tmp_path / f"appears-{number}"

        def appear(*_: object, out: Path = out) -> None:
            out.write_text("mine", encoding="utf-8")

        with pytest.raises(NasbenchError, match="appeared meanwhile"):
            write(out, appear)
        assert out.read_text(encoding="utf-8") == "mine"
        assert not list(tmp_path.glob("*.partial"))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("device", "predict", "T.h5", "--out", "T.h5"), "is read here"),
        (("device", "predict", "T.h5", "--samples", "S.h5", "--out", "S.h5"), "is read here"),
        (
            ("surrogate", "fit", "T.h5", "--out", "s.json", "--complete", "./T.h5"),
            "is read here",
        ),
        (("proxies", "start", "T.h5", "--by", "z", "--out", "T.h5"), "named as a table"),
        (("transfer", "start", ".", "--out", "T.h5"), "named as a table"),
        (("transfer", "landmarks", ".", "--out", "T.h5"), "named as a table"),
    ],
)
def test_what_is_read_is_not_written_over(
    words: tuple[str, ...],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("T.h5", "S.h5"):
        Path(name).write_bytes(b"mine")
    with pytest.raises(NasbenchError, match=says):
        COMMANDS.main(list(words), standalone_mode=False)
    assert all(Path(name).read_bytes() == b"mine" for name in ("T.h5", "S.h5"))
