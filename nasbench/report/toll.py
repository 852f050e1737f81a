"""What it takes each strategy to come near, and how new what it found is."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from nasbench._words import rounded
from nasbench.report.regret import threshold
from nasbench.report.text import TextTable, decimals
from nasbench.report.winners import standing_of
from nasbench.search import Comparison, novelty, toll
from nasbench.stats import Estimate

__all__ = ["toll_table"]

NEAR = 0.1
"""Of what one random draw is expected to miss: near enough where regret has no points."""
MOST_ROWS = 2_000
"""Rows among which motifs are counted, spread evenly over larger tables."""


def toll_table(comparison: Comparison, within: float | None = None) -> TextTable:
    """Efficiency and novelty of the strategies: a row each, the best first.

    Args:
        comparison: with regret, of which a run can be judged.
        within: the regret that counts as near; by default that of the figures of its page.
    """
    if within is None:
        drawn = comparison.one_draw["regret"][0]
        within = threshold([comparison]) if comparison.thresholds else NEAR * drawn
    axes = ["evaluations", *(["seconds"] if "seconds" in comparison.curves else [])]
    standing = standing_of(comparison)
    names = list(standing.means if standing else comparison.traces)
    new, against = _new(comparison)
    rarity, usual = _rarity(comparison)
    rows = []
    for name in names:
        of = toll(comparison, name, within)
        cells = [name, f"{of.share.value:.2f} [{of.share.low:.2f}, {of.share.high:.2f}]"]
        cells += [_expected(getattr(of, axis)) for axis in axes]
        cells += [_mean(new[name])] if against else []
        rows.append([*cells, _mean(rarity[name])])
    unit = " points" if comparison.of_accuracy else ""
    near = f"{within:.2f}" if comparison.of_accuracy else f"{within:.{decimals(within)}f}"
    short = (
        f"Within {near}{unit} of the best at any time: the share of runs, and what is expected "
        f"to be spent until one is."
    )
    more = (
        "What is expected is all that the runs spent before they came so near, divided by those "
        "that did, as if runs were repeated until one does (the expected running time of COCO, "
        "Hansen et al., 2021), with its bootstrap 95 % interval over runs; Wilson's of shares. "
    )
    if against:
        more += (
            f"New is in how many decisions a find differs from the nearest of {against}, 0 where "
            f"it computes the same; mean over runs. "
        )
    more += (
        f"Rarity is how seldom rows of the table have a find's pairs of choices, in bits; of the "
        f"rows themselves it is {usual:.1f}."
    )
    heads = ["came near", *axes, *(["new"] if against else []), "rarity, bits"]
    return TextTable("What it takes to come near", ["strategy", *heads], rows, short, more=more)


Found = Mapping[str, NDArray[np.float64]]
"""By strategy, of each run that found something."""


def _new(comparison: Comparison) -> tuple[Found, str]:
    """In how many decisions finds differ from the nearest known one, and what is known.

    Known is what every run began with, or else what the other strategies found; none where
    neither is.
    """
    space, start = comparison.table.space, comparison.protocol.start
    finds = {name: last[last >= 0] for name, last in comparison.last.items()}
    if not start and len(finds) < 2:
        return {}, ""
    found = {}
    for name, last in finds.items():
        others = [of for other, of in finds.items() if other != name]
        known = np.asarray(start) if len(start) else np.unique(np.concatenate(others))
        some = len(last) and len(known)
        found[name] = novelty(space, last, known).distance.astype(float) if some else np.empty(0)
    return found, "what every run began with" if len(start) else "what the others found"


def _rarity(comparison: Comparison) -> tuple[Found, float]:
    """How rare the motifs of finds are among the table's rows, and of those themselves."""
    table = comparison.table
    rows = table.rows[:: -(-len(table.rows) // MOST_ROWS)]
    finds = {name: last[last >= 0] for name, last in comparison.last.items()}
    usual = novelty(table.space, rows[:1], rows).usual
    rarity = {
        name: novelty(table.space, last, rows).rarity if len(last) else np.empty(0)
        for name, last in finds.items()
    }
    return rarity, usual


def _expected(of: Estimate) -> str:
    if not math.isfinite(of.value):
        return "no run did"
    low, high = (rounded(end, 3) if math.isfinite(end) else "∞" for end in (of.low, of.high))
    return f"{rounded(of.value, 3)} [{low}, {high}]"


def _mean(values: NDArray[np.float64]) -> str:
    return f"{values.mean():.1f}" if len(values) else "–"
