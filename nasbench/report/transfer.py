"""The page of what transfer saves, each task left out in turn."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from nasbench._files import write_csv, write_json
from nasbench._words import counted
from nasbench.report.figures import Drawing
from nasbench.report.ranking_briefs import transfer_brief
from nasbench.report.regret import regret_curves
from nasbench.report.sections import Section, write_sections
from nasbench.report.text import TextTable, estimate_text
from nasbench.report.theme import FAINT, INK, figure, series, styled
from nasbench.transfer import Held, Repository, Similarity, TransferEvaluation
from nasbench.transfer.evaluation import GOOD, LEAST, MEAN, WARM
from nasbench.transfer.savings import Saving

__all__ = ["repository_table", "savings_table", "similarity_table", "write_transfer"]

VARIANTS = (WARM, MEAN, LEAST, GOOD)
FEW = 10
"""Over fewer tasks nothing can be said of tasks at large."""


def write_transfer(found: TransferEvaluation, out: Path) -> Path:
    """Write the page with its figures and tables, `transfer.json` and `savings.csv`.

    Returns:
        The path of the page.
    """
    sections = [
        _saved_section(found),
        _hurts_section(found),
        _similar_section(found),
        *(_task_section(name, held) for name, held in found.held.items()),
    ]
    title = f"What transfer saves over {len(found.held)} tasks"
    beside = {name: name for name in ("transfer.json", "savings.csv")}
    page = write_sections(sections, out, title, transfer_brief(found), beside)
    write_json(out / "transfer.json", found.describe())
    write_csv(out / "savings.csv", _CSV, _lines(found))
    return page


def savings_table(found: TransferEvaluation, variant: str = WARM) -> TextTable:
    """What one kind of warm search saves at the whole budget: a line a task and strategy."""
    rows = []
    for task, held in found.held.items():
        for strategy, savings in held.savings.items():
            last = {of.axis: of for of in savings if of.variant == variant}  # the whole budget
            of = last["evaluations"]
            cells = [
                task,
                strategy,
                f"{of.cold:.2f}",
                f"{of.warm:.2f}",
                estimate_text(of.difference),
            ]
            cells += [estimate_text(last[axis].saved, 0) if axis in last else "–" for axis in _AXES]
            if variant == WARM:
                cells.append(f"{found.p_holm[task, strategy]:.2g}")
            rows.append(cells)
    columns = ["left out", "strategy", "cold", "warm", "warm – cold", "evaluations saved"]
    columns += ["seconds saved", *(["p (Holm)"] if variant == WARM else ())]
    title = f"At the whole budget: {variant}"
    return TextTable(title, columns, rows, _saved_note(found, variant))


def similarity_table(name: str, found: Sequence[Similarity], held: Held | None = None) -> TextTable:
    """How similar earlier tasks are to one of that name; more is known of one left out."""
    rows = []
    for of in found:
        far = f"{of.distance:.2f} ({of.features})" if math.isfinite(of.distance) else "–"
        cells = [of.name, estimate_text(of.agreement), str(of.agreement.n), far]
        if held:
            ceiling = held.ceiling[of.name]
            cells += [f"{held.agreement[of.name]:.3f}", f"{ceiling:.3f}" if ceiling else "–"]
        rows.append(cells)
    note = (
        "Spearman's correlation of the landmarks' validation accuracies, with the bootstrap 95 % "
        "interval over landmarks. Distance: of the meta-features that both have (how many)."
    )
    columns = ["earlier task", "Spearman", "landmarks", "distance"]
    if held:
        columns += ["over all architectures", "ceiling"]
        note += (
            " Landmarks are where the earlier tasks disagree: over all architectures correlations "
            "are higher. The ceiling is what the noise of the seeds leaves of those; – where a "
            "table has one seed."
        )
    return TextTable(f"Tasks like {name}", columns, rows, note)


def repository_table(repository: Repository) -> TextTable:
    """What a repository holds: a line a task."""
    copies = {second: first for first, second in repository.copies()}
    rows = []
    for task in repository.tasks.values():
        features = task.about.features
        shown = [f"{features[key]:g}" if key in features else "–" for key in _SHOWN]
        known = f"{len(task.about.landmarks):,} of {repository.space.size:,}"
        same = f"the task of {copies[task.name]}" if task.name in copies else ""
        rows.append((task.name, task.about.name, task.recipe, known, *shown, len(features), same))
    columns = ("table", "task", "recipe", "architectures", "images", "classes", "channels")
    note = f"Tables of {repository.space.name}. – is unknown, and no part of any distance."
    cells = [[str(cell) for cell in row] for row in rows]
    return TextTable("Earlier tasks", (*columns, "features", ""), cells, note)


_AXES = ("evaluations", "seconds")
_SHOWN = ("train_images", "classes", "channels")
_CSV = (
    *("left_out", "strategy", "variant", "axis", "at"),
    *("cold_regret_points", "warm_regret_points"),
    *("difference_points", "difference_low", "difference_high"),
    *("saved", "saved_low", "saved_high", "seeds"),
)


def _lines(found: TransferEvaluation) -> Iterator[Sequence[str | float]]:
    for task, held in found.held.items():
        for strategy, savings in held.savings.items():
            for of in savings:
                apart, saved = of.difference, of.saved
                yield (
                    *(task, strategy, of.variant, of.axis, of.at, of.cold, of.warm),
                    *(apart.value, apart.low, apart.high),
                    *(saved.value, saved.low, saved.high, saved.n),
                )


def _saved_note(found: TransferEvaluation, variant: str) -> str:
    begins = {
        WARM: f"the landmarks, then {found.top} winners of the most similar task",
        LEAST: f"the landmarks, then {found.top} winners of the least similar task",
        MEAN: f"the {found.top} best by the mean rank over the other tasks; no landmarks",
        GOOD: f"{found.top} out of the best tenth by that rank, drawn anew for each seed",
    }[variant]
    note = (
        f"The warm search begins with {begins}; all of it is paid. "
        f"{counted(len(found.seeds), 'seed')}; mean "
        f"regret in points; intervals are the bootstrap's (95 %) over seeds. Saved: how much "
        f"sooner the warm search's mean regret is what both have at the whole budget; negative is "
        f"later."
    )
    if variant == WARM:
        note += (
            f" p: Wilcoxon's signed ranks over seeds, final regret, Holm's correction over all "
            f"{len(found.p_holm)}; it speaks of these tables only."
        )
    return note


def _saved_section(found: TransferEvaluation) -> Section:
    n = len(found.held)
    lead = (
        f"Each of {n} tasks is left out in turn and searched with what the others know. The seeds "
        f"are repetitions of a search, not of a task: of other tasks "
        f"{'nothing can be concluded' if n < FEW else 'only the table over tasks speaks'}."
    )
    drawn = [_savings(found, axis) for axis in _AXES if _known(found, axis)]
    tables = [savings_table(found, variant) for variant in _variants(found)]
    return Section("What is saved", lead, drawn, [tables[0], _over_tasks(found), *tables[1:]])


def _variants(found: TransferEvaluation) -> list[str]:
    """Those that every task has: of two tasks none is the least similar one."""
    starts = [(*held.starts, GOOD) for held in found.held.values()]
    return [variant for variant in VARIANTS if all(variant in of for of in starts)]


def _known(found: TransferEvaluation, axis: str) -> bool:
    """Whether every table has times, or the axis needs none."""
    of = (s for held in found.held.values() for s in held.comparisons.values())
    return all(axis in comparison.curves for comparison in of)


def _over_tasks(found: TransferEvaluation) -> TextTable:
    rows = [
        (
            strategy,
            estimate_text(pair.difference),
            estimate_text(pair.wins),
            f"{pair.p:.2g}",
            pair.note,
        )
        for strategy, pair in found.over_tasks.items()
    ]
    note = (
        f"Mean final regret, {WARM} less cold, with the tasks as pairs, n = {len(found.held)}; the "
        f"chance that warm is lower, with Wilson's interval; Wilcoxon's signed ranks."
    )
    return TextTable(
        "Over tasks", ("strategy", "warm – cold", "warm is lower", "p", ""), rows, note
    )


@styled
def _savings(found: TransferEvaluation, axis: str) -> Drawing:
    """What is saved, in percent of the budget, by task and strategy."""
    variants = _variants(found)
    lines = [(task, strategy) for task, held in found.held.items() for strategy in held.savings]
    drawn, axes = figure(height=1.2 + 0.32 * len(lines))
    looks = series(1 + len(variants))[1:]  # as the curves have them, whose first is cold
    for place, (variant, (colour, _)) in enumerate(zip(variants, looks, strict=True)):
        for line, (task, strategy) in enumerate(lines):
            of = _whole(found.held[task].savings[strategy], variant, axis)
            y = line + 0.16 * (place - (len(variants) - 1) / 2)
            low, middle, high = (
                100 * v / of.at for v in (of.saved.low, of.saved.value, of.saved.high)
            )
            axes.plot([low, high], [y, y], color=colour, linewidth=1.2)
            label = variant if line == 0 else None
            axes.plot([middle], [y], "osD^"[place], color=colour, markersize=3.5, label=label)
    axes.axvline(0, color=INK, linewidth=1)
    for line in range(len(lines) - 1):
        if lines[line][0] != lines[line + 1][0]:
            axes.axhline(line + 0.5, color=FAINT, linewidth=0.8)
    axes.set_yticks(range(len(lines)), [f"{task}: {strategy}" for task, strategy in lines])
    axes.set_ylim(len(lines) - 0.5, -0.5)
    axes.set_xlabel("saved, % of the budget")
    drawn.legend(*axes.get_legend_handles_labels(), loc="outside lower left", ncols=2)
    what = "simulated seconds of training" if axis == "seconds" else "evaluations"
    caption = (
        f"How much sooner, in {what}, a warm search's mean regret is what both searches have at "
        f"the whole budget, landmarks included; bootstrap 95 % intervals over {len(found.seeds)} "
        f"seeds. Left of 0 it is later."
    )
    return Drawing(f"saved-{axis}", f"Saved {axis}", caption, drawn)


def _whole(savings: Sequence[Saving], variant: str, axis: str) -> Saving:
    """That of the whole budget, which comes last."""
    return [of for of in savings if (of.variant, of.axis) == (variant, axis)][-1]


def _hurts_section(found: TransferEvaluation) -> Section:
    compared = sum(len(s) for held in found.held.values() for s in held.savings.values())
    rows = [
        (task, strategy, of.variant, f"{of.at:,.0f} {of.axis}", estimate_text(of.difference))
        for task, strategy, of in found.hurts()
    ]
    lead = (
        f"Of {compared} comparisons (task, strategy, kind of start, a tenth, a quarter, half and "
        f"all of the budget, on both axes) the warm search is worse in {len(rows)} by its whole "
        f"interval. No correction is made for their number: some are there by chance, and a harm "
        f"smaller than its interval is not listed."
    )
    columns = ("left out", "strategy", "begins with", "at", "warm – cold")
    note = "Mean regret in points, with the bootstrap 95 % interval over seeds."
    tables = [TextTable("Where the warm search is worse", columns, rows, note)] if rows else []
    return Section("When it hurts", lead, tables=tables)


def _similar_section(found: TransferEvaluation) -> Section:
    lead = (
        "Which task is the most similar is decided by landmarks: a few architectures that the "
        "other tasks choose and that are trained on the task left out. Nothing else of it is seen."
    )
    tables = [similarity_table(name, held.similar, held) for name, held in found.held.items()]
    return Section("How similar the tasks are", lead, tables=tables)


def _task_section(name: str, held: Held) -> Section:
    drawings = [
        replace(regret_curves(comparison, "evaluations"), name=strategy, title=strategy)
        for strategy, comparison in held.comparisons.items()
    ]
    lead = f"{len(held.landmarks)} landmarks, where a search has them, come first, then winners."
    return Section(f"Left out: {name}", lead, drawings)
