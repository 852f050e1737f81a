"""The one pickle machine: whoever reads a stranger's pickle reads it here."""

from nasbench._pickles.load import MOST_BYTES, MOST_OBJECTS, drain_pickle, load_pickle
from nasbench._pickles.names import WEIGHTS, RefusedError, Weights

__all__ = [
    "MOST_BYTES",
    "MOST_OBJECTS",
    "WEIGHTS",
    "RefusedError",
    "Weights",
    "drain_pickle",
    "load_pickle",
]
