"""Searching: one run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nasbench._limits import LARGEST_SEED
from nasbench._words import counted
from nasbench.cli.common import (
    Json,
    emit,
    file_option,
    parse_settings,
    progress,
    rows,
    say_engine,
)
from nasbench.cli.protocol import (
    Isolate,
    ProtocolOptions,
    Surrogate,
    Table,
    say_reach,
    with_protocol,
)
from nasbench.cli.strategies import complete_strategy
from nasbench.cli.tasks import read_recipe
from nasbench.errors import BadValue, NasbenchError, unknown

if TYPE_CHECKING:
    from nasbench.building import BuildSpec
    from nasbench.search import Evaluation, Goal, Oracle, SearchProtocol
    from nasbench.surrogate import Surrogate as Fitted
    from nasbench.table import Table as Tabular

    Source = Tabular | Fitted | BuildSpec

__all__ = ["register"]


@with_protocol
def search(
    strategy: Annotated[
        str,
        typer.Argument(
            autocompletion=complete_strategy, help="Its name; `nasbench strategies` lists them."
        ),
    ],
    table: Table = None,
    surrogate: Surrogate = None,
    train: Annotated[str | None, typer.Option(help="A build recipe: really train.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of the strategy.")] = 0,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE, the strategy's own.")
    ] = None,
    out: Annotated[Path | None, file_option("Journal; resumes what it holds.")] = None,
    isolate: Isolate = False,
    as_json: Json = False,
    *,
    options: ProtocolOptions,
) -> None:
    """Run one search on a table, a surrogate or the trainer.

    Example: `nasbench search random_search --table demo/table.h5 --budget-evaluations 20`

    For several ends: `--limit 'raspi4/latency_ms<=5'` must be kept; `--objective
    raspi4/latency_ms:min` is for strategies of several objectives (nsga2, mo_rea), which find a
    front; `--soft 'raspi4/latency_ms<=5'` weighs the metric by MnasNet's (latency / target)^-0.07.
    """
    say_reach(isolate)
    own = parse_settings(settings or ())
    given = strategy, (table, surrogate, train), seed, own, out, isolate, options
    document, shown = _search_apart(*given) if _ends_alone(strategy, isolate) else _search(*given)
    emit(document, as_json, rows(shown))


def _ends_alone(strategy: str, isolate: bool) -> bool:
    """Whether a search needs a process of its own: a stranger's code could end this one."""
    from nasbench.search.strategy import check_name, importable, is_ours

    check_name(strategy)
    return not isolate and not is_ours(strategy) and importable(strategy)


def _search_apart(strategy: str, *given: Any) -> Found:
    """`_search` in another process, whose end is reported."""
    from nasbench.search.workers import run_apart

    return run_apart(strategy, _search, strategy, *given)


Found = tuple[dict[str, Any], list[tuple[str, str]]]
"""A search as a document, and as the rows that are shown."""


def _search(
    strategy: str,
    sources: tuple[str | None, Path | None, str | None],
    seed: int,
    own: dict[str, Any],
    out: Path | None,
    isolate: bool,
    options: ProtocolOptions,
) -> Found:
    from nasbench.search import search as run_search
    from nasbench.search.catalog import cautions
    from nasbench.search.oracle import ListedOracle
    from nasbench.search.setting import directed
    from nasbench.table import Table as Tabular

    source = _source(*sources)
    protocol = options.protocol([strategy], {strategy: own}, source.space)
    if isinstance(source, Tabular):
        protocol = directed(protocol, source)
    oracle = _oracle(source, protocol)
    spec = protocol.spec(strategy, seed, oracle)
    goal = spec.goal
    for caution in cautions([strategy], goal) if goal.objectives else ():
        typer.echo(f"nasbench: {caution}", err=True)
    with progress() as tell:
        done = 0

        def count(_: object) -> None:
            nonlocal done
            done += 1
            tell("searching", done, protocol.budget_evaluations or done)

        run = run_search(spec, oracle, journal=out, progress=count, isolate=isolate)
    if not run.evaluations:
        raise NasbenchError("no evaluation ended within the budget: give a larger one")
    trace = run.trace()
    incumbents = trace.incumbents()
    best = int(incumbents[-1])
    if best < 0:
        raise NasbenchError(
            "nothing was found: every training diverged or every architecture broke a limit"
        )
    shown_of = run.evaluations[int((incumbents == best).argmax())].outcome.values
    values = {name: shown_of[name] for name in goal.metrics}
    simulated = float(trace.finished[-1])
    trained = int(trace.end("epochs"))
    untimed = isinstance(oracle, ListedOracle) and not oracle.timed
    distinct = len({oracle.key(e.query.architecture) for e in run.evaluations})
    document: dict[str, Any] = {
        "spec": spec.describe(oracle),
        "ended": run.ended,
        "evaluations": trace.evaluations,
        "distinct": distinct,
        "trained_epochs": trained,
        "simulated_seconds": None if untimed else simulated,
        "incumbent": best,
        "string": oracle.space.string(best),
        **values,
    }
    shown = [
        ("strategy", f"{strategy}, seed {seed}"),
        ("goal", f"{goal.metric}, {'more' if goal.maximize else 'less'} is better"),
        (
            "evaluations",
            f"{trace.evaluations} paid, {distinct} distinct architectures; "
            f"{_ENDED.get(run.ended, f'it ended: {run.ended}')}",
        ),
        ("trained", _trainings(trained, oracle)),
        ("simulated", UNTIMED if untimed else _seconds(simulated)),
        ("best", f"{best} = {document['string']}"),
        *((name, f"{value:.6g}") for name, value in values.items()),
    ]
    if goal.objectives:
        front = sorted(run.front(), key=lambda e: goal.rewards(e.outcome), reverse=True)
        document["front"] = [_point(e, goal, oracle) for e in front]
        for point in document["front"]:
            numbers = ", ".join(f"{point[of.metric]:.6g}" for of in goal.every_objective)
            shown.append(("front", f"{numbers}: {point['architecture']} = {point['string']}"))
    return document, shown


UNTIMED = "unknown: there are no training times (assume them by --seconds-per-epoch)"


def _seconds(simulated: float) -> str:
    return f"{simulated:,.1f} s" if simulated >= 10 else f"{simulated:.3g} s"


def _trainings(epochs: int, oracle: Oracle) -> str:
    """Epochs that were trained, in whole trainings."""
    from nasbench.search.oracle import COSTS_ALONE

    if oracle.fidelities[0].recipe == COSTS_ALONE:
        return "nothing: the table holds costs alone"
    whole = oracle.fidelities[0].epochs
    return f"{counted(epochs, 'epoch')}, {epochs / whole:.4g} whole trainings of {whole}"


_ENDED = {
    "epochs": "the budget in epochs is spent",
    "evaluations": "the budget in evaluations is spent",
    "seconds": "the budget in seconds is spent",
}
"""What the phrases say that name a budget."""


def _point(evaluation: Evaluation, goal: Goal, oracle: Oracle) -> dict[str, Any]:
    """A point of a front, with what it is worth in each objective."""
    architecture = int(evaluation.query.architecture)
    return {
        "architecture": architecture,
        "string": oracle.space.string(architecture),
        **{of.metric: evaluation.outcome.values[of.metric] for of in goal.every_objective},
    }


def _source(table: str | None, surrogate: Path | None, train: str | None) -> Source:
    """What is searched on, opened."""
    if sum(given is not None for given in (table, surrogate, train)) != 1:
        raise BadValue("name one of --table, --surrogate and --train to search on")
    if table is not None:
        from nasbench.table import load

        return load(table)
    if surrogate is not None:
        from nasbench.surrogate import Surrogate

        return Surrogate.load(surrogate)

    return read_recipe(str(train))


def _oracle(source: Source, protocol: SearchProtocol) -> Oracle:
    from nasbench.search import SurrogateOracle, TableOracle, TrainerOracle
    from nasbench.surrogate import Surrogate as Fitted
    from nasbench.table import Table as Tabular

    if isinstance(source, Tabular):
        return TableOracle(
            source,
            recipe=protocol.search_recipe,
            costs=protocol.goal().metrics,
            training_seed=protocol.training_seed,
            cost_model=protocol.cost_model,
        )
    if protocol.cost_model:
        raise BadValue("--seconds-per-epoch is for a search on a --table")
    if isinstance(source, Fitted):
        return SurrogateOracle(source, training_seed=protocol.training_seed)
    name = protocol.search_recipe or next(iter(source.recipes))
    if name not in source.recipes:
        raise unknown("recipe", name, source.recipes)
    seeds = source.seeds if protocol.training_seed is None else (protocol.training_seed,)
    say_engine("auto")
    return TrainerOracle(source.space, source.task, name, source.recipes[name], seeds=seeds)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(search)
