"""Searching: one run, or many side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nasbench._processes import cores
from nasbench.cli.common import (
    Json,
    emit,
    parse_settings,
    progress,
    read_start,
    rows,
    say_engine,
)
from nasbench.cli.goals import (
    Limits,
    Metric,
    Minimize,
    Objectives,
    Targets,
    parse_limits,
    parse_objectives,
    parse_targets,
)
from nasbench.cli.look import complete_table
from nasbench.errors import NasbenchError, unknown

if TYPE_CHECKING:
    from nasbench.search import CostModel, Evaluation, Goal, Oracle
    from nasbench.search.prior import Prior

__all__ = ["register"]


def complete_strategy(incomplete: str) -> list[str]:
    """Registered strategies."""
    from nasbench.search import strategy_names

    return [name for name in strategy_names() if name.startswith(incomplete)]


def complete_strategies(incomplete: str) -> list[str]:
    """Registered strategies for the last of several names, which are not named yet."""
    before, comma, last = incomplete.rpartition(",")
    named = before.split(",")
    return [before + comma + name for name in complete_strategy(last) if name not in named]


Table = Annotated[
    str | None, typer.Option(help="A table or its name.", autocompletion=complete_table)
]
Surrogate = Annotated[Path | None, typer.Option(help="A fitted surrogate.")]
Seconds = Annotated[float | None, typer.Option(help="Simulated seconds of training.")]
Evaluations = Annotated[int | None, typer.Option(help="Evaluations.")]
SearchRecipe = Annotated[str | None, typer.Option(help="What a query trains by.")]
Workers = Annotated[int, typer.Option(min=1, help="Simulated workers.")]
Schedule = Annotated[str, typer.Option(help="Workers: asynchronous, or synchronous in rounds.")]
Failures = Annotated[float, typer.Option(help="Share of trainings lost with a dying worker.")]
Repeats = Annotated[str, typer.Option(help="Trained before: paid again, or free.")]
TrainingSeed = Annotated[int | None, typer.Option(help="Which training a query shows; else mean.")]
SecondsPerEpoch = Annotated[
    float | None, typer.Option(help="Assume it, where the table has no training times.")
]
InProportionTo = Annotated[
    str | None, typer.Option(help="With --seconds-per-epoch: flops, parameters, DEVICE/METRIC.")
]

ProxyOption = Annotated[
    str | None,
    typer.Option("--proxy", help="A proxy of the table that strategies know beforehand."),
]
Keep = Annotated[
    float | None, typer.Option(help="With --proxy: train only this share, the best by it.")
]
Start = Annotated[
    Path | None, typer.Option(help="A file of architectures to begin with, one a line.")
]


def search(
    strategy: Annotated[str, typer.Argument(autocompletion=complete_strategy, help="Its name.")],
    table: Table = None,
    surrogate: Surrogate = None,
    train: Annotated[str | None, typer.Option(help="A build recipe: really train.")] = None,
    budget_seconds: Seconds = None,
    budget_evaluations: Evaluations = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the strategy.")] = 0,
    search_recipe: SearchRecipe = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE, the strategy's own.")
    ] = None,
    workers: Workers = 1,
    schedule: Schedule = "asynchronous",
    failures: Failures = 0.0,
    repeats: Repeats = "paid",
    training_seed: TrainingSeed = None,
    metric: Metric = "valid_accuracy",
    minimize: Minimize = False,
    limits: Limits = None,
    objectives: Objectives = None,
    soft: Targets = None,
    seconds_per_epoch: SecondsPerEpoch = None,
    in_proportion_to: InProportionTo = None,
    start: Start = None,
    proxy: ProxyOption = None,
    keep: Keep = None,
    out: Annotated[Path | None, typer.Option(help="Journal; resumes what it holds.")] = None,
    as_json: Json = False,
) -> None:
    """Run one search on a table, a surrogate or the trainer.

    Example: `nasbench search random_search --table demo/table.h5 --budget-evaluations 20`

    For several ends: `--limit 'raspi4/latency_ms<=5'` must be kept; `--objective
    raspi4/latency_ms:min` is for strategies of several objectives (nsga2, mo_rea), which find a
    front; `--soft 'raspi4/latency_ms<=5'` weighs the metric by MnasNet's (latency / target)^-0.07.
    """
    from nasbench.search import Budget, Goal, RunSpec
    from nasbench.search import search as run_search

    budget = Budget(budget_evaluations, budget_seconds)
    ends = parse_limits(limits), parse_objectives(objectives), parse_targets(soft)
    goal = Goal(metric, budget, (), not minimize, *ends)
    cost_model = _cost_model(seconds_per_epoch, in_proportion_to)
    if cost_model and table is None:
        raise NasbenchError("--seconds-per-epoch is for a search on a --table")
    oracle = _oracle(
        table, surrogate, train, search_recipe, training_seed, goal.metrics, cost_model
    )
    goal = replace(goal, recipes=oracle.fidelities)
    own = parse_settings(settings or ())
    first = read_start(start, oracle.space)
    prior = _prior(proxy, keep, [strategy])
    spec = RunSpec(strategy, goal, seed, own, workers, repeats, schedule, failures, first, prior)
    with progress() as tell:
        done = 0

        def count(_: object) -> None:
            nonlocal done
            done += 1
            tell("searching", done, budget_evaluations or done)

        run = run_search(spec, oracle, journal=out, progress=count)
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
    distinct = len({oracle.key(e.query.architecture) for e in run.evaluations})
    document: dict[str, Any] = {
        "spec": spec.describe(oracle),
        "ended": run.ended,
        "evaluations": trace.evaluations,
        "distinct": distinct,
        "simulated_seconds": simulated,
        "incumbent": best,
        "string": oracle.space.string(best),
        **values,
    }
    shown = [
        ("strategy", f"{strategy}, seed {seed}"),
        (
            "evaluations",
            f"{trace.evaluations} paid, {distinct} distinct architectures; "
            f"{_ENDED.get(run.ended, f'it ended: {run.ended}')}",
        ),
        ("simulated", f"{simulated:,.1f} s" if simulated >= 10 else f"{simulated:.3g} s"),
        ("best", f"{best} = {document['string']}"),
        *((name, f"{value:.6g}") for name, value in values.items()),
    ]
    if objectives:
        front = sorted(run.front(), key=lambda e: goal.rewards(e.outcome), reverse=True)
        document["front"] = [_point(e, goal, oracle) for e in front]
        for point in document["front"]:
            numbers = ", ".join(f"{point[of.metric]:.6g}" for of in goal.every_objective)
            shown.append(("front", f"{numbers}: {point['architecture']} = {point['string']}"))
    emit(document, as_json, rows(shown))


_ENDED = {
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


def _oracle(
    table: str | None,
    surrogate: Path | None,
    train: str | None,
    recipe: str | None,
    training_seed: int | None,
    costs: Sequence[str],
    cost_model: CostModel | None,
) -> Oracle:
    from nasbench.search import SurrogateOracle, TableOracle, TrainerOracle

    if sum(given is not None for given in (table, surrogate, train)) != 1:
        raise NasbenchError("name one of --table, --surrogate and --train to search on")
    if table is not None:
        from nasbench.table import load

        return TableOracle(
            load(table),
            recipe=recipe,
            costs=costs,
            training_seed=training_seed,
            cost_model=cost_model,
        )
    if surrogate is not None:
        from nasbench.surrogate import Surrogate

        return SurrogateOracle(Surrogate.load(surrogate), training_seed=training_seed)
    from nasbench.building import read_spec
    from nasbench.table import recipe_path

    spec = read_spec(recipe_path(str(train)))
    name = recipe or next(iter(spec.recipes))
    if name not in spec.recipes:
        raise unknown("recipe", name, spec.recipes)
    seeds = spec.seeds if training_seed is None else (training_seed,)
    say_engine("auto")
    return TrainerOracle(spec.space, spec.task, name, spec.recipes[name], seeds=seeds)


def _cost_model(seconds_per_epoch: float | None, in_proportion_to: str | None) -> CostModel | None:
    from nasbench.search import CostModel

    if seconds_per_epoch is not None:
        return CostModel(seconds_per_epoch, in_proportion_to)
    if in_proportion_to is not None:
        raise NasbenchError("--in-proportion-to needs --seconds-per-epoch, of the average network")
    return None


def _prior(proxy: str | None, keep: float | None, strategies: Sequence[str]) -> Prior | None:
    from nasbench.search.prior import Prior, takes_scores

    if proxy is None:
        if keep is not None:
            raise NasbenchError("--keep needs --proxy, by which the best are kept")
        return None
    if keep is None and not any(map(takes_scores, strategies)):
        raise NasbenchError(
            f"of {', '.join(strategies)} none makes use of a proxy by itself: give --keep to train "
            f"only the best by it, or begin with them (nasbench proxies start)"
        )
    return Prior(proxy, 1.0 if keep is None else keep)


def compare(
    tables: Annotated[
        list[str],
        typer.Option(
            "--table", help="A table or name; give several times.", autocompletion=complete_table
        ),
    ],
    strategies: Annotated[
        str,
        typer.Option(
            help="Names with commas between; random_search runs beside them.",
            autocompletion=complete_strategies,
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for runs, page and summary.json.")],
    budget_seconds: Seconds = None,
    budget_evaluations: Evaluations = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many runs of each.")] = 100,
    search_recipe: SearchRecipe = None,
    report_recipe: Annotated[
        str | None, typer.Option(help="What incumbents are looked up by.")
    ] = None,
    surrogate: Surrogate = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="STRATEGY.NAME=VALUE.")
    ] = None,
    workers: Workers = 1,
    schedule: Schedule = "asynchronous",
    failures: Failures = 0.0,
    repeats: Repeats = "paid",
    training_seed: TrainingSeed = None,
    metric: Metric = "valid_accuracy",
    minimize: Minimize = False,
    limits: Limits = None,
    objectives: Objectives = None,
    soft: Targets = None,
    seconds_per_epoch: SecondsPerEpoch = None,
    in_proportion_to: InProportionTo = None,
    start: Start = None,
    proxy: ProxyOption = None,
    keep: Keep = None,
    also: Annotated[
        list[str] | None,
        typer.Option(
            help="Another table, to look up what was found.", autocompletion=complete_table
        ),
    ] = None,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Side by side; a core each by default.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare search strategies over many seeds; writes a page, figures, CSV and summary.json.

    Run again with the same folder, it keeps the runs that are there. Over several tables each
    has its own runs, and the page says which strategies are better over all of them.

    Example: `nasbench compare --table demo/table.h5 --strategies random_search,reinforce
    --budget-evaluations 30 --seeds 100 --out comparison`

    For several objectives: `--strategies nsga2,mo_rea --objective raspi4/latency_ms:min`; bounds
    are `--limit 'raspi4/latency_ms<=5'`, and soft ones `--soft 'raspi4/latency_ms<=5'`.
    """
    from nasbench.report import comparison_table, write_comparison
    from nasbench.search import compare as run_compare
    from nasbench.table import load

    parameters: dict[str, dict[str, Any]] = {}
    names = [name.strip() for name in strategies.split(",") if name.strip()]
    if names and "random_search" not in names:
        names.append("random_search")  # what any other must beat
    for key, value in parse_settings(settings or ()).items():
        strategy, _, name = key.partition(".")
        if strategy not in names:
            raise unknown("strategy in --set", strategy, names)
        parameters.setdefault(strategy, {})[name] = value
    with progress() as tell:
        comparison = run_compare(
            names,
            tables[0] if len(tables) == 1 else tables,
            budget_seconds=budget_seconds,
            budget_evaluations=budget_evaluations,
            seeds=range(seeds),
            metric=metric,
            maximize=not minimize,
            limits=parse_limits(limits),
            objectives=parse_objectives(objectives),
            targets=parse_targets(soft),
            search_recipe=search_recipe,
            report_recipe=report_recipe,
            surrogate=surrogate,
            training_seed=training_seed,
            repeats=repeats,
            workers=workers,
            schedule=schedule,
            failures=failures,
            parameters=parameters,
            cost_model=_cost_model(seconds_per_epoch, in_proportion_to),
            start=read_start(start, load(tables[0]).space),
            prior=_prior(proxy, keep, names),
            also=also or (),
            processes=processes or cores(),
            out=out,
            progress=lambda done, total: tell("searching", done, total),
        )
    page = write_comparison(comparison, out)
    shown = comparison_table(comparison).plain()
    emit(comparison.summary(), as_json, f"{shown}\n{page}")
    if comparison.broken:
        raise NasbenchError("; ".join(comparison.broken.values()) + "; the others ran")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (search, compare):
        app.command()(command)
