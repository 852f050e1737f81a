"""The whole idea in one command: build, predict, search, report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nasbench._processes import cores
from nasbench.cli.common import Json, emit, folder_option, progress, rows, say_engine
from nasbench.cli.found import found_in, next_of
from nasbench.errors import NasbenchError

if TYPE_CHECKING:
    from nasbench._progress import Progress
    from nasbench.building import BuildSpec
    from nasbench.report import Section
    from nasbench.search import Comparison
    from nasbench.table import Table

__all__ = ["register"]

RECIPE = "nb201-mini-fashion16"
STRATEGIES = ("random_search", "regularized_evolution", "reinforce")
SEEDS = 100
TRAININGS = 25
"""So many trainings of mean length make the simulated budget."""
REALLY_TRAINED = 6


def demo(
    out: Annotated[Path, folder_option("Folder for everything it makes.")] = Path("demo"),
    recipe: Annotated[str, typer.Option(help="A build recipe.")] = RECIPE,
    as_json: Json = False,
) -> None:
    """Train a small space in full, predict it, search it three ways, and show it on a page.

    What is there already is kept: a stopped demo goes on.

    Example: `nasbench demo --out demo`
    """
    from nasbench.building import build, read_spec
    from nasbench.report import Report, write_report
    from nasbench.report.again import command_line
    from nasbench.search import compare
    from nasbench.surrogate import fit, score
    from nasbench.table import load, recipe_path

    spec = _with_devices_at_hand(read_spec(recipe_path(recipe)))
    out.mkdir(exist_ok=True)
    path = out / "table.h5"
    say_engine("auto")
    with progress() as tell:
        table = load(path) if path.exists() else build(spec, path, progress=tell)
        if table.manifest.get("recipe_file") != spec.describe():
            raise NasbenchError(f"{path} was built from another recipe: give another --out")
        surrogate = fit(table)
        surrogate.save(out / "surrogate.json")
        mean = float(table.column("train_seconds").mean())
        budget = float(f"{TRAININGS * mean:.2g}")
        comparisons = {}
        for where in ("table", "predictor"):
            comparisons[f"Search on the {where}"] = compare(
                STRATEGIES,
                table,
                budget_seconds=budget,
                seeds=range(SEEDS),
                surrogate=out / "surrogate.json" if where == "predictor" else None,
                processes=cores(),
                out=out / f"search-{where}",
                progress=lambda done, total, where=where: tell(
                    f"searching on the {where}", done, total
                ),
            )
        trained = _search_trainer(spec, table, out, tell)
    scored = score(surrogate, table)
    named = ["--recipe", Path(recipe).name] if recipe != RECIPE else []
    again = [command_line(["nasbench", "demo", *named, "--out", "DIR"])]
    described = Report(table, table.recipe(None), comparisons, scored, [trained], surrogate, again)
    page = write_report(described, out, f"{table.name}: built, predicted, searched")
    document = {"page": str(page), "table": str(path), "budget_seconds": budget}
    shown = [
        *found_in(table),
        *_searched(comparisons),
        ("page", page.resolve()),
        *next_of(table, recipe),
    ]
    emit(document, as_json, rows(shown))


def _searched(comparisons: Mapping[str, Comparison]) -> list[tuple[str, object]]:
    """Mean regrets, the least first: who got nearest to the best of the table."""
    said: list[tuple[str, object]] = []
    for where, comparison in comparisons.items():
        found = comparison.summary()["strategies"]
        means = sorted((of["regret"]["mean"], name) for name, of in found.items())
        text = ", ".join(f"{name} {mean:.2f}" for mean, name in means)
        said.append((where.lower(), f"mean regret in points: {text}"))
    return said


def _with_devices_at_hand(spec: BuildSpec) -> BuildSpec:
    """The recipe without devices whose runtime is not installed; each is named."""
    from dataclasses import replace

    from nasbench.device import make_device

    found = []
    for device in spec.devices:
        try:
            make_device(device)
            found.append(device)
        except NasbenchError as error:
            typer.echo(f"nasbench: {device.name} is left out: {error}", err=True)
    return replace(spec, devices=tuple(found))


def _search_trainer(spec: BuildSpec, table: Table, out: Path, tell: Progress) -> Section:
    """The same search on the trainer and on the table, side by side."""
    from nasbench.report import Section, TextTable
    from nasbench.search import Budget, Goal, RunSpec, TableOracle, TrainerOracle, search

    name, recipe = next(iter(spec.recipes.items()))
    seed = spec.seeds[0]
    trainer = TrainerOracle(spec.space, spec.task, name, recipe, seeds=(seed,))
    goal = Goal("valid_accuracy", Budget(evaluations=REALLY_TRAINED), trainer.fidelities)
    run = RunSpec(STRATEGIES[1], goal, seed=0)
    live = search(
        run,
        trainer,
        journal=out / "search-trainer.jsonl",
        progress=lambda e: tell("searching on the trainer", e.ask + 1, REALLY_TRAINED),
    )
    tabled = search(run, TableOracle(table, recipe=name, training_seed=seed))
    compared = []
    for one, other in zip(live.evaluations, tabled.evaluations, strict=True):
        seen = [e.outcome.values["valid_accuracy"] for e in (one, other)]
        compared.append(
            (
                spec.space.string(one.query.architecture),
                *(f"{value:.3f}" for value in seen),
                "yes" if one.query == other.query and seen[0] == seen[1] else "no",
                f"{one.outcome.seconds:.2f}",
            )
        )
    columns = ("architecture asked for", "trained now, %", "table, %", "equal", "seconds")
    note = (
        f"{STRATEGIES[1]}, seed 0, {REALLY_TRAINED} evaluations, training seed {seed}. The same "
        f"engine on the same machine gives the same values, bit for bit; on another machine or "
        f"thread count they may differ in rounding, and then in what is asked next."
    )
    return Section(
        "Search on the trainer",
        "The same strategy, asked to search by really training, and by looking up.",
        tables=[TextTable("Trainer and table", columns, compared, note)],
    )


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)
