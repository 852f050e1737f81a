"""The best-practice checklist of NAS research, filled in from what is known of the runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from nasbench._version import __version__
from nasbench.report.strategies import budget_text
from nasbench.report.text import TextTable
from nasbench.search import Comparison, strategy_names
from nasbench.search.strategy import is_ours
from nasbench.table import origins

__all__ = ["checklist"]

MET, NOT_MET, OPEN = "met", "not met", "open"
_WORST = (NOT_MET, OPEN, MET)
FEW = 10
"""Of fewer runs no interval is given."""

Answer = tuple[str, str]


def checklist(comparisons: Sequence[Comparison]) -> TextTable:
    """Each point of the checklist: whether it is met, and by what.

    Lindauer & Hutter, "Best Practices for Scientific Research on Neural Architecture Search",
    JMLR 21(243), 2020; the points are theirs, the words ours. What cannot be known from runs and
    tables is open, with what the author must add.

    Args:
        comparisons: of one table each; a point is met where it is met on all of them.
    """
    rows = []
    for point, answer in _POINTS.items():
        answers = [answer(comparison) for comparison in comparisons]
        state = min((state for state, _ in answers), key=_WORST.index)
        reasons = dict.fromkeys(reason for of, reason in answers if of == state)
        rows.append((point, state, "; ".join(reasons)))
    count = {state: sum(row[1] == state for row in rows) for state in (MET, NOT_MET, OPEN)}
    note = (
        f"The points of Lindauer & Hutter, “Best Practices for Scientific Research on Neural "
        f"Architecture Search”, JMLR 2020, in other words. {count[MET]} met, {count[NOT_MET]} not "
        f"met, {count[OPEN]} open: what is open no run can tell, and is the author's to add."
    )
    columns = ("point", "state", "why")
    return TextTable("Best-practice checklist", columns, rows, note, prose=True)


def _trained(comparison: Comparison) -> bool:
    """Whether the table says how its recipe was trained."""
    return "trained" in comparison.table.manifest["recipes"].get(comparison.report_recipe, {})


def _source(comparison: Comparison) -> str:
    names = [str(source.get("name")) for source in origins(comparison.table.manifest)]
    return f"{comparison.table.name} was imported from {', '.join(names) or 'elsewhere'}"


def _training_code(comparison: Comparison) -> Answer:
    if _trained(comparison) and not origins(comparison.table.manifest):
        return MET, f"{comparison.table.name} was built by nasbench-harness from its recipe"
    return OPEN, f"{_source(comparison)}: name the code that trained it"


def _space_code(comparison: Comparison) -> Answer:
    space = comparison.table.space
    return MET, f"{space.name}, {space.size:,} architectures, described in the table's file"


def _final_training(comparison: Comparison) -> Answer:
    recipe = comparison.report_recipe
    if not comparison.table.recipes:
        return OPEN, f"{comparison.table.name} holds costs alone: say what was trained, and how"
    seeds = ", ".join(map(str, comparison.table.manifest["recipes"][recipe]["seeds"]))
    if _trained(comparison):
        return MET, f"{recipe} of {comparison.table.name}: settings and seeds {seeds} in its file"
    return OPEN, f"the file of {comparison.table.name} names {recipe}, not its settings: cite them"


def _method_code(comparison: Comparison) -> Answer:
    here = strategy_names()  # a page may be made where a strategy's package is not
    others = [name for name in comparison.traces if name not in here or not is_ours(name)]
    if others:
        return OPEN, f"say where the code of {', '.join(others)} is"
    return MET, f"all strategies are of nasbench-harness {__version__}"


def _method_parameters(comparison: Comparison) -> Answer:
    given = {name: own for name, own in comparison.protocol.parameters.items() if own}
    own = [f"{name}.{key}={value}" for name, of in given.items() for key, value in of.items()]
    changed = f"changed: {', '.join(own)}" if own else "defaults of that version"
    return MET, f"kept with every run, seeds {_seeds(comparison)}; {changed}"


def _same_benchmark(comparison: Comparison) -> Answer:
    table = comparison.table
    judged = f"{table.name} (SHA-256 {table.sha256[:12]})"
    if comparison.protocol.surrogate:
        return MET, f"all strategies search one predictor and are judged by {judged}"
    return MET, f"all strategies search and are judged by {judged}"


def _confounders(comparison: Comparison) -> Answer:
    if comparison.protocol.cost_model:
        return OPEN, "training times are assumed: justify the assumption"
    if comparison.protocol.budget.seconds is None and not comparison.protocol.budget.epochs:
        return OPEN, (
            "the budget is in evaluations, whose training times differ: give one in seconds, too"
        )
    return MET, (
        "accuracies and seconds are looked up, for all strategies alike: no run's hardware or "
        "library enters"
    )


def _ablation(comparison: Comparison) -> Answer:
    return OPEN, "add runs of your method without each of its parts"


def _same_protocol(comparison: Comparison) -> Answer:
    return MET, (
        f"one budget ({budget_text(comparison)}), one objective; incumbents are chosen "
        f"without test data and looked up by {comparison.report_recipe}"
    )


def _over_time(comparison: Comparison) -> Answer:
    if "seconds" not in comparison.curves:
        return NOT_MET, "training takes no time here: only evaluations are counted"
    if comparison.protocol.cost_model:
        return OPEN, "regret over training times that are assumed: measure them"
    return MET, "regret over simulated seconds and over evaluations"


def _random_search(comparison: Comparison) -> Answer:
    if "random_search" in comparison.traces:
        return MET, "random_search is among the rows, and one random draw"
    return NOT_MET, "one random draw alone: add random_search"


def _several_runs(comparison: Comparison) -> Answer:
    n = len(next(iter(comparison.traces.values())))
    if n == 1:
        return NOT_MET, "one run of each strategy: give more seeds"
    if n < FEW:
        return OPEN, f"{n} runs of each strategy are too few for an interval: give more seeds"
    return MET, f"{n} runs of each strategy, seeds {_seeds(comparison)}"


def _tabular(comparison: Comparison) -> Answer:
    kind = "a predictor that was fitted on a table" if comparison.protocol.surrogate else "a table"
    return MET, f"every run searches {kind}"


def _tuning(comparison: Comparison) -> Answer:
    return OPEN, "say how each strategy's parameters were chosen, on which data, and what it took"


def _whole_time(comparison: Comparison) -> Answer:
    protocol, table = comparison.protocol, comparison.table
    recipe = comparison.report_recipe
    if "seconds" not in comparison.curves or protocol.cost_model:
        return OPEN, "training times are unknown: give those of search and of the final training"
    if protocol.search_recipe in (None, recipe):
        return MET, (
            "simulated seconds are all of the training; the strategies' own time is in thinking.csv"
        )
    if "train_seconds" not in table.metrics.get(recipe, ()):
        return OPEN, f"add what training the architecture found by {recipe} takes"
    last = np.concatenate(list(comparison.last.values()))
    seconds = comparison.lookup.worth("train_seconds", last)
    if not np.isfinite(seconds).any():
        return OPEN, f"add what training the architecture found by {recipe} takes"
    return MET, (
        f"search as stated; training what was found by {recipe} takes {np.nanmean(seconds):,.0f} "
        f"more seconds on average; the strategies' own time is in thinking.csv"
    )


def _setup(comparison: Comparison) -> Answer:
    manifest = comparison.table.manifest
    if "hardware" in manifest and "torch" in manifest.get("versions", {}):
        return MET, (
            f"hardware, versions and recipes in the file of {comparison.table.name}, the searches' "
            f"setting in comparison.json"
        )
    return OPEN, (
        f"the searches' setting is in comparison.json; {_source(comparison)}, which must be cited "
        f"for hardware and versions"
    )


def _seeds(comparison: Comparison) -> str:
    """Such as 0 to 49, or 1, 4, 7."""
    seeds = sorted(trace.seed for trace in next(iter(comparison.traces.values())))
    if len(seeds) > 2 and seeds == list(range(seeds[0], seeds[-1] + 1)):
        return f"{seeds[0]} to {seeds[-1]}"
    return ", ".join(map(str, seeds))


_POINTS: dict[str, Callable[[Comparison], Answer]] = {
    "Code: what trains the architectures that are judged": _training_code,
    "Code: the search space": _space_code,
    "Code: settings and seeds of that training": _final_training,
    "Code: the search strategies": _method_code,
    "Code: the strategies' parameters and seeds": _method_parameters,
    "Comparison: same data and split, space and training for all": _same_benchmark,
    "Comparison: nothing else differs (hardware, libraries, running time)": _confounders,
    "Comparison: ablations": _ablation,
    "Comparison: all are evaluated by one protocol": _same_protocol,
    "Comparison: performance over time": _over_time,
    "Comparison: random search takes part": _random_search,
    "Comparison: several runs, and their seeds": _several_runs,
    "Comparison: tabular or surrogate benchmarks": _tabular,
    "Report: how parameters were tuned, and its cost": _tuning,
    "Report: time from end to end, not of the search alone": _whole_time,
    "Report: the whole set-up": _setup,
}
