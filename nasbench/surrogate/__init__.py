"""What is predicted: XGBoost models of a table, and how far they can be trusted."""

from nasbench.surrogate.scoring import Score, score
from nasbench.surrogate.surrogate import Surrogate, fit

__all__ = ["Score", "Surrogate", "fit", "score"]
