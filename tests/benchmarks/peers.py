"""Ours beside its peers on the same numbers: time, memory and disk, as a Markdown table.

    python tests/benchmarks/peers.py                # 15,625 cells: 40 minutes, 6 GB of memory
    python tests/benchmarks/peers.py --cells 300    # a look: a minute

Every peer reads a made-up benchmark (see `peer_layouts`) in its own layout. A round opens and
queries each of them once, in turns, each in a process of its own; memory is what that process
grew by since its imports. Files are in the page cache. A peer that is not installed is named
and left out: `pip install nats-bench==1.8 nasbenchapi==1.0.5`.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from importlib import import_module, metadata
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from timeit import Timer
from typing import Any, ClassVar, TypeVar

import numpy as np
import peer_layouts
from numpy.typing import NDArray
from peer_layouts import DATASET, EPOCHS, SEEDS

T = TypeVar("T")


class Peer(ABC):
    """A way to keep the benchmark, opened; the answers are those of its documented calls.

    Args:
        folder: what `write` wrote.
        cells: how many cells it holds, the space's first.
    """

    label: ClassVar[str]
    distribution: ClassVar[str]
    module: ClassVar[str]
    write: ClassVar[staticmethod[[Path, int], None]]

    @abstractmethod
    def __init__(self, folder: Path, cells: int) -> None: ...

    @abstractmethod
    def one(self, cell: int) -> float:
        """Accuracy on valid after the last epoch, mean over seeds."""

    @abstractmethod
    def every(self) -> NDArray[np.float64]:
        """The same of all cells, the column as the peer gives it: `[cells]`."""

    @abstractmethod
    def cost(self, cell: int) -> float:
        """Seconds of the whole training, mean over seeds."""

    def curve(self, cell: int) -> NDArray[np.floating[Any]] | None:
        """Accuracy on valid, `[seeds, epochs]`; None where the peer keeps no curves.

        The cell was asked for before.
        """
        return None


class Ours(Peer):
    label = "ours"
    distribution = "nasbench-harness"
    module = "nasbench.table"
    write = staticmethod(peer_layouts.write_ours)

    def __init__(self, folder: Path, cells: int) -> None:
        import nasbench as nb

        self.table = nb.load(folder / "table.h5")

    def one(self, cell: int) -> float:
        return self.table.values("valid_accuracy", cell)

    def every(self) -> NDArray[np.float64]:
        return self.table.column("valid_accuracy")

    def cost(self, cell: int) -> float:
        return self.table.values("train_seconds", cell)

    def curve(self, cell: int) -> NDArray[np.floating[Any]]:
        return self.table.trainings("valid_accuracy", cell)


class Nats(Peer):
    """Either of NATS-Bench's modes."""

    distribution = "nats-bench"
    module = "nats_bench"
    place: ClassVar[str]
    fast: ClassVar[bool]

    def __init__(self, folder: Path, cells: int) -> None:
        import nats_bench

        self.cells = cells
        self.api = nats_bench.create(str(folder / self.place), "tss", self.fast, verbose=False)

    def one(self, cell: int) -> float:
        answer = self.api.get_more_info(cell, DATASET, hp="200", is_random=False)
        return answer["valid-accuracy"]

    def every(self) -> NDArray[np.float64]:
        return np.asarray([self.one(cell) for cell in range(self.cells)])

    def cost(self, cell: int) -> float:
        return self.api.get_cost_info(cell, DATASET, hp="200")["T-train@total"]

    def curve(self, cell: int) -> NDArray[np.floating[Any]]:
        # query_by_index gives the same after 5 ms of deep copies.
        trainings = self.api.arch2infos_dict[cell]["200"].query(DATASET)
        epochs = range(EPOCHS)
        return np.asarray(
            [[trainings[s].get_eval("x-valid", e)["accuracy"] for e in epochs] for s in SEEDS]
        )


class NatsFolder(Nats):
    label = "nats-bench, folder"
    place, fast = "", True
    write = staticmethod(peer_layouts.write_nats_folder)


class NatsFile(Nats):
    label = "nats-bench, file"
    place, fast = "nats.pickle.pbz2", False
    write = staticmethod(peer_layouts.write_nats_file)


class NasbenchApi(Peer):
    """A call answers for one seed and one epoch, seconds of that epoch included."""

    label = "nasbenchapi"
    distribution = "nasbenchapi"
    module = "nasbenchapi"
    write = staticmethod(peer_layouts.write_nasbenchapi)

    def __init__(self, folder: Path, cells: int) -> None:
        from nasbenchapi import NASBench201

        self.api = NASBench201(str(folder / "nb201.pickle"), verbose=False)
        self.strings = list(self.api.iter_all())

    def one(self, cell: int) -> float:
        string = self.strings[cell]
        return statistics.fmean(self.api.query(string, seed=seed)["metric"] for seed in SEEDS)

    def every(self) -> NDArray[np.float64]:
        return np.asarray([self.one(cell) for cell in range(len(self.strings))])

    def cost(self, cell: int) -> float:
        string = self.strings[cell]
        return statistics.fmean(
            sum(self.api.query(string, DATASET, "train", s, e)["cost"] for e in range(EPOCHS))
            for s in SEEDS
        )

    def curve(self, cell: int) -> NDArray[np.floating[Any]]:
        string, epochs = self.strings[cell], range(EPOCHS)
        return np.asarray(
            [
                [self.api.query(string, seed=seed, budget=epoch)["metric"] for epoch in epochs]
                for seed in SEEDS
            ]
        )


class PandasLast(Peer):
    """Only what is asked for most, worked out beforehand: the best that a frame can do."""

    label = "pandas, last epochs only"
    distribution = "pandas"
    module = "pandas"
    write = staticmethod(peer_layouts.write_pandas_last)

    def __init__(self, folder: Path, cells: int) -> None:
        import pandas as pd

        self.last = pd.read_pickle(folder / "last.pickle")

    def one(self, cell: int) -> float:
        return self.last.at[cell, "valid_accuracy"]

    def every(self) -> NDArray[np.float64]:
        return self.last["valid_accuracy"].to_numpy()

    def cost(self, cell: int) -> float:
        return self.last.at[cell, "train_seconds"]


class Pandas(PandasLast):
    """The same and a frame of all curves."""

    label = "pandas"
    write = staticmethod(peer_layouts.write_pandas)

    def __init__(self, folder: Path, cells: int) -> None:
        import pandas as pd

        super().__init__(folder, cells)
        self.curves = pd.read_pickle(folder / "curves.pickle")

    def curve(self, cell: int) -> NDArray[np.floating[Any]]:
        return self.curves.loc[cell, "valid_accuracy"].to_numpy().reshape(len(SEEDS), EPOCHS)


PEERS: tuple[type[Peer], ...] = (Ours, NatsFolder, NatsFile, NasbenchApi, Pandas, PandasLast)

QUANTITIES = {
    "disk_mb": "on disk",
    "open_s": "open",
    "open_mb": "memory after opening",
    "cost_first_s": "training seconds of one cell, the first question",
    "all_first_s": "accuracy of all cells, at first touch",
    "touched_mb": "memory after every cell was touched",
    "all_s": "accuracy of all cells, again",
    "one_s": "accuracy of one cell",
    "cost_s": "training seconds of one cell",
    "curve_s": "three curves of one cell",
    "curves_mb": "memory after every curve was read",
    "curves_private_mb": "of that, not backed by the file",
}
"""What is measured, in the order of the table; the ending of a key is its unit."""


def measure(peer: type[Peer], folder: Path, cells: int) -> dict[str, float]:
    """Open and query a peer in this process: seconds a call, MB (1e6 bytes) since the imports."""
    import_module(peer.module)
    gc.collect()
    private, mapped = _resident()

    def grown() -> float:
        now = _resident()
        return now[0] + now[1] - private - mapped

    found: dict[str, float] = {}
    opened, found["open_s"] = _timed(peer, folder, cells)
    found["open_mb"] = grown()
    cell = cells // 2
    _, found["cost_first_s"] = _timed(opened.cost, cell)
    _, found["all_first_s"] = _timed(opened.every)
    found["touched_mb"] = grown()
    found["all_s"] = _repeated(opened.every)
    found["one_s"] = _repeated(lambda: opened.one(cell))
    found["cost_s"] = _repeated(lambda: opened.cost(cell))
    if opened.curve(cell) is not None:
        for each in range(cells):
            opened.curve(each)
        found["curves_mb"] = grown()
        found["curves_private_mb"] = _resident()[0] - private
        found["curve_s"] = _repeated(lambda: opened.curve(cell))
    return found


def _resident() -> tuple[float, float]:
    """This process's memory in MB: its own, and pages of mapped files."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    kib = {line.split(":")[0]: int(line.split()[1]) for line in lines if line.startswith("Rss")}
    return kib["RssAnon"] * 1.024e-3, kib["RssFile"] * 1.024e-3


def _timed(function: Callable[..., T], *arguments: object) -> tuple[T, float]:
    start = time.perf_counter()
    result = function(*arguments)
    return result, time.perf_counter() - start


def _repeated(call: Callable[[], object]) -> float:
    """Seconds a call once everything it needs is in memory: the mean over 0.2 s or more."""
    call()
    number, seconds = Timer(call).autorange()
    return seconds / number


@dataclass(frozen=True)
class Spread:
    """What the rounds found of one quantity of one peer."""

    median: float
    low: float
    high: float


Found = dict[str, dict[str, Spread]]
"""By label and quantity."""


def compare(peers: Sequence[type[Peer]], cells: int, rounds: int) -> Found:
    """Write every layout, then measure peer after peer, round after round."""
    found: dict[str, dict[str, list[float]]] = {peer.label: {} for peer in peers}
    with tempfile.TemporaryDirectory(prefix="peers-") as place:
        folders = {peer: Path(place) / peer.__name__ for peer in peers}
        for peer, folder in folders.items():
            folder.mkdir()
            _, seconds = _timed(_fresh, peer.write, folder, cells)
            size = sum(file.stat().st_size for file in folder.iterdir()) / 1e6
            found[peer.label]["disk_mb"] = [size]
            _say(f"{peer.label}: {size:,.0f} MB written in {seconds:,.0f} s")
        for turn in range(rounds):
            for peer, folder in folders.items():
                measured, seconds = _timed(_fresh, measure, peer, folder, cells)
                _say(f"round {turn + 1} of {rounds}: {peer.label} took {seconds:,.0f} s")
                for quantity, value in measured.items():
                    found[peer.label].setdefault(quantity, []).append(value)
    return {
        label: {q: Spread(statistics.median(v), min(v), max(v)) for q, v in values.items()}
        for label, values in found.items()
    }


def _fresh(function: Callable[..., T], *arguments: object) -> T:
    """What a function returns in a process of its own."""
    try:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            return pool.submit(function, *arguments).result()
    except BrokenProcessPool:
        sys.exit("a peer's process was killed, most likely for its memory: take fewer --cells")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def markdown(found: Found) -> str:
    """A row a quantity: median [lowest, highest], and as a multiple of ours."""
    labels = list(found)
    lines = ["| | " + " | ".join(labels) + " |", "| --- |" + " --- |" * len(labels)]
    for quantity, words in QUANTITIES.items():
        ours = found[Ours.label][quantity]
        row = [_text(quantity, found[label].get(quantity), ours) for label in labels]
        lines.append(f"| {words} | " + " | ".join(row) + " |")
    return "\n".join(lines)


def _text(quantity: str, spread: Spread | None, ours: Spread) -> str:
    if spread is None:
        return "no curves"
    unit, factor = "MB", 1.0
    if quantity.endswith("_s"):
        scales = ((1e-3, "µs", 1e6), (1.0, "ms", 1e3), (np.inf, "s", 1.0))
        unit, factor = next((u, f) for below, u, f in scales if spread.median < below)
    middle, low, high = (_digits(n * factor) for n in (spread.median, spread.low, spread.high))
    text = f"{middle} {unit}" if low == high else f"{middle} [{low}, {high}] {unit}"
    if spread is ours or ours.median <= 0:
        return text
    return f"{text}, **{_digits(spread.median / ours.median)}×**"


def _digits(number: float) -> str:
    """Two significant digits, and all before the point."""
    return f"{number:,.0f}" if abs(number) >= 10 else f"{number:.2g}"


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Ours beside its peers, as a Markdown table.")
    parser.add_argument("--cells", type=int, default=15_625, help="the space's first so many")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="one JSON document instead")
    options = parser.parse_args(arguments)
    if not 1 <= options.cells <= 15_625 or options.rounds < 1:
        parser.error("expected 1 to 15,625 cells and one round or more")
    if not Path("/proc/self/status").exists():
        parser.error("memory is read from /proc: run this on Linux")
    peers = [peer for peer in PEERS if find_spec(peer.module.split(".")[0])]
    absent = sorted({peer.distribution for peer in PEERS if peer not in peers})
    versions = {peer.distribution: metadata.version(peer.distribution) for peer in peers}
    found = compare(peers, options.cells, options.rounds)
    if options.json:
        peers_found = {
            label: {q: vars(spread) for q, spread in values.items()}
            for label, values in found.items()
        }
        document = {"cells": options.cells, "rounds": options.rounds, "versions": versions}
        print(json.dumps({**document, "not_installed": absent, "peers": peers_found}, indent=1))
        return
    print(markdown(found), end="\n\n")
    print(
        f"{options.cells:,} cells, {len(SEEDS)} seeds, {EPOCHS} epochs, rounds: {options.rounds};"
        " median [lowest, highest], **multiple of ours**;",
        ", ".join(f"{name} {version}" for name, version in versions.items()),
    )
    for name in absent:
        print(f"{name} is left out: it is not installed.")


if __name__ == "__main__":
    main()
