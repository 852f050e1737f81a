"""Tasks without examples: what trains makes its own, as a policy in a simulator does."""

from __future__ import annotations

import math

import numpy as np

from nasbench.errors import BadValue
from nasbench.task.base import Split, Task, check_names
from nasbench.task.signal import MOST_COLUMNS, MOST_LENGTH, MOST_VOCABULARY, Signal, Target, id_type

__all__ = ["MOST_OUTPUTS", "without_examples"]

MOST_OUTPUTS = 1 << 20
_MOST_INPUTS = 1 << 28
"""Numbers of one example."""
_KINDS = {1: "features", 3: "image"}
"""What inputs are where nothing is said, by how many sides they have."""


def without_examples(
    *, name: str, inputs: tuple[int, ...], outputs: int, kind: str = "", vocabulary: int = 0
) -> Task:
    """A task that has shapes and a name, and no examples; its hash is of these.

    Args:
        name: the task's name, as in `cartpole`.
        inputs: the shape of one example: `(features,)` or `(channels, height, width)`.
        outputs: numbers that a network gives: actions, say.
        kind: of the signal: by default features, or an image where inputs have three sides.
        vocabulary: how many ids tokens have.

    Raises:
        BadValue: where shape and kind do not go together, or a number is out of bounds.

    Example:
        >>> without_examples(name="cartpole", inputs=(4,), outputs=2)
        <Task cartpole: no examples, 4 features, 2 outputs>
    """
    check_names(name, None)
    if not 1 <= outputs <= MOST_OUTPUTS:
        raise BadValue(f"[task]: outputs is 1 to {MOST_OUTPUTS:,}, got {outputs}")
    signal = _signal(kind or _KINDS.get(len(inputs), ""), inputs, vocabulary)
    nothing = Split(np.zeros((0, *inputs), signal.dtype), np.zeros(0))
    names = tuple(map(str, range(outputs)))
    return Task(
        name=name,
        train=nothing,
        valid=nothing,
        test=nothing,
        about={"source": "no examples"},
        signal=signal,
        target=Target("none", names),
    )


def _signal(kind: str, inputs: tuple[int, ...], vocabulary: int) -> Signal:
    sides, numbers = len(inputs), math.prod(inputs)
    if not inputs or min(inputs) < 1 or numbers > _MOST_INPUTS:
        raise BadValue(
            f"[task]: inputs is the shape of one example, as in [4] or [3, 32, 32], of 1 to "
            f"{_MOST_INPUTS:,} numbers, got {list(inputs)}"
        )
    if kind == "image" and sides == 3:
        return Signal("image", inputs, "uint8")
    if kind == "audio" and inputs[0] == 1 and sides in (2, 3):
        return Signal("audio", inputs, "uint8" if sides == 3 else "float32")
    if kind == "features" and sides == 1 and numbers <= MOST_COLUMNS:
        return Signal("features", inputs, "float32", categories=(0,) * inputs[0])
    if kind == "tokens" and sides == 1 and numbers <= MOST_LENGTH:
        if not 2 <= vocabulary <= MOST_VOCABULARY:
            raise BadValue(f"[task]: tokens have a vocabulary of 2 to {MOST_VOCABULARY:,}")
        return Signal("tokens", inputs, id_type(vocabulary).name, vocabulary=vocabulary)
    raise BadValue(
        f"[task]: inputs are [features], [channels, height, width], [length] of tokens, "
        f"[1, mels, frames] or [1, samples] of audio; got {list(inputs)}"
        + (f" of {kind}" if kind else "")
    )
