"""Runs that share weights beside searches: the same table, the same seconds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nasbench.report.figures import Drawing
from nasbench.report.regret import legend
from nasbench.report.sections import Section
from nasbench.report.sharing import collapse
from nasbench.report.text import TextTable, estimate_text, number_text
from nasbench.report.theme import FAINT, figure, label, series, styled
from nasbench.search.comparison import Comparison
from nasbench.search.curves import POINTS, Curves
from nasbench.search.share_runs import names_of_shares
from nasbench.search.shares import BETTER, Shares
from nasbench.stats import Estimate, bootstrap_estimate

__all__ = ["shared_section"]

MOST_SHARED = 6
"""Runs that share weights, likewise: the best in the end. Tables have all."""

MOST_SEARCHES = 6
"""Black-box strategies that a figure has room for: random search, and the best at its end."""


PARTS = (1 / 8, 1 / 4, 1 / 2, 1)
"""Of the budget, after which regrets are compared."""


def shared_section(comparison: Comparison) -> Section:
    """What shared weights find for the same seconds as searches do."""
    shared = comparison.shared
    lead = (
        "Strategies that share weights pay for training and scoring them in the seconds of the "
        "same table. Lines end where runs do. " + " ".join(filter(None, map(collapse, shared)))
    )
    drawings = [_curves(comparison, shared)] if "seconds" in comparison.curves else []
    tables = [_table(comparison, shared)]
    if drawings:
        tables.append(_at_seconds(comparison.curves["seconds"], shared))
    return Section("Shared weights beside searches", lead, drawings, tables)


def _regret(shares: Shares, grid: NDArray[np.float64]) -> NDArray[np.float64]:
    """Regret of the current choice of each run at each point, `[runs, points]`; NaN before any."""
    found = np.full((len(shares.runs), len(grid)), np.nan)
    assert shares.lookup is not None
    for place, run in enumerate(shares.runs.values()):
        chosen = [(line.clock, line.choice) for line in run.lines if line.choice is not None]
        if not chosen:
            continue
        clocks, choices = (np.asarray(column) for column in zip(*chosen, strict=True))
        regret = shares.lookup.regret(choices.astype(np.int64))
        at = np.searchsorted(clocks, grid, side="right") - 1
        found[place] = np.where(at >= 0, regret[at], np.nan)
    return found


@styled
def _curves(comparison: Comparison, shared: Sequence[Shares]) -> Drawing:
    """Mean regret over seconds: shared weights thick, searches thin."""
    curves = comparison.curves["seconds"]
    lines = dict(zip(names_of_shares(shared), shared, strict=True))
    best = sorted(lines, key=lambda name: lines[name].mean_regret.value)[:MOST_SHARED]
    names = [name for name in lines if name in best]
    searches = _best_searches(curves)
    drawn, axes = figure(6.4, 3.6)
    looks = series(len(names) + len(searches))
    early: list[float] = []  # means after a part of the budget: before, some are off the scale
    for name, (colour, dash) in zip(names, looks[: len(names)], strict=True):
        of = lines[name]
        end = max((run.seconds for run in of.runs.values()), default=0.0)
        grid = np.linspace(0, end, POINTS)
        band = Curves("seconds", grid, {name: _regret(of, grid)}).band(name)
        shown = label(f"{name} (n = {band.runs})")
        axes.plot(grid, band.mean, color=colour, linestyle=dash, linewidth=2, label=shown)
        axes.plot(end, band.mean[-1], "o", color=colour)
        early.append(float(np.nanmax(band.mean[grid >= PARTS[0] * end], initial=0)))
    for name, (colour, dash) in zip(searches, looks[len(names) :], strict=True):
        band = curves.band(name)
        shown = label(f"{name} (n = {band.runs})")
        axes.plot(curves.grid, band.mean, color=colour, linestyle=dash, linewidth=1, label=shown)
        later = curves.grid >= PARTS[0] * curves.grid[-1]
        early.append(float(np.nanmax(band.mean[later], initial=0)))
    if comparison.noise:
        axes.axhline(comparison.noise.floor, color=FAINT, linewidth=1)
    axes.set_xlabel("seconds, priced by the table")
    axes.set_ylabel("mean regret of the choice, points")
    axes.set_ylim(0, 1.1 * max(early) or None)
    legend(drawn, axes)
    caption = (
        "Mean regret of what would be chosen, looked up in the table: before its first choice a "
        "run that shares weights has none, and the line begins where all have one."
        + (" The level line is what seeds leave uncertain." if comparison.noise else "")
        + (f" Of {len(shared)} those {MOST_SHARED} with least." if len(shared) > len(names) else "")
    )
    return Drawing("shared", "Shared weights and searches", caption, drawn)


def _best_searches(curves: Curves) -> list[str]:
    """Random search, and the best at the end."""
    ends = {name: float(np.nanmean(of[:, -1])) for name, of in curves.regret.items()}
    best = sorted(ends, key=lambda name: ends[name])
    others = [name for name in best if name != "random_search"][: MOST_SEARCHES - 1]
    return others + [name for name in best if name == "random_search"]


def _table(comparison: Comparison, shared: Sequence[Shares]) -> TextTable:
    curves = comparison.curves.get("seconds")
    searches = _best_searches(curves) if curves else []
    rows = []
    for name, of in zip(names_of_shares(shared), shared, strict=True):
        seconds = float(np.mean([run.seconds for run in of.runs.values()]))
        cells = [number_text(_at(curves, search, seconds)) for search in searches if curves]
        correlation = estimate_text(of.correlation(BETTER[0][0]))
        n = f"{of.mean_regret.n}"
        rows.append(
            (name, n, f"{seconds:,.1f}", estimate_text(of.mean_regret), *cells, correlation)
        )
    columns = ("shared weights", "n", "seconds", "regret", *searches, "rank correlation")
    note = (
        "Regret of the choice, in points; beside it the mean regret of searches for the same "
        "seconds (– where they were not run that long); Spearman's correlation of inherited "
        "losses with the table at the end of the training."
    )
    return TextTable("Shared weights and searches at the same price", columns, rows, note)


def _at_seconds(curves: Curves, shared: Sequence[Shares]) -> TextTable:
    """Regret after parts of the budget: shared weights and all searches, with intervals."""
    times = curves.grid[-1] * np.asarray(PARTS)
    rows = []
    for name, of in zip(names_of_shares(shared), shared, strict=True):
        found = _regret(of, times)
        cells = [
            estimate_text(bootstrap_estimate(_mean, at)) if np.isfinite(at).all() else "–"
            for at in found.T
        ]
        rows.append((name, f"{len(found)}", *cells))
    places = np.searchsorted(curves.grid, times, side="right") - 1
    for name in _best_searches(curves):
        band = curves.band(name)
        cells = [
            estimate_text(Estimate(float(mean), float(low), float(high), band.runs))
            for mean, low, high in zip(
                band.mean[places], band.low[places], band.high[places], strict=True
            )
        ]
        rows.append((name, f"{band.runs}", *cells))
    columns = ("strategy", "n", *(f"{time:,.3g} s" for time in times))
    note = (
        "Mean regret of what would be chosen after so many seconds, with its interval (95 %, "
        "bootstrap over runs); what ended before keeps its choice, and – stands where not all "
        "runs have one. Runs on columns of a table share its supernets, and their intervals are of "
        "draws on these."
    )
    return TextTable("Regret after the same seconds", columns, rows, note)


def _mean(sample: NDArray[np.float64]) -> NDArray[np.float64]:
    mean: NDArray[np.float64] = np.asarray(sample.mean(-1))
    return mean


def _at(curves: Curves | None, name: str, seconds: float) -> float:
    """A search's mean regret at a time; NaN past the end, or before all have an incumbent."""
    if curves is None or seconds > curves.grid[-1]:
        return float("nan")
    return float(curves.band(name).mean[np.searchsorted(curves.grid, seconds, side="right") - 1])
