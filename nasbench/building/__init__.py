"""From a recipe to a table: plan, journal, executors, assembly."""

from nasbench.building.builder import assemble_shards, build, train_shard
from nasbench.building.call import build_table, export_network, spec_from
from nasbench.building.designs import DESIGNS, Sampling
from nasbench.building.partial import PartlyTrained, build_sample
from nasbench.building.shard import Shard
from nasbench.building.spec import BuildSpec, read_spec

__all__ = [
    "DESIGNS",
    "BuildSpec",
    "PartlyTrained",
    "Sampling",
    "Shard",
    "assemble_shards",
    "build",
    "build_sample",
    "build_table",
    "export_network",
    "read_spec",
    "spec_from",
    "train_shard",
]
