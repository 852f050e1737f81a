"""What can be built: the set of architectures. Needs numpy only; no network lives here."""

from nasbench._callable import make_callable
from nasbench.space.base import Architectures, Space
from nasbench.space.cell import NB201_OPERATIONS, SHIFT, CellGraph, CellSpace, Edge
from nasbench.space.choices import Choices, ChoiceSpace
from nasbench.space.configspace import from_configspace, to_configspace
from nasbench.space.registry import from_description, get, names

__all__ = [
    "NB201_OPERATIONS",
    "SHIFT",
    "Architectures",
    "CellGraph",
    "CellSpace",
    "ChoiceSpace",
    "Choices",
    "Edge",
    "Space",
    "from_configspace",
    "from_description",
    "get",
    "names",
    "to_configspace",
]

make_callable(__name__, get)
