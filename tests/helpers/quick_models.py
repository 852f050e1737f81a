"""The predictor of most tests: a fiftieth of the trees, for they do not ask whether it learns."""

from __future__ import annotations

from dataclasses import replace

from nasbench.surrogate.predictors import PREDICTORS

REAL = PREDICTORS["xgboost"]
QUICK = replace(
    REAL,
    grid=({"n_estimators": 15, "max_depth": 3, "subsample": 0.7, "colsample_bytree": 0.5},),
    members=3,
)
