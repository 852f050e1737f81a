"""Intervals, rank correlation, reliability and Pareto fronts."""

from nasbench.stats.interval import (
    Estimate,
    Summary,
    bootstrap_estimate,
    bootstrap_interval,
    summarize,
)
from nasbench.stats.pareto import pareto_front
from nasbench.stats.rank import (
    Agreement,
    Ceiling,
    agreement,
    bootstrap_agreement,
    kendall_ceiling,
    noise_ceiling,
    partial_spearman,
    reliability,
    seed_agreement,
    spearman,
    spearman_brown,
    spearman_ceiling,
)

__all__ = [
    "Agreement",
    "Ceiling",
    "Estimate",
    "Summary",
    "agreement",
    "bootstrap_agreement",
    "bootstrap_estimate",
    "bootstrap_interval",
    "kendall_ceiling",
    "noise_ceiling",
    "pareto_front",
    "partial_spearman",
    "reliability",
    "seed_agreement",
    "spearman",
    "spearman_brown",
    "spearman_ceiling",
    "summarize",
]
