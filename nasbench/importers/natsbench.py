"""Importing NATS-Bench: the topology space (`nb201`) and the size space (`nats-size`).

X. Dong, L. Liu, K. Musial, B. Gabrys, "NATS-Bench: Benchmarking NAS Algorithms for Architecture
Topology and Size", IEEE TPAMI 2021. The release is a folder with a file for each architecture
(`NATS-tss-v1_0-3ffb9-simple/000000.pickle.pbz2`), of which some may be left out, or the same in
one file (`NATS-tss-v1_0-3ffb9.pickle.pbz2`), 22 GB once in memory; here each architecture is
dropped once it is read.

Each number of epochs is a recipe with a schedule of its own: `12ep` and `200ep` of the topology
space, `1ep`, `12ep` and `90ep` of the size space. On CIFAR-10 each is two recipes of different
trainings: `-half` trained on half of the training images, and has `valid_accuracy`, measured on
the other half, besides `test_accuracy`; `-full` trained on all of them, and has `test_accuracy`.
On CIFAR-100 and ImageNet16-120 valid and test are the halves of the official test images;
`valid_test_accuracy` is over both. `nats_table` says what values become.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from nasbench._pickles.load import WEIGHTS, drain_pickle, load_pickle
from nasbench._progress import Progress
from nasbench.errors import NasbenchError
from nasbench.importers.contract import Contents
from nasbench.importers.nats_table import Collector
from nasbench.table.scratch import Scratch

__all__ = ["read", "read_file"]

EPOCHS = {"01": 1, "12": 12, "90": 90, "200": 200}
"""How a record calls its numbers of epochs."""

CITATION = (
    "Dong, Liu, Musial, Gabrys: NATS-Bench: Benchmarking NAS Algorithms for Architecture Topology "
    "and Size, IEEE Transactions on Pattern Analysis and Machine Intelligence, 2021"
)

_FILE = re.compile(r"(\d{1,6})\.pickle\.pbz2", re.ASCII)


def read(source: Path, scratch: Scratch, progress: Progress, *, dataset: str) -> Contents:
    """A release of NATS-Bench, of either space, as a folder or a file.

    Args:
        source: the folder of one file an architecture, or the one file.
        scratch: where arrays go.
        progress: called with the architectures read.
        dataset: cifar10, cifar100 or ImageNet16-120.

    Raises:
        NasbenchError: naming the file and what in it is not as it should be.
    """
    collector = Collector(dataset, EPOCHS, scratch)
    if source.is_dir():
        _read_folder(source, collector, progress)
    else:
        read_file(source, collector, progress)
    return collector.contents("nats-bench", CITATION)


def _read_folder(folder: Path, collector: Collector, progress: Progress) -> None:
    found = [(match, path) for path in folder.iterdir() if (match := _FILE.fullmatch(path.name))]
    files = sorted((int(match[1]), path) for match, path in found)
    if not files:
        raise NasbenchError(
            f"{folder} has no files like 000000.pickle.pbz2: expected a folder of NATS-Bench "
            f"in its fast mode"
        )
    for done, (number, path) in enumerate(files):
        progress("reading architectures", done, len(files))
        try:
            collector.add(number, load_pickle(path, allow=WEIGHTS))
        except NasbenchError as error:
            raise _about(path, error) from error
    progress("reading architectures", len(files), len(files))


def read_file(path: Path, collector: Collector, progress: Progress) -> None:
    """A release in one file: a dict with the architectures' records under `arch2infos`."""
    if not path.is_file():
        raise NasbenchError(f"{path} is no file: expected the release in one file")
    size = path.stat().st_size
    done = 0

    def take(number: Any, record: Any) -> None:
        nonlocal done
        collector.add(number, record)
        done += 1
        progress("reading architectures", done, collector.most)

    def passed(n: int) -> None:
        progress("looking ahead", n, size)

    try:
        drain_pickle(path, "arch2infos", take, passed, allow=WEIGHTS)
    except NasbenchError as error:
        raise _about(path, error) from error
    if not done:
        raise NasbenchError(f"{path} has no architectures under 'arch2infos'")


def _about(path: Path, error: NasbenchError) -> NasbenchError:
    """The sentence with the file in it."""
    return error if str(path) in str(error) else NasbenchError(f"{path}: {error}")
