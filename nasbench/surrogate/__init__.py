"""What is predicted: XGBoost models of a table, and how far they can be trusted."""

from nasbench.surrogate.completed import write_completed
from nasbench.surrogate.features import Features
from nasbench.surrogate.fitting import fit
from nasbench.surrogate.predictors import PREDICTORS
from nasbench.surrogate.scoring import Score, score
from nasbench.surrogate.sizes import SizeScores, score_sizes
from nasbench.surrogate.surrogate import Surrogate

__all__ = [
    "PREDICTORS",
    "Features",
    "Score",
    "SizeScores",
    "Surrogate",
    "fit",
    "score",
    "score_sizes",
    "write_completed",
]
