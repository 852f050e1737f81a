"""Intervals, rank correlation, reliability and Pareto fronts."""

from nasbench.stats.interval import Summary, bootstrap_interval, summarize
from nasbench.stats.pareto import pareto_front
from nasbench.stats.rank import (
    Agreement,
    Ceiling,
    agreement,
    bootstrap_agreement,
    kendall_ceiling,
    noise_ceiling,
    reliability,
    spearman_brown,
)

__all__ = [
    "Agreement",
    "Ceiling",
    "Summary",
    "agreement",
    "bootstrap_agreement",
    "bootstrap_interval",
    "kendall_ceiling",
    "noise_ceiling",
    "pareto_front",
    "reliability",
    "spearman_brown",
    "summarize",
]
