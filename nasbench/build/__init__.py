"""From a recipe to a table: plan, journal, executors, assembly."""

from nasbench.build.builder import Progress, assemble_shards, build, train_shard
from nasbench.build.shard import Shard
from nasbench.build.spec import BuildSpec, read_spec

__all__ = [
    "BuildSpec",
    "Progress",
    "Shard",
    "assemble_shards",
    "build",
    "read_spec",
    "train_shard",
]
