"""What was measured: the table file, reading it, writing it."""

from nasbench.table.format import Dataset, atomic_path
from nasbench.table.schema import origins, predictions
from nasbench.table.shipped import load, recipe_path, shipped_recipes, shipped_tables
from nasbench.table.table import Table
from nasbench.table.write import content_hash, write_table

__all__ = [
    "Dataset",
    "Table",
    "atomic_path",
    "content_hash",
    "load",
    "origins",
    "predictions",
    "recipe_path",
    "shipped_recipes",
    "shipped_tables",
    "write_table",
]
