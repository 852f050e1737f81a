"""A run's journal: append-only JSON lines, the spec first, then one line an evaluation.

What was clocked on the wall stands in a file beside it, so that journals of one spec compare
byte for byte.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nasbench.errors import NasbenchError

__all__ = ["Journal"]


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
        header = json.dumps({"spec": spec}, sort_keys=True)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            whole = self._read(header) if path.exists() else 0
            self._file = path.open("r+b" if path.exists() else "wb", buffering=0)
            self._file.truncate(whole)
            self._file.seek(whole)
            if not whole:
                self._write(header)
        except OSError as error:
            raise NasbenchError(f"cannot write journal {path}: {error.strerror}") from error

    def _read(self, header: str) -> int:
        """Take up the whole lines; how many bytes they are."""
        lines = self.path.read_bytes().split(b"\n")[:-1]  # what follows the last newline is torn
        if not lines:
            return 0
        if lines[0].decode(errors="replace") != header:
            raise NasbenchError(
                f"{self.path} holds another run (strategy, oracle, budget, seed or version "
                f"differ): give another --out or remove it"
            )
        try:
            self.evaluations = [json.loads(line) for line in lines[1:]]
        except ValueError as error:
            raise NasbenchError(f"{self.path} is damaged: {error}") from error
        return sum(len(line) + 1 for line in lines)

    def add(self, evaluation: Mapping[str, Any]) -> None:
        """Append an evaluation; plain JSON values."""
        try:
            self._write(json.dumps(evaluation))
        except OSError as error:
            raise NasbenchError(
                f"cannot write journal {self.path}: {error.strerror}; what it holds is whole, "
                f"and the same command goes on from there"
            ) from error

    def close(self, notes: Mapping[str, Any]) -> None:
        """Close it, and append to the file beside it when and where this part of it was made."""
        self._file.close()
        wall = {"ended": datetime.now(UTC).isoformat(), "host": platform.node(), **notes}
        with self.path.with_suffix(".wall.jsonl").open("a") as file:
            file.write(json.dumps(wall) + "\n")

    def _write(self, line: str) -> None:
        data = line.encode() + b"\n"
        while data:
            data = data[self._file.write(data) :]
