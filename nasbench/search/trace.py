"""A run in arrays, and the file that keeps many."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench._files import read_text
from nasbench._journal import (
    Journal,
    Kind,
    checked,
    integer,
    number,
    read_journal,
    read_lines,
)
from nasbench.errors import NasbenchError
from nasbench.search.journal import differ_in_budget, note, notes_path
from nasbench.search.oracle import Oracle
from nasbench.space import Architectures

__all__ = ["KeptTraces", "Trace", "read_traces"]


@dataclass(frozen=True, eq=False, slots=True)
class Trace:
    """A run in arrays, an entry an evaluation in the order of telling.

    Attributes:
        seed: of the run.
        architectures: `[n]`, see `nasbench.space.Architectures`.
        epochs: int64 `[n]`.
        rewards: the goal's reward, float64 `[n]`; -inf where there is none.
        finished: simulated seconds, float64 `[n]`.
        repeats: bool `[n]`.
        trained: epochs that were trained for each, int64 `[n]`; see `Evaluation`.
        free: whether repeats were free.
        thinking_seconds: wall time in the strategy's ask and tell; NaN where it is not known.
            It is no part of what a run is: it stands in the notes beside the runs.

    Example:
        >>> import nasbench as nb
        >>> trace = nb.search("random_search", "nb201-fashion16", budget_evaluations=3).trace()
        >>> trace.architectures.shape, trace.incumbents().shape
        ((3,), (3,))
    """

    seed: int
    architectures: Architectures
    epochs: NDArray[np.int64]
    rewards: NDArray[np.float64]
    finished: NDArray[np.float64]
    repeats: NDArray[np.bool_]
    trained: NDArray[np.int64]
    free: bool
    thinking_seconds: float = math.nan

    @property
    def evaluations(self) -> int:
        """How many evaluations were paid."""
        return int((~self.repeats).sum()) if self.free else len(self.repeats)

    def at(self, grid: NDArray[np.float64], axis: str) -> NDArray[np.int64]:
        """Which evaluation was the last at each point of a grid, int64 `[points]`; -1 before any.

        Args:
            grid: ascending simulated seconds, or numbers of evaluations or epochs paid.
            axis: `seconds`, `evaluations` or `epochs`.
        """
        return np.searchsorted(self.reached(axis), grid, side="right") - 1

    def end(self, axis: str) -> float:
        """Where the run ends on an axis."""
        return float(self.reached(axis)[-1])

    def reached(self, axis: str) -> NDArray[np.float64]:
        """Where each evaluation ends on an axis, `[n]`."""
        if axis == "seconds":
            return self.finished
        if axis == "epochs":
            return np.cumsum(self.trained, dtype=np.float64)
        paid = ~self.repeats if self.free else np.ones(len(self.repeats), dtype=bool)
        return np.cumsum(paid, dtype=np.float64)

    def incumbents(self) -> Architectures:
        """The best architecture after each evaluation, `[n]`; -1 before any counts.

        More epochs come before a better reward, and the earlier of equals stays. A training
        that diverged, or an architecture that breaks a limit, never counts.
        """
        best = np.empty_like(self.architectures)
        incumbent, standing = -1, (0, -math.inf)
        columns = (self.architectures.tolist(), self.epochs.tolist(), self.rewards.tolist())
        for n, (architecture, epochs, reward) in enumerate(zip(*columns, strict=True)):
            if reward > -math.inf and (epochs, reward) > standing:
                incumbent, standing = architecture, (epochs, reward)
            best[n] = incumbent
        return best

    def goes_on(self, smaller: Trace) -> bool:
        """Whether it has all evaluations of a run with a smaller budget; in what order, no matter.

        With several workers a training of the larger budget can end before one of the smaller.
        """
        return not Counter(smaller._evaluations()) - Counter(self._evaluations())

    def _evaluations(self) -> Iterator[tuple[Any, ...]]:
        return zip(*(getattr(self, column).tolist() for column in _COLUMNS), strict=True)

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
            "trained": self.trained.tolist(),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any], oracle: Oracle) -> Trace:
        """The trace that `to_json` wrote; ValueError and its like for what no run can be.

        Args:
            values: what it wrote.
            oracle: that was searched: architectures are of its space, epochs of its recipes.
        """
        finished = _numbers(values["finished"])
        most = max(fidelity.epochs for fidelity in oracle.fidelities)
        trace = cls(
            seed=integer(values["seed"]),
            architectures=_integers(values["architectures"], 0, oracle.space.size - 1),
            epochs=_integers(values["epochs"], 1, most),
            rewards=_numbers([-math.inf if r is None else r for r in values["rewards"]]),
            finished=finished,
            repeats=_integers(values["repeats"], 0, 1).astype(bool),
            trained=_integers(values["trained"], 0, most),
            free=values["free"],
        )
        columns = [getattr(trace, column) for column in _COLUMNS]
        falls = finished[0] < 0 or (np.diff(finished) < 0).any()
        if falls or len(set(map(len, columns))) > 1 or type(trace.free) is not bool:
            raise ValueError
        return trace


_COLUMNS = ("architectures", "epochs", "rewards", "finished", "repeats", "trained")


def _integers(values: Sequence[Any], least: int, most: int) -> NDArray[Any]:
    """A column of whole numbers within bounds; ValueError for anything else, or none."""
    if set(map(type, values)) != {int} or min(values) < least or max(values) > most:
        raise ValueError
    return np.asarray(values, dtype=np.int64 if most < 2**62 else object)


def _numbers(values: Sequence[Any]) -> NDArray[np.float64]:
    """A column of numbers; ValueError for anything else, NaN or infinity above, or none."""
    if not values or not set(map(type, values)) <= {int, float}:
        raise ValueError
    column = np.asarray(values, dtype=np.float64)
    if not (column < math.inf).all():
        raise ValueError
    return column


_RUNS = Kind(
    "runs of another setting (budget, table, parameters, code or version differ)",
    "give another --out or remove the folder",
)


def read_traces(path: Path, header: Mapping[str, Any], oracle: Oracle) -> dict[int, Trace]:
    """The runs that a file holds, by seed.

    Args:
        path: of the file.
        header: what they share.
        oracle: that was searched.

    Raises:
        NasbenchError: where it cannot be read, is of another header, or says what no run can be.
    """
    lines = read_journal(path, header, _RUNS)
    return _by_seed(path, checked(lines, partial(Trace.from_json, oracle=oracle), path, _RUNS))


def _by_seed(path: Path, traces: Iterable[Trace]) -> dict[int, Trace]:
    thinking = _thinking(path)
    timed = (replace(t, thinking_seconds=thinking.get(t.seed, math.nan)) for t in traces)
    return {trace.seed: trace for trace in timed}


def _thinking(path: Path) -> dict[int, float]:
    """Seconds of thinking by seed, of the notes beside a file of runs; the last note counts.

    No number of a comparison depends on notes: where they are missing or torn, less is known.
    """
    found = {}
    notes = notes_path(path)
    try:
        lines = read_text(notes, "notes").splitlines() if notes.exists() else []
    except NasbenchError:
        return {}
    for line in lines:
        try:
            note = json.loads(line)
            found[integer(note["seed"])] = number(note["thinking_seconds"], 0)
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
    return found


def _of_smaller_budget(
    path: Path, header: Mapping[str, Any], oracle: Oracle
) -> dict[int, Trace] | None:
    """The runs of a file that differ from the header's in nothing but a smaller budget."""
    first = next(read_lines(path, _RUNS), None) if path.exists() else None
    wanted = json.loads(json.dumps(header, default=int))
    if first is None or first.number != 1:
        return None
    if not differ_in_budget(first.entry, wanted, f"{path} holds these runs"):
        return None
    return read_traces(path, first.entry, oracle)


class KeptTraces:
    """The finished runs of one strategy in a file: its header says what they share.

    A file of the same runs with a smaller budget stays as it is while those of the larger are
    made, in a file beside it, until `settle` puts that in its place.

    Args:
        path: of the file; its folder is made.
        header: what the runs share; plain JSON values. A file of another is refused, but for a
            smaller budget.
        oracle: that is searched.

    Attributes:
        traces: the runs that the file held, by seed.
        smaller: those of a smaller budget, by seed, which are to be made with the larger.
    """

    def __init__(self, path: Path, header: Mapping[str, Any], oracle: Oracle) -> None:
        smaller = _of_smaller_budget(path, header, oracle)
        self.smaller = smaller or {}
        self._path = path
        self._written = path if smaller is None else path.with_name(f"{path.name}.larger")
        if smaller is not None and _of_smaller_budget(self._written, header, oracle) is not None:
            self._written.unlink()  # begun on the way to a budget between the two
        self._file = Journal(self._written, header, _RUNS)
        self.traces = _by_seed(path, self._file.read(partial(Trace.from_json, oracle=oracle)))

    def add(self, trace: Trace) -> None:
        """Append a run."""
        self._file.add(trace.to_json())
        if math.isfinite(trace.thinking_seconds):
            note(self._path, {"seed": trace.seed, "thinking_seconds": trace.thinking_seconds})

    def settle(self) -> None:
        """Every run is there: those of a larger budget take the place of the smaller one's."""
        self.close()
        if self._written != self._path:
            self._written.replace(self._path)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
