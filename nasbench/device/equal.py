"""Whether what a runtime answers is what PyTorch answers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from nasbench.device.inference import Images, evaluating
from nasbench.errors import NasbenchError
from nasbench.network.inputs import answer_to

__all__ = ["TOLERANCES", "UnequalAnswers", "allowed", "check_answers", "difference"]

TOLERANCES = {"float32": 1e-4, "int8": 0.25}
"""Largest difference to PyTorch by precision, times the largest logit where that is above 1.

Rounding to eight bits moves an answer by some percent. What is beyond a quarter is no rounding.
"""


class UnequalAnswers(NasbenchError):  # noqa: N818 (named as readers say it)
    """A runtime computes something else than PyTorch does."""


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
