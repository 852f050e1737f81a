"""How architectures become `torch.nn.Module`s: families, their registry, and what counts them.

A family is found by its space (`family_of`). PyTorch is loaded when the first network is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nasbench._callable import make_callable
from nasbench.network.family import Family, FunctionFamily, Size
from nasbench.network.registry import family_of, names

if TYPE_CHECKING:
    from nasbench.network.making import network, started

__all__ = ["Family", "FunctionFamily", "Size", "family_of", "names", "network", "started"]


def __getattr__(name: str) -> Any:
    if name in ("network", "started"):
        from nasbench.network import making

        return getattr(making, name)
    raise AttributeError(f"module 'nasbench.network' has no attribute {name!r}")


def _network(*args: Any, **kwargs: Any) -> Any:
    from nasbench.network.making import network

    return network(*args, **kwargs)


make_callable(__name__, _network)
