"""What proxies and predictors are worth: statistics over tables, without torch."""

from nasbench.validity.combine import COMBINATIONS, FOLDS, combine
from nasbench.validity.judgement import FITTED, Judgement, first_by, judge, scores_of
from nasbench.validity.measures import FEWEST_RANKED, RankTarget, Validity, validate

__all__ = [
    "COMBINATIONS",
    "FEWEST_RANKED",
    "FITTED",
    "FOLDS",
    "Judgement",
    "RankTarget",
    "Validity",
    "combine",
    "first_by",
    "judge",
    "scores_of",
    "validate",
]
