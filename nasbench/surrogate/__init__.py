"""What is predicted: XGBoost models of a table, and how far they can be trusted."""

from nasbench.surrogate.choice_costs import ChoiceCosts
from nasbench.surrogate.completed import write_completed
from nasbench.surrogate.cost import CostPrediction, predict_costs
from nasbench.surrogate.cost_features import CostFeatures
from nasbench.surrogate.features import Features
from nasbench.surrogate.fitting import fit
from nasbench.surrogate.importance import DecisionImportance, decision_importance
from nasbench.surrogate.predictors import PREDICTORS
from nasbench.surrogate.scoring import Score, score
from nasbench.surrogate.sizes import SizeScores, score_sizes
from nasbench.surrogate.surrogate import Surrogate

__all__ = [
    "PREDICTORS",
    "ChoiceCosts",
    "CostFeatures",
    "CostPrediction",
    "DecisionImportance",
    "Features",
    "Score",
    "SizeScores",
    "Surrogate",
    "decision_importance",
    "fit",
    "predict_costs",
    "score",
    "score_sizes",
    "write_completed",
]
