"""What networks cost to run: predicting it from few that were measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nasbench._limits import LARGEST_SEED
from nasbench._words import counted
from nasbench.cli.common import Json, emit, file_option, rows
from nasbench.cli.devices import device
from nasbench.cli.look import TableArgument, complete_table

if TYPE_CHECKING:
    from nasbench.surrogate.cost_tables import PredictedCosts

__all__ = ["register"]


def predict(
    table: TableArgument,
    samples: Annotated[
        str | None,
        typer.Option(
            help="A table of what was measured; TABLE itself where left out.",
            autocompletion=complete_table,
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--device", help="To predict, where the samples have several.")
    ] = None,
    metric: Annotated[str, typer.Option(help="Its metric, such as energy_mj.")] = "latency_ms",
    sources: Annotated[
        str | None,
        typer.Option(help="Other devices of TABLE to learn from, by commas, or none; all."),
    ] = None,
    level: Annotated[float, typer.Option(help="Of the intervals.")] = 0.8,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of folds and trees.")] = 0,
    out: Annotated[
        Path | None, file_option("A table of the estimates, .h5, to merge with others.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Estimate a device's cost for all networks of a table, from 5 to 100 that were measured.

    Example: `nasbench device predict T.h5 --samples costs.h5 --out estimated.h5`
    """
    from nasbench.surrogate.cost_tables import predict_table_costs
    from nasbench.table import load

    new = out is not None and not out.exists()
    chosen = None if sources is None else _names(sources)
    predicted = predict_table_costs(
        load(table),
        None if samples is None else load(samples),
        device=name,
        metric=metric,
        sources=chosen,
        seed=seed,
    )
    low, high = predicted.found.interval(level)  # also where nothing is written: a level is said
    document = {"metric": predicted.metric, "level": level, **predicted.found.describe()}
    text = _told(predicted, level, float(sum(high / low) / len(high)) ** 0.5)
    if out is not None:
        made = predicted.write(out, level=level, new=new)
        document |= {"table": str(out), "sha256": made.sha256}
        text += (
            f"\n{out}: all of them, kind estimated. Join: nasbench merge {table} {out} --out ..."
        )
    emit(document, as_json, text)


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    return [] if names == ["none"] else names


def _told(predicted: PredictedCosts, level: float, factor: float) -> str:
    from nasbench.surrogate.operation_counts import GRAPHS

    found = predicted.found
    by_graph = ", ".join(f"{g} {100 * error:.1f} %" for g, error in found.graph_errors.items())
    weights = ", ".join(f"{name} {100 * share:.0f} %" for name, share in found.weights.items())
    if found.ratio:
        weights += f"; XGBoost's correction by {100 * found.ratio:.0f} %"
    shown: list[tuple[str, Any]] = [
        ("estimated", f"{predicted.metric} of {len(found.values):,} architectures"),
        (
            "from",
            f"{found.samples} that were measured; {counted(predicted.sources, 'other device')}",
        ),
        ("most likely ran", f"{GRAPHS.get(found.graph, found.graph)} ({found.graph})"),
        ("errors by graph", by_graph),
        ("mean of", weights),
        (
            "on samples left out",
            f"rank correlation {found.spearman:.3f}, half of the errors within "
            f"{100 * found.error:.1f} %",
        ),
        (f"{100 * level:.0f} % interval", f"a factor of {factor:.2f} to either side on average"),
    ]
    shown += [(f"not used: {name}", why) for name, why in found.unused.items()]
    return rows(shown)


def register(app: typer.Typer) -> None:
    """Add the commands to those of `nasbench device`."""
    device.command()(predict)
