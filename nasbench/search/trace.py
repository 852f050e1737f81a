"""A run in arrays, and the file that keeps many."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench._files import atomic_path, write_text
from nasbench.errors import NasbenchError
from nasbench.search.journal import note, notes_path

__all__ = ["KeptTraces", "Trace", "read_traces"]


@dataclass(frozen=True, eq=False, slots=True)
class Trace:
    """A run in arrays, an entry an evaluation in the order of telling.

    Attributes:
        seed: of the run.
        architectures: int64 `[n]`.
        epochs: int64 `[n]`.
        rewards: the goal's reward, float64 `[n]`; -inf where there is none.
        finished: simulated seconds, float64 `[n]`.
        repeats: bool `[n]`.
        free: whether repeats were free.
        thinking_seconds: wall time in the strategy's ask and tell; NaN where it is not known.
            It is no part of what a run is: it stands in the notes beside the runs.
    """

    seed: int
    architectures: NDArray[np.int64]
    epochs: NDArray[np.int64]
    rewards: NDArray[np.float64]
    finished: NDArray[np.float64]
    repeats: NDArray[np.bool_]
    free: bool
    thinking_seconds: float = math.nan

    @property
    def evaluations(self) -> int:
        """How many evaluations were paid."""
        return int((~self.repeats).sum()) if self.free else len(self.repeats)

    def at(self, grid: NDArray[np.float64], axis: str) -> NDArray[np.int64]:
        """Which evaluation was the last at each point of a grid, int64 `[points]`; -1 before any.

        Args:
            grid: ascending simulated seconds, or numbers of evaluations paid.
            axis: `seconds` or `evaluations`.
        """
        paid = ~self.repeats if self.free else np.ones(len(self.repeats), dtype=bool)
        reached = self.finished if axis == "seconds" else np.cumsum(paid)
        return np.searchsorted(reached, grid, side="right") - 1

    def incumbents(self) -> NDArray[np.int64]:
        """The best architecture after each evaluation, int64 `[n]`; -1 before any counts.

        More epochs come before a better reward, and the earlier of equals stays. A training
        that diverged, or an architecture that breaks a limit, never counts.
        """
        best = np.empty(len(self.architectures), dtype=np.int64)
        incumbent, standing = -1, (0, -math.inf)
        columns = (self.architectures.tolist(), self.epochs.tolist(), self.rewards.tolist())
        for n, (architecture, epochs, reward) in enumerate(zip(*columns, strict=True)):
            if reward > -math.inf and (epochs, reward) > standing:
                incumbent, standing = architecture, (epochs, reward)
            best[n] = incumbent
        return best

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values that `from_json` reads back."""
        return {
            "seed": self.seed,
            "free": self.free,
            "architectures": self.architectures.tolist(),
            "epochs": self.epochs.tolist(),
            "rewards": [r if math.isfinite(r) else None for r in self.rewards.tolist()],
            "finished": self.finished.tolist(),
            "repeats": self.repeats.astype(int).tolist(),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Trace:
        """The trace that `to_json` wrote."""
        rewards = [-math.inf if r is None else r for r in values["rewards"]]
        return cls(
            seed=values["seed"],
            architectures=np.asarray(values["architectures"], dtype=np.int64),
            epochs=np.asarray(values["epochs"], dtype=np.int64),
            rewards=np.asarray(rewards, dtype=np.float64),
            finished=np.asarray(values["finished"], dtype=np.float64),
            repeats=np.asarray(values["repeats"], dtype=bool),
            free=values["free"],
        )


def read_traces(path: Path) -> tuple[str, dict[int, Trace]]:
    """The header of a file of runs, and its whole runs by seed."""
    lines = path.read_bytes().split(b"\n")[:-1]  # what follows the last newline is torn
    header = lines[0].decode(errors="replace") if lines else ""
    thinking = _thinking(path)
    try:
        traces = [Trace.from_json(json.loads(line)) for line in lines[1:]]
    except (ValueError, KeyError, TypeError) as error:
        raise NasbenchError(f"{path} is damaged: remove it to run its searches again") from error
    timed = (replace(t, thinking_seconds=thinking.get(t.seed, math.nan)) for t in traces)
    return header, {trace.seed: trace for trace in timed}


def _thinking(path: Path) -> dict[int, float]:
    """Seconds of thinking by seed, of the notes beside a file of runs; the last note counts.

    No number of a comparison depends on notes: where they are missing or torn, less is known.
    """
    found = {}
    notes = notes_path(path)
    for line in notes.read_bytes().splitlines() if notes.exists() else ():
        try:
            note = json.loads(line)
            found[int(note["seed"])] = float(note["thinking_seconds"])
        except (ValueError, KeyError, TypeError):
            continue
    return found


class KeptTraces:
    """The finished runs of one strategy in a file: its header says what they share."""

    def __init__(self, path: Path, header: str) -> None:
        self._path = path
        self.traces: dict[int, Trace] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            found, traces = read_traces(path) if path.exists() else ("", {})
            if found not in ("", header):
                raise NasbenchError(
                    f"{path} holds runs of another setting (budget, table, parameters or version "
                    f"differ): give another --out or remove the folder"
                )
            self.traces = traces
            # Written anew: what a kill tore off goes.
            text = [header, *(json.dumps(trace.to_json()) for trace in self.traces.values())]
            with atomic_path(path) as partial:
                write_text(partial, "".join(line + "\n" for line in text))
        except OSError as error:
            raise NasbenchError(f"cannot write {path}: {error.strerror}") from error

    def add(self, trace: Trace) -> None:
        """Append a run."""
        try:
            with self._path.open("a", encoding="utf-8", newline="\n") as file:
                file.write(json.dumps(trace.to_json()) + "\n")
        except OSError as error:
            raise NasbenchError(f"cannot write {self._path}: {error.strerror}") from error
        if math.isfinite(trace.thinking_seconds):
            note(self._path, {"seed": trace.seed, "thinking_seconds": trace.thinking_seconds})
