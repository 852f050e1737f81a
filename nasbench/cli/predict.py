"""Predicting: surrogates fitted on tables, and the page that shows them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from nasbench._defaults import DRAWS, FIGURE_FONT, FIGURE_WIDTH, PREDICTORS
from nasbench._limits import LARGEST_SEED, MOST_COUNTED
from nasbench._words import counted, in_shell
from nasbench.cli.common import (
    FigureFont,
    FigureWidth,
    Json,
    check_apart,
    emit,
    file_option,
    folder_option,
    progress,
)
from nasbench.cli.look import TableArgument, complete_table
from nasbench.errors import NasbenchError

__all__ = ["register"]

surrogate = typer.Typer(no_args_is_help=True, help="Fit the meta-learner, and score it.")


Features = Annotated[
    list[str] | None,
    typer.Option(
        help="What models see, separated by commas: one_hot, adjacency, operations, path, graph, "
        "proxies, network, devices[:NAME], early:RECIPE[@EPOCH], table:TABLE[@RECIPE]."
    ),
]


@surrogate.command()
def fit(
    table: TableArgument,
    out: Annotated[Path, file_option("The surrogate to write, .json.", suffix=".json")],
    recipe: Annotated[str | None, typer.Option(help="Where the table has several.")] = None,
    train: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=MOST_COUNTED,
            help="Rows to fit on: below 1, their share. Half; all with --complete.",
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, help="Of the rows, the folds and the trees.")
    ] = 0,
    features: Features = None,
    metric: Annotated[
        str | None,
        typer.Option(help="To predict: of the recipe, or a cost; the recipe's primary one."),
    ] = None,
    complete: Annotated[
        Path | None,
        file_option(
            "A table to write, .h5: what was fitted on, and the rest predicted.",
            "--complete",
            suffix=".h5",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Fit XGBoost on part of a table, and predict the rest into a table of the whole space.

    Example: `nasbench surrogate fit demo/table.h5 --train 0.5 --out surrogate.json`
    """
    from nasbench.surrogate.call import fit_table
    from nasbench.table import load

    check_apart(complete, "--complete", table)
    opened = load(table)
    names = _features(features)
    if len(names) > 1:
        raise NasbenchError("a surrogate sees one list of features: give --features once")
    fitted = fit_table(
        opened,
        out,
        recipe=recipe,
        train=train,
        seed=seed,
        features=names[0],
        metric=metric,
        complete=complete,
    )
    target = fitted.primary
    n, tau = len(fitted.trained_on), fitted.out_of_fold_kendall(target)
    document: dict[str, Any] = {
        "surrogate": str(out),
        "sha256": fitted.sha256,
        "trained_on": n,
        "kendall_out_of_fold": tau,
        "metric": target,
        "settings": fitted.document["metrics"][target]["settings"],
    }
    text = (
        f"{out}: {target} fitted on {n:,} of {counted(len(opened.rows), 'row')}; Kendall's tau "
        f"{tau:.3f} on "
        f"folds that were left out. Score it: nasbench surrogate score "
        f"{in_shell(out)} {in_shell(table)}"
    )
    if complete is not None:
        said = load(complete).manifest["predicted"]
        document |= {"table": str(complete), **said}
        text += (
            f"\n{complete}: {counted(said['rows_trained'], 'row')} as trained, "
            f"{said['rows_predicted']:,} predicted. Look: nasbench info "
            f"{in_shell(complete)}"
        )
    emit(document, as_json, text)


@surrogate.command()
def score(
    what: Annotated[str, typer.Argument(help="A fitted surrogate; with --sizes a table.")],
    table: Annotated[
        str | None,
        typer.Argument(help="The table to score it on.", autocompletion=complete_table),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(help="Which prediction of the surrogate; with --sizes its target."),
    ] = None,
    sizes: Annotated[str | None, typer.Option(help="Rows to fit on: 20,50,100.")] = None,
    draws: Annotated[int, typer.Option(min=1, max=10_000, help="Random choices of them.")] = DRAWS,
    predictors: Annotated[
        str, typer.Option(help="To compare, by commas; an unknown name lists them.")
    ] = ",".join(PREDICTORS),
    features: Features = None,
    recipe: Annotated[str | None, typer.Option(help="Where the table has several.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of the draws.")] = 0,
    out: Annotated[
        Path | None, folder_option("Folder for the page; an earlier start goes on.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Score a surrogate on rows it was not fitted on, or predictors by training size.

    Examples: `nasbench surrogate score surrogate.json demo/table.h5`,
    `nasbench surrogate score demo/table.h5 --sizes 10,20,40 --predictors xgboost,ridge --out page`,
    and of costs `nasbench surrogate score demo/table.h5 --metric cpu-onnxruntime-b1/latency_ms
    --sizes 10,20 --predictors cost,xgboost`
    """
    from nasbench.report.results import table_of
    from nasbench.surrogate.call import score_any

    if sizes is None:
        if table is None:
            raise NasbenchError("name a surrogate and a table, or a table and --sizes")
        scored = score_any(what, table, metric=metric)
        emit(scored.describe(), as_json, table_of(scored).plain())
        return
    if table is not None:
        raise NasbenchError("with --sizes name one table: its rows are fitted on and scored")
    names = [name.strip() for name in predictors.split(",")]
    if any(name.startswith("cost") for name in names):
        if features or out is not None or metric is None:
            raise NasbenchError(
                "cost predictors are scored with --metric DEVICE/METRIC, and without --features or "
                "--out"
            )
        _score_costs(what, metric, _numbers(sizes), draws, names, seed, as_json)
        return
    from nasbench.report.predictors import size_table

    found = score_any(
        what,
        metric=metric,
        sizes=_numbers(sizes),
        draws=draws,
        predictors=names,
        features=_features(features),
        recipe=recipe,
        seed=seed,
        out=out,
    )
    text = "\n".join(size_table(found, region).plain() for region in found.ceilings)
    document = found.describe()
    if out is not None:
        page = found.report(out)
        document["page"] = str(page)
        text += f"\nThe page is at {page.resolve()}"
    emit(document, as_json, text)


@surrogate.command()
def decisions(
    fitted: Annotated[Path, typer.Argument(help="A fitted surrogate, .json.")],
    metric: Annotated[str | None, typer.Option(help="Of its predictions.")] = None,
    sample: Annotated[
        int, typer.Option(min=2, max=MOST_COUNTED, help="Architectures to draw from the space.")
    ] = 1_000,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of the draws.")] = 0,
    as_json: Json = False,
) -> None:
    """Say which decisions matter to a surrogate, with intervals.

    Example: `nasbench surrogate decisions surrogate.json`
    """
    from nasbench.report.decisions import importance_table
    from nasbench.surrogate import Surrogate, decision_importance

    opened = Surrogate.load(fitted)
    found = decision_importance(opened, metric, architectures=sample, seed=seed)
    told = metric or opened.primary
    document = {"metric": told, "decisions": list(map(asdict, found))}
    emit(document, as_json, importance_table(found, told).plain())


def _score_costs(
    table: str,
    metric: str,
    sizes: list[int],
    draws: int,
    names: list[str],
    seed: int,
    as_json: bool,
) -> None:
    from nasbench.report.costs import cost_table
    from nasbench.surrogate.cost_scoring import score_costs
    from nasbench.table import load

    with progress() as tell:
        found = score_costs(
            load(table), metric, sizes, draws=draws, predictors=names, seed=seed, progress=tell
        )
    emit(found.describe(), as_json, cost_table(found).plain())


def _features(given: list[str] | None) -> list[list[str] | None]:
    """Lists of features; None stands for the space's usual one."""
    if not given:
        return [None]
    return [[name.strip() for name in names.split(",") if name.strip()] for names in given]


def _numbers(text: str) -> list[int]:
    try:
        return [int(number) for number in text.split(",")]
    except ValueError as error:
        raise NasbenchError(f"sizes are numbers separated by commas, got {text!r}") from error


def report(
    table: TableArgument,
    out: Annotated[Path, folder_option("Folder for the page and its figures.")],
    recipe: Annotated[str | None, typer.Option(help="Where the table has several.")] = None,
    fitted: Annotated[
        Path | None, typer.Option("--surrogate", help="A fitted surrogate to score.")
    ] = None,
    comparisons: Annotated[
        list[Path] | None, typer.Option("--compare", help="Folder of nasbench compare.")
    ] = None,
    figure_width: FigureWidth = FIGURE_WIDTH,
    figure_font: FigureFont = FIGURE_FONT,
    as_json: Json = False,
) -> None:
    """Write one page of a table, a surrogate and comparisons, with Markdown, LaTeX and figures.

    Example: `nasbench report demo/table.h5 --surrogate demo/surrogate.json --out page`
    """
    from nasbench.report.call import report_on

    page = report_on(
        table,
        out,
        recipe=recipe,
        surrogate=fitted,
        compare=comparisons or (),
        figure_width=figure_width,
        figure_font=figure_font,
    )
    emit({"page": str(page)}, as_json, str(page))


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(surrogate, name="surrogate")
    app.command()(report)
