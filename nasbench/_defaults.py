"""What is taken where nothing is said: the command line and Python mean the same by it."""

from __future__ import annotations

__all__ = [
    "BATCH_SIZE",
    "DRAWS",
    "ENGINE",
    "EXECUTOR",
    "FAILURES",
    "FIGURE_FONT",
    "FIGURE_WIDTH",
    "HARDWARE",
    "METRIC",
    "PREDICTORS",
    "REPEATS",
    "RUNS",
    "SCHEDULE",
    "SHARE",
    "STARTS",
    "WORKERS",
]

RUNS = 100
"""Of each strategy in a comparison, with the seeds from 0."""

METRIC = "valid_accuracy"
"""What is searched for."""
REPEATS = "paid"
"""Whether an architecture that was trained before is paid again."""
WORKERS = 1
"""In the simulated time of a search."""
SCHEDULE = "asynchronous"
"""How they get their work."""
FAILURES = 0.0
"""The share of trainings that a dying worker takes with it."""

ENGINE = "auto"
"""That trains."""
HARDWARE = "auto"
"""To train on."""
EXECUTOR = "local"
"""Who trains."""

SHARE = 0.5
"""Of a table's rows, on which a surrogate is fitted."""
DRAWS = 20
"""Random choices of the rows that predictors are fitted on, where they are compared by size."""
PREDICTORS = ("xgboost",)
"""That are compared by size."""

STARTS = 1
"""Starts and batches that a proxy is averaged over."""
BATCH_SIZE = 64
"""Images that a proxy sees."""

FIGURE_WIDTH = 3.15
"""Inches of the files of figures: a column of LaTeX's own two, and of most conferences'."""
FIGURE_FONT = 9.0
"""Points of their letters, and of those on a page."""
