"""What was learnt on earlier tasks: a folder of tables, and what of it helps with a new one."""

from nasbench.transfer.description import Description, image_features
from nasbench.transfer.evaluation import Held, TransferEvaluation
from nasbench.transfer.leaving_out import evaluate_transfer
from nasbench.transfer.repository import EarlierTask, Repository
from nasbench.transfer.similarity import Similarity
from nasbench.transfer.sources import describe

__all__ = [
    "Description",
    "EarlierTask",
    "Held",
    "Repository",
    "Similarity",
    "TransferEvaluation",
    "describe",
    "evaluate_transfer",
    "image_features",
]
