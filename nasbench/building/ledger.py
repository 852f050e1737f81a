"""What a build has done: trainings, measurements, counts and scores, each by its key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from nasbench.building.executor import Unit
from nasbench.building.journal import BuildFolder
from nasbench.train.record import Record

__all__ = ["Done", "Ledger"]


class Done:
    """The entries of one journal or several.

    Args:
        entries: in the order in which they were journaled.

    Attributes:
        records: every training.
        measurements: by device and architecture, the fields of `Measurement`.
        devices: what each device says of itself.
        counts: parameters and FLOPs by architecture.
        scores: by proxy and seed, what each architecture has; NaN where it has none.
        sessions: who was at work, the present process last.
    """

    def __init__(self, entries: Iterable[Mapping[str, Any]]) -> None:
        self.records: dict[Unit, Record] = {}
        self.measurements: dict[str, dict[int, dict[str, Any]]] = {}
        self.devices: dict[str, dict[str, Any]] = {}
        self.counts: dict[int, dict[str, float]] = {}
        self.scores: dict[tuple[str, int], dict[int, float]] = {}
        self.sessions: list[dict[str, Any]] = []
        for entry in entries:
            self._take(entry)

    def measured(self, device: str, description: Mapping[str, Any]) -> dict[int, dict[str, Any]]:
        """What was measured on a device, by architecture; it grows as measurements are kept.

        Another description is another machine or runtime, which begins anew: the latencies of
        two do not belong into one column.
        """
        if self.devices.get(device) != description:
            self.devices[device], self.measurements[device] = dict(description), {}
        return self.measurements[device]

    def _take(self, entry: Mapping[str, Any]) -> None:
        kind = entry["entry"]
        if kind == "training":
            record = Record.from_json(entry["record"])
            self.records[Unit(entry["recipe"], record.architecture, record.seed)] = record
        elif kind == "measurement":
            found = self.measured(entry["device"], entry["description"])
            found.update({int(a): m for a, m in entry["measurements"].items()})
        elif kind == "counts":
            self.counts.update({int(a): c for a, c in entry["counts"].items()})
        elif kind == "scores":
            for proxy, draws in entry["values"].items():
                known = self.scores.setdefault((proxy, entry["seed"]), {})
                # A sample is spread by one draw: see `nasbench.building.designs.DRAWS`.
                known.update(zip(entry["architectures"], (d[0] for d in draws), strict=True))
        elif kind == "session":
            self.sessions.append(dict(entry))


class Ledger(Done):
    """What is done, and where further entries go.

    Args:
        folder: whose journal keeps what is done from now on.
        entries: what was done before.
    """

    def __init__(self, folder: BuildFolder, entries: Iterable[Mapping[str, Any]]) -> None:
        super().__init__(entries)
        self._folder = folder

    def keep(self, entry: Mapping[str, Any]) -> None:
        """Journal what was done: it is on disk when this returns."""
        self._folder.add(entry)
        self._take(entry)
