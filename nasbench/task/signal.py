"""What goes into the networks of a task, what comes out of them, and how arrays are checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import BadValue

__all__ = [
    "MOST_CATEGORIES",
    "MOST_COLUMNS",
    "MOST_LENGTH",
    "MOST_VOCABULARY",
    "PADDING",
    "UNKNOWN",
    "Signal",
    "Target",
    "check_inputs",
    "check_numbers",
    "id_type",
    "signal_of",
]

PADDING, UNKNOWN = 0, 1
"""Ids of tokens: behind the end of a text, and of a word that the training split does not have."""
MOST_LENGTH = 1 << 20
"""Tokens, or samples of sound, of one example."""
MOST_VOCABULARY = 1 << 24
MOST_COLUMNS = 1 << 16
"""Columns of a table."""
MOST_CATEGORIES = 1 << 24
"""Categories of a column: float32 holds so many numbers exactly."""


@dataclass(frozen=True, slots=True)
class Signal:
    """What one example of a task is made of.

    Attributes:
        kind: `image`, `tokens`, `audio` or `features`.
        shape: of one example: images `(channels, height, width)`; tokens `(length,)`; audio
            `(1, mels, frames)` of a log-mel spectrogram or `(1, samples)` of a waveform; features
            `(columns,)`. Empty: as the inputs have it.
        dtype: of the inputs: `uint8` for images and log-mel spectrograms, `float32` for waveforms
            and features, an integer for tokens. Empty: as the inputs have it.
        vocabulary: how many ids tokens have; 0 is padding and 1 an unknown word, both counted.
        categories: of features, how many each column has; 0 for a column of numbers. A missing
            number is NaN; categories are whole numbers from 0.

    Example:
        >>> Signal("tokens", (32,), "uint16", vocabulary=1403)
        Signal(kind='tokens', shape=(32,), dtype='uint16', vocabulary=1403, categories=())
    """

    kind: Literal["image", "tokens", "audio", "features"]
    shape: tuple[int, ...] = ()
    dtype: str = ""
    vocabulary: int = 0
    categories: tuple[int, ...] = ()

    def __str__(self) -> str:
        shape = " x ".join(map(str, self.shape))
        if self.kind == "image":
            return f"images {shape}"
        if self.kind == "tokens":
            return f"{shape} tokens of {self.vocabulary:,}"
        if self.kind == "audio":
            return f"sound {shape} ({'log-mel' if len(self.shape) == 3 else 'waveform'})"
        several, s = sum(map(bool, self.categories)), "" if self.shape == (1,) else "s"
        return f"{shape} feature{s}" + (f", {several} of them categories" if several else "")

    def describe(self) -> dict[str, Any]:
        """What it is; plain JSON values."""
        more: dict[str, Any] = {"vocabulary": self.vocabulary} if self.kind == "tokens" else {}
        if self.kind == "features":
            more = {"categories": list(self.categories)}
        return {"kind": self.kind, "shape": list(self.shape), "dtype": self.dtype, **more}

    @classmethod
    def from_description(cls, described: Mapping[str, Any]) -> Signal:
        """The signal that `describe` told of, as a manifest has it.

        Example:
            >>> tokens = Signal("tokens", (32,), "uint16", vocabulary=9)
            >>> Signal.from_description(tokens.describe()) == tokens
            True
        """
        return cls(
            described["kind"],
            tuple(described["shape"]),
            described["dtype"],
            described.get("vocabulary", 0),
            tuple(described.get("categories", ())),
        )


@dataclass(frozen=True, slots=True)
class Target:
    """What the networks of a task answer.

    Attributes:
        kind: `classes`, `number`, or `none` where the task has no examples.
        names: the classes' names; the number's one name; of `none`, the outputs' numbers.

    Example:
        >>> Target("classes", ("cat", "dog")).outputs, Target("number", ("price",)).outputs
        (2, 1)
    """

    kind: Literal["classes", "number", "none"]
    names: tuple[str, ...]

    def __str__(self) -> str:
        if self.kind == "number":
            return f"a number ({self.names[0]})"
        return f"{len(self.names)} {'classes' if self.kind == 'classes' else 'outputs'}"

    @property
    def outputs(self) -> int:
        """How many numbers a network gives for an example."""
        return len(self.names)

    def describe(self) -> dict[str, Any]:
        """What it is; plain JSON values."""
        return {"kind": self.kind, "names": list(self.names)}


def signal_of(given: Signal, inputs: NDArray[Any]) -> Signal:
    """The signal with the shape and the type that its inputs have, where it says none."""
    return Signal(
        given.kind,
        given.shape or inputs.shape[1:],
        given.dtype or inputs.dtype.name,
        given.vocabulary,
        given.categories or (0,) * (inputs.shape[1] if given.kind == "features" else 0),
    )


def check_inputs(where: str, signal: Signal, inputs: NDArray[Any]) -> None:
    """Refuse inputs that are not what the signal says.

    Args:
        where: the error begins so, as in `task t: train`.
        signal: with shape and type.
        inputs: of one split.

    Raises:
        BadValue: in one sentence.
    """
    _check_layout(where, signal, inputs)
    if inputs.shape[1:] != signal.shape or inputs.dtype.name != signal.dtype:
        plural, held = _PLURAL[signal.kind], list(inputs.shape[1:])
        differs = inputs.dtype.name != signal.dtype
        kind = f"{inputs.dtype.name} " if differs else ""
        wanted = f"{signal.dtype} " if differs else ""
        raise BadValue(
            f"{where} {plural} are {kind}{held}, train {plural} {wanted}{list(signal.shape)}"
        )
    if not inputs.size:
        return
    if signal.kind == "tokens":
        low, high = int(inputs.min()), int(inputs.max())
        if low < 0 or high >= signal.vocabulary:
            raise BadValue(
                f"{where} tokens run from {low} to {high}; with a vocabulary of "
                f"{signal.vocabulary} they must lie in 0 to {signal.vocabulary - 1}"
            )
    elif signal.kind == "audio" and inputs.dtype.kind == "f" and not np.isfinite(inputs).all():
        raise BadValue(f"{where} waveforms have values that are no numbers")
    elif signal.kind == "features":
        _check_columns(where, signal.categories, inputs)


_PLURAL: Mapping[str, str] = {
    "image": "images",
    "tokens": "tokens",
    "audio": "sounds",
    "features": "features",
}


def _check_layout(where: str, signal: Signal, inputs: NDArray[Any]) -> None:
    kind, dims = signal.kind, inputs.ndim
    if kind == "image":
        sound = inputs.dtype == np.uint8 and dims == 4
        expected = "images must be uint8 [n, channels, height, width]"
    elif kind == "tokens":
        sound = inputs.dtype.kind in "iu" and dims == 2 and signal.vocabulary > UNKNOWN
        sound = sound and signal.vocabulary <= MOST_VOCABULARY and inputs.shape[1] <= MOST_LENGTH
        expected = (
            f"tokens must be integers [n, length] below a vocabulary of 2 to {MOST_VOCABULARY:,}, "
            f"at most {MOST_LENGTH:,} long"
        )
    elif kind == "audio":
        mel = inputs.dtype == np.uint8 and dims == 4
        wave = inputs.dtype == np.float32 and dims == 3 and inputs.shape[2] <= MOST_LENGTH
        sound = (mel or wave) and inputs.shape[1] == 1
        expected = (
            f"sounds must be uint8 [n, 1, mels, frames] or float32 [n, 1, samples] of at most "
            f"{MOST_LENGTH:,} samples"
        )
    else:
        sound = inputs.dtype == np.float32 and dims == 2 and inputs.shape[1] <= MOST_COLUMNS
        sound = sound and len(signal.categories) == inputs.shape[1]
        sound = sound and all(0 <= n <= MOST_CATEGORIES for n in signal.categories)
        expected = (
            f"features must be float32 [n, columns] of at most {MOST_COLUMNS:,} columns, with a "
            f"number of categories for each"
        )
    if not sound or 0 in inputs.shape[1:]:
        raise BadValue(f"{where} {expected}, got {inputs.dtype} {list(inputs.shape)}")


def _check_columns(where: str, categories: tuple[int, ...], inputs: NDArray[Any]) -> None:
    for column, count in enumerate(categories):
        values = inputs[:, column]
        if not count:
            if np.isinf(values).any():
                raise BadValue(f"{where} column {column} has infinite numbers")
            continue
        known = (values >= 0) & (values < count) & (values == np.floor(values))
        if not known.all():
            worst = float(values[~known][0])
            raise BadValue(
                f"{where} column {column} has {count} categories, which are whole numbers from 0 "
                f"to {count - 1}, and holds {worst:g}"
            )


def check_numbers(where: str, inputs: NDArray[Any], targets: NDArray[Any]) -> None:
    """Refuse targets that are no number for each example.

    Raises:
        BadValue: in one sentence.
    """
    if targets.shape != (len(inputs),) or targets.dtype != np.float64:
        raise BadValue(
            f"{where} targets must be float64 [{len(inputs)}], one for each example, got "
            f"{targets.dtype} {list(targets.shape)}"
        )
    if not np.isfinite(targets).all():
        raise BadValue(f"{where} targets have values that are no numbers")


def id_type(vocabulary: int) -> np.dtype[Any]:
    """What holds the ids: uint16, or int32 where there are more."""
    return np.dtype(np.uint16 if vocabulary <= 1 << 16 else np.int32)
