"""Rooms that are called by their own name: `nasbench.space("nb201")`, `nasbench.task("digits")`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

__all__ = ["make_callable"]


def make_callable(module: str, function: Callable[..., Any]) -> None:
    """Let the module of that name be called as `function`.

    A function of the same name in the package would hide the module from
    `import nasbench.space as s`; a module that can be called hides nothing.
    """

    class CallableModule(ModuleType):
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

    sys.modules[module].__class__ = CallableModule
