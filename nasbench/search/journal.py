"""A run's journal: append-only JSON lines, the spec first, then one line an evaluation.

Evaluations stand in the order of asking, each as soon as its outcome is known: a training that
was done is never done again, whether or not it had ended in simulated time. What was clocked on
the wall stands in a file beside it, so that journals of one spec compare byte for byte.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nasbench.errors import NasbenchError

__all__ = ["Journal", "note", "notes_path"]


class Journal:
    """The lines of one run, on disk as soon as they are added.

    Opening an existing journal of the same spec takes up its evaluations; half a line that a
    kill left at the end is dropped. The journal of another spec is refused.

    Args:
        path: of the journal; its folder is made.
        spec: what the run is, plain JSON values.
    """

    def __init__(self, path: Path, spec: Mapping[str, Any]) -> None:
        self.path = path
        self.evaluations: list[dict[str, Any]] = []
        header = json.dumps({"spec": spec}, sort_keys=True, default=int)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            whole = self._read(header.encode()) if path.exists() else 0
            self._file = path.open("r+b" if path.exists() else "wb", buffering=0)
            self._file.truncate(whole)
            self._file.seek(whole)
            if not whole:
                self._write(header)
        except OSError as error:
            raise NasbenchError(f"cannot write journal {path}: {error.strerror}") from error

    def _read(self, header: bytes) -> int:
        """Take up the whole lines; how many bytes they are."""
        *lines, torn = self.path.read_bytes().split(b"\n")
        if lines[0] != header if lines else not header.startswith(torn):
            raise NasbenchError(
                f"{self.path} holds another run (strategy, oracle, budget, seed or version "
                f"differ): give another --out or remove it"
            )
        for number, line in enumerate(lines[1:]):
            try:
                evaluation = json.loads(line)
                whole = evaluation["ask"] == number
            except (ValueError, TypeError, KeyError):
                whole = False
            if not whole:
                raise NasbenchError(
                    f"{self.path} is damaged in line {number + 2}: give another --out or remove it"
                )
            self.evaluations.append(evaluation)
        return sum(len(line) + 1 for line in lines)

    def add(self, evaluation: Mapping[str, Any]) -> None:
        """Append an evaluation; plain JSON values."""
        try:
            self._write(json.dumps(evaluation, default=int))  # numpy's integers are no int
        except OSError as error:
            raise NasbenchError(
                f"cannot write journal {self.path}: {error.strerror}; what it holds is whole, "
                f"and the same command goes on from there"
            ) from error

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def note(self, notes: Mapping[str, Any]) -> None:
        """Append to the file beside it when and where this part of it was made."""
        note(self.path, notes)

    def _write(self, line: str) -> None:
        data = line.encode() + b"\n"
        while data:
            data = data[self._file.write(data) :]


def notes_path(path: Path) -> Path:
    """The file beside a journal that keeps what was clocked on the wall."""
    return path.with_suffix(".wall.jsonl")


def note(path: Path, notes: Mapping[str, Any]) -> None:
    """Append to the notes beside a journal, with the time and the machine."""
    wall = {"ended": datetime.now(UTC).isoformat(), "host": platform.node(), **notes}
    beside = notes_path(path)
    try:
        with beside.open("a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(wall) + "\n")
    except OSError as error:
        raise NasbenchError(f"cannot write {beside}: {error.strerror}") from error
