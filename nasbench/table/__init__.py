"""What was measured: the table file, reading it, writing it."""

from nasbench.table.format import Dataset
from nasbench.table.metrics import direction
from nasbench.table.schema import manifests, origins, predictions
from nasbench.table.shipped import (
    load,
    name_of_hash,
    recipe_path,
    shipped_recipes,
    shipped_tables,
    table_name,
)
from nasbench.table.table import Table
from nasbench.table.trained import (
    trained_column,
    trained_means,
    trained_seeds,
    trained_values,
)
from nasbench.table.trust import LatencyTrust
from nasbench.table.write import content_hash, write_anew, write_table

__all__ = [
    "Dataset",
    "LatencyTrust",
    "Table",
    "content_hash",
    "direction",
    "load",
    "manifests",
    "name_of_hash",
    "origins",
    "predictions",
    "recipe_path",
    "shipped_recipes",
    "shipped_tables",
    "table_name",
    "trained_column",
    "trained_means",
    "trained_seeds",
    "trained_values",
    "write_anew",
    "write_table",
]
