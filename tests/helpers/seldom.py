"""Cases of which some take so long that they run with the slow tests."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from typing import Any

import pytest

__all__ = ["seldom"]


def seldom(slow: Container[Any] | Callable[[Any], bool], cases: Iterable[Any]) -> list[Any]:
    """The cases of a test, those marked that run seldom.

    Args:
        slow: which these are, or what says so of a case.
        cases: in their order; a tuple has the values of several arguments.
    """
    rare = slow if callable(slow) else slow.__contains__
    return [
        pytest.param(
            *(case if isinstance(case, tuple) else (case,)),
            marks=[pytest.mark.slow] * bool(rare(case)),
        )
        for case in cases
    ]
