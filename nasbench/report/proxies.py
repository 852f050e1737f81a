"""How well zero-cost proxies rank architectures, as a page with figures and tables."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from nasbench._files import atomic_path, write_text
from nasbench._words import rounded
from nasbench.report.figures import Drawing
from nasbench.report.paper import Paper
from nasbench.report.proxy_figures import agreement, dots, matrix, panels
from nasbench.report.ranking_briefs import proxies_brief
from nasbench.report.sections import Section, write_sections
from nasbench.report.text import TextTable, estimate_text, number_text
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
        "ranks": partial(dots, found, main),
        "scatter": partial(panels, found, main),
    }
    return {**drawn, "agreement": partial(agreement, found)} if found.agreement else drawn


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
        sections.append(Section("How proxies agree", lead, [agreement(found)]))
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
        "How well they rank", lead, [dots(found, validity), panels(found, validity)], tables
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
            "–" if math.isnan(fact.seconds) else rounded(fact.seconds * 1000, 3),
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
            f"Milliseconds: measured, of one draw, beside "
            f"{rounded(found.shared_seconds * 1000, 3)} for making the network and the passes "
            f"that several proxies share."
        )
    columns = ("proxy", "kind", "better", "missing", "draws", "repeats", "ms an architecture")
    return TextTable("What each proxy is", columns, rows, note)


def _origins(found: Judgement) -> TextTable:
    rows = [(name, fact.paper or "–", fact.mode or "–") for name, fact in found.facts.items()]
    return TextTable("Where they are from", ("proxy", "paper", "mode"), rows, "", prose=True)


def _every_metric(found: Judgement) -> Section:
    """Spearman over all architectures of each score with each metric and cost."""
    names, targets = list(found.scores), list(found.validities)
    cells = {
        (row, column): found.validities[target].scopes["all"].figures["spearman"][name]
        for row, target in enumerate(targets)
        for column, name in enumerate(names)
    }
    drawn, tips = matrix(targets, names, cells)
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
