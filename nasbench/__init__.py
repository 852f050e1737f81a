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
    "build",
    "choose",
    "compare",
    "explore",
    "export",
    "fit",
    "judge_proxies",
    "load",
    "network",
    "report",
    "score",
    "score_proxies",
    "search",
    "share",
    "space",
    "task",
]

if TYPE_CHECKING:
    from nasbench.building.call import build_table as build
    from nasbench.building.call import export_network as export
    from nasbench.building.call import score_proxies
    from nasbench.errors import NasbenchError
    from nasbench.network import network
    from nasbench.report.call import report_on as report
    from nasbench.report.explore import explore
    from nasbench.report.share_call import share
    from nasbench.search.call import search_once as search
    from nasbench.search.choosing import choose_from as choose
    from nasbench.search.compare_call import compare
    from nasbench.space import get as space
    from nasbench.surrogate.call import fit_table as fit
    from nasbench.surrogate.call import score_any as score
    from nasbench.table import Table, load
    from nasbench.task import get as task
    from nasbench.train import Recipe
    from nasbench.validity.call import judge_proxies

_ROOMS = ("network", "report", "search", "space", "task")
"""Rooms that can be called, see `nasbench._callable`."""

_HOMES = {
    "NasbenchError": ("nasbench.errors", "NasbenchError"),
    "Recipe": ("nasbench.train", "Recipe"),
    "Table": ("nasbench.table", "Table"),
    "build": ("nasbench.building.call", "build_table"),
    "choose": ("nasbench.search.choosing", "choose_from"),
    "compare": ("nasbench.search.compare_call", "compare"),
    "explore": ("nasbench.report.explore", "explore"),
    "export": ("nasbench.building.call", "export_network"),
    "fit": ("nasbench.surrogate.call", "fit_table"),
    "judge_proxies": ("nasbench.validity.call", "judge_proxies"),
    "load": ("nasbench.table", "load"),
    "score": ("nasbench.surrogate.call", "score_any"),
    "score_proxies": ("nasbench.building.call", "score_proxies"),
    "share": ("nasbench.report.share_call", "share"),
}


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f"nasbench.{name}")
    if name in _HOMES:
        module, attribute = _HOMES[name]
        return getattr(import_module(module), attribute)
    raise AttributeError(f"module 'nasbench' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
