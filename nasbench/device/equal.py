"""Whether what a runtime answers is what PyTorch answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from nasbench._python_file import FAILURES, where
from nasbench.device.inference import Images, evaluating
from nasbench.errors import NasbenchError, Unsupported
from nasbench.network.inputs import answer_to

__all__ = [
    "TOLERANCES",
    "UnequalAnswers",
    "Untimed",
    "allowed",
    "check_answers",
    "difference",
    "untimed",
]

TOLERANCES = {"float32": 1e-4, "int8": 0.25}
"""Largest difference to PyTorch by precision, times the largest logit where that is above 1.

Rounding to eight bits moves an answer by some percent. What is beyond a quarter is no rounding.
"""


class Untimed(NasbenchError):  # noqa: N818 (named as readers say it)
    """A network that a runtime does not run: others of a build are timed all the same.

    Args:
        reason: that tables give.
        said: what the runtime said of it, for whoever runs the build; it may name paths.
    """

    def __init__(self, reason: str, said: str = "") -> None:
        super().__init__(reason)
        self.said = said


class UnequalAnswers(Untimed):
    """A runtime computes something else than PyTorch does."""


@contextmanager
def untimed(reason: str) -> Iterator[None]:
    """What a network or a runtime raises meanwhile is why it is not timed."""
    try:
        yield
    except Unsupported as error:
        raise Untimed(reason, str(error)) from error
    except NasbenchError:  # as a package that is missing
        raise
    except FAILURES as error:  # a network, or a runtime's C++, can fail in any way
        raise Untimed(reason, f"{reason} ({where(error)})") from error


def difference(wanted: NDArray[Any], got: NDArray[Any]) -> float:
    """The largest absolute difference; NaN where one holds values that are not finite."""
    with np.errstate(invalid="ignore"):  # infinity less infinity is NaN
        return float(np.abs(got - wanted).max())


def allowed(wanted: NDArray[Any], precision: str = "float32") -> float:
    """How large a difference may be.

    Untrained networks without BatchNorm on their paths reach logits in the millions, where
    float32 is coarser than any absolute bound.
    """
    return TOLERANCES[precision] * max(1.0, float(np.abs(wanted).max()))


def check_answers(
    network: nn.Module, images: Images, got: NDArray[Any], runtime: str, precision: str
) -> None:
    """Raise UnequalAnswers unless a runtime answers as the network does in PyTorch."""
    with evaluating(network, images) as x:
        wanted = answer_to(network, x).cpu().numpy()
    apart = difference(wanted, got)
    if not apart <= allowed(wanted, precision):
        raise UnequalAnswers(
            f"its answers in {runtime} ({precision}) differ from PyTorch's by more than "
            f"{TOLERANCES[precision]:g} of the largest: it is not timed"
        )
