"""A space that others search, too, stays as it is while a strategy has it."""

from __future__ import annotations

from functools import cached_property
from operator import is_
from types import TracebackType
from typing import Any

import numpy as np

from nasbench.errors import NasbenchError, StrategyError
from nasbench.space import Space

__all__ = ["unchanged"]


class unchanged:  # noqa: N801 (reads as the function that it could be, and takes a third)
    """Keep the space, which others search, too, as it is while a strategy has it.

    Its arrays can be read alone. What the strategy put in place of something is put back; what a
    space works out once and keeps is its own business.

    Args:
        name: of the strategy.
        space: that it has.

    Raises:
        StrategyError: where the strategy changed the space.
    """

    def __init__(self, name: str, space: Space) -> None:
        self._name = name
        self._space = space
        self._before: dict[str, Any] = {}

    def __enter__(self) -> None:
        self._before = vars(self._space).copy()
        for value in self._before.values():
            if type(value) is np.ndarray:
                value.setflags(write=False)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        changed = _put_back(self._space, self._before)
        if changed and (error is None or isinstance(error, NasbenchError)):  # it may have led to it
            raise StrategyError(
                f"strategy {self._name} changed {changed[0]} of {type(self._space).__name__}, "
                f"which others search"
            ) from error


def _put_back(space: Space, before: dict[str, Any]) -> list[str]:
    """What of a space is not as it was before, and is now."""
    now = vars(space)
    if len(now) == len(before) and all(map(is_, now.values(), before.values())):
        return []
    changed = [key for key, value in before.items() if now.get(key) is not value is not None]
    now.update({key: before[key] for key in changed})
    for key in now.keys() - before.keys():
        kept = getattr(type(space), key, None)
        if kept is not None and not isinstance(kept, cached_property):  # it hides a method
            changed.append(key)
            del now[key]
    return changed
