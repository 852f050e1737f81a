"""From a recipe to a table: plan, journal, executors, assembly."""

from nasbench.build.builder import Progress, build
from nasbench.build.spec import BuildSpec, read_spec

__all__ = ["BuildSpec", "Progress", "build", "read_spec"]
