"""What results show of themselves; see `nasbench._result.Result`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial, singledispatch
from html import escape
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from nasbench._files import check_folder, write_json, write_text
from nasbench._result import Facts
from nasbench._words import rounded
from nasbench.errors import BadValue, Unsupported, unknown
from nasbench.report.choice import choice_scatter, choice_table
from nasbench.report.decisions import best_choices
from nasbench.report.figures import Drawing, cost_scatter, histogram, predictor_scatter
from nasbench.report.fronts import front_curves, typical_fronts
from nasbench.report.judged import Judged
from nasbench.report.page import Report, comparison_table, write_comparison, write_report
from nasbench.report.paper import Paper
from nasbench.report.predictors import prediction_curve, size_section, size_table
from nasbench.report.proxies import proxy_figures, proxy_tables, write_proxies
from nasbench.report.ranks import critical_difference
from nasbench.report.regret import best_curves, reach_curves, regret_curves
from nasbench.report.result_briefs import brief_of
from nasbench.report.runs import incumbent_curve, run_table
from nasbench.report.sections import Section, write_sections
from nasbench.report.sharing import share_figures, share_tables, write_shares
from nasbench.report.text import TextTable, build_facts, predictor_table
from nasbench.report.theme import styled, to_svg
from nasbench.search import Comparison, Comparisons, Run
from nasbench.search.choosing import ChosenArchitecture
from nasbench.search.shares import Shares
from nasbench.surrogate import Score, SizeScores, Surrogate
from nasbench.table import Table
from nasbench.validity.judgement import Judgement

__all__ = ["figure_of", "html_of", "latex_of", "page_of", "table_of"]

_NO_LABEL = re.compile(r"[\s,{}\\%#~^$&]")

Figures = Mapping[str, Callable[[], Drawing | None]]
"""What can be drawn, by name: the first is drawn where none is named."""


class ShownFigure(Figure):
    """A figure that a notebook shows without pyplot, and that is saved as pages have it."""

    def _repr_svg_(self) -> str:
        return to_svg(self)

    @styled
    def savefig(self, *args: Any, **kwargs: Any) -> None:
        super().savefig(*args, **kwargs)


def figure_of(result: Any, what: str) -> Figure:
    """The figure of that name, or the first."""
    known = _figures(result)
    if not known:
        raise Unsupported(f"there is no figure of {result!r}")
    name = what or next(iter(known))
    if name not in known:
        raise unknown("figure", name, known)
    drawing = known[name]()
    if drawing is None:
        raise Unsupported(f"{result!r} has nothing to draw as {name}")
    # matplotlib's own figures show themselves where pyplot made them alone.
    drawing.figure.__class__ = ShownFigure
    return drawing.figure


def html_of(result: Any) -> str:
    """The first table as HTML, in the notebook's own style."""
    table = table_of(result)

    def row(cells: Sequence[str], kind: str) -> str:
        return "<tr>" + "".join(f"<{kind}>{escape(c)}</{kind}>" for c in cells) + "</tr>"

    head = row(table.columns, "th") if any(table.columns) else ""
    body = "".join(row(cells, "td") for cells in table.rows)
    here = f"{', '.join(of)} ran in this process." if (of := getattr(result, "here", ())) else ""
    note = "".join(f"<p>{escape(text)}</p>" for text in (table.note, here) if text)
    caption = f"<caption>{escape(table.title)}</caption>"
    return f"<table>{caption}<thead>{head}</thead><tbody>{body}</tbody></table>{note}"


def latex_of(result: Any, path: str | Path | None, label: str = "") -> str:
    """The first table in LaTeX; written where a file is named."""
    if _NO_LABEL.search(label):
        raise BadValue(f"a label of LaTeX has no spaces, commas, braces or signs, got {label!r}")
    text = table_of(result).latex(label)
    if path is not None:
        write_text(Path(path), text)
    return text


@singledispatch
def table_of(result: Any) -> TextTable:
    """The table that says most of a result."""
    raise Unsupported(f"there is no table of a {type(result).__name__}")


@singledispatch
def _figures(result: Any) -> Figures:
    return {}


@singledispatch
def _sections(result: Any) -> tuple[str, list[Section]]:
    """The title of a result's page, and what stands on it."""
    drawn = [drawing for draw in _figures(result).values() if (drawing := draw())]
    table = table_of(result)
    return table.title, [Section(table.title, "", drawn, [table])]


def page_of(result: Any, out: Path, figure_width: float, figure_font: float) -> Path:
    """Write the page of a result into a folder, which is made; figures at a paper's measures."""
    paper = Paper(figure_width, figure_font)
    check_folder(out, "out")
    if isinstance(result, Comparison | Comparisons):
        return write_comparison(result, out, paper)
    if isinstance(result, Judgement):
        return write_proxies(result, out, paper)
    if isinstance(result, Shares):
        return write_shares(result, out, paper)
    if isinstance(result, Table):
        recipe = result.recipe(None) if result.recipes else None
        return write_report(Report(result, recipe), out, result.name, paper)
    title, sections = _sections(result)
    page = write_sections(sections, out, title, brief_of(result), paper=paper)
    if isinstance(result, SizeScores):
        write_json(out / "scores.json", result.describe())
    return page


@table_of.register
def _(result: Comparison) -> TextTable:
    return comparison_table(result)


@table_of.register
def _(result: Comparisons) -> TextTable:
    return comparison_table(result)


@table_of.register
def _(result: Judgement) -> TextTable:
    return proxy_tables(result)[1]


@table_of.register
def _(result: Run) -> TextTable:
    return run_table(result)


@table_of.register
def _(result: Score) -> TextTable:
    return predictor_table(result)


@table_of.register
def _(result: SizeScores) -> TextTable:
    return size_table(result, next(iter(result.ceilings)))


@table_of.register
def _(result: Shares) -> TextTable:
    return share_tables(result)[0]


@table_of.register
def _(result: ChosenArchitecture) -> TextTable:
    return choice_table(result)


@table_of.register
def _(result: Facts) -> TextTable:
    (facts,) = result.frame().to_dict("records")
    rows = [(str(name), _fact(of)) for name, of in facts.items() if of is not None and of != ""]
    return TextTable(type(result).__name__, ("", ""), rows, "", prose=True)


def _fact(fact: object) -> str:
    """As it is published: a file without the folders of this machine."""
    if isinstance(fact, str) and Path(fact).is_absolute():
        return Path(fact).name
    return rounded(fact, 6) if isinstance(fact, float) else str(fact)


@table_of.register
def _(result: Surrogate) -> TextTable:
    said = result.document["metrics"]
    rows = [
        (metric, f"{result.out_of_fold_kendall(metric):.3f}", _settings(said[metric]))
        for metric in result.metrics
    ]
    note = (
        f"XGBoost, fitted on {len(result.trained_on):,} rows of {result.name}, recipe "
        f"{result.recipe}; Kendall's tau on folds that were left out."
    )
    return TextTable("The surrogate", ("metric", "tau", "settings"), rows, note)


def _settings(said: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in said["settings"].items())


@table_of.register
def _(result: Table) -> TextTable:
    judged = Judged.of(result, result.recipes[0]) if len(result.recipes) == 1 else None
    best = best_choices(judged) if judged else None
    return best or build_facts(result, result.recipes[0] if result.recipes else None)


@_figures.register
def _(result: Comparison) -> Figures:
    curves = list(result.curves)
    found: dict[str, Callable[[], Drawing | None]] = {}
    kinds = (("regret", regret_curves), ("reached", reach_curves), ("best", best_curves))
    for kind, draw in kinds:
        if curves:
            found[kind] = partial(draw, result, curves[0])
        found |= {f"{kind}-{axis}": partial(draw, result, axis) for axis in curves}
    if (ranks := result.ranks) is not None:
        blocks = f"seeds of {result.table.name}"
        found["ranks"] = partial(critical_difference, ranks, list(result.traces), blocks)
    if (fronts := result.fronts) is not None:
        found["fronts"] = partial(typical_fronts, result, fronts)
        found |= {
            f"hypervolume-{axis}": partial(front_curves, result, fronts, axis)
            for axis in fronts.curves
        }
    return found


@_figures.register
def _(result: Comparisons) -> Figures:
    return {"ranks": partial(critical_difference, result.ranks, result.strategies, "tables")}


@_figures.register
def _(result: Judgement) -> Figures:
    return proxy_figures(result)


@_figures.register
def _(result: Run) -> Figures:
    return {"best": partial(incumbent_curve, result)}


@_figures.register
def _(result: Score) -> Figures:
    return {"predicted": partial(predictor_scatter, result, result.table)}


@_figures.register
def _(result: Shares) -> Figures:
    return share_figures(result)


@_figures.register
def _(result: ChosenArchitecture) -> Figures:
    return {"front": partial(choice_scatter, result)} if len(result.among.weighed) > 1 else {}


@_figures.register
def _(result: Surrogate) -> Figures:
    return {metric: partial(prediction_curve, result, metric) for metric in result.metrics}


@_figures.register
def _(result: SizeScores) -> Figures:
    drawings = {drawing.name: drawing for drawing in size_section(result).drawings}
    return {name: partial(_same, drawing) for name, drawing in drawings.items()}


def _same(drawing: Drawing) -> Drawing:
    return drawing


@_figures.register
def _(result: Table) -> Figures:
    judged = Judged.of(result, result.recipes[0]) if result.recipes else None
    if judged is None:
        return {}
    costs = [
        (device, metric)
        for device in result.devices
        for metric in result.manifest["devices"][device]["kinds"]
        if not metric.endswith(("_n", "_spread_ms"))
    ]
    return {
        "values": partial(histogram, judged),
        **{
            f"{device}/{metric}": partial(cost_scatter, judged, device, metric)
            for device, metric in costs
        },
    }


@_sections.register
def _(result: Facts) -> tuple[str, list[Section]]:
    table = table_of(result)
    return table.title, [Section(table.title, "What is known of it.", tables=[table])]


@_sections.register
def _(result: SizeScores) -> tuple[str, list[Section]]:
    return f"Predictors on {result.about['table']}", [size_section(result)]
