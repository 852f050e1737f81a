"""How a table ranks architectures beside a reference of the same space, as a Markdown table.

    python tests/benchmarks/table_agreement.py nb201-fashion16 nb201-cifar10.h5 \
        --reference-recipe 200ep --reference-metric test_accuracy \
        --without reports/nb201-fashion16-pilot/pilot.json

The rows of the table, one for each distinct network that it trained, by the mean over seeds of
valid accuracy after the recipe's last epoch. `--without` leaves out the cells on which the recipe
was chosen: what a choice was made on flatters it. Rank correlations are Spearman's, with the
bootstrap interval (95 %) over architectures.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import nasbench as nb
from nasbench.building.judgement import SCOPES, Reference
from nasbench.report.text import TextTable
from nasbench.stats import (
    Estimate,
    bootstrap_estimate,
    partial_spearman,
    seed_agreement,
    spearman,
    spearman_ceiling,
)
from nasbench.table import Table


def agreement_table(
    table: Table, recipe: str, reference: Reference, left_out: list[int]
) -> TextTable:
    """By scope: what valid accuracy, FLOPs and parameters say of the reference."""
    reference.check(table.space)
    rows = table.rows.astype(np.int64)
    last = table.curves("valid_accuracy", recipe=recipe)[:, :, -1].astype(np.float64)
    wanted = reference.values(rows)
    sizes = np.stack([table.column(name) for name in ("flops", "parameters")], axis=1)
    known = np.isfinite(last).all(1) & np.isfinite(wanted)
    known &= ~np.isin(rows, table.space.canonical(np.asarray(left_out, dtype=np.int64)))
    found = []
    for scope, share in SCOPES.items():
        best = np.flatnonzero(known)[np.argsort(-wanted[known], kind="stable")]
        pick = best[: int(np.ceil(share * len(best)))]
        found.append((scope, *_figures(last[pick], wanted[pick], sizes[pick])))
    columns = (
        "",
        "n",
        "accuracy",
        "FLOPs alone",
        "parameters alone",
        "accuracy given both",
        "two seeds",
        "ceiling",
    )
    note = (
        f"Spearman with {reference.metric} of {reference.recipe} in {reference.table.name}; the "
        f"better half and the best tenth are the reference's. The ceiling is what a perfect "
        f"prediction could reach against the mean of {last.shape[1]} seeds."
    )
    return TextTable(f"{table.name}, {recipe}", columns, tuple(found), note)


def _figures(
    last: NDArray[np.float64], wanted: NDArray[np.float64], sizes: NDArray[np.float64]
) -> tuple[str, ...]:
    means, seeds = last.mean(1), last.shape[1]
    two = bootstrap_estimate(seed_agreement, last)
    estimates = (
        bootstrap_estimate(spearman, means, wanted),
        bootstrap_estimate(spearman, sizes[:, 0], wanted),
        bootstrap_estimate(spearman, sizes[:, 1], wanted),
        bootstrap_estimate(partial_spearman, means, wanted, sizes),
        two,
        two.map(lambda r: spearman_ceiling(r, seeds)),
    )
    return (f"{len(means):,}", *map(_shown, estimates))


def _shown(of: Estimate) -> str:
    return f"{of.value:.2f} [{of.low:.2f}, {of.high:.2f}]"


def main() -> None:
    """Print the table that the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table")
    parser.add_argument("reference")
    parser.add_argument("--recipe")
    parser.add_argument("--reference-recipe")
    parser.add_argument("--reference-metric", default="valid_accuracy")
    parser.add_argument("--without", type=Path, help="JSON with `cells`, as a pilot writes it")
    given = parser.parse_args()
    table, other = nb.load(given.table), nb.load(given.reference)
    reference = Reference(other, other.recipe(given.reference_recipe), given.reference_metric)
    left_out = json.loads(given.without.read_text())["cells"] if given.without else []
    print(agreement_table(table, table.recipe(given.recipe), reference, left_out).markdown())


if __name__ == "__main__":
    main()
