"""Choosing one architecture of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nasbench._limits import LARGEST_SEED
from nasbench.cli.common import Json, emit, rows
from nasbench.cli.goals import Limits, parse_limits
from nasbench.cli.look import TableArgument
from nasbench.errors import BadValue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nasbench.search.choosing import ChosenArchitecture
    from nasbench.space import Space

__all__ = ["register"]


def choose(
    table: TableArgument,
    limit: Limits = None,
    weight: Annotated[
        list[str] | None,
        typer.Option(help="METRIC=NUMBER above 0: what a gain of it counts. Several times."),
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option(help="The architecture that gains are shares of: its string or number."),
    ] = None,
    within: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=100,
            help="In place of weights: the cheapest within so many points of the best.",
        ),
    ] = None,
    least: Annotated[
        str | None, typer.Option(help="The cost of which --within takes the least.")
    ] = None,
    metric: Annotated[
        str | None, typer.Option(help="What --within calls best; the table's primary one.")
    ] = None,
    recipe: Annotated[str | None, typer.Option(help="Where the table has several.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of the draws.")] = 0,
    as_json: Json = False,
) -> None:
    """Choose an architecture: limits first, then the front, then a weighted sum of gains.

    Examples: `nasbench choose nb201-fashion16 --limit 'valid_accuracy>=85' --weight
    valid_accuracy=10 --weight cpu-onnxruntime-b1/latency_ms=1 --reference 1462`, and `nasbench
    choose nb201-fashion16 --within 1 --least cpu-onnxruntime-b1/latency_ms`
    """
    from nasbench.search.choosing import choose_from
    from nasbench.table import load

    opened = load(table)
    found = choose_from(
        opened,
        limits=parse_limits(limit),
        weights=_weights(weight),
        reference=reference,
        within=within,
        least=least,
        metric=metric,
        recipe=recipe,
        seed=seed,
    )
    document = {"table": opened.name, "string": opened.space.string(found.architecture)}
    emit({**document, **found.describe()}, as_json, _told(found, opened.space))


def _weights(texts: list[str] | None) -> dict[str, float]:
    """`raspi4/latency_ms=1` as weights."""
    found: dict[str, float] = {}
    for text in texts or ():
        name, there, number = text.rpartition("=")
        try:
            value = float(number)
        except ValueError:
            there = ""
        if not there or not name.strip():
            raise BadValue(f"--weight takes METRIC=NUMBER, got {text!r}")
        if name.strip() in found:
            raise BadValue(f"{name.strip()} is weighed twice: name it once")
        found[name.strip()] = value
    return found


def _told(found: ChosenArchitecture, space: Space) -> str:
    shown: list[tuple[str, object]] = [
        ("pick", f"{found.architecture}  {space.string(found.architecture)}"),
        ("reference", f"{found.reference}  {space.string(found.reference)}"),
    ]
    for name, value in found.values.items():
        base = found.reference_values[name]
        change = f" ({100 * (value / base - 1):+.1f} %)" if base else ""
        shown.append((name, f"{value:g}, reference {base:g}{change}"))
    if found.topsis is not None:
        shown.append(("gain", f"{100 * found.score:.2f} % of the reference, weighted"))
    lack = "row lacks" if found.missing == 1 else "rows lack"
    missing = f"; {found.missing:,} {lack} a metric" if found.missing else ""
    shown.append(("kept", f"{found.kept:,} of {found.listed:,} rows keep the limits{missing}"))
    seconds = f"knee {found.knee}"
    if found.topsis is not None:
        seconds = f"TOPSIS {found.topsis}, {seconds}"
    shown.append(("on the front", f"{len(found.front):,}; second opinions: {seconds}"))
    for of, shares in (("seeds", found.over_seeds), ("weights", found.over_weights)):
        if shares:
            shown.append((f"other {of}", _shares(found.architecture, shares)))
    return rows(shown)


def _shares(pick: int, shares: Mapping[int, float]) -> str:
    others = [f"{one} {100 * share:.0f} %" for one, share in shares.items() if one != pick][:3]
    rest = f"; else {', '.join(others)}" if others else ""
    return f"the same pick in {100 * shares.get(pick, 0.0):.0f} % of draws{rest}"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(choose)
