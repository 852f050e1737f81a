"""What is searched for, as options of the command line: bounds, objectives, soft targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from nasbench.errors import NasbenchError

if TYPE_CHECKING:
    from nasbench.search import Limit, Objective, SoftTarget

__all__ = [
    "Limits",
    "Maximize",
    "Metric",
    "Objectives",
    "Targets",
    "parse_limits",
    "parse_objectives",
    "parse_targets",
]

Metric = Annotated[str, typer.Option(help="What to optimise, or DEVICE/METRIC.")]
Maximize = Annotated[
    bool | None,
    typer.Option("--maximize/--minimize", help="What is better; else what its name says."),
]
Limits = Annotated[
    list[str] | None,
    typer.Option("--limit", help="METRIC<=NUMBER or METRIC>=NUMBER that must be kept."),
]
Objectives = Annotated[
    list[str] | None,
    typer.Option(
        "--objective",
        help="A further one, as raspi4/latency_ms; METRIC:min or :max where its name misleads.",
    ),
]
Targets = Annotated[
    list[str] | None,
    typer.Option("--soft", help="METRIC<=TARGET, MnasNet's; its exponents: <=TARGET^WITHIN,BEYOND"),
]


def parse_limits(texts: Sequence[str] | None) -> tuple[Limit, ...]:
    """`latency_ms<=5` and `valid_accuracy>=90` as limits."""
    from nasbench.search import Limit

    found = []
    for text in texts or ():
        for sign, end in (("<=", "at_most"), (">=", "at_least")):
            metric, there, bound = text.partition(sign)
            if there:
                found.append(Limit(metric.strip(), **{end: _number(bound, "limit", text)}))
                break
        else:
            raise _malformed("limit", text)
    return tuple(found)


def parse_objectives(texts: Sequence[str] | None) -> tuple[Objective, ...]:
    """`raspi4/latency_ms:min` as an objective; without `:min` its name must say what is better."""
    from nasbench.search import Objective
    from nasbench.table import direction

    found = []
    for text in texts or ():
        metric, colon, way = (part.strip() for part in text.rpartition(":"))
        if not colon:
            metric, way = text.strip(), direction(text) or ""
        if not metric or way not in ("min", "max"):
            raise _malformed("objective", text)
        found.append(Objective(metric, way == "max"))
    return tuple(found)


def parse_targets(texts: Sequence[str] | None) -> tuple[SoftTarget, ...]:
    """`raspi4/latency_ms<=5^-0.07` as a soft target; two exponents are within and beyond it."""
    from nasbench.search import SoftTarget

    found = []
    for text in texts or ():
        metric, sign, rest = text.partition("<=")
        at, power, given = rest.partition("^")
        exponents = [_number(part, "soft", text) for part in given.split(",")] if power else []
        if not sign or len(exponents) > 2:
            raise _malformed("soft", text)
        target = _number(at, "soft", text)
        # One exponent is both.
        found.append(SoftTarget(metric.strip(), target, *(exponents * 2)[:2]))
    return tuple(found)


_FORMS = {
    "limit": "METRIC<=NUMBER or METRIC>=NUMBER",
    "objective": "METRIC:min or METRIC:max (METRIC alone where its name says which)",
    "soft": "METRIC<=TARGET, METRIC<=TARGET^W or METRIC<=TARGET^WITHIN,BEYOND",
}


def _number(text: str, option: str, whole: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise _malformed(option, whole) from error


def _malformed(option: str, text: str) -> NasbenchError:
    return NasbenchError(f"--{option} takes {_FORMS[option]}, got {text!r}")
