"""The journal of a run that shares weights: a line a request, and a checkpoint beside it.

Each line holds what was asked, as a hash of its arrays, and all that was answered, in float32:
replayed through the strategy it leads to the same requests. The checkpoint holds the weights
after so many lines. What came after it is done again, and must show the same.
"""

from __future__ import annotations

import hashlib
import json
import math
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasbench._files import atomic_path
from nasbench._journal import Journal, Kind, checked, integer, number, read_lines
from nasbench._npz import open_npz
from nasbench.errors import DamagedFile, NasbenchError
from nasbench.search.goal import Outcome, Query
from nasbench.search.journal import note
from nasbench.search.step import Step, StepOutcome

if TYPE_CHECKING:
    from nasbench.train.shared import SharedState

__all__ = ["ShareJournal", "ShareLine", "fingerprint", "read_shared_run"]

_KIND = Kind(
    "another run (strategy, recipe, table, seed or version differ)",
    "give another --out or remove it",
    ordered=True,
)
_LATER = ("partial", "distil")
_KINDS = ("step", "query", "judge")


class ShareLine(NamedTuple):
    """What was asked and answered.

    Attributes:
        kind: `step`, `query` or `judge`, what a report is told and no strategy sees.
        asked: the hash of a step, or the fields of a query, or the epoch that was judged.
        answer: arrays of a step, values of a query, losses that were judged.
        seconds: that were paid.
        clock: paid so far.
        choice: what the strategy would choose after it; None before any.
        trained: training batches so far.
        also: architectures that it chose for limits of their own, by what they are for;
            None of most strategies.
    """

    kind: str
    asked: Any
    answer: Mapping[str, Any]
    seconds: float
    clock: float
    choice: int | None
    trained: int
    also: Mapping[str, int] | None = None

    def step_outcome(self) -> StepOutcome:
        """The outcome of a step, bit for bit."""
        loss = array_of(self.answer["loss"])
        assert loss is not None
        accuracy, gradient = (array_of(self.answer.get(name)) for name in ("accuracy", "gradient"))
        return StepOutcome(loss, accuracy, gradient, self.seconds)

    def outcome(self) -> Outcome:
        """The outcome of a query."""
        values = {k: math.nan if v is None else float(v) for k, v in self.answer.items()}
        return Outcome(values, self.seconds)


def fingerprint(asked: Step | Query) -> Any:
    """What tells a request from another: the fields of a query, the hash of a step."""
    if isinstance(asked, Query):
        return [int(asked.architecture), asked.recipe, int(asked.epochs), bool(asked.resume)]
    digest = hashlib.sha256()
    for name, value in zip(Step._fields, asked, strict=True):
        if name in _LATER and value == Step._field_defaults[name]:
            continue  # what older journals do not know
        if isinstance(value, np.ndarray):
            kind = np.float32 if value.dtype.kind == "f" else np.int64
            plain = np.ascontiguousarray(value, dtype=kind)
            digest.update(f"{name} {plain.shape}".encode() + plain.tobytes())
        else:
            digest.update(f"{name} {value!r}".encode())
    return digest.hexdigest()[:16]


def numbers_of(array: NDArray[np.float32] | None) -> Any:
    """An array as JSON: the shortest digits of each float32; null where it is not finite."""
    if array is None:
        return None
    if array.ndim > 1:
        return [numbers_of(row) for row in array]
    return [float(str(x)) if math.isfinite(x) else None for x in array]


def array_of(values: Any) -> NDArray[np.float32] | None:
    """What `numbers_of` wrote."""
    if values is None:
        return None
    return np.asarray(_filled(values), dtype=np.float32)


def _filled(values: Any) -> Any:
    if type(values) is list:
        return [_filled(value) for value in values]
    return math.nan if values is None else number(values)


class ShareJournal:
    """The lines of one run, on disk as soon as they are kept, and its checkpoint.

    Args:
        path: of the journal; its folder is made.
        spec: what the run is, plain JSON values.

    Attributes:
        known: the lines that it held.
    """

    def __init__(self, path: Path, spec: Mapping[str, Any]) -> None:
        self.path = path
        self._file = Journal(path, {"spec": spec}, _KIND)
        self._crc = zlib.crc32(json.dumps(spec, sort_keys=True).encode())
        self.known = self._file.read(_line)

    def keep(self, line: ShareLine) -> None:
        """Append a line."""
        entry = line._asdict()
        if line.also is None:  # as older journals have it
            del entry["also"]
        self._file.add(entry)

    def diverged(self, place: int) -> NasbenchError:
        """The error where a request, or what is done again, is not as it was."""
        return NasbenchError(
            f"cannot resume {self.path}: line {place + 2} of it says something else (another "
            f"strategy's code, library or processor made it); start anew with another --out"
        )

    @property
    def checkpoint(self) -> Path:
        """The file of the weights."""
        return self.path.with_suffix(".npz")

    def save(self, state: SharedState, lines: int) -> None:
        """Keep the weights as they are after so many lines."""
        arrays = {**state._asdict(), "lines": np.asarray([lines, self._crc])}
        with atomic_path(self.checkpoint) as partial, partial.open("wb") as file:
            np.savez(file, **arrays)

    def load(self) -> tuple[Any, int]:
        """The weights that were kept, as arrays by name, and after how many lines; none, and 0.

        What is torn, of another run or ahead of the journal is passed over: then the training is
        done again.
        """
        try:
            with open_npz(self.checkpoint) as kept:
                arrays = {name: kept.array(name) for name in kept.arrays}
            lines, crc = map(int, arrays.pop("lines"))
        except (NasbenchError, KeyError, ValueError):
            return None, 0
        if crc != self._crc or not 0 < lines <= len(self.known):
            return None, 0
        return arrays, lines

    def note(self, notes: Mapping[str, Any]) -> None:
        """Append measured seconds to the file beside it."""
        note(self.path, notes)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def read_shared_run(path: Path) -> tuple[dict[str, Any], list[ShareLine]]:
    """The spec of a journal and its lines, without a claim to it.

    Raises:
        DamagedFile: where it is no such journal, or damaged.
    """
    lines = list(read_lines(path, _KIND))
    if not lines or lines[0].number > 1 or type(lines[0].entry.get("spec")) is not dict:
        raise DamagedFile(f"{path} is not the journal of a run that shares weights, or damaged")
    for place, line in enumerate(lines, 1):
        if line.number != place:
            raise _KIND.damaged(path, place)
    return lines[0].entry["spec"], list(checked(lines[1:], _line, path, _KIND))


def _line(entry: dict[str, Any]) -> ShareLine:
    """A line of plain JSON values; ValueError and its like for what is never written."""
    line = ShareLine(**entry)
    if line.kind not in _KINDS or type(line.answer) is not dict:
        raise ValueError
    number(line.seconds, 0)
    number(line.clock, 0)
    integer(line.trained)
    for architecture in (line.also or {}).values():
        integer(architecture)
    if line.choice is not None:
        integer(line.choice)
    if line.kind == "step":
        if type(line.asked) is not str:
            raise TypeError
        line.step_outcome()
    elif line.kind == "judge":
        integer(line.asked, 0)
        _filled(line.answer["loss"])
        for name in ("gap", "eigenvalue"):
            number(line.answer.get(name, 0.0))
    else:
        line.outcome()
    return line
