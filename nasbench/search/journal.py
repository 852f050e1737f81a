"""A run's journal: append-only lines, the spec first, then one line an evaluation.

Evaluations stand in the order of asking, each as soon as its outcome is known: a training that
was done is never done again, whether or not it had ended in simulated time. What was clocked on
the wall stands in a file beside it, so that journals of one spec compare byte for byte.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nasbench._journal import Journal, Kind, checked, integer, number, read_lines
from nasbench.errors import BadValue, DamagedFile, NasbenchError

__all__ = ["RunJournal", "differ_in_budget", "note", "notes_path", "read_run"]

_RUN = Kind(
    "another run (strategy, oracle, seed or version differ)",
    "give another --out or remove it",
    ordered=True,
)
_KEYS = {"ask", "architecture", "recipe", "epochs", "resume"} | {
    *("values", "seconds", "started", "finished", "repeat")
}


class RunJournal:
    """The lines of one run, on disk as soon as they are kept.

    A journal of the same spec is taken up, and so is one that differs in nothing but a smaller
    budget: see `finish`. Any other is refused and left as it is.

    Args:
        path: of the journal; its folder is made.
        spec: what the run is, plain JSON values.
        sync: whether evaluations outlive the machine's end: worth its while where one is a
            training.

    Attributes:
        known: the evaluations that it held, as they were kept.
        grown: whether they are of a smaller budget.
    """

    def __init__(self, path: Path, spec: Mapping[str, Any], *, sync: bool = False) -> None:
        self.path = path
        self.grown = False
        self._spec = json.loads(json.dumps(spec, default=int))
        self._kept = 0
        self._file = Journal(path, {"spec": spec}, _RUN, sync=sync, accept=self._accept)
        self.known = self._file.read(_Checks())

    def _accept(self, header: dict[str, Any]) -> bool:
        """Whether a header is this run's but for a smaller budget."""
        self.grown = differ_in_budget(header.get("spec"), self._spec, f"{self.path} holds this run")
        return self.grown

    def recall(self, query: Mapping[str, Any], metrics: Sequence[str]) -> dict[str, Any] | None:
        """What is known of the next ask, which must be for what it was then; None of a new one.

        Args:
            query: what is asked for now, by field.
            metrics: that its outcome must show.
        """
        if self._kept >= len(self.known):
            return None
        known = self.known[self._kept]
        if any(known[name] != value for name, value in query.items()):
            raise self._diverged()
        if not known["values"].keys() >= {*metrics}:
            raise _RUN.forged(self.path, self._kept + 2)
        return known

    def keep(self, evaluation: Mapping[str, Any]) -> None:
        """Append an evaluation; plain JSON values. One that is known must be as it was kept."""
        if self._kept >= len(self.known):
            self._file.add(evaluation)
        elif self.known[self._kept] != evaluation:
            raise _RUN.forged(self.path, self._kept + 2)
        self._kept += 1

    def finish(self) -> None:
        """The run is done: where its budget grew, the file says so from now on.

        Until the first new evaluation, or this, nothing of the file is changed: a strategy that
        plans by its budget asks for something else with a larger one, and is refused.
        """
        if self._kept < len(self.known):
            raise self._diverged()
        self._file.renew()

    def _diverged(self) -> NasbenchError:
        if self.grown:
            return NasbenchError(
                f"cannot go on from {self.path}: with a larger budget the strategy asks for "
                f"something else than it did; give another --out"
            )
        return NasbenchError(
            f"cannot resume {self.path}: the strategy asks for something else than it did then; "
            f"start anew"
        )

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def note(self, notes: Mapping[str, Any]) -> None:
        """Append to the file beside it when this part of it was made, and what it took."""
        note(self.path, notes)


def read_run(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The spec of a journal, and its evaluations, without a claim to it.

    Raises:
        NasbenchError: where it is no journal of a search, or damaged.
    """
    lines = list(read_lines(path, _RUN))
    if not lines or lines[0].number > 1 or type(lines[0].entry.get("spec")) is not dict:
        raise DamagedFile(
            f"{path} is not the journal of a search, or one of an earlier version (without "
            f"checksums), or damaged in line 1"
        )
    for place, line in enumerate(lines, 1):
        if line.number != place:
            raise _RUN.damaged(path, place)
    return lines[0].entry["spec"], list(checked(lines[1:], _Checks(), path, _RUN))


class _Checks:
    """Called with entry after entry: gives each back, or ValueError and its like."""

    def __init__(self) -> None:
        self._asks = 0

    def __call__(self, entry: dict[str, Any]) -> dict[str, Any]:
        if entry.keys() != _KEYS:
            raise KeyError
        integer(entry["ask"], self._asks, self._asks)
        integer(entry["architecture"])
        integer(entry["epochs"], 1)
        for name in ("seconds", "started", "finished"):
            number(entry[name], 0)
        # What is infinite is a loss that ran away; NaN is null.
        values = {type(value) for value in entry["values"].values() if value is not None}
        texts = {type(entry["recipe"]), *map(type, entry["values"])}
        truths = {type(entry["resume"]), type(entry["repeat"])}
        if (texts, truths) != ({str}, {bool}) or not values <= {float}:
            raise TypeError
        self._asks += 1
        return entry


def differ_in_budget(found: Any, wanted: Any, holds: str) -> bool:
    """Whether a spec that was found is the one that is wanted but for a smaller budget.

    Args:
        found: plain JSON values; of a stranger's file, anything.
        wanted: plain JSON values.
        holds: which file holds what, for the error.

    Raises:
        BadValue: where it is that one but for a larger budget.
    """
    theirs, budget = _without_budget(found)
    mine, bounds = _without_budget(wanted)
    if budget.keys() != bounds.keys() or theirs != mine or budget == bounds:
        return False
    if any(bounds[of] < budget[of] for of in budget):
        text = " or ".join(f"{b:g} {of}" for of, b in budget.items() if b < math.inf)
        raise BadValue(
            f"{holds} with a larger budget ({text}): give that much or more, or another --out"
        )
    return True


def _without_budget(spec: Any) -> tuple[Any, dict[str, float]]:
    """A spec without its budget, and the bounds of that; infinite where there is none."""
    try:
        given = dict(spec["goal"]["budget"])
        bounds = {of: math.inf if v is None else number(v, 0) for of, v in given.items()}
    except (ValueError, LookupError, TypeError, OverflowError):
        return spec, {}
    return {**spec, "goal": {**spec["goal"], "budget": None}}, bounds


def notes_path(path: Path) -> Path:
    """The file beside a journal that keeps what was clocked on the wall."""
    return path.with_suffix(".wall.jsonl")


def note(path: Path, notes: Mapping[str, Any]) -> None:
    """Append to the notes beside a journal, with the time."""
    wall = {"ended": datetime.now(UTC).isoformat(), **notes}
    beside = notes_path(path)
    try:
        with beside.open("a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(wall) + "\n")
    except OSError as error:
        raise NasbenchError(f"cannot write {beside}: {error.strerror}") from error
