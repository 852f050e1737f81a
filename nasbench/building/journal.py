"""What a build has done so far: small appended files that survive a kill at any moment.

HDF5 files break when a writer dies, so a build keeps JSON lines and assembles the table last.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from filelock import lock_descriptor

from nasbench import _journal
from nasbench._files import read_json, write_text
from nasbench._journal import Kind, append, checked, read_lines
from nasbench.errors import DamagedFile, NasbenchError

__all__ = [
    "BuildFolder",
    "another",
    "folder_of",
    "holds_plan",
    "line_of",
    "nameless",
    "read_entries",
    "read_plan",
]

Entry = dict[str, Any]

_BUILD = Kind("another build", "remove that line, and its work is done again")
_PLAN, _JOURNAL, _LOCK = "plan.json", "journal.jsonl", "lock"


def folder_of(out: Path) -> Path:
    """Where the build of a table-to-be keeps what is done."""
    return out.with_name(out.name + ".build")


def read_plan(folder: Path) -> dict[str, Any] | None:
    """The plan of the build in a folder; None where a kill came before it."""
    path = folder / _PLAN
    if not path.exists():
        return None
    try:
        plan = read_json(path, "plan")
    except DamagedFile as error:
        raise DamagedFile(f"{error}; remove the folder to build anew") from error
    if not isinstance(plan, dict):
        raise DamagedFile(f"{path} is damaged: it holds no plan; remove the folder to build anew")
    return nameless(plan)


def nameless(plan: Mapping[str, Any]) -> dict[str, Any]:
    """A plan without what the table is called, which is nothing to what is trained.

    So a build goes on under a corrected name; plans of earlier releases hold it.
    """
    without = dict(plan)
    for key in ("spec", "pilot"):
        if isinstance(said := plan.get(key), Mapping):
            without[key] = {inner: value for inner, value in said.items() if inner != "name"}
    return without


def holds_plan(out: Path, plan: Mapping[str, Any], part: str = "") -> bool:
    """Whether the folder of a table-to-be, or a part of it, is of a plan; False if of none yet.

    Raises:
        NasbenchError: where it is of another plan.
    """
    folder = folder_of(out) / part
    found = read_plan(folder)
    if found not in (plan, None):
        raise NasbenchError(
            f"{folder} holds a build of {another(found, plan)}; "
            f"give another --out than {out}, or remove the folder"
        )
    return found is not None


def another(found: Mapping[str, Any] | None, plan: Mapping[str, Any]) -> str:
    """What sets a plan that was found apart from that of this build, in words."""
    before, now = (_family((said or {}).get("spec")) for said in (found, plan))
    if found and before and now and found == _with_family(plan, before):
        return f"{now.get('name')} as it was, and its text has changed"
    return "another recipe, task, engine or version"


def _family(spec: Any) -> Mapping[str, Any]:
    family = spec.get("family") if isinstance(spec, Mapping) else None
    return family if isinstance(family, Mapping) else {}


def _with_family(plan: Mapping[str, Any], family: Mapping[str, Any]) -> dict[str, Any]:
    return {**plan, "spec": {**plan["spec"], "family": dict(family)}}


def read_entries(folder: Path, check: Callable[[Entry], Entry]) -> Iterator[Entry]:
    """What the journal in a folder holds, without a claim to it; see `BuildFolder.entries`."""
    path = folder / _JOURNAL
    lines = read_lines(path, _BUILD) if path.exists() else ()  # a kill came before it
    return checked(lines, check, path, _BUILD)


def line_of(entry: Mapping[str, Any]) -> bytes:
    """An entry as the journal holds it."""
    # A newline first: what a kill or a full disk tore off stays a line of its own.
    return b"\n" + _journal.line_of(entry)


class BuildFolder:
    """The folder beside a table-to-be: its plan, its journal, and who is at work on it.

    Args:
        out: the table-to-be; the folder is called `<out>.build`.
        plan: what is built, plain JSON values. A folder of another plan is refused.
        part: the folder inside that one in which a part of the build is at work by itself.

    Raises:
        NasbenchError: where the folder cannot be written, belongs to another plan, or
            another process is at work on it.
    """

    def __init__(self, out: Path, plan: Mapping[str, Any], part: str = "") -> None:
        self.path = folder_of(out) / part
        with ExitStack() as opened:
            try:
                self.path.mkdir(parents=True, exist_ok=True)
                # Unbuffered: closing it writes nothing that a full disk could refuse once more.
                lock = (self.path / _LOCK).open("a+b", buffering=0)
                self._lock: BinaryIO = opened.enter_context(lock)
                self._take_lock()
                if not holds_plan(out, plan, part):
                    partial = self.path / f"{_PLAN}.partial"
                    write_text(partial, json.dumps(plan, sort_keys=True, indent=1))
                    os.replace(partial, self.path / _PLAN)
                if not part:
                    _remove_partial(out)
                self._journal: BinaryIO = (self.path / _JOURNAL).open("ab", buffering=0)
            except OSError as error:
                raise NasbenchError(f"cannot build in {self.path}: {error.strerror}") from error
            opened.pop_all()  # both stay open until `close`

    def _take_lock(self) -> None:
        if not lock_descriptor(self._lock.fileno(), blocking=False):
            self._lock.seek(0)
            who = self._lock.read(999).decode(errors="replace").strip()
            raise NasbenchError(f"another build is at work on {self.path}: {who}")
        self._lock.truncate(0)
        started = datetime.now(UTC).isoformat(timespec="seconds")
        self._lock.write(f"process {os.getpid()} on {platform.node()} since {started}\n".encode())

    def entries(self, check: Callable[[Entry], Entry]) -> Iterator[Entry]:
        """What the journal holds, in the order in which it was done; torn lines are passed over.

        Args:
            check: gives back an entry that a build may have; see `EntryCheck`.

        Raises:
            DamagedFile: for an entry whose checksum is right and which is none of a build's.
        """
        return read_entries(self.path, check)

    def add(self, entry: Mapping[str, Any]) -> None:
        """Append an entry: it is on disk when this returns."""
        append(self._journal, line_of(entry), self.path / _JOURNAL, sync=True)

    def close(self, *, remove: bool) -> None:
        """Let go of the folder; with `remove`, take it away: the table is there."""
        self._journal.close()
        if remove:
            for name in (_JOURNAL, _PLAN, _LOCK):
                (self.path / name).unlink(missing_ok=True)
        self._lock.close()
        if remove:
            with suppress(OSError):  # somebody put a file of their own there
                self.path.rmdir()


def _remove_partial(out: Path) -> None:
    """What a kill left while the table was written."""
    for left in out.parent.iterdir():
        if left.name.startswith(f".{out.name}.") and left.suffix == ".partial":
            left.unlink(missing_ok=True)
