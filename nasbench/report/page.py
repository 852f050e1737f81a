"""The page: what stands on it, of tables, comparisons and predictors."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nasbench._files import atomic_path, write_text
from nasbench._words import counted
from nasbench.errors import BadValue
from nasbench.report.briefs import comparison_brief, report_brief
from nasbench.report.checklist import checklist
from nasbench.report.decisions import best_choices, decision_section, importance_table
from nasbench.report.figures import (
    cost_scatter,
    histogram,
    predictor_scatter,
)
from nasbench.report.fronts import front_curves, fronts_table, typical_fronts
from nasbench.report.judged import Judged
from nasbench.report.latency import spread_curves, trust_table
from nasbench.report.paper import Paper
from nasbench.report.pictures import best_networks
from nasbench.report.ranks import critical_difference, over_tables, paired_table, ranks_table
from nasbench.report.regret import reach_curves, regret_curves, threshold
from nasbench.report.sections import Section, write_sections
from nasbench.report.shared_beside import shared_section
from nasbench.report.sheets import write_sheets
from nasbench.report.strategies import (
    elsewhere_table,
    pairs_table,
    reached_table,
    soon_table,
    strategy_table,
)
from nasbench.report.text import (
    TextTable,
    build_facts,
    device_table,
    predictor_table,
)
from nasbench.report.toll import toll_table
from nasbench.search import Comparison, Comparisons
from nasbench.search.fronts import Fronts
from nasbench.table import Table

if TYPE_CHECKING:
    from nasbench.surrogate import Score, Surrogate

__all__ = [
    "Report",
    "comparison_table",
    "write_comparison",
    "write_report",
]

FEW = 10
"""Over fewer tables the tests have little power."""

MOST_DEVICES = 4
"""Of more the first have figures; the table has all."""

_KINDS = (
    "trained",
    "measured",
    "counted",
    "computed",
    "estimated",
    "derived",
    "imported",
    "predicted",
)


@dataclass(frozen=True, slots=True)
class Report:
    """What a report is a function of.

    Attributes:
        table: what was built.
        recipe: of the table, whose last epoch is shown.
        comparisons: by title, in the order of the page.
        score: of a predictor on the table.
        extra: further sections, for what only the caller knows.
        surrogate: that predictor, which says what decisions are worth to it.
        commands: that make the page again, where the caller knows them better.

    Example:
        >>> from nasbench.table import load
        >>> report = Report(load("nb201-fashion16"), "10ep")
        >>> [section.title for section in report.sections()][0]
        'The table'
    """

    table: Table
    recipe: str | None
    comparisons: Mapping[str, Comparison] = field(default_factory=dict)
    score: Score | None = None
    extra: Sequence[Section] = ()
    surrogate: Surrogate | None = None
    commands: Sequence[str] = ()

    def sections(self) -> list[Section]:
        """The page's sections."""
        within = _within(list(self.comparisons.values()))
        return [
            *_table_sections(self.table, self.recipe),
            *_score_sections(self),
            *(
                section
                for title, comparison in self.comparisons.items()
                for section in _comparison_sections(title, comparison, within)
            ),
            *(_checklist_sections(list(self.comparisons.values())) if self.comparisons else ()),
            *self.extra,
        ]


def write_report(report: Report, out: Path, title: str, paper: Paper | None = None) -> Path:
    """Write `index.html`, `report.md`, `report.tex`, `figures/` and `tables/` into a folder.

    The same report gives the same bytes.

    Args:
        report: what is written.
        out: the folder.
        title: of the page.
        paper: the measures of the files of figures.

    Returns:
        The path of the page.

    Example:
        >>> import tempfile
        >>> from nasbench.report import Section
        >>> from nasbench.table import load
        >>> table = load("nb201-fashion16-proxies")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     page = write_report(Report(table, None), Path(folder), "Mine")
        ...     said = page.with_name("report.md").read_text(encoding="utf-8")
        ...     print(page.name, said.splitlines()[0])
        index.html # Mine
    """
    brief = report_brief(
        report.table, report.recipe, report.comparisons, report.score, report.commands
    )
    return write_sections(report.sections(), out, title, brief, paper=paper)


def write_comparison(
    found: Comparison | Comparisons,
    out: Path,
    paper: Paper | None = None,
) -> Path:
    """Write what strategies found on one table, or on several, into a folder.

    It gets the page with its figures and tables, `summary.json`, `runs.csv`, `curves.csv` and
    `thinking.csv`.

    Args:
        found: by `compare`.
        out: the folder.
        paper: the measures of the files of figures.

    Returns:
        The path of the page.

    Example:
        >>> import nasbench as nb, tempfile
        >>> table = nb.load("policy-cartpole")
        >>> found = nb.compare(
        ...     ["random_search"], table, metric="return", budget_evaluations=3, seeds=[0]
        ... )
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     page = write_comparison(found, Path(folder))
        ...     print(sorted(path.name for path in Path(folder).glob("*.csv")))
        ['curves.csv', 'runs.csv', 'thinking.csv']
    """
    several = isinstance(found, Comparisons)
    tables = found.tables if isinstance(found, Comparisons) else {found.table.name: found}
    over = counted(len(tables), "table") if several else next(iter(tables))
    sections = _over_tables_sections(found) if isinstance(found, Comparisons) else []
    within = _within(list(tables.values()))
    for name, comparison in tables.items():
        sections += _comparison_sections(f"Search strategies on {name}", comparison, within)
        sections += [shared_section(comparison)] if comparison.shared else []
    sections += _checklist_sections(list(tables.values()))
    for name, comparison in tables.items():
        of = f": {name}" if several else ""
        recipe = comparison.report_recipe if comparison.table.recipes else None
        sections += _table_sections(comparison.table, recipe, of)
    beside = {name: name for name in ("runs.csv", "curves.csv", "thinking.csv", "summary.json")}
    title = f"Search strategies on {over}"
    page = write_sections(sections, out, title, comparison_brief(found), beside, paper)
    write_sheets(tables, out)
    text = json.dumps(found.summary(), indent=2, allow_nan=False) + "\n"
    with atomic_path(out / "summary.json") as partial:
        write_text(partial, text)
    return page


def comparison_table(found: Comparison | Comparisons) -> TextTable:
    """The first table to look at: what was found on one table, or regret on each of several.

    Example:
        >>> import nasbench as nb
        >>> table = nb.load("nb201-fashion16")
        >>> found = nb.compare(["random_search"], table, budget_evaluations=3, seeds=range(2))
        >>> comparison_table(found).columns[:2]
        ('strategy', 'n')
    """
    if isinstance(found, Comparisons):
        return over_tables(found)
    return strategy_table(found, "Search strategies", thinking=True)


def _table_sections(table: Table, recipe: str | None, of: str = "") -> list[Section]:
    judged = Judged.of(table, recipe)
    networks = best_networks(judged) if judged else None
    drawings = [histogram(judged)] if judged else []
    drawings += [networks] if networks else []
    best = best_choices(judged) if judged else None
    kinds = _kinds(table)
    filled = "what is predicted is marked" if "predicted" in kinds else "nothing is filled in"
    built = Section(
        f"The table{of}",
        f"The values of {table.name} are {' or '.join(kinds).replace(' or ', ', ', len(kinds) - 2)}"
        f"; {filled}.",
        drawings,
        [build_facts(table, recipe), *([best] if best else ())],
    )
    first = [built, *([decision_section(judged, of)] if judged else ())]
    if not table.devices:
        return first
    timed = [d for d in table.devices if judged and _has_latency(judged, d)]
    costs = [cost_scatter(judged, device) for device in timed[:MOST_DEVICES] if judged]
    clocked = any("measured" in d["kinds"].values() for d in table.manifest["devices"].values())
    how = "Latencies are of repeats that were interleaved over architectures."
    trust, spread = trust_table(table), spread_curves(table, table.devices[:MOST_DEVICES])
    measured = Section(
        f"What running costs{of}",
        how if clocked else "Costs are as the source has them.",
        [*costs, *([spread] if spread else ())],
        [device_table(table), *([trust] if trust else ())],
    )
    return [*first, measured]


def _kinds(table: Table) -> list[str]:
    """How the table's values came about."""
    found = {entry.get("kind") for entry in table.manifest["datasets"].values()}
    return [kind for kind in _KINDS if kind in found]


def _has_latency(judged: Judged, device: str) -> bool:
    """Whether there is a row that has the metric and latency."""
    table = judged.table
    if "latency_ms" not in table.manifest["devices"][device]["kinds"]:
        return False
    both = judged.column + table.device_column(device, "latency_ms")
    return bool(np.isfinite(both).any())


def _fronts_section(title: str, comparison: Comparison, fronts: Fronts) -> Section:
    typical = typical_fronts(comparison, fronts)
    drawings = [front_curves(comparison, fronts, axis) for axis in fronts.curves]
    drawings += [typical] if typical else []
    lead = "With several objectives, what counts is the front of what none dominates."
    return Section(f"{title}: fronts", lead, drawings, [fronts_table(comparison, fronts)])


def _within(comparisons: Sequence[Comparison]) -> float | None:
    """The threshold of all figures of a page; None where regret has no points."""
    having = [of for of in comparisons if of.thresholds]
    return threshold(having) if having else None


def _comparison_sections(
    title: str, comparison: Comparison, within: float | None = None
) -> list[Section]:
    searched = "the predictor" if comparison.protocol.surrogate else "the table"
    lead = (
        f"Strategies search on {searched}; what they find is looked up in {comparison.table.name}."
    )
    if comparison.protocol.start:
        lead += f" Every run begins with {len(comparison.protocol.start)} given architectures."
    for smaller in comparison.protocol.begin_in:
        lead += (
            f" Every run first searches {smaller.space['name']}, a smaller space, for "
            f"{counted(smaller.evaluations, 'evaluation')}."
        )
    lead += "".join(f" Left out: {why}." for why in comparison.broken.values())
    lead += "".join(f" {remark[0].upper()}{remark[1:]}." for remark in comparison.remarks)
    nothing = _nothing_to_show(comparison)
    if nothing or not comparison.has_regret:
        elsewhere = [elsewhere_table(comparison, name) for name in comparison.also]
        tables = [strategy_table(comparison, title), *elsewhere]
        return [Section(title, lead + nothing, tables=tables)]
    curves = [regret_curves(comparison, axis) for axis in comparison.curves]
    near = reach_curves(comparison, next(iter(comparison.curves)), within)
    reached = reached_table(comparison)
    found = [
        strategy_table(comparison, title),
        soon_table(comparison),
        *([reached] if reached else ()),
        toll_table(comparison, within),
        *(elsewhere_table(comparison, name) for name in comparison.also),
    ]
    sections = [Section(title, lead, [*curves, *([near] if near else ())], found)]
    if comparison.fronts:
        sections.append(_fronts_section(title, comparison, comparison.fronts))
    if len(comparison.judged_scores) > 1:
        sections.append(_differences(title, comparison))
    return sections


def _nothing_to_show(comparison: Comparison) -> str:
    """Why there is no regret of any run; empty where there is of some."""
    if not comparison.has_regret:
        return ""
    if any(np.isfinite(comparison.finals(name)["regret"]).any() for name in comparison.traces):
        return ""
    if all(runs.all() for runs in comparison.failed.values()):
        return " Nothing was found: every training diverged or every architecture broke a limit."
    return " No run can be judged: the table lacks what they found."


def _differences(title: str, comparison: Comparison) -> Section:
    """Which of the strategies can be told apart on one table."""
    name, ranks = comparison.table.name, comparison.ranks
    pairs = pairs_table(comparison)
    if ranks is None:
        lead = (
            "Fewer than two seeds have a run of every strategy that can be judged, which tells "
            "nothing apart: give more seeds."
        )
        return Section(f"{title}: what differs", lead, tables=[pairs])
    lead = (
        f"Seeds are the blocks here, {ranks.blocks} of them: these tests speak of {name} only, and "
        f"say nothing of other tables. For that, name several tables."
    )
    drawn = critical_difference(ranks, list(comparison.traces), f"seeds of {name}")
    tables = [pairs, ranks_table(ranks, f"seeds of {name}", comparison.scored)]
    return Section(f"{title}: what differs", lead, [drawn], tables)


def _over_tables_sections(found: Comparisons) -> list[Section]:
    """Which of the strategies is best over several tables."""
    n, k = len(found.tables), len(found.strategies)
    title = f"Over {counted(n, 'table')}"
    lead = f"Each table counts once, by the mean {found.scored} of each strategy's runs; n = {n}."
    goals = {name: of.goal.metric for name, of in found.tables.items()}
    if len(set(goals.values())) > 1:
        lead += f" Searched for: {', '.join(f'{m} on {t}' for t, m in goals.items())}."
    for table, refused in found.absent.items():
        lead += "".join(f" Left out on {table}: {one}: {why}." for one, why in refused.items())
    if n < 2 or k < 2:
        return [Section(title, lead, tables=[over_tables(found)])]
    if n < FEW:
        lead += " Over so few tables a difference that is not found may still be there."
    drawn = critical_difference(found.ranks, found.strategies, "tables")
    return [Section(title, lead, [drawn], [over_tables(found), paired_table(found)])]


def _checklist_sections(comparisons: Sequence[Comparison]) -> list[Section]:
    lead = "What a reviewer of architecture search asks for, as far as runs and tables tell."
    return [Section("Best practices", lead, tables=[checklist(comparisons)], folded=True)]


def _score_sections(report: Report) -> list[Section]:
    score = report.score
    if score is None:
        return []
    lead = "A meta-learner is fitted on part of the table and predicts the rest."
    tables = [predictor_table(score)]
    if report.surrogate is not None:
        from nasbench.surrogate import decision_importance

        try:
            found = decision_importance(report.surrogate, score.metric)
            tables.append(importance_table(found, score.metric))
        except BadValue as untold:
            lead += f" Which decisions matter to it is not said here: {untold}."
    return [Section("The predictor", lead, [predictor_scatter(score, report.table)], tables)]
