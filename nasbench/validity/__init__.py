"""What proxies and predictors are worth: statistics over tables, without torch."""

from nasbench.validity.combine import COMBINATIONS, FOLDS, combine
from nasbench.validity.judgement import FITTED, Judgement, judge
from nasbench.validity.measures import FEWEST_RANKED, RankTarget, Validity, validate
from nasbench.validity.scores import first_by, scores_of

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
