"""Intervals, rank correlation, reliability, tests, regret, Pareto fronts and hypervolume."""

from nasbench.stats.ceilings import best_ceiling, draw_truths
from nasbench.stats.compare import (
    Friedman,
    Pair,
    compare_pairs,
    friedman,
    holm,
    nemenyi_difference,
)
from nasbench.stats.hypervolume import hypervolume, hypervolume_over_time
from nasbench.stats.interval import (
    Estimate,
    Summary,
    bootstrap_estimate,
    bootstrap_interval,
    summarize,
    wilson_interval,
)
from nasbench.stats.pareto import crowding_distance, non_dominated, pareto_front, pareto_rank
from nasbench.stats.rank import (
    Agreement,
    Ceiling,
    agreement,
    bootstrap_agreement,
    kendall_ceiling,
    noise_ceiling,
    partial_spearman,
    reliability,
    reliability_of_mean,
    seed_agreement,
    spearman,
    spearman_brown,
    spearman_ceiling,
)
from nasbench.stats.regret import (
    SeedNoise,
    area_under,
    expected_incumbent,
    reached,
    seed_noise,
)

__all__ = [
    "Agreement",
    "Ceiling",
    "Estimate",
    "Friedman",
    "Pair",
    "SeedNoise",
    "Summary",
    "agreement",
    "area_under",
    "best_ceiling",
    "bootstrap_agreement",
    "bootstrap_estimate",
    "bootstrap_interval",
    "compare_pairs",
    "crowding_distance",
    "draw_truths",
    "expected_incumbent",
    "friedman",
    "holm",
    "hypervolume",
    "hypervolume_over_time",
    "kendall_ceiling",
    "nemenyi_difference",
    "noise_ceiling",
    "non_dominated",
    "pareto_front",
    "pareto_rank",
    "partial_spearman",
    "reached",
    "reliability",
    "reliability_of_mean",
    "seed_agreement",
    "seed_noise",
    "spearman",
    "spearman_brown",
    "spearman_ceiling",
    "summarize",
    "wilson_interval",
]
