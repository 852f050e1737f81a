"""Tables of a comparison of search strategies on one table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nasbench._words import counted, rounded
from nasbench.report.text import TextTable, decimals
from nasbench.report.winners import Standing, standing_of
from nasbench.search import Comparison
from nasbench.stats import Estimate, Pair, summarize

__all__ = [
    "budget_text",
    "elsewhere_table",
    "pair_rows",
    "pairs_table",
    "reached_table",
    "runs_text",
    "soon_table",
    "strategy_table",
]

FEW = 6
"""Strategies of which every pair is shown."""
PAIRS = ("pair", "difference", "95 % interval", "first is lower", "p (Holm)")
_HEADS = {"valid_accuracy": "valid, %", "test_accuracy": "test, %"}


def strategy_table(comparison: Comparison, title: str, *, thinking: bool = False) -> TextTable:
    """What the strategies found: mean ± standard deviation, n and intervals.

    Args:
        comparison: of the strategies.
        title: of the table.
        thinking: add the wall time that strategies took, which no two runs share.
    """
    rows = []
    summary = comparison.summary()
    # An evaluation may be a part of a training: then the architectures are counted, too.
    in_parts = any(np.ptp(t.epochs) > 0 for traces in comparison.traces.values() for t in traces)
    possible = {
        "evaluations": True,
        "distinct": in_parts,
        "epochs": comparison.protocol.budget.epochs is not None,
    }
    counted = tuple(name for name, counts in possible.items() if counts)
    regretted = ("regret",) if comparison.has_regret else ()
    shown = (*counted, *comparison.judged, *regretted)
    digits = {metric: 1 if metric in counted else _digits(comparison, metric) for metric in shown}
    standing = standing_of(comparison)
    for name in _ranked(comparison, standing):
        found = summary["strategies"][name]
        cells = [name, runs_text(summary, name)]
        for metric in shown:
            stat = found[metric]
            cells.append(_spread(stat["mean"], stat["std"], digits[metric]) if stat else "–")
            cells[-1] += _fewer(stat, summary, name)
        if regretted:
            regret = found["regret"] if found["n"] > 1 else None  # one run has no interval
            interval = (regret["low"], regret["high"], digits["regret"]) if regret else None
            cells.append(_interval(*interval) if interval else "–")
        rows.append([*cells, *([_thinking_ms(comparison, name)] if thinking else [])])
    drawn = [
        _spread(*comparison.one_draw[metric], digits[metric]) for metric in shown[len(counted) :]
    ]
    once, unknown = ["1"] * len(counted), ["–"] if thinking else []
    interval_of_none = ["–"] * len(regretted)
    rows.append(["one random draw", "exact", *once, *drawn, *interval_of_none, *unknown])
    unit = ", points" if comparison.of_accuracy else ""
    heads = [f"regret{unit}" if m == "regret" else _HEADS.get(m, m) for m in shown]
    heads += ["95 % interval"] * len(regretted)
    columns = ["strategy", "n", *heads, *(["thinking, ms"] if thinking else [])]
    best = _best_cells(comparison, standing, 2 + shown.index("regret")) if regretted else []
    short = f"{_capital(budget_text(comparison))}; mean ± standard deviation over n runs."
    if best:
        short += (
            " Bold: the lowest mean regret, and what Mann and Whitney's test (Holm, .05) does not "
            "tell from it."
        )
    note = _note(comparison)
    if in_parts:
        note += (
            " An evaluation is a training or a part of one, up to the epoch that was asked for; "
            "distinct are the architectures of which any was."
        )
    if thinking:
        note += (
            " Thinking is wall time in the strategy for each evaluation, measured on the machine "
            "that ran the searches; simulated time leaves it out."
        )
    reference = frozenset([len(rows) - 1])
    return TextTable(
        title, columns, rows, short, more=note, best=frozenset(best), reference=reference
    )


def _ranked(comparison: Comparison, standing: Standing | None) -> list[str]:
    """The strategies, the best first; those of which nothing can be judged last."""
    known = standing.means if standing else {}
    return [*known, *(name for name in comparison.traces if name not in known)]


def _best_cells(
    comparison: Comparison, standing: Standing | None, column: int
) -> list[tuple[int, int]]:
    """Where the regret of the best stands, and of those that a test does not tell from it."""
    if standing is None or standing.untestable or comparison.fronts or not standing.others:
        return []
    names = _ranked(comparison, standing)
    return [(names.index(name), column) for name in (standing.best, *standing.tied)]


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _fewer(stat: Mapping[str, float] | None, summary: Mapping[str, Any], strategy: str) -> str:
    """The n of a number that is of fewer runs than those that found something."""
    n = summary["strategies"][strategy]["n"]
    known = n if stat is None else stat.get("n", n)
    return f" (n = {known})" if known < n - summary["failed"][strategy] else ""


def runs_text(summary: Mapping[str, Any], strategy: str) -> str:
    """How many runs there were, and how many of them found nothing or cannot be judged."""
    of_them = [
        f"{summary[key][strategy]} {words}"
        for key, words in (("failed", "failed"), ("not_looked_up", "not looked up"))
        if summary[key][strategy]
    ]
    n = summary["strategies"][strategy]["n"]
    return f"{n} ({', '.join(of_them)})" if of_them else f"{n}"


def _digits(comparison: Comparison, metric: str) -> int:
    """Decimals of a metric: two of accuracies, of a cost as many as show what one draw has."""
    if metric in _HEADS or (metric == "regret" and comparison.of_accuracy):
        return 2
    return decimals(comparison.one_draw[metric][0])


def _thinking_ms(comparison: Comparison, strategy: str) -> str:
    """Wall time in ask and tell for each evaluation, in milliseconds."""
    traces = comparison.traces[strategy]
    seconds = sum(trace.thinking_seconds for trace in traces)
    evaluations = sum(len(trace.architectures) for trace in traces)
    return rounded(1000 * seconds / evaluations, 2) if math.isfinite(seconds) else "–"


def _note(comparison: Comparison) -> str:
    protocol = comparison.protocol
    seen = "mean over seeds" if protocol.training_seed is None else f"seed {protocol.training_seed}"
    note = (
        f"A query shows the {seen}; repeats are {protocol.repeats}{_interval_note(comparison)}. "
        f"{_looked_up(comparison)}{_regret_note(comparison)}. One random draw "
        f"is exact: over all architectures{' of the table' if protocol.among_rows else ''}."
    )
    if protocol.among_rows:
        n, size = len(comparison.table.architectures), comparison.table.space.size
        note += f" Searched among the {n:,} of {size:,} architectures that the table has."
    note += "".join(f" {remark[0].upper()}{remark[1:]}." for remark in comparison.remarks)
    if protocol.prior:
        note += f" Known beforehand: {protocol.prior}."
    if comparison.noise:
        note += (
            f" Regret below {comparison.noise.floor:.2f} fits the seeds' noise, not the "
            f"architectures: one training is ± {comparison.noise.std:.2f}, a row's mean "
            f"± {comparison.noise.error:.2f} (standard deviations, best rows)."
        )
    if protocol.cost_model:
        note += f" Training times are assumed, not measured: {protocol.cost_model}."
    return note


def _interval_note(comparison: Comparison) -> str:
    if not comparison.has_regret:
        return ""
    return "; the interval is the bootstrap 95 % interval of the mean regret"


def _looked_up(comparison: Comparison) -> str:
    """What the columns of what was found are."""
    if not comparison.table.recipes:
        return "Costs are those of the incumbent"
    report, test = comparison.report_recipe, comparison.lookup.test_recipe
    what = "Accuracies (%)" if set(comparison.judged) & set(_HEADS) else "Metrics"
    return (
        f"{what} are means over seeds of the incumbent at the end of {report}, test looked "
        f"up after the search{'' if test == report else f' at the end of {test}'}"
    )


def _regret_note(comparison: Comparison) -> str:
    if not comparison.has_regret:
        return ""
    within = ", against the best row within the limits" if comparison.protocol.limits else ""
    return f"; regret is of {comparison.rewarded}{within}"


def budget_text(comparison: Comparison) -> str:
    """The budget of each run, in words."""
    budget = comparison.protocol.budget
    parts = []
    if budget.seconds:
        parts.append(f"{budget.seconds:,g} simulated seconds")
    if budget.epochs:
        whole = budget.epochs / comparison.oracle.fidelities[0].epochs
        parts.append(
            f"{counted(budget.epochs, 'epoch')} of training ({rounded(whole)} whole trainings)"
        )
    if budget.evaluations:
        parts.append(counted(budget.evaluations, "evaluation"))
    return " and ".join(parts)


def soon_table(comparison: Comparison) -> TextTable:
    """How soon: area under the regret curves; and how the runs are spread."""
    summary = comparison.summary()
    rows = []
    digits = _digits(comparison, "regret")
    for name in _ranked(comparison, standing_of(comparison)):
        final = summary["strategies"][name]["regret"]
        quartiles = summary["quartiles"][name]["regret"]
        median = _number(final["median"], digits) if final else "–"
        cells = [name, median + _fewer(final, summary, name)]
        between = [_number(end, digits) for end in quartiles or ()]
        cells.append(" to ".join(between) or "–")
        for area in summary["areas"][name].values():
            spread = _spread(area["mean"], area["std"], digits) if area else "–"
            cells.append(spread + _fewer(area, summary, name))
            several = area and summary["strategies"][name]["n"] > 1
            cells.append(_interval(area["low"], area["high"], digits) if several else "–")
        rows.append(cells)
    axes = [head for axis in comparison.curves for head in (f"over {axis}", "95 % interval")]
    ends = " and ".join(
        f"{rounded(of.grid[-1], 3)} {axis}" for axis, of in comparison.curves.items()
    )
    note = (
        f"“Over” is the area under a run's "
        f"regret curve divided by its span, which is the mean regret on the way, up to {ends}: "
        f"mean ± standard deviation over runs, and the bootstrap 95 % interval of the mean. Low "
        f"means good architectures early. Before its first incumbent a run counts as with it; "
        f"one that ends before keeps its last."
    )
    columns = ("strategy", "median", "quartiles", *axes)
    short = "Median and quartiles of the final regret over runs, and the mean regret on the way."
    return TextTable("How soon it is found", columns, rows, short, more=note)


def reached_table(comparison: Comparison) -> TextTable | None:
    """How likely a run ends near the optimum; None where regret is not of accuracy."""
    if not comparison.thresholds:
        return None
    names = _ranked(comparison, standing_of(comparison))
    reached = {name: comparison.reached(name) for name in names}
    rows = [(name, *map(_estimate, found.values())) for name, found in reached.items()]
    heads = [
        f"noise floor ({within:.2f})" if name == "noise_floor" else f"within {name}"
        for name, within in comparison.thresholds.items()
    ]
    note = (
        f"Share of runs that end within so many points of the optimum, "
        f"{comparison.optimum:.2f} % validation accuracy, with Wilson's 95 % interval."
    )
    more = "Runs that found nothing count as runs that did not get there."
    if comparison.noise:
        more += " At the noise floor the seeds of the table cannot tell a run from the optimum."
    return TextTable(
        "Probability of reaching the optimum", ("strategy", *heads), rows, note, more=more
    )


def pairs_table(comparison: Comparison) -> TextTable:
    """Which differences between strategies stand up: rank tests, corrected, with effect sizes."""
    scores = comparison.judged_scores
    pairs = comparison.pairs
    digits = 2 if comparison.fronts else _digits(comparison, "regret")
    rows, shown, notes = pair_rows(pairs, scores, digits)
    corrected = f"all {len(pairs)} pairs" if len(pairs) > 1 else "one pair"
    note = (
        f"The difference of means has its bootstrap 95 % interval; the chance that a run of the "
        f"first ends lower than one of the second (Vargha and Delaney's A) has Wilson's; p is of "
        f"Mann and Whitney's test, by Holm's correction over {corrected}. It speaks of this table "
        f"only. An interval is of one pair and of means, p of ranks and of all pairs: where they "
        f"disagree, p is the stricter."
    )
    short = " ".join([f"{comparison.scored.capitalize()}, {shown}.", *notes])
    return TextTable("Which differences stand up", PAIRS, rows, short, more=note)


def pair_rows(
    pairs: Sequence[Pair], regret: Mapping[str, ArrayLike], digits: int = 2
) -> tuple[list[Sequence[str]], str, list[str]]:
    """The rows of a table of pairs, which pairs they are, and what must be said of them.

    Of each pair the lower mean stands first, so that differences have one sign.
    """
    means = {name: np.nan_to_num(np.asarray(of), nan=np.inf).mean() for name, of in regret.items()}
    ranked = sorted(means, key=lambda name: float(means[name]))
    place = {name: number for number, name in enumerate(ranked)}
    ordered = [one if place[one.first] < place[one.second] else one.turned() for one in pairs]
    few = len(regret) <= FEW
    rows: list[Sequence[str]] = [
        (
            f"{pair.first} – {pair.second}",
            _number(pair.difference.value, digits),
            _interval(pair.difference.low, pair.difference.high, digits),
            _estimate(pair.wins),
            f"{pair.p_holm:.2g}",
        )
        for pair in sorted(ordered, key=lambda one: (place[one.first], place[one.second]))
        if few or pair.first == ranked[0]
    ]
    notes = [
        f"{note[0].upper()}{note[1:]}." for note in dict.fromkeys(p.note for p in pairs) if note
    ]
    return rows, "all pairs" if few else f"pairs with {ranked[0]}, the lowest mean", notes


def elsewhere_table(comparison: Comparison, name: str) -> TextTable:
    """What the strategies' incumbents are worth on another table."""
    rows = []
    metrics: tuple[str, ...] = ()
    for strategy, traces in comparison.traces.items():
        found = comparison.elsewhere(name, strategy)
        metrics = tuple(found)
        cells = [strategy]
        for metric, values in found.items():
            some = values[np.isfinite(values)]
            known = summarize(some) if len(some) else None
            digits = decimals(known.mean) if known and metric not in _HEADS else 2
            fewer = f" (n = {len(some)})" if len(some) < len(traces) else ""
            cells.append(_spread(known.mean, known.std, digits) + fewer if known else "–")
            cells.append(_interval(known.low, known.high, digits) if known else "–")
        rows.append(cells)
    note = (
        f"The incumbents of the searches on {comparison.table.name}, looked up on {name}: mean ± "
        f"standard deviation over the runs, and the bootstrap 95 % interval of the mean. What "
        f"{name} does not have is left out, and the n of the others is given."
    )
    heads = [head for m in metrics for head in (_HEADS.get(m, m), "95 % interval")]
    return TextTable(f"The same architectures on {name}", ("strategy", *heads), rows, note)


def _number(value: float, digits: int = 2) -> str:
    return f"{value:,.{digits}f}" if math.isfinite(value) else "–"


def _spread(mean: float, std: float, digits: int) -> str:
    return f"{mean:,.{digits}f} ± {std:,.{digits}f}" if math.isfinite(mean) else "–"


def _interval(low: float, high: float, digits: int = 2) -> str:
    return f"[{low:,.{digits}f}, {high:,.{digits}f}]" if math.isfinite(low) else "–"


def _estimate(of: Estimate) -> str:
    return f"{_number(of.value)} {_interval(of.low, of.high)}".removesuffix(" –")
