"""What a table that is new holds, in a few lines, and what may be done with it next."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from nasbench._words import counted, in_shell, rounded

if TYPE_CHECKING:
    from nasbench.table import Table

__all__ = ["comparison_of", "found_in", "next_of"]

Rows = list[tuple[str, object]]

MOST_ASKED = 100
"""Evaluations of the comparison that is proposed; a quarter of the rows where they are fewer."""


class _Best(NamedTuple):
    """The best row by the metric that a table is judged by."""

    recipe: str | None
    metric: str
    architecture: int
    string: str
    value: float


def found_in(table: Table) -> Rows:
    """The best row, and what seeds leave uncertain of it; nothing where no metric judges."""
    from nasbench.stats import seed_noise
    from nasbench.table import direction, trained_seeds

    best = _best(table)
    if best is None:
        return []
    seeds = trained_seeds(table, best.metric, recipe=best.recipe)
    of = f", mean of {counted(seeds.shape[1], 'seed')}" if seeds.shape[1] > 1 else ""
    name = f"{best.recipe}/{best.metric}" if len(table.recipes) > 1 else best.metric
    said: Rows = [
        ("best", f"{best.string} ({best.architecture}): {name} {rounded(best.value)}{of}")
    ]
    noise = seed_noise(-seeds if direction(best.metric) == "min" else seeds)
    if math.isfinite(noise.floor):
        told = (
            f"a training is ± {rounded(noise.std, 2)} by its seed; what is less than "
            f"{rounded(noise.floor, 2)} behind the best may be as good"
        )
        said.append(("noise", told))
    return said


def next_of(table: Table, recipe: str = "") -> Rows:
    """Commands that work on the table.

    Args:
        table: that was written.
        recipe: that it was built from, a file or a shipped name; none of imports.
    """
    best = _best(table)
    if best is None:
        return [("next", f"nasbench info {in_shell(table.path)}")]
    lines = [f"nasbench report {in_shell(table.path)} --out page"]
    if best.recipe is not None:
        lines.append(comparison_of(table))
    if recipe:
        file = f" --recipe {in_shell(recipe)}" if recipe.endswith(".toml") else ""
        what = f"nasbench export {in_shell(table.path)} {best.architecture}"
        lines.append(f"{what} --onnx best.onnx --train{file}")
    return [("" if n else "next", line) for n, line in enumerate(lines)]


def comparison_of(table: Table) -> str:
    """A comparison that works on the table, by the metric that it is judged by."""
    metric = _metric(table) or "valid_accuracy"
    trained = _trained(table, metric)
    asked = min(MOST_ASKED, max(1, len(table.rows) // 4))
    words = [f"nasbench compare --table {in_shell(table.path)}"]
    words.append("--strategies regularized_evolution")
    words.append(f"--budget-evaluations {asked}")
    if metric != "valid_accuracy":
        words.append(f"--metric {metric}")
    if len(table.recipes) > 1:
        words.append(f"--search-recipe {trained[0]} --report-recipe {trained[-1]}")
    if "train_seconds" not in table.metrics[trained[0]]:
        words.append("--seconds-per-epoch 1")
    if len(table.architectures) < table.space.size:
        words.append("--among-rows")
    return " ".join([*words, "--out compared"])


def _best(table: Table) -> _Best | None:
    from nasbench.table import direction

    metric = _metric(table)
    if metric is None:
        return None
    recipe = next(reversed(_trained(table, metric)), None)
    top = table.top(1, metric, recipe=recipe, maximize=direction(metric) != "min")
    for number, text, value in top.itertuples(index=False):
        return _Best(recipe, metric, int(number), str(text), float(value))
    return None


def _metric(table: Table) -> str | None:
    """What judges the table: the primary metric of the longest recipe that has one."""
    longest = sorted(table.recipes, key=lambda name: _epochs(table, name), reverse=True)
    metrics = map(table.primary, longest) if longest else [table.primary()]
    return next((metric for metric in metrics if metric), None)


def _trained(table: Table, metric: str) -> list[str]:
    """The recipes that have the metric, that of the most epochs last."""
    having = [name for name, metrics in table.metrics.items() if metric in metrics]
    return sorted(having, key=lambda name: _epochs(table, name))


def _epochs(table: Table, recipe: str) -> int:
    return int(table.manifest["recipes"][recipe]["epochs"])
