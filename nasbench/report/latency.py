"""How far the latencies of a table can be trusted: a table and a figure of their spread."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nasbench.report.figures import Drawing
from nasbench.report.text import TextTable
from nasbench.report.theme import COLOURS, figure, plain_numbers, styled
from nasbench.table import LatencyTrust, Table

__all__ = ["spread_curves", "trust_table"]

STEPS = 200
"""Of a curve over shares of rows: more of them no figure tells apart."""


def trust_table(table: Table) -> TextTable | None:
    """What is known of each device's latencies; None where no device measured any."""
    found = {device: LatencyTrust.of(table, device) for device in table.devices}
    rows = [
        (
            device,
            of.clock,
            _percent(of.spread),
            _percent(of.turns),
            "–" if of.disturbed is None else f"{of.disturbed:,} of {of.rows:,}",
            f"{of.missing:,}",
        )
        for device, of in found.items()
        if of
    ]
    if not rows:
        return None
    columns = ("device", "clock", "spread of runs", "of turns", "wall disturbed", "missing")
    note = (
        "Spread: how far the 0.9 quantile lies above the 0.1 quantile; of a row's runs (median "
        "over rows), and of a network that was timed in every turn. Wall disturbed: rows of which "
        "other processes interrupted more than half of the runs; the CPU's clock does not count "
        "what others did."
    )
    return TextTable("How far latencies can be trusted", columns, rows, note)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share == share else "–"


@styled
def spread_curves(table: Table, devices: Sequence[str]) -> Drawing | None:
    """The spread of each row's runs, as shares of rows; None where nobody kept it."""
    drawn, axes = figure()
    shown, shares = 0, np.linspace(0, 1, STEPS + 1)[1:]
    for device in devices:
        if "latency_spread_ms" not in table.manifest["devices"][device]["kinds"]:
            continue
        latency = table.device_column(device, "latency_ms")
        known = np.isfinite(latency) & (latency > 0)
        spread = table.device_column(device, "latency_spread_ms")[known] / latency[known]
        spread = 100 * spread[np.isfinite(spread)]
        if not len(spread):
            continue
        spread = np.quantile(spread, shares, method="higher")
        colour = COLOURS[shown % len(COLOURS)]
        axes.step(spread, 100 * shares, where="post", color=colour, linewidth=1.2, label=device)
        shown += 1
    if not shown:
        return None
    axes.set_xscale("symlog", linthresh=1)
    plain_numbers(axes.xaxis)
    axes.set_xlim(left=0)
    axes.set_xlabel("0.9 quantile of runs above the 0.1 quantile, %")
    axes.set_ylabel("rows with that spread or less, %")
    drawn.legend(loc="outside lower left")
    caption = "A latency whose runs lie far apart was measured on a machine that did other work."
    return Drawing("latency-spread", "Spread of latency", caption, drawn)
