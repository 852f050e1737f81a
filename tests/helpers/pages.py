"""Pages of Markdown whose blocks are written, run or at least read, in one folder a page.

What a block is for stands behind its three backticks:

- `python`, `sh`: run in this process, one name space a page; `sh` has lines of `nasbench` and of
  `python FILE`
- `toml FILE`, `python FILE`, `csv FILE`: written to that file; TOML and JSON are parsed, too; a
  file that goes on from the page's blocks is run like these where its library is installed
- `console`: its commands and options are looked up, and whoever follows the page says what becomes
  of each line: it may need what a test has not (a cluster, a download, an hour)
- `text`: what something prints
"""

from __future__ import annotations

import json
import os
import re
import runpy
import shlex
import sys
import tomllib
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

import typer
from typer.testing import CliRunner

from nasbench.cli import app
from nasbench.cli.reference import each_command

BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.M | re.S)
RUN = ("python", "sh")
SHOWN = ("console", "text", "json", "toml", "csv")
COMMANDS = dict(each_command(typer.main.get_command(app)))
LIBRARIES = {"dehb_search.py": "dehb", "neps_search.py": "neps", "carps_objective.py": "carps"}
IN_THIS_PROCESS = {"--processes": "1", "--workers": "1"}
TRAIN = ("build", "verify", "pilot")


@dataclass(frozen=True)
class Block:
    kind: str
    file: str
    text: str


def blocks(text: str) -> Iterator[Block]:
    for head, body in BLOCK.findall(text):
        kind, _, file = head.partition(" ")
        assert kind in (*RUN, *SHOWN), f"a block of {kind!r}: it is {RUN} or {SHOWN}"
        yield Block(kind, file.strip(), body)


def lines(text: str) -> list[str]:
    """Commands of a block: lines that end in a backslash go on."""
    whole = re.sub(r"\\\n\s*", "", text)
    return [line for line in whole.splitlines() if line.strip() and not line.startswith("#")]


def follow(
    text: str,
    folder: Path,
    smaller: Mapping[str, str],
    shown: Callable[[str], object] | None = None,
) -> list[str]:
    """Do what a page says in `folder`; each text in `smaller` stands for another in its blocks.

    Args:
        text: of the page.
        folder: where files are written and commands run.
        smaller: what stands for what.
        shown: gets each line of what is for the console, too.

    Returns:
        What each command printed.
    """
    printed: list[str] = []
    names: dict[str, Any] = {"__name__": "__main__"}
    left = set(smaller)
    before = Path.cwd()
    os.chdir(folder)
    try:
        for block in blocks(text):
            body = block.text
            for old in smaller:
                if old in body:
                    body = body.replace(old, smaller[old])
                    left.discard(old)
            printed += _do(Block(block.kind, block.file, body), names, shown)
    finally:
        os.chdir(before)
    assert not left, f"not on the page any more: {left}"
    return printed


def _do(
    block: Block, names: dict[str, Any], shown: Callable[[str], object] | None = None
) -> list[str]:
    if block.kind == "toml":
        tomllib.loads(block.text)
    elif block.kind == "json":
        json.loads(block.text)
    elif block.kind == "console":
        for line in lines(block.text):
            check_options(line)
            if shown is not None:
                shown(line)
    if block.file:
        path = Path(block.file)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, encoding="utf-8")
    library = LIBRARIES.get(block.file, "")
    if block.kind == "python" and (not block.file or (library and find_spec(library))):
        with redirect_stdout(StringIO()) as said, warnings.catch_warnings():
            if library:
                warnings.simplefilter("ignore")  # what another library does is its own
            exec(compile(block.text, "a block of the page", "exec"), names)
        return [said.getvalue()]
    if block.kind == "sh":
        return [run(line) for line in lines(block.text)]
    return []


def run(line: str) -> str:
    """One line of a shell, in this process."""
    words = shlex.split(line, comments=True)
    if words[0] == "python":
        with redirect_stdout(StringIO()) as said, patch.object(sys, "argv", words[1:]):
            runpy.run_path(words[1], run_name="__main__")
        return said.getvalue()
    assert words[0] == "nasbench", f"{line}: a block that cannot run here is of console"
    known = check_options(line)
    for option, alone in IN_THIS_PROCESS.items():
        fits = option == "--processes" or words[1] in TRAIN
        if fits and option in known and option not in words:
            words += [option, alone]
    done = CliRunner().invoke(app, words[1:])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise AssertionError(f"{line}: {done.output}") from done.exception
    assert done.exit_code == 0, f"{line}: {done.output}"
    return done.output


def check_options(line: str) -> set[str]:
    """The options of the command of ours in a line, which has no other; none of other commands."""
    found = re.search(r"nasbench( [a-z]+)( [a-z]+)?", line.split("|")[0])
    if not found or "pip install" in line:
        return set()
    names = (found[0], f"nasbench{found[1]}")
    name = next((name for name in names if name in COMMANDS), None)
    assert name, f"{line}: no such command"
    known = {o for p in COMMANDS[name].params for o in (*p.opts, *p.secondary_opts)} | {"--help"}
    given = {word.split("=")[0] for word in line.split() if word.startswith("--")}
    strange = given - known
    assert not strange or not line.startswith("nasbench"), f"{line}: no option {strange}"
    return known
