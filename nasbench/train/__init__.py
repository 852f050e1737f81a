"""How networks are trained.

Only the recipe and the record are here, so that reading a table needs no torch; networks are
in `nasbench.network.cell`, trainers in `nasbench.train.engine`.
"""

from nasbench.train.recipe import Recipe
from nasbench.train.record import CURVES, Record

__all__ = ["CURVES", "Recipe", "Record"]
