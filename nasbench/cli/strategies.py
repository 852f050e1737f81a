"""Which search strategies there are."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from nasbench.cli.common import Json, emit, rows

if TYPE_CHECKING:
    from nasbench.search.catalog import StrategyInfo

__all__ = ["complete_strategies", "complete_strategy", "register"]


def complete_strategy(incomplete: str) -> list[str]:
    """Registered strategies."""
    from nasbench.search import strategy_names

    return [name for name in strategy_names() if name.startswith(incomplete)]


def complete_strategies(incomplete: str) -> list[str]:
    """Registered strategies for the last of several names, which are not named yet."""
    before, comma, last = incomplete.rpartition(",")
    named = before.split(",")
    return [before + comma + name for name in complete_strategy(last) if name not in named]


def strategies(as_json: Json = False) -> None:
    """List the search strategies: what each is, and its parameters with their defaults.

    Example: `nasbench strategies`

    A parameter is set with `--set NAME=VALUE` in `nasbench search`, `--set STRATEGY.NAME=VALUE`
    in `nasbench compare`. Those that share weights are run by `nasbench share`.
    """
    from nasbench.errors import NasbenchError
    from nasbench.search import strategy_names
    from nasbench.search.catalog import strategy_info

    known, broken = [], {}
    for name in strategy_names():
        try:
            known.append(strategy_info(name))
        except NasbenchError as error:  # another's package: the rest is listed all the same
            broken[name] = str(error)
    document: dict[str, Any] = {
        "strategies": [{**asdict(info), "parameters": _plain(info)} for info in known],
        "broken": broken,
    }
    text = [(info.name, _line(info)) for info in known] + list(broken.items())
    emit(document, as_json, rows(text))


def _line(info: StrategyInfo) -> str:
    about = info.summary if info.summary.endswith("et al.") else info.summary.rstrip(".")
    kinds = (
        "trains in parts" if info.multi_fidelity else "",
        "several objectives" if info.several_objectives else "",
        "shares weights" if info.shares_weights else "",
    )
    about += "".join(f"; {kind}" for kind in kinds if kind)
    own = ", ".join(f"{name}={value}" for name, value in _plain(info).items())
    return f"{about}  ({own})" if own else about


def _plain(info: StrategyInfo) -> dict[str, Any]:
    """The defaults as JSON has them; what is no number, text or list is shown as Python does."""
    plain = (bool, int, float, str, list, tuple, type(None))
    return {
        name: value if isinstance(value, plain) else repr(value)
        for name, value in info.parameters.items()
    }


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(strategies)
