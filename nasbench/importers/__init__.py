"""Everyone's tables: each kind of foreign source becomes a table with its provenance."""

from nasbench.importers.contract import Contents
from nasbench.importers.kinds import KINDS, import_table, options_of

__all__ = ["KINDS", "Contents", "import_table", "options_of"]
