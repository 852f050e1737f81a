"""BANANAS: an ensemble of small networks on paths, Thompson sampling, mutants of the best."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from nasbench.search import Goal
from nasbench.space import Space

from ._checks import check_counts
from ._predictor import BatchSearch, paths_or_decisions

__all__ = ["Bananas"]

Floats = NDArray[np.float32]

HIDDEN = (20, 20)
EPOCHS = 150
MINIBATCH = 32
RATE = 0.01


class Bananas(BatchSearch):
    """Bayesian optimization with a neural predictor, algorithm 1 of White et al.

    White, Neiswanger, Savani, "BANANAS: Bayesian Optimization with Neural Architectures for
    Neural Architecture Search", AAAI 2021. After random architectures, again and again: an
    ensemble of feed-forward networks is trained on the path encoding of all that was told;
    candidates are mutants of the best; and those are asked for next where a draw from the
    normal distribution with the mean and the standard deviation of the ensemble, one for each
    candidate, is highest (independent Thompson sampling). Spaces other than cells, and cells
    with too many paths, are encoded one-hot.

    The defaults are those of the authors' code: 10 random architectures, batches of 10, 100
    candidates, 5 networks with layers 20 wide, trained by Adam at rate .01 on the mean absolute
    error, for 150 epochs in minibatches of 32. What differs: a network has 2 hidden layers
    instead of 10, which take several times as long; it predicts ranks, not accuracies; it sees
    all paths, where their code leaves out the longest; and candidates are mutants, in one
    decision, of the `parents` best, taken in turn, where their code mutates the best, and the
    next best only while candidates are too few.

    Args:
        space: to search.
        goal: gives the recipe and what is better.
        rng: the only source of randomness.
        initial: how many random architectures come first.
        batch_size: how many are asked for between two trainings of the networks.
        candidates: how many mutants a batch is chosen from, at most.
        parents: how many of the best are mutated.
        networks: in the ensemble; a single one is never in doubt.
        warm_start: architectures that come first, such as the winners of earlier tasks.
    """

    def __init__(
        self,
        space: Space,
        goal: Goal,
        rng: np.random.Generator,
        *,
        initial: int = 10,
        batch_size: int = 10,
        candidates: int = 100,
        parents: int = 10,
        networks: int = 5,
        warm_start: Sequence[int] = (),
    ) -> None:
        check_counts(
            initial=initial,
            batch_size=batch_size,
            candidates=candidates,
            parents=parents,
            networks=networks,
        )
        super().__init__(space, goal, rng, initial, warm_start)
        self._batch_size = batch_size
        self._candidates = candidates
        self._parents = parents
        self._networks = networks

    def _batch(self) -> list[int]:
        told, ranks = self._told()
        best = [told[place] for place in np.argsort(-ranks, kind="stable")[: self._parents]]
        children = self._children(best[i % len(best)] for i in range(self._candidates))
        if not children:
            return []
        x = paths_or_decisions(self._space, told)
        ensemble = _Ensemble(self._networks, (x.shape[1], *HIDDEN, 1), self._rng)
        ensemble.train(x, ranks.astype(np.float32))
        predicted = ensemble.predict(paths_or_decisions(self._space, children))
        drawn = self._rng.normal(predicted.mean(0), predicted.std(0))
        chosen = np.argsort(-drawn, kind="stable")[: self._batch_size]
        return [children[place] for place in chosen]


class _Ensemble:
    """Feed-forward networks of rectified units, trained side by side: stacked arrays `[M, ...]`.

    Args:
        networks: how many, M below.
        widths: of the input, the hidden layers and the output.
        rng: draws the weights (uniform, Glorot & Bengio 2010) and the order of the data.
    """

    def __init__(self, networks: int, widths: tuple[int, ...], rng: np.random.Generator) -> None:
        self._rng = rng
        self._networks = networks
        self._weights: list[Floats] = []  # alternating [M, in, out] and [M, 1, out]
        for fan_in, fan_out in pairwise(widths):
            bound = math.sqrt(6 / (fan_in + fan_out))
            drawn = rng.uniform(-bound, bound, (networks, fan_in, fan_out))
            self._weights += [
                drawn.astype(np.float32),
                np.zeros((networks, 1, fan_out), np.float32),
            ]

    def predict(self, x: Floats) -> Floats:
        """The prediction of each network: `[n, features]` to `[M, n]`."""
        return self._forward(np.broadcast_to(x, (self._networks, *x.shape)))[-1][..., 0]

    def train(self, x: Floats, y: Floats) -> None:
        """Adam (Kingma & Ba 2015) on the mean absolute error; the data anew in each epoch."""
        first = [np.zeros_like(w) for w in self._weights]
        second = [np.zeros_like(w) for w in self._weights]
        step = 0
        every = np.tile(np.arange(len(x)), (self._networks, 1))
        for _ in range(EPOCHS):
            orders = self._rng.permuted(every, axis=1)
            for start in range(0, len(x), MINIBATCH):
                rows = orders[:, start : start + MINIBATCH]
                gradients = self._gradients(x[rows], y[rows])
                step += 1
                rate = RATE * math.sqrt(1 - 0.999**step) / (1 - 0.9**step)
                for w, g, m, v in zip(self._weights, gradients, first, second, strict=True):
                    m += 0.1 * (g - m)
                    v += 0.001 * (g * g - v)
                    w -= rate * m / (np.sqrt(v) + 1e-7)

    def _forward(self, x: Floats) -> list[Floats]:
        """The input `[M, n, features]` and what each layer makes of it."""
        values = [x]
        last = len(self._weights) - 2
        for place in range(0, last + 1, 2):
            weight, bias = self._weights[place : place + 2]
            summed = values[-1] @ weight + bias
            values.append(summed if place == last else np.maximum(summed, 0))
        return values

    def _gradients(self, x: Floats, y: Floats) -> list[Floats]:
        """Of the mean absolute error of each network, in the order of the weights."""
        values = self._forward(x)
        delta = np.sign(values[-1] - y[..., None]) / y.shape[1]
        gradients: list[Floats] = []
        for place in range(len(self._weights) - 2, -1, -2):
            value = values[place // 2]
            gradients += [delta.sum(1, keepdims=True), value.transpose(0, 2, 1) @ delta]
            if place:
                delta = (delta @ self._weights[place].transpose(0, 2, 1)) * (value > 0)
        return gradients[::-1]
