"""What a user does, for a process whose locale is ASCII and whose system has no fcntl."""

from __future__ import annotations

import builtins
import pkgutil
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

UNIX = {"fcntl", "grp", "posix", "pty", "pwd", "readline", "resource", "spwd", "syslog", "termios"}
"""Modules that not every system has; `tty` needs termios."""


def main(recipe: str, table: str, out: str) -> None:
    """Read a recipe, and search a table; the comparison's page is written as all reports are."""
    from nasbench._files import write_json
    from nasbench.building import read_spec
    from nasbench.cli import main as nasbench

    write_json(Path(out) / "spec.json", read_spec(Path(recipe)).describe())
    run = ["compare", "--table", table, "--strategies", "local_search", "--processes", "1"]
    run += ["--budget-evaluations", "3", "--seeds", "3", "--out", f"{out}/compared"]
    before, sys.argv = sys.argv, ["nasbench", *run]
    try:
        nasbench()
    except SystemExit as left:
        if left.code:
            raise
    finally:
        sys.argv = before


def import_all() -> int:
    """Import every module of ours, which may ask for none that other systems lack."""
    real = builtins.__import__

    def guarded(name: str, scope: Any = None, *args: Any, **kwargs: Any) -> Any:
        asks = str((scope or {}).get("__name__", ""))
        if asks.startswith(("nasbench", "strategies")) and name in UNIX:
            raise ImportError(f"{asks} asks for {name}")
        return real(name, scope, *args, **kwargs)

    builtins.__import__ = guarded
    try:
        names = []
        for package in ("nasbench", "strategies"):
            place = import_module(package).__path__
            names += [found.name for found in pkgutil.walk_packages(place, f"{package}.")]
        skipped = ("nasbench.__main__", "nasbench.task.data")  # what runs when it is imported
        if not find_spec("pdoc"):  # of an extra
            skipped += ("nasbench._document",)
        names = [name for name in names if not name.startswith(skipped)]
        for name in names:
            import_module(name)
    finally:
        builtins.__import__ = real
    return len(names)


if __name__ == "__main__":
    assert import_all() > 200
    assert sys.getfilesystemencoding() == "ascii"
    main(*sys.argv[1:])
