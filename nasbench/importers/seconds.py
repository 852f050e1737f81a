"""Seconds of a training: cumulative, as tables keep them, or of each epoch, and never both.

Seconds of each epoch that pass for cumulative ones make every long training as cheap as an
epoch of it, and a search that starts many look far too good.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import BadValue, unknown
from nasbench.table.endings import curve_ends

__all__ = ["check_meaning", "settle_seconds"]

_MEANINGS = ("cumulative", "per-epoch")
_DOUBTFUL = 0.6
"""Of what the first epoch's pace gives for all: below, seconds look like those of each epoch."""
_BLOCK = 4096

Floats = NDArray[np.floating]


def check_meaning(meaning: str | None) -> None:
    """Raise UnknownName where seconds cannot mean that."""
    if meaning is not None and meaning not in _MEANINGS:
        raise unknown("meaning of seconds", meaning, _MEANINGS)


def settle_seconds(
    name: str,
    values: Floats,
    epochs: Sequence[int],
    others: Iterable[Floats],
    architectures: NDArray[np.integer],
    meaning: str | None,
) -> None:
    """Make the seconds of a recipe cumulative, in place, and refuse what cannot be.

    Args:
        name: of the data set, `recipe/<recipe>/train_seconds`.
        values: `[rows, seeds, epochs]`, or `[rows]` of whole trainings.
        epochs: after how many epochs the values were taken.
        others: the recipe's other metrics, which tell how long each training went on.
        architectures: of the rows, for the sentence that names one.
        meaning: `cumulative` or `per-epoch`; None where nobody says.

    Raises:
        NasbenchError: where a training took no time, where seconds stand still or fall while it
            goes on, where they look like those of each epoch and nobody says what they are, and
            where those of each epoch are not there for every epoch from the first on.
    """
    for rows, block in _blocks(values):
        low = (block < 0) | ((block == 0) if name.endswith("/train_seconds") else False)
        why = "a training takes time: leave cells without a measurement, or the column, out"
        _refuse(low, name, block, architectures[rows], why)
    if meaning == "per-epoch":
        _sum(name, values, epochs, architectures)
    if values.ndim == 3 and name.endswith("/train_seconds"):
        going = _going(values, others)
        _check_rise(name, values, going, architectures)
        if meaning is None and _look_per_epoch(values, epochs, going):
            raise BadValue(
                f"{name}: are these the seconds of each epoch? The last epochs add little to what "
                f"the first took. Say --seconds per-epoch, and they are summed, or --seconds "
                f"cumulative"
            )


def _sum(
    name: str, values: Floats, epochs: Sequence[int], architectures: NDArray[np.integer]
) -> None:
    if values.ndim != 3 or list(epochs) != list(range(1, len(epochs) + 1)):
        raise BadValue(
            f"{name}: seconds of each epoch are summed where every epoch from 1 on has its own; "
            f"for the same seconds at each epoch multiply them: --factor train_seconds=EPOCHS"
        )
    for rows, block in _blocks(values):
        known = ~np.isnan(block)
        hole = np.zeros_like(known)
        hole[:, :, 1:] = known[:, :, 1:] & ~known[:, :, :-1]
        _refuse(hole, name, block, architectures[rows], "seconds of an epoch before are missing")
        np.cumsum(block, axis=2, out=block)


def _going(values: Floats, others: Iterable[Floats]) -> NDArray[np.int32]:
    """Up to which epoch each training went on, by its other metrics: `[rows, seeds]`.

    A training without any other metric went on to the end.
    """
    none = np.zeros(values.shape[:2], dtype=np.bool_)
    ends = np.zeros(values.shape[:2], dtype=np.int32)
    for other in others:
        if other.shape == values.shape:
            np.maximum(ends, _known_ends(other, none), out=ends)
    ends[ends == 0] = values.shape[2]
    return ends


def _known_ends(other: Floats, none: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Where curves end; 0 of those without a value."""
    ends = curve_ends(other, lambda: none)
    ends[np.isnan(other[:, :, -1]) & (ends == other.shape[2])] = 0
    return ends


def _check_rise(
    name: str,
    values: Floats,
    going: NDArray[np.int32],
    architectures: NDArray[np.integer],
) -> None:
    for rows, block in _blocks(values):
        known = np.where(np.isnan(block), -np.inf, block)
        before = np.maximum.accumulate(known, axis=2)[:, :, :-1]
        place = np.arange(1, block.shape[2])
        rising = np.isnan(block[:, :, 1:]) | (block[:, :, 1:] > before)
        ended = (place >= going[rows][:, :, None]) & (block[:, :, 1:] == before)
        bad = np.zeros(block.shape, dtype=np.bool_)
        bad[:, :, 1:] = ~rising & ~ended
        why = (
            "seconds count from the training's start and rise from epoch to epoch; where they are "
            "those of each epoch, say --seconds per-epoch"
        )
        _refuse(bad, name, block, architectures[rows], why)


def _look_per_epoch(values: Floats, epochs: Sequence[int], going: NDArray[np.int32]) -> bool:
    """Whether most trainings are far below what the pace of their first epoch comes to."""
    if len(epochs) < 2:
        return False
    shares = []
    for rows, block in _blocks(values):
        both = ~np.isnan(block[:, :, 0]) & ~np.isnan(block[:, :, -1])
        both &= going[rows] == len(epochs)
        pace = block[:, :, 0][both] * (epochs[-1] / epochs[0])
        shares.append(block[:, :, -1][both] / pace)
    share = np.concatenate(shares)
    return len(share) > 0 and float(np.median(share)) < _DOUBTFUL


def _blocks(values: Floats) -> Iterator[tuple[slice, Floats]]:
    """Pieces of the rows, views of `values`: the array may be larger than memory."""
    for start in range(0, len(values), _BLOCK):
        rows = slice(start, start + _BLOCK)
        yield rows, values[rows]


def _refuse(
    bad: NDArray[np.bool_],
    name: str,
    block: Floats,
    architectures: NDArray[np.integer],
    why: str,
) -> None:
    if bad.any():
        first = np.unravel_index(int(np.argmax(bad)), bad.shape)
        raise BadValue(
            f"{name} of architecture {int(architectures[first[0]])} is {block[first]:g}: {why}"
        )
