"""Predictors behind their contract, and the choice of their settings."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from scipy.stats import kendalltau
from seldom import seldom
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_predict

from nasbench.errors import NasbenchError
from nasbench.surrogate.predictors import PREDICTORS, Predictor, predictor
from nasbench.surrogate.tuning import fit_members, mean_prediction, tune


def _line(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features of which the first two tell the target."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 6)).astype(np.float32)
    return x, 2 * x[:, 0] - x[:, 1].astype(float)


@pytest.mark.parametrize("name", seldom(("random_forest", "xgboost_untuned"), PREDICTORS))
def test_every_predictor_learns_a_line_and_bears_what_is_missing(name: str) -> None:
    method = predictor(name)
    x, y = _line(200)
    x[::10, 5] = np.nan
    new, truth = _line(100, seed=1)
    members = fit_members(method, method.grid[0], x, y, seed=0)
    assert len(members) == method.members
    assert kendalltau(mean_prediction(members, new), truth).statistic > 0.75
    again = fit_members(method, method.grid[0], x, y, seed=0)
    assert (mean_prediction(again, new) == mean_prediction(members, new)).all()


def test_ridge_is_the_closed_form() -> None:
    """On features of mean 0 and variance 1: (X'X + a I)^-1 X'(y - mean)."""
    x, y = _line(50)
    method = predictor("ridge")
    found = mean_prediction(fit_members(method, {"alpha": 7.0}, x, y, seed=0), x)
    scaled = (x - x.mean(0, dtype=float)) / x.std(0, dtype=float)
    weights = np.linalg.solve(scaled.T @ scaled + 7 * np.eye(6), scaled.T @ (y - y.mean()))
    assert found == pytest.approx(scaled @ weights + y.mean(), abs=1e-5)


def test_unknown_and_missing_predictors_are_one_sentence(monkeypatch: Any) -> None:
    with pytest.raises(NasbenchError, match="unknown predictor 'xgbost'; did you mean xgboost"):
        predictor("xgbost")
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    method = predictor("lightgbm")
    with pytest.raises(NasbenchError, match=r"needs LightGBM: pip install .*\[lightgbm\]"):
        method.make(method.grid[0], 0)


# Tuning.


class _Nearest:
    """Remembers its rows and gives the target of the nearest one: perfect where it has been."""

    def fit(self, x: np.ndarray, y: np.ndarray) -> None:
        self.x, self.y = x, y

    def predict(self, x: np.ndarray) -> np.ndarray:
        away = np.abs(x[:, None] - self.x).sum(-1)
        assert (away > 0).all(), "a row is predicted from itself"
        return self.y[away.argmin(1)]


def test_no_class_is_predicted_from_itself() -> None:
    """Members of a class have the same features: the model would see its distance of 0."""
    classes = np.repeat(np.arange(20), 3)
    x = np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32)[classes]
    found = tune(Predictor(lambda settings, seed: _Nearest()), x, x[:, 0] + 0.0, classes, seed=0)
    assert found.out_of_fold.shape == (60,)
    assert np.isfinite(found.kendall)


def test_every_row_is_left_out_once() -> None:
    """With a class each, five even folds: as scikit-learn's on the same folds."""
    x, y = _line(50)
    method = Predictor(lambda settings, seed: Ridge(**settings))
    found = tune(method, x, y, np.arange(50), seed=3)
    rng = np.random.default_rng(np.random.SeedSequence(3))
    fold = rng.permutation(np.arange(50) % 5)
    cuts = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(5)]
    expected = cross_val_predict(Ridge(), x, y, cv=cuts)
    assert found.out_of_fold == pytest.approx(expected)
    assert found.kendall == kendalltau(expected, y).statistic


def test_what_ranks_best_is_chosen() -> None:
    """A penalty that leaves nothing of the slopes ranks nothing; none is best on a line."""
    x, y = _line(60)
    make = predictor("ridge").make
    grid = ({"alpha": 1e9}, {"alpha": 1e-3})
    noisy = y + 5 * np.random.default_rng(0).normal(size=60)
    assert tune(Predictor(make, grid), x, noisy, np.arange(60), seed=0).settings == grid[1]


def test_chance_does_not_move_the_choice() -> None:
    """Settings of which the second is hardly better: the first stays."""
    x, y = _line(60)
    grid = ({"alpha": 1.0}, {"alpha": 0.5})
    method = Predictor(predictor("ridge").make, grid)
    assert tune(method, x, y + 0.0, np.arange(60), seed=0).settings == grid[0]


def test_one_network_is_too_few() -> None:
    x, y = _line(2)
    with pytest.raises(NasbenchError, match="fitted on 2 or more different networks, got 1"):
        tune(predictor("linear"), x, y, np.zeros(2, dtype=int), seed=0)
