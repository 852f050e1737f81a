"""Models that predict from features, behind one contract: `fit(x, y)`, `predict(x)`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import NasbenchError, unknown

__all__ = ["PREDICTORS", "Model", "Predictor", "predictor"]

Settings = Mapping[str, Any]


class Model(Protocol):
    """What scikit-learn calls a regressor; features may hold NaN, which is missing."""

    def fit(self, x: NDArray[np.float32], y: NDArray[np.float64]) -> Any:
        """Fit on `[n, features]` and `[n]`."""

    def predict(self, x: NDArray[np.float32]) -> NDArray[np.floating]:
        """One number for each row of `[m, features]`."""


@dataclass(frozen=True, slots=True)
class Predictor:
    """A kind of model with the settings among which it is tuned.

    Attributes:
        make: an unfitted model, of its settings and a seed.
        grid: the settings that are tried; of a single one nothing is tuned.
        features: what it sees, whatever others see; None for what it is given.
        members: models whose mean is its prediction; they differ in what chance decides.
    """

    make: Callable[[Settings, int], Model]
    grid: tuple[Settings, ...] = ({},)
    features: tuple[str, ...] | None = None
    members: int = 1


def predictor(name: str) -> Predictor:
    """The predictor of that name."""
    if name not in PREDICTORS:
        raise unknown("predictor", name, PREDICTORS)
    return PREDICTORS[name]


def _xgboost(settings: Settings, seed: int) -> Model:
    import xgboost

    chosen = {"tree_method": "hist", "random_state": seed, "n_jobs": 1, **settings}
    return cast(Model, xgboost.XGBRegressor(**chosen))


def _lightgbm(settings: Settings, seed: int) -> Model:
    try:
        import lightgbm
    except ImportError as error:
        raise NasbenchError(
            "the predictor lightgbm needs LightGBM: pip install 'nasbench-harness[lightgbm]'"
        ) from error
    fixed: dict[str, Any] = {
        "deterministic": True,
        "verbosity": -1,
        "random_state": seed,
        "n_jobs": 1,
    }
    return cast(Model, lightgbm.LGBMRegressor(**fixed, **settings))


def _random_forest(settings: Settings, seed: int) -> Model:
    from sklearn.ensemble import RandomForestRegressor

    return cast(Model, RandomForestRegressor(300, **settings, random_state=seed, n_jobs=1))


def _ridge(settings: Settings, seed: int) -> Model:
    from sklearn.linear_model import Ridge

    return _scaled(Ridge(**settings))


def _linear(settings: Settings, seed: int) -> Model:
    from sklearn.linear_model import LinearRegression

    return _scaled(LinearRegression(**settings))


def _gaussian_process(settings: Settings, seed: int) -> Model:
    """Scales and noise are those of the largest marginal likelihood: nothing is left to tune."""
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

    # Features are scaled to a variance of 1, of which there are tens to hundreds.
    kernel = ConstantKernel(1.0, (1e-2, 1e2)) * RBF(10.0, (1e-1, 1e3)) + WhiteKernel(
        0.1, (1e-4, 2.0)
    )
    return _scaled(GaussianProcessRegressor(kernel, normalize_y=True, random_state=seed))


def _mlp(settings: Settings, seed: int) -> Model:
    from sklearn.neural_network import MLPRegressor

    return _scaled(
        MLPRegressor(
            hidden_layer_sizes=(64, 64),
            solver="lbfgs",
            max_iter=100,
            random_state=seed,
            **settings,
        )
    )


def _scaled(model: Any) -> Model:
    """The model behind medians for what is missing, and features of mean 0 and variance 1."""
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    fill = SimpleImputer(strategy="median", keep_empty_features=True)
    return cast(Model, make_pipeline(fill, StandardScaler(), model))


_TREES = (
    {
        "max_depth": 3,
        "n_estimators": 300,
        "min_child_weight": 2,
        "subsample": 0.7,
        "colsample_bytree": 0.4,
    },
    {"max_depth": 3, "n_estimators": 500, "colsample_bytree": 0.3},
    {"max_depth": 5, "n_estimators": 400, "colsample_bytree": 0.4},
)
_PENALTIES = tuple({"alpha": 10.0**power} for power in range(-1, 4))

PREDICTORS: Mapping[str, Predictor] = {
    "xgboost": Predictor(
        _xgboost, tuple({"learning_rate": 0.05, **trees} for trees in _TREES), members=5
    ),
    "xgboost_untuned": Predictor(
        _xgboost, ({"max_depth": 6, "n_estimators": 500, "learning_rate": 0.05},)
    ),
    "lightgbm": Predictor(
        _lightgbm,
        tuple(
            {
                "n_estimators": 300,
                "learning_rate": 0.05,
                "num_leaves": leaves,
                "min_child_samples": 3,
                "subsample": 0.7,
                "subsample_freq": 1,
                "colsample_bytree": 0.4,
            }
            for leaves in (8, 24)
        ),
    ),
    "random_forest": Predictor(
        _random_forest, tuple({"max_features": share} for share in (0.2, 0.5))
    ),
    "ridge": Predictor(_ridge, _PENALTIES),
    "gp": Predictor(_gaussian_process),
    "mlp": Predictor(_mlp, tuple({"alpha": penalty} for penalty in (0.1, 10.0))),
    "linear": Predictor(_linear, features=("one_hot",)),
}
"""The meta-learner, `xgboost`, and what it is compared with.

Chen & Guestrin, "XGBoost: A Scalable Tree Boosting System", KDD 2016. Shallow trees on parts of
the rows and of the columns; `xgboost_untuned` has the usual 500 trees of depth 6 on all of
them.
"""
