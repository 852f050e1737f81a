"""What can be said of networks before training: zero-cost proxies.

    from nasbench import proxy

    scores = proxy.score(space, range(10), task, recipe, ["nwot", "synflow"], draws=3)
    scores.values["nwot"]  # [10, 3]

Names and descriptions are here without torch, which `score` loads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nasbench.proxy.registry import Better, Proxy, get, names, proxy

if TYPE_CHECKING:
    from nasbench.proxy.scoring import Scores, score

__all__ = ["Better", "Proxy", "Scores", "get", "names", "proxy", "score"]


def __getattr__(name: str) -> Any:
    if name in ("Scores", "score"):
        from nasbench.proxy import scoring

        return getattr(scoring, name)
    raise AttributeError(f"module 'nasbench.proxy' has no attribute {name!r}")
