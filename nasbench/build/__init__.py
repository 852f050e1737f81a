"""From a recipe to a table: plan, journal, executors, assembly."""

from nasbench.build.builder import Progress, assemble_shards, build, train_shard
from nasbench.build.designs import DESIGNS, Sampling
from nasbench.build.partial import PartlyTrained, build_sample
from nasbench.build.shard import Shard
from nasbench.build.spec import BuildSpec, read_spec

__all__ = [
    "DESIGNS",
    "BuildSpec",
    "PartlyTrained",
    "Progress",
    "Sampling",
    "Shard",
    "assemble_shards",
    "build",
    "build_sample",
    "read_spec",
    "train_shard",
]
