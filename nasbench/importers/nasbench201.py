"""Importing NAS-Bench-201 in its original file, `NAS-Bench-201-v1_1-096897.pth`.

X. Dong, Y. Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search",
ICLR 2020. The file is what torch.save wrote of a dict, whose entry `arch2infos` has for each
architecture the records `less`, trainings of 12 epochs, and `full`, of 200: the recipes `12ep`
and `200ep`, each with its own schedule. Its successor NATS-Bench kept the records, so that
recipes, splits and values are as `natsbench` says; a data set that was not trained by a recipe,
as by `less` in v1.0, is not in the table.
"""

from __future__ import annotations

from pathlib import Path

from nasbench._progress import Progress
from nasbench.importers.contract import Contents
from nasbench.importers.nats_table import Collector
from nasbench.importers.natsbench import read_file
from nasbench.table.scratch import Scratch

__all__ = ["read"]

EPOCHS = {"less": 12, "full": 200}
"""How a record calls its numbers of epochs."""

CITATION = (
    "Dong, Yang: NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search, "
    "International Conference on Learning Representations, 2020"
)


def read(source: Path, scratch: Scratch, progress: Progress, *, dataset: str) -> Contents:
    """The original file of NAS-Bench-201; torch is not needed.

    Args:
        source: the file.
        scratch: where arrays go.
        progress: called with the architectures read.
        dataset: cifar10, cifar100 or ImageNet16-120.

    Raises:
        NasbenchError: naming the file and what in it is not as it should be.
    """
    collector = Collector(dataset, EPOCHS, scratch)
    read_file(source, collector, progress)
    return collector.contents("nas-bench-201", CITATION)
