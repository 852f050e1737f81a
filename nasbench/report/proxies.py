"""How well zero-cost proxies rank architectures, as a page with figures and tables."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, to_rgba
from matplotlib.figure import Figure
from scipy.stats import rankdata

from nasbench._files import atomic_path, write_text
from nasbench.report.clouds import shades
from nasbench.report.figures import Drawing
from nasbench.report.paper import Paper
from nasbench.report.ranking_briefs import proxies_brief
from nasbench.report.sections import Section, write_sections
from nasbench.report.text import TextTable, estimate_text, number_text
from nasbench.report.theme import COLOURS, FAINT, figure, styled
from nasbench.stats import Estimate
from nasbench.validity.combine import FOLDS
from nasbench.validity.judgement import FITTED, Judgement
from nasbench.validity.measures import Validity

__all__ = ["proxy_tables", "write_proxies"]

MEASURES = {
    "spearman": "Spearman's ρ",
    "kendall": "Kendall's τ",
    "pearson": "Pearson's r",
    "partial": "Spearman's ρ given parameters and FLOPs",
}
MARKERS = "osD^"
FEW = 600
"""Up to so many architectures are shown one by one; of more, how many lie where."""
LETTER = 0.06
"""Inches that a letter of a small label takes, about."""
COLUMNS = 3
"""Of scatters side by side."""


def write_proxies(found: Judgement, out: Path, paper: Paper | None = None) -> Path:
    """Write the page with its figures and tables, and `proxies.json` with every figure.

    The same judgement gives the same bytes.

    Returns:
        The path of the page.
    """
    title = f"Zero-cost proxies on {found.table.name}"
    beside = {"proxies.json": "proxies.json"}
    page = write_sections(_sections(found), out, title, proxies_brief(found), beside, paper)
    text = json.dumps(found.describe(), allow_nan=False) + "\n"
    with atomic_path(out / "proxies.json") as partial:
        write_text(partial, text)
    return page


def proxy_tables(found: Judgement) -> list[TextTable]:
    """The first tables to look at: what each score costs, and how it ranks by the main metric."""
    first = next(iter(found.validities.values()))
    return [_facts(found), _ranking(found, first, "spearman")]


def proxy_figures(found: Judgement) -> dict[str, Callable[[], Drawing | None]]:
    """What can be drawn of it, by name: the first is that of the main metric."""
    main = next(iter(found.validities.values()))
    drawn: dict[str, Callable[[], Drawing | None]] = {
        "ranks": partial(_dots, found, main),
        "scatter": partial(_panels, found, main),
    }
    return {**drawn, "agreement": partial(_agreement, found)} if found.agreement else drawn


def _sections(found: Judgement) -> list[Section]:
    main, *others = found.validities.values()
    sections = [_main(found, main)]
    trained = [v for v in others if _is_trained(found, v)]
    if trained:
        lead = "All other figures of these are in proxies.json; --metric shows one in full."
        tables = [
            _ranking(found, v, measure)
            for v in trained
            for measure in ("spearman", "partial")
            if measure in v.scopes["all"].figures
        ]
        sections.append(Section("By other accuracies", lead, tables=tables))
    sections.append(_every_metric(found))
    if found.agreement:
        lead = "Proxies that rank alike add little to each other."
        sections.append(Section("How proxies agree", lead, [_agreement(found)]))
    lead = "What is computed here says how; of what is imported, only its source knows."
    sections.append(Section("The proxies", lead, tables=[_facts(found), _origins(found)]))
    return sections


def _is_trained(found: Judgement, validity: Validity) -> bool:
    return validity.target.name.rpartition("/")[0] in found.table.recipes


def _main(found: Judgement, validity: Validity) -> Section:
    lead = (
        f"Each score is held against {validity.target.name} of {found.table.name}, over the "
        f"{len(validity.rows):,} architectures that all scores and the metric have. Searches end "
        f"among the best, where a high figure over all says little."
    )
    tables = [_ranking(found, validity, measure) for measure in validity.scopes["all"].figures]
    tables += [_top(found, validity, what) for what in _TOPS] if validity.tops else []
    return Section(
        "How well they rank", lead, [_dots(found, validity), _panels(found, validity)], tables
    )


# Tables.


def _ranking(found: Judgement, validity: Validity, measure: str) -> TextTable:
    scopes = validity.scopes
    over_all = scopes["all"].figures[measure]
    names = sorted(found.scores, key=lambda name: -np.nan_to_num(over_all[name].value, nan=-2))
    rows = [
        (name, *(estimate_text(scope.figures[measure][name]) for scope in scopes.values()))
        for name in names
    ]
    best = _best_of_columns(
        [[scope.figures[measure][name] for scope in scopes.values()] for name in names]
    )
    reference = frozenset[int]()
    note = (
        "Intervals: bootstrap over architectures, 95 %. Bold: the highest, and those whose "
        "interval reaches it."
    )
    if measure in ("spearman", "kendall"):
        ceilings = [scope.ceilings.get(measure) for scope in scopes.values()]
        if any(ceilings):
            shown = (estimate_text(c) if c else "–" for c in ceilings)
            reference = frozenset([len(rows)])
            rows.append(("seed-noise ceiling", *shown))
            note += (
                " The ceiling is what a perfect prediction could reach against the mean over the "
                "seeds there are, truth and noise taken to be normal."
            )
        else:
            note += f" No ceiling: the table has no two seeds of {validity.target.name}."
    if measure == "partial":
        note += " What a score adds to the size of a network; nothing where it is the size."
    if not validity.target.maximize:
        note += " Best is least; a positive figure says that the score prefers the dear."
    if any(math.isnan(e.value) for of in scopes.values() for e in of.figures["spearman"].values()):
        note += " –: nothing to rank, where all values or all scores are the same."
    note += _combined(found)
    columns = ["score", *(f"{name}, n = {scope.n:,}" for name, scope in scopes.items())]
    title = f"{MEASURES[measure]} with {validity.target.name}"
    return TextTable(title, columns, rows, note, best=best, reference=reference)


def _best_of_columns(values: Sequence[Sequence[Estimate]]) -> frozenset[tuple[int, int]]:
    """The places of each column's highest figure, and of those whose interval reaches it.

    A first column has names.
    """
    places = set()
    for column, figures in enumerate(zip(*values, strict=True), 1):
        highest = max((of.value for of in figures if math.isfinite(of.value)), default=math.nan)
        ends = [max(of.value, of.high) if math.isfinite(of.high) else of.value for of in figures]
        places |= {(row, column) for row, end in enumerate(ends) if end >= highest}
    return frozenset(places)


def _combined(found: Judgement) -> str:
    names = [name for name in found.scores if name not in found.facts and name != FITTED]
    text = f" Combinations of scores: {', '.join(names)}." if names else ""
    if found.fitted_to:
        text += (
            f" {FITTED} is fitted to {found.fitted_to}: in {FOLDS} folds of networks, each scored "
            f"by a fit to the others. It needs them trained; the rest need nothing trained."
        )
    return text


_TOPS = {
    "precision": (
        "Precision at the top",
        "Share of the k first by score that are among the k best.",
    ),
    "rank": ("Rank of the best of the first k", "Among all architectures, 1 is the best."),
    "regret": ("Regret of the best of the first k", "What it lacks to the best of all."),
}


def _top(found: Judgement, validity: Validity, what: str) -> TextTable:
    title, note = _TOPS[what]
    digits = 0 if what == "rank" else 2
    rows = [
        (name, *(estimate_text(getattr(top[name], what), digits) for top in validity.tops.values()))
        for name in found.scores
    ]
    chance = (number_text(expected[what], digits) for expected in validity.chance.values())
    rows.append(("k drawn at random, in the mean", *chance))
    note += (
        f" By {validity.target.name}; n = {len(validity.rows):,}. Of equal scores any may come "
        f"first: means over their orders. Intervals: bootstrap over architectures, 95 %."
    )
    columns = ["score", *(f"k = {k:,}" for k in validity.tops)]
    return TextTable(f"{title}, by {validity.target.name}", columns, rows, note)


def _facts(found: Judgement) -> TextTable:
    rows = [
        (
            name,
            fact.kind,
            fact.better or "–",
            f"{fact.missing:,}",
            f"{fact.draws or '–'}",
            estimate_text(fact.repeats) if fact.repeats else "–",
            "–" if math.isnan(fact.seconds) else f"{fact.seconds * 1000:.3g}",
        )
        for name, fact in found.facts.items()
    ]
    note = (
        f"Of {len(found.table.rows):,} rows. Better: which values speak for a network, high "
        f"ones where nobody says; all figures are of scores turned so that high ones do. Repeats: "
        f"Spearman's correlation between two draws of start and batch. "
    )
    if math.isnan(found.shared_seconds):
        note += "Where a source does not say what a score took, nothing is shown."
    else:
        note += (
            f"Milliseconds: measured, of one draw, beside {found.shared_seconds * 1000:.3g} for "
            f"making the network and the passes that several proxies share."
        )
    columns = ("proxy", "kind", "better", "missing", "draws", "repeats", "ms an architecture")
    return TextTable("What each proxy is", columns, rows, note)


def _origins(found: Judgement) -> TextTable:
    rows = [(name, fact.paper or "–", fact.mode or "–") for name, fact in found.facts.items()]
    return TextTable("Where they are from", ("proxy", "paper", "mode"), rows, "", prose=True)


# Figures.


@styled
def _dots(found: Judgement, validity: Validity) -> Drawing:
    """Spearman of each score, from all architectures to the best hundredth."""
    over_all = validity.scopes["all"].figures["spearman"]
    names = sorted(found.scores, key=lambda name: over_all[name].value)
    drawn, axes = figure(4.6, 0.9 + 0.3 * len(names))
    for place, (scope, of) in enumerate(validity.scopes.items()):
        colour, shift = COLOURS[place], 0.27 - 0.18 * place
        at = np.arange(len(names)) + shift
        found_here = [of.figures["spearman"][name] for name in names]
        axes.hlines(at, [e.low for e in found_here], [e.high for e in found_here], color=colour)
        values = [e.value for e in found_here]
        marks = axes.scatter(
            values,
            at,
            s=14,
            color=colour,
            marker=MARKERS[place],
            zorder=3,
            gid=f"scope-{place}",
            label=f"{scope}, n = {of.n:,}",
        )
        if not np.isfinite(values).any():  # all of the best are equally good
            marks.set_label("_nothing to tell")
        if "spearman" in of.ceilings:
            axes.axvline(of.ceilings["spearman"].value, color=colour, linestyle=":", linewidth=1)
    axes.axvline(0, color=FAINT, linewidth=1)
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel(f"Spearman's ρ with {validity.target.name}")
    drawn.legend(loc="outside lower center", ncols=2, fontsize=8)
    tips: dict[str, Sequence[str]] = {
        f"scope-{place}": [
            f"{name}, {scope}\n{estimate_text(of.figures['spearman'][name])}, n = {of.n:,}"
            for name in names
        ]
        for place, (scope, of) in enumerate(validity.scopes.items())
    }
    caption = "Lines are 95 % intervals."
    if any(scope.ceilings for scope in validity.scopes.values()):
        caption += " Dotted lines: what seed noise leaves to be reached."
    return Drawing("ranking", "Over all, and among the best", caption, drawn, tips)


@styled
def _panels(found: Judgement, validity: Validity) -> Drawing:
    """The metric against the place of each score."""
    names = list(found.scores)
    lines = math.ceil(len(names) / COLUMNS)
    drawn, first = figure(4.6, 0.4 + 1.3 * lines)
    first.remove()
    values = validity.target.values[validity.rows]
    low, high = np.quantile(values, (0.05, 1.0) if validity.target.maximize else (0.0, 0.95))
    room = 0.08 * (high - low)
    for place, name in enumerate(names):
        axes = drawn.add_subplot(lines, COLUMNS, place + 1)
        places = 100 * rankdata(found.scores[name][validity.rows]) / len(values)
        _cloud(axes, places, values)
        axes.set_title(name, fontsize=8)
        axes.set_xlim(0, 103)  # beyond 100, where the best stands as a whole point
        axes.set_ylim(low - room, high + room)
        axes.tick_params(labelsize=7)
        axes.set_xticks((0, 50, 100), ("0", "50", "100") if place >= len(names) - COLUMNS else ())
        if place % COLUMNS:
            axes.set_yticklabels([])
    drawn.supxlabel("place by score, % of architectures below", fontsize=8)
    drawn.supylabel(validity.target.name, fontsize=8)
    out = int(((values < low - room) | (values > high + room)).sum())
    caption = f"{len(values):,} architectures; scores by their place, the best on the right."
    caption += " The stronger the colour, the more of them." if len(values) > FEW else ""
    caption += f" {out:,} lie beyond the axis." if out else ""
    return Drawing("scatters", "Score against what it is to rank", caption, drawn)


def _cloud(axes: Axes, x: np.ndarray, y: np.ndarray) -> None:
    """A few as points, many as the number of those that lie where."""
    if len(x) <= FEW:
        axes.scatter(x, y, s=4, color=COLOURS[0], alpha=0.5, linewidths=0, rasterized=len(x) > 200)
        return
    inside = (y >= np.quantile(y, 0.03)) & (y <= np.quantile(y, 1.0))
    axes.hexbin(
        x[inside],
        y[inside],
        gridsize=24,
        mincnt=1,
        norm=LogNorm(),
        cmap=shades(),
        rasterized=True,
        linewidths=0,
    )


def _every_metric(found: Judgement) -> Section:
    """Spearman over all architectures of each score with each metric and cost."""
    names, targets = list(found.scores), list(found.validities)
    cells = {
        (row, column): found.validities[target].scopes["all"].figures["spearman"][name]
        for row, target in enumerate(targets)
        for column, name in enumerate(names)
    }
    drawn, tips = _matrix(targets, names, cells)
    caption = "Spearman's ρ over all architectures; hover over a field for its interval and n."
    drawing = Drawing("metrics", "With each metric and cost", caption, drawn, tips)
    rows = [
        (name, *(estimate_text(cells[row, column]) for row in range(len(targets))))
        for column, name in enumerate(names)
    ]
    ns = ", ".join(f"{len(v.rows):,} for {name}" for name, v in found.validities.items())
    note = f"Spearman's ρ over all architectures; n = {ns}.{_combined(found)}"
    table = TextTable("Each metric and cost", ["score", *targets], rows, note)
    lead = "A score that ranks accuracy and cost alike finds large networks."
    return Section("Every metric and cost", lead, [drawing], [table])


def _agreement(found: Judgement) -> Drawing:
    names = list(found.facts)
    cells = {(names.index(b) - 1, names.index(a)): of for (a, b), of in found.agreement.items()}
    drawn, tips = _matrix(names[1:], names[:-1], cells)
    n = next(iter(found.agreement.values())).n
    caption = (
        f"Spearman's ρ of two proxies over the {n:,} architectures that have all of them; hover "
        f"over a field for its interval."
    )
    return Drawing("agreement", "Two proxies", caption, drawn, tips)


@styled
def _matrix(
    rows: Sequence[str], columns: Sequence[str], cells: Mapping[tuple[int, int], Estimate]
) -> tuple[Figure, dict[str, Sequence[str]]]:
    """Correlations as coloured fields with their numbers, and what hovering over them shows."""
    side = 0.3
    left, below = (0.2 + LETTER * max(map(len, names)) for names in (rows, columns))
    drawn, axes = figure(left + side * len(columns), below + side * len(rows))
    axes.set_xlim(-0.5, len(columns) - 0.5)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_aspect("equal")
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_xticks(range(len(columns)), columns, rotation=90, fontsize=7)
    axes.set_yticks(range(len(rows)), rows, fontsize=7)
    axes.tick_params(length=0)
    known = {place: of for place, of in cells.items() if math.isfinite(of.value)}
    # Blue for positive, vermilion for negative: told apart by colour-blind readers; the stronger,
    # the deeper, never so deep that the number on it could not be read.
    colours = [
        to_rgba(COLOURS[0] if of.value >= 0 else COLOURS[1], 0.75 * abs(of.value))
        for of in known.values()
    ]
    x, y = [column for _, column in known], [row for row, _ in known]
    axes.scatter(x, y, s=(0.92 * side * 72) ** 2, marker="s", c=colours, linewidths=0, gid="fields")
    for (row, column), of in known.items():
        text = number_text(of.value)
        axes.text(column, row, text, ha="center", va="center_baseline", fontsize=6.5)
    tips = [
        f"{rows[row]}, {columns[column]}\n{estimate_text(of)}, n = {of.n:,}"
        for (row, column), of in known.items()
    ]
    return drawn, {"fields": tips}
