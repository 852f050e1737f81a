"""Builds as a session calls them: `nb.build`, `nb.export`."""

from __future__ import annotations

import logging
from pathlib import Path

from nasbench.building.spec import BuildSpec, read_spec
from nasbench.table import recipe_path

__all__ = ["spec_from"]

logger = logging.getLogger(__name__)


def spec_from(recipe: BuildSpec | str | Path) -> BuildSpec:
    """A build recipe, by its file or name; what of its task was not read is logged, once."""
    if isinstance(recipe, BuildSpec):
        return recipe
    spec = read_spec(recipe_path(str(recipe)))
    for note in spec.task.notes:
        logger.warning("task %s: %s", spec.task.name, note)
    return spec
