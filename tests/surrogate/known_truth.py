"""Metrics of which the truth is known."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import nasbench as nb
from nasbench.space import Space


def worth(space: Space, rows: NDArray[Any], seed: int = 0) -> NDArray[np.float64]:
    """A true accuracy of each row, from its operations and pairs of them: std 3 around 80."""
    rng = np.random.default_rng(seed)
    seen = space.one_hot(space.canonical(rows)).astype(float)
    first = rng.normal(0, 1, seen.shape[1])
    pairs = rng.normal(0, 0.5, (seen.shape[1],) * 2)
    value = seen @ first + np.einsum("ni,ij,nj->n", seen, pairs, seen)
    return 80 + 3 * (value - value.mean()) / value.std()


def noisy(n: int, seeds: int, seed: int) -> dict[str, NDArray[np.float64]]:
    """Metrics of the first distinct cells of nb201-mini, `[n, seeds]` each; noise of 0.8."""
    space, rng = nb.space("nb201-mini"), np.random.default_rng(seed)
    true = worth(space, space.representatives[:n])[:, None]
    return {
        "valid_accuracy": true + rng.normal(0, 0.8, (n, seeds)),
        "train_seconds": rng.uniform(1, 2, (n, 1)) + rng.uniform(0, 0.1, (n, seeds)),
    }
