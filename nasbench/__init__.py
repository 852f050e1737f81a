"""Benchmarks and tabular surrogates for neural architecture search.

    import nasbench as nb

    space = nb.space("nb201")
    table = nb.load("table.h5")
    table.values("valid_accuracy", range(10))

Names are loaded when they are first used: `import nasbench` loads no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from nasbench._version import __version__

__all__ = [
    "NasbenchError",
    "Recipe",
    "Table",
    "__version__",
    "compare",
    "load",
    "network",
    "search",
    "space",
    "task",
]

if TYPE_CHECKING:
    from nasbench.errors import NasbenchError
    from nasbench.network import network
    from nasbench.search.call import search_once as search
    from nasbench.search.comparisons import compare
    from nasbench.space import get as space
    from nasbench.table import Table, load
    from nasbench.task import get as task
    from nasbench.train import Recipe

_ROOMS = ("network", "search", "space", "task")
"""Rooms that can be called, see `nasbench._callable`."""

_HOMES = {
    "NasbenchError": "nasbench.errors",
    "Recipe": "nasbench.train",
    "Table": "nasbench.table",
    "compare": "nasbench.search.comparisons",
    "load": "nasbench.table",
}


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f"nasbench.{name}")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'nasbench' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
