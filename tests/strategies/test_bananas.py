"""BANANAS: its networks against numerical derivatives, its search against the published table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from asking import GOAL, play
from scipy.stats import norm

from nasbench.search import Outcome, Query
from nasbench.space import CellSpace
from strategies.bananas import Bananas, _Ensemble

pytestmark = pytest.mark.heavy


def test_gradients_are_the_numerical_ones() -> None:
    rng = np.random.default_rng(0)
    ensemble = _Ensemble(3, (6, 5, 4, 1), rng)
    # Biases start at 0, where a unit whose inputs are all 0 has no derivative.
    ensemble._weights = [rng.normal(size=w.shape) for w in ensemble._weights]  # type: ignore[misc]
    x, y = rng.normal(size=(3, 8, 6)), rng.normal(size=(3, 8))

    def losses() -> np.ndarray:
        predicted = ensemble._forward(x)[-1][..., 0]  # type: ignore[arg-type]
        return np.asarray(np.abs(predicted - y).mean(1))

    gradients = ensemble._gradients(x, y)  # type: ignore[arg-type]
    for weights, gradient in zip(ensemble._weights, gradients, strict=True):
        assert weights.shape == gradient.shape
        for place in np.ndindex(weights.shape[1:]):
            at = (slice(None), *place)  # the same weight of all networks: each has its own loss
            kept = weights[at].copy()
            weights[at] = kept + 1e-6
            above = losses()
            weights[at] = kept - 1e-6
            below = losses()
            weights[at] = kept
            assert gradient[at] == pytest.approx((above - below) / 2e-6, abs=1e-6)


def test_networks_learn_and_differ_most_where_nothing_was_seen() -> None:
    rng = np.random.default_rng(1)
    x = (rng.random((120, 20)) < 0.5).astype(np.float32)
    weights = rng.normal(size=20).astype(np.float32)
    ensemble = _Ensemble(5, (20, 20, 20, 1), rng)
    ensemble.train(x[:100], x[:100] @ weights)
    unseen = ensemble.predict(x[100:])
    assert unseen.shape == (5, 20)
    assert np.corrcoef(unseen.mean(0), x[100:] @ weights)[0, 1] > 0.9
    far = ensemble.predict(5 * x[100:] - 10)
    assert far.std(0).mean() > 3 * unseen.std(0).mean()


def test_batches_are_mutants_of_the_best_told(
    published: Mapping[str, Any], nb201: CellSpace
) -> None:
    values = np.nanmean(published["recipe/200ep/valid_accuracy"], axis=(1, 2))
    asked = play(Bananas(nb201, GOAL, np.random.default_rng(3), parents=4), values, 50)
    ops = nb201.ops(asked)
    for start in range(10, 50, 10):
        best = sorted(range(start), key=lambda i: -values[asked[i]])[:4]
        distances = (ops[start : start + 10, None] != ops[best]).sum(2)
        assert (distances.min(1) == 1).all()


def test_a_candidate_wins_with_the_chance_of_independent_thompson_sampling(
    nb201: CellSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two draws from normal distributions the first is the larger with a known chance."""
    strategy = Bananas(nb201, GOAL, np.random.default_rng(0), batch_size=1)
    strategy.tell(Query(0, "r", 1), Outcome({"valid_accuracy": 50.0}, 1.0))
    predicted = np.asarray([[1.0, 0.2], [3.0, 0.4], [2.0, 2.4]])  # [networks, candidates]
    monkeypatch.setattr(strategy, "_children", lambda _: [7, 8])
    monkeypatch.setattr(_Ensemble, "train", lambda *_: None)
    monkeypatch.setattr(_Ensemble, "predict", lambda *_: predicted)
    mean, spread = predicted.mean(0), predicted.std(0)
    chance = norm.cdf((mean[0] - mean[1]) / np.hypot(*spread))
    wins = sum(strategy._batch() == [7] for _ in range(1_000)) / 1_000
    assert wins == pytest.approx(chance, abs=5 * np.sqrt(chance * (1 - chance) / 1_000))


@pytest.mark.slow
def test_regret_is_under_half_of_random_searchs(
    published: Mapping[str, Any], nb201: CellSpace
) -> None:
    """Random search's is .58 after 100 distinct cells, in closed form."""
    values = np.nanmean(published["recipe/200ep/valid_accuracy"], axis=(1, 2))
    runs = [play(Bananas(nb201, GOAL, np.random.default_rng(s)), values, 100) for s in range(4)]
    regret = [values.max() - values[asked].max() for asked in runs]
    assert np.mean(regret) < 0.582 / 2
