"""What commands share: options, output, progress."""

from __future__ import annotations

import json
import logging
import math
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from nasbench._files import check_folder, check_out, read_text
from nasbench._limits import MOST_RUNS
from nasbench._names import printable
from nasbench._progress import shown as progress
from nasbench.errors import BadValue, NasbenchError

__all__ = [
    "FigureFont",
    "FigureWidth",
    "Json",
    "complete_proxy",
    "document_alone",
    "emit",
    "file_option",
    "folder_option",
    "listen",
    "parse_seeds",
    "parse_settings",
    "progress",
    "read_start",
    "rows",
    "say_engine",
]


Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
FigureWidth = Annotated[
    float,
    typer.Option(min=1, max=20, help="Inches of figures: 3.15 for a column, 6.75 for both."),
]
FigureFont = Annotated[
    float, typer.Option(min=4, max=24, help="Points of their letters, as the paper's.")
]


class _OnStderr(logging.Handler):
    """What the package has to say by the way: a line on stderr, as errors are."""

    def emit(self, record: logging.LogRecord) -> None:
        print(printable(f"nasbench: {record.getMessage()}"), file=sys.stderr)


def listen() -> None:
    """Have what the package says by the way on stderr, in this process."""
    logger = logging.getLogger("nasbench")
    if not any(isinstance(handler, _OnStderr) for handler in logger.handlers):
        logger.addHandler(_OnStderr())


def complete_proxy(incomplete: str) -> list[str]:
    """Proxies that can be computed."""
    from nasbench.proxy import names

    return [name for name in names() if name.startswith(incomplete)]


_alone: int | None = None
"""The standard output of this process, once it is the document's."""


def document_alone() -> None:
    """Keep standard output for the document of `emit`.

    What else is printed, by a file of the user's or a process that is begun here, goes to standard
    error.
    """
    global _alone
    with suppress(OSError, ValueError, AttributeError):
        if sys.stdout.fileno() == 1:
            sys.stdout.flush()
            _alone = os.dup(1)
            os.dup2(2, 1)


def emit(document: Mapping[str, Any], as_json: bool, text: str) -> None:
    """Print the document as JSON, or the text."""
    if as_json:
        written = json.dumps(_plain(document), indent=2)  # in ASCII
        if _alone is None:
            typer.echo(written)
            return
        left = f"{written}\n".encode("ascii")
        while left:
            left = left[os.write(_alone, left) :]
    else:
        typer.echo("\n".join(map(printable, text.split("\n"))))


def rows(pairs: Sequence[tuple[str, object]]) -> str:
    """Names and values in two columns."""
    width = max(len(name) for name, _ in pairs)
    return "\n".join(f"{name:<{width}}  {printable(str(value))}" for name, value in pairs)


def say_engine(engine: str, hardware: str = "auto") -> None:
    """Tell once that the fast engine is missing, where it would have been chosen."""
    from nasbench.train.native import library
    from nasbench.train.reference import pick_hardware

    if engine == "auto" and pick_hardware(hardware).type == "cpu" and library() is None:
        typer.echo(
            "nasbench: training with PyTorch, many times slower: the native engine was not built. "
            "Install a C++ compiler and the package again.",
            err=True,
        )


KINDS = {".h5": "a table", ".json": "a JSON file", ".onnx": "a network"}
"""What the names of files that are written here promise."""


TEXT = {".txt": "a text file"}
"""What may be written under any name, but those of `KINDS`."""


def check_apart(out: Path | None, name: str, *read: str | Path | None) -> None:
    """Refuse to write a file over one that is read; the names of what ships are no files."""
    for path in (Path(one) for one in read if one is not None):
        if out is not None and out.exists() and path.exists() and out.samefile(path):
            raise BadValue(f"{name} {out} is read here, and would be lost: give another {name}")


def file_option(about: str, name: str = "--out", *, new: bool = False, suffix: str = "") -> Any:
    """An option that names a file to write; what cannot be one is refused before all else.

    Args:
        about: its help.
        name: of the option.
        new: a file must not be there yet.
        suffix: of `KINDS` or `TEXT`, where it is one of them: no other of `KINDS` may stand in its
            place.
    """

    def check(path: Path) -> object:
        promised = KINDS.get(path.suffix)
        if suffix and promised and path.suffix != suffix:
            raise BadValue(
                f"{name} {path} is named as {promised}, and {(KINDS | TEXT)[suffix]} is to be "
                f"written: name it {path.with_suffix(suffix).name}"
            )
        return check_out(path, name, new=new)

    return _path_option(about, name, check)


def folder_option(about: str, name: str = "--out") -> Any:
    """An option that names a folder to write to, which is made where its own folder is there."""
    return _path_option(about, name, lambda path: check_folder(path, name))


def _path_option(about: str, name: str, check: Callable[[Path], object]) -> Any:
    def parse(text: str | Path) -> Path:
        # Of an empty text, as an unset variable of a shell leaves it, Path makes the folder here.
        if not str(text).strip():
            raise typer.BadParameter(f"a file or a folder has a name, got {text!r}")
        return Path(text)

    def judge(context: typer.Context, path: Path | None) -> Path | None:
        if path is not None and not context.resilient_parsing:
            check(path)
        return path

    return typer.Option(name, help=about, parser=parse, callback=judge, metavar="PATH")


def read_start(path: Path | None, space: Any, what: str = "start") -> tuple[int, ...]:
    """The architectures of a text file, one a line; what follows a `#` is a comment.

    Args:
        path: of the file; None: there are none.
        space: of the architectures.
        what: the file is called where it cannot be read.
    """
    if path is None:
        return ()
    found = []
    for number, line in enumerate(read_text(path, what).splitlines(), 1):
        text = line.partition("#")[0].strip()
        try:
            if text:
                found.append(space.parse(text))
        except NasbenchError as error:
            raise NasbenchError(f"{path}, line {number}: {error}") from error
    if not found:
        raise NasbenchError(f"{path} names no architecture: write one a line")
    return tuple(dict.fromkeys(found))


def parse_settings(settings: Sequence[str]) -> dict[str, Any]:
    """`name=value` pairs; values are numbers, true, false, or else text."""
    parsed = {}
    for setting in settings:
        name, found, value = setting.partition("=")
        if not found or not name:
            raise NasbenchError(f"a setting is NAME=VALUE, got {setting!r}")
        try:
            parsed[name] = json.loads(value)
        except ValueError:
            parsed[name] = value
    return parsed


def parse_seeds(text: str) -> list[int]:
    """`10` as the first ten seeds, `0-9` and `3,5,8` as those that are named."""
    parts = [part.strip() for part in text.split(",")]
    if not all(re.fullmatch(r"[0-9]{1,9}(-[0-9]{1,9})?", part) for part in parts):
        raise BadValue(f"--seeds takes how many, or which, as 100, 0-9 or 3,5,8; got {text!r}")
    if len(parts) == 1 and "-" not in text:
        ranges = [range(int(text))]
    else:
        ends = [(first, last or first) for first, _, last in (p.partition("-") for p in parts)]
        ranges = [range(int(first), int(last) + 1) for first, last in ends]
    if not 0 < sum(map(len, ranges)) <= MOST_RUNS:
        raise BadValue(f"--seeds takes from 1 to {MOST_RUNS:,} seeds, got {text!r}")
    return list(dict.fromkeys(seed for seeds in ranges for seed in seeds))


def _plain(value: Any) -> Any:
    """JSON has no NaN and no infinity: null stands for both."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value
