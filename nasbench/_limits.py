"""Bounds of numbers that several rooms take; `nasbench guide limits` lists them for users.

None of them stops work that ends: beyond them memory does, or the machine's patience.
"""

from __future__ import annotations

__all__ = [
    "LARGEST_SEED",
    "MOST_COUNTED",
    "MOST_EPOCHS",
    "MOST_EVALUATIONS",
    "MOST_PROCESSES",
    "MOST_RUNS",
    "MOST_SECONDS",
    "MOST_WORKERS",
]

LARGEST_SEED = 2**32 - 1
"""What NumPy, PyTorch, XGBoost and JSON all take."""
MOST_PROCESSES = 1_024
"""Side by side on one machine; a cluster's are Ray's to begin."""
MOST_COUNTED = 2**24
"""Of architectures, rows or epochs that an option counts, as of a space that is listed."""
MOST_EVALUATIONS = 10**9
"""Of a search: more than a machine remembers, for searches that end by their seconds."""
MOST_SECONDS = 10**12
"""Of a search, simulated: thirty thousand years."""
MOST_WORKERS = 10_000
"""Of a search at a time, simulated: each holds a training."""
MOST_EPOCHS = 100_000
"""That weights are shared for."""
MOST_RUNS = 1_000_000
"""Of a strategy, in a comparison."""
