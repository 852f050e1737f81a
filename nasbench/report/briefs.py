"""What stands on top of a page: answers in sentences, made from the data."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np

from nasbench._version import __version__
from nasbench._words import counted
from nasbench.report.again import compare_command, report_commands
from nasbench.report.doubts import comparison_doubts, table_doubts
from nasbench.report.judged import Judged
from nasbench.report.sections import Brief
from nasbench.report.strategies import budget_text
from nasbench.report.winners import Standing, standing_of
from nasbench.search import Comparison, Comparisons
from nasbench.stats import Friedman
from nasbench.table import Table

if TYPE_CHECKING:
    from nasbench.surrogate import Score

__all__ = ["comparison_brief", "dated", "made_by", "made_from", "predicted", "report_brief"]

MOST_NAMES = 5
"""Of more strategies a sentence counts the rest."""

Answer = tuple[str, str]


def comparison_brief(found: Comparison | Comparisons) -> Brief:
    """Who won, against what noise, by which test; and what that does not tell."""
    several = isinstance(found, Comparisons)
    tables = list(found.tables.values()) if isinstance(found, Comparisons) else [found]
    answers = [_over_tables(found)] if isinstance(found, Comparisons) else []
    for comparison in tables:
        of = f" on {comparison.table.name}" if several else ""
        answers += [
            (f"{head}{of}", said)
            for head, said in (*_won(comparison), *_best(comparison.table, _judged(comparison)))
        ]
    answers = answers or [("What was run", _ran(tables))]
    commands = [compare_command(found)]
    return Brief(answers, comparison_doubts(tables), commands, made_from([t.table for t in tables]))


def report_brief(
    table: Table,
    recipe: str | None,
    comparisons: Mapping[str, Comparison],
    score: Score | None,
    commands: Sequence[str] = (),
) -> Brief:
    """Which architecture is best and where it stands; who won; how well a predictor does."""
    judged, compared = Judged.of(table, recipe), list(comparisons.values())
    answers = _best(table, judged)
    several = len(comparisons) > 1
    for title, comparison in comparisons.items():
        of = f": {title}" if several else ""
        answers += [(f"{head}{of}", said) for head, said in _won(comparison)]
    if score is not None:
        answers.append(("The predictor", predicted(score)))
    cannot = comparison_doubts(compared) if compared else table_doubts(table, judged)
    made = list(commands) or report_commands(table, recipe, compared, score is not None)
    answers = answers or [("What it holds", _held(table))]
    return Brief(answers, cannot, made, made_from([table, *(of.table for of in compared)]))


def made_from(tables: Sequence[Table]) -> str:
    """What a page is a function of, and by what it was made: the same gives the same bytes."""
    of = dict.fromkeys(map(dated, tables))
    said = f"From {', '.join(of)} by {made_by()}." if of else f"By {made_by()}."
    same = "The same runs, tables and versions" if of else "The same runs and versions"
    return (
        f"{said} {same} give the same page to the last byte: it holds no date of its own, its "
        f"file does."
    )


def dated(table: Table) -> str:
    """A table by its name, the day on which it was finished, if it says so, and its hash."""
    return f"{table.name}{_day(table)} (SHA-256 {table.sha256[:12]}…)"


def _day(table: Table) -> str:
    history = table.manifest.get("history", ())
    known = [str(table.manifest.get("finished", "")), *(str(of["started"]) for of in history)]
    days = [of[:10] for of in known if re.match(r"\d{4}-\d\d-\d\d", of)]
    return f" of {max(days)}" if days else ""


def made_by() -> str:
    """What made a page, with the versions that its bytes depend on."""
    drawn = ", ".join(f"{name} {version(name)}" for name in ("numpy", "matplotlib"))
    return f"nasbench-harness {__version__} with {drawn}"


# Answers.


def _judged(comparison: Comparison) -> Judged | None:
    recipe = comparison.report_recipe if comparison.table.recipes else None
    return Judged.of(comparison.table, recipe)


def _best(table: Table, judged: Judged | None) -> list[Answer]:
    """The best row of a table, where it stands, and how many others it cannot be told from."""
    if judged is None:
        return []
    merit = np.nan_to_num(judged.sign * judged.column, nan=-np.inf)
    row = int(np.argmax(merit))
    architecture = int(table.rows[row])
    known = judged.column[np.isfinite(judged.column)]
    seeds = table.has_seeds(judged.metric, recipe=judged.recipe)
    mean = ", mean over its seeds," if seeds else ""
    said = (
        f"Architecture {architecture} ({table.space.string(architecture)}): "
        f"{judged.text(judged.best)} {judged.words} by {judged.recipe}{mean} "
        f"the best of {counted(len(known), 'row')}, whose median is "
        f"{judged.text(float(np.median(known)))}."
    )
    return [("Best architecture", said + judged.beside_best())]


def _held(table: Table) -> str:
    """What a table without trainings is about."""
    kinds = dict.fromkeys(name.partition("/")[0] for name in table.manifest["datasets"])
    rooms = {"device": "costs of devices", "network": "counts of networks", "proxy": "proxies"}
    found = [said for room, said in rooms.items() if room in kinds]
    rows = counted(len(table.rows), "row")
    of = f": {', '.join(found)}" if found else ""
    return f"{rows} of {table.space.name}{of}. None is called best: nothing was trained."


def _ran(comparisons: Sequence[Comparison]) -> str:
    """What was searched where nothing that was found can be judged."""
    first = comparisons[0]
    names = _names([*first.traces]) if first.traces else "No strategy"
    runs = counted(len(next(iter(first.traces.values()), ())), "run")
    return f"{names}: {runs} each of {budget_text(first)}. No run can be judged by what it found."


def _won(comparison: Comparison) -> list[Answer]:
    """Which strategy did best, from which others a test tells it, and against what noise."""
    standing = standing_of(comparison)
    if standing is None:
        return []
    unit = " points" if comparison.of_accuracy and not comparison.fronts else ""
    runs = len(comparison.traces[standing.best])
    if not standing.others:
        said = (
            f"{standing.best} alone ran: mean {comparison.scored} {standing.text}{unit} over "
            f"{counted(runs, 'run')} of {budget_text(comparison)}."
        )
        return [("What was found", f"{said}{_noise(comparison, standing)}")]
    said = (
        f"{standing.best}: the lowest mean {comparison.scored}, {standing.text}{unit} over "
        f"{counted(runs, 'run')} of {budget_text(comparison)}."
    )
    return [("Who won", f"{said} {_told_apart(standing)}{_noise(comparison, standing)}")]


def _told_apart(standing: Standing) -> str:
    test = "Mann and Whitney's test (Holm's correction, .05)"
    if standing.untestable:
        return f"Nothing is told apart: {standing.untestable}."
    if not standing.tied:
        return f"{test} tells it from {_names(standing.beaten, 'all')}."
    if not standing.beaten:
        return f"{test} does not tell it from {_names(standing.tied, 'any')}."
    return f"{test} tells it from {_names(standing.beaten)}; not from {_names(standing.tied)}."


def _names(names: Sequence[str], every: str = "") -> str:
    """Such as: a, b and c; or so many others."""
    if len(names) > MOST_NAMES:
        return f"{every} {len(names)} others".strip()
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _noise(comparison: Comparison, standing: Standing) -> str:
    """How many strategies end below what the seeds of the table can tell."""
    if comparison.fronts or comparison.noise is None:
        return ""
    floor = comparison.noise.floor
    if not math.isfinite(floor):
        return ""
    below = [name for name, mean in standing.means.items() if mean < floor]
    if len(below) == len(standing.means):
        who = "All of them end" if len(below) > 1 else "That is"
    elif below:
        who = f"{len(below)} of {len(standing.means)} strategies end"
    else:
        return f" That is above the noise of the table's seeds ({floor:.2f} points)."
    return (
        f" {who} below the noise of the table's seeds ({floor:.2f} points): who is ahead there "
        f"fits this table's luck as well as its architectures."
    )


def _over_tables(found: Comparisons) -> Answer:
    ranks: Friedman = found.ranks
    best = next(iter(ranks.ranks))
    n = len(found.tables)
    said = f"{best}: the best mean rank, {ranks.ranks[best]:.2f} over {counted(n, 'table')}."
    if math.isnan(ranks.p):
        return "Who won over tables", f"{said} No test: {ranks.note}."
    tied = dict.fromkeys(name for group in ranks.groups if best in group for name in group)
    apart = [name for name in ranks.ranks if name not in tied and name != best]
    test = f"Friedman's test: p = {ranks.p:.2g}"
    others = [name for name in tied if name != best]
    if not apart:
        return "Who won over tables", f"{said} {test}; Nemenyi's tells it from none of the others."
    rest = f", not from {_names(others)}" if others else ""
    return "Who won over tables", f"{said} {test}; Nemenyi's tells it from {_names(apart)}{rest}."


def predicted(score: Score) -> str:
    """How well a predictor ranks what it was not fitted on."""
    found, (low, high) = score.agreement, score.intervals["kendall"]
    said = (
        f"Fitted on {score.trained_on:,} rows it ranks {found.n:,} others with Kendall's τ "
        f"{found.kendall:.2f} [{low:.2f}, {high:.2f}]"
    )
    if score.ceiling is not None:
        said += f"; the noise of the seeds leaves {score.ceiling.kendall:.2f} to be reached"
    return f"{said}."
