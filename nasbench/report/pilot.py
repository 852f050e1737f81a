"""What a pilot says, as tables."""

from __future__ import annotations

from nasbench.build.judgement import Candidate, Judgement
from nasbench.report.text import TextTable, estimate_text, number_text

__all__ = ["pilot_tables"]


def pilot_tables(found: Judgement) -> list[TextTable]:
    """What each recipe costs, then how it ranks cells, scope by scope."""
    return [_costs(found), *(_ranking(found, scope) for scope in _scopes(found))]


def _scopes(found: Judgement) -> list[str]:
    return list(next(iter(found.candidates.values())).scopes)


def _costs(found: Judgement) -> TextTable:
    sample = found.sample
    seeds = len(sample.spec.seeds)

    def row(name: str, of: Candidate) -> tuple[str, ...]:
        low, middle, high = of.valid_accuracy
        return (
            name,
            estimate_text(of.seconds),
            f"{of.hours:.1f}",
            f"{of.cpu_hours:.1f}",
            f"{low:.1f} / {middle:.1f} / {high:.1f}",
            f"{of.diverged}",
            number_text(of.quality_per_cpu_hour, 3),
        )

    quality = "adds to sizes" if found.reference else "reliability"
    note = (
        f"{len(sample.cells)} cells, drawn at random, × {seeds} seeds; "
        f"{sample.about['spent_seconds']:,.0f} seconds, {sample.processes} trainings side by side "
        f"({sample.about['engine']}). Hours and CPU-hours are of the trainings of all "
        f"{sample.spec.space.unique:,} distinct cells × {seeds} seeds on this machine. Valid "
        f"accuracy: quantiles over cells of the mean over seeds. Quality is what stands under "
        f"“{quality}” in the better half. Intervals: bootstrap over cells, 95 %."
    )
    columns = (
        "recipe",
        "seconds a training",
        "hours",
        "CPU-hours",
        "valid % 5/50/95",
        "diverged",
        "quality/CPU-hour",
    )
    rows = [row(name, candidate) for name, candidate in found.candidates.items()]
    return TextTable("What each recipe costs", columns, rows, note)


def _ranking(found: Judgement, scope: str) -> TextTable:
    rows = []
    columns = ["recipe", "seed to seed", "reliability", "ceiling"]
    n = 0
    if found.reference:
        columns += ["with reference", "adds to sizes"]
    for name, candidate in found.candidates.items():
        of = candidate.scopes[scope]
        n = max(n, of.seeds.n)
        shown = [of.seeds, of.reliability, of.ceiling, of.reference, of.partial]
        rows.append((name, *(estimate_text(e) for e in shown if e is not None)))
    for name, alone in found.sizes.get(scope, {}).items():
        label = {"flops": "FLOPs alone", "parameters": "parameters alone"}[name]
        rows.append((label, "–", "–", "–", estimate_text(alone), "–"))
        n = max(n, alone.n)
    return TextTable(f"How it ranks: {scope}, n = {n}", columns, rows, _note(found, scope, n))


def _note(found: Judgement, scope: str, n: int) -> str:
    if scope != _scopes(found)[0]:
        few = n < 10
        return f"With n = {n} an interval would say little: none is given." if few else ""
    k = len(found.sample.spec.seeds)
    note = (
        f"Rank correlations (Spearman) of valid accuracy: between single seeds; reliability of "
        f"the ranks by the mean of {k} seeds; the ceiling is what a perfect prediction could reach "
        f"against that mean. "
    )
    if found.reference is None:
        return note + (
            "The better half and best tenth are each recipe's own, by that mean. The seeds that "
            "chose them cannot tell their own noise there: the ceiling is of truths that may lie "
            "behind the means (normal, with the noise of those cells), reliability its square, "
            "and seed to seed what follows from that (Spearman-Brown)."
        )
    reference = found.reference
    note += (
        f"The reference is {reference.metric} of {reference.recipe} in {reference.table.name}; "
        f"the better half and best tenth are by it. What a recipe adds to sizes is its rank "
        f"correlation with the reference given FLOPs and parameters. "
    )
    if found.reference_ceiling:
        note += f"Its own ceiling over all cells is {estimate_text(found.reference_ceiling)}."
    return note
