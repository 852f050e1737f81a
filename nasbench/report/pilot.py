"""What a pilot says, as tables."""

from __future__ import annotations

from nasbench._words import counted, rounded
from nasbench.building.judgement import Candidate, PilotResult
from nasbench.report.text import TextTable, decimals, estimate_text, number_text
from nasbench.validity.measures import FEWEST_RANKED

__all__ = ["pilot_tables"]


def pilot_tables(found: PilotResult) -> list[TextTable]:
    """What each recipe costs, then how it ranks cells, scope by scope."""
    return [_costs(found), *(_ranking(found, scope) for scope in _scopes(found))]


def _scopes(found: PilotResult) -> list[str]:
    """Those of which ranks say something: two cells are ranked right or wrong."""
    first, *_ = found.candidates.values()
    return [scope for scope in first.scopes if _cells(found, scope) >= FEWEST_RANKED]


def _cells(found: PilotResult, scope: str) -> int:
    """How many cells a scope has, by recipes and by sizes."""
    ns = [candidate.scopes[scope].seeds.n for candidate in found.candidates.values()]
    return max([*ns, *(alone.n for alone in found.sizes.get(scope, {}).values())])


def _costs(found: PilotResult) -> TextTable:
    sample = found.sample
    seeds = len(sample.spec.seeds)

    def row(name: str, of: Candidate) -> tuple[str, ...]:
        low, middle, high = of.valid_accuracy
        return (
            name,
            estimate_text(of.seconds, decimals(of.seconds.value)),
            _hours(of.hours),
            _hours(of.cpu_hours),
            f"{low:.1f} / {middle:.1f} / {high:.1f}",
            f"{of.diverged}",
            number_text(of.quality_per_cpu_hour, 3),
        )

    n = sample.processes
    beside = "one training at a time" if n == 1 else f"{n} trainings side by side"
    quality = "adds to sizes" if found.reference else "reliability"
    note = (
        f"{len(sample.cells)} cells, drawn at random, × {counted(seeds, 'seed')}; "
        f"{rounded(sample.about['spent_seconds'], 3)} seconds, {beside} "
        f"({sample.about['engine']}). Hours and CPU-hours are of the trainings of all "
        f"{sample.spec.space.unique:,} distinct cells × {counted(seeds, 'seed')} on this "
        "machine. Valid "
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


def _hours(value: float) -> str:
    return f"{value:,.1f}" if value >= 1 else f"{value:.2g}"


def _ranking(found: PilotResult, scope: str) -> TextTable:
    rows = []
    columns = ["recipe", "seed to seed", "reliability", "ceiling"]
    n = _cells(found, scope)
    if found.reference:
        columns += ["with reference", "adds to sizes"]
    for name, candidate in found.candidates.items():
        of = candidate.scopes[scope]
        shown = [of.seeds, of.reliability, of.ceiling, of.reference, of.partial]
        rows.append((name, *(estimate_text(e) for e in shown if e is not None)))
    for name, alone in found.sizes.get(scope, {}).items():
        label = {"flops": "FLOPs alone", "parameters": "parameters alone"}[name]
        rows.append((label, "–", "–", "–", estimate_text(alone), "–"))
    return TextTable(f"How it ranks: {scope}, n = {n}", columns, rows, _note(found, scope, n))


def _note(found: PilotResult, scope: str, n: int) -> str:
    if scope != _scopes(found)[0]:
        few = n < 10
        return f"With n = {n} an interval would say little: none is given." if few else ""
    k = len(found.sample.spec.seeds)
    note = (
        f"Rank correlations (Spearman) of valid accuracy: between single seeds; reliability of "
        f"the ranks by the mean of {counted(k, 'seed')}; the ceiling is what a perfect "
        "prediction could reach "
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
