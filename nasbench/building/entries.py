"""What the lines of a build's journal may say.

A checksum tells damage, not authors: what a line says is held against what is built before any
of it gets near a table.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from nasbench._journal import integer, number
from nasbench._names import is_key
from nasbench.building.designs import DRAWS
from nasbench.building.spec import BuildSpec
from nasbench.device.base import METRICS
from nasbench.train.record import curves_of

__all__ = ["COUNTS", "EntryCheck"]

COUNTS = ("parameters", "flops", "release_parameters", "release_flops")
"""What is counted of each network."""

_LARGEST = float(np.finfo(np.float32).max)
"""Tables keep trainings as float32."""


class EntryCheck:
    """Called with an entry: gives it back, or ValueError and its like for what no build says.

    Args:
        spec: what is built.
        proxies: whose scores are journaled, all in each entry; of a build any one, which chooses
            a sample.
        draws: that each score has.
    """

    def __init__(self, spec: BuildSpec, proxies: Collection[str] = (), draws: int = DRAWS) -> None:
        self._last = spec.space.size - 1
        self._seeds = frozenset(spec.seeds)
        self._epochs = {name: recipe.epochs for name, recipe in spec.recipes.items()}
        target = spec.task.target
        self._curves = {
            name: None if recipe.train else curves_of(target)
            for name, recipe in spec.recipes.items()
        }
        self._devices = frozenset(device.name for device in spec.devices)
        self._proxies = frozenset(proxies)
        self._draws = draws
        self._checks = {
            "training": self._training,
            "measurement": self._measurement,
            "counts": self._counts,
            "scores": self._scores,
            "session": self._session,
        }

    def __call__(self, entry: dict[str, Any]) -> dict[str, Any]:
        self._checks[entry["entry"]](entry)
        return entry

    def _training(self, entry: Mapping[str, Any]) -> None:
        record, epochs = entry["record"], self._epochs[entry["recipe"]]
        integer(record["architecture"], 0, self._last)
        integer(record["diverged"], 0, epochs)
        number(record["evaluation_seconds"], 0, _LARGEST)
        _has(integer(record["seed"]) in self._seeds)
        curves = self._curves[entry["recipe"]]
        _has(curves is None or sorted(record["curves"]) == sorted(curves))
        _has(all(map(is_key, record["curves"])))
        for name, curve in record["curves"].items():
            # NaN, which is null, of a training that diverged.
            known = [value for value in curve if value is not None]
            _has(len(curve) == epochs and set(map(type, known)) <= {float})
            most = 100.0 if name.endswith("accuracy") else _LARGEST
            _has(not known or (max(map(abs, known)) <= _LARGEST and max(known) <= most))
            if name.endswith(("accuracy", "seconds")):
                _has(not known or min(known) >= 0)
        seconds = record["curves"]["train_seconds"]
        _has(None not in seconds and all(before <= now for before, now in pairwise(seconds)))
        if "tests" in record:
            for name, value in record["tests"].items():
                _has(is_key(name) and (value is None or abs(number(value)) <= _LARGEST))
        elif record["test_accuracy"] is not None:
            _has(number(record["test_accuracy"], 0) <= 100)
        for clock in {"spent_seconds", "paid_seconds"} & entry.keys():  # of a pilot
            number(entry[clock], 0)

    def _measurement(self, entry: Mapping[str, Any]) -> None:
        _has(entry["device"] in self._devices and type(entry["description"]) is dict)
        for architecture, found in entry["measurements"].items():
            integer(int(architecture), 0, self._last)
            _has(sorted(found) == sorted([*METRICS, "kind", "reasons"]))
            for metric in METRICS:
                _is_real(found[metric])
            for words in (found["kind"], found["reasons"]):
                _has(set(words) <= set(METRICS) and set(map(type, words.values())) <= {str})

    def _counts(self, entry: Mapping[str, Any]) -> None:
        for architecture, counts in entry["counts"].items():
            integer(int(architecture), 0, self._last)
            _has(sorted(counts) == sorted(COUNTS))
            for count in counts.values():
                number(count, 0)

    def _scores(self, entry: Mapping[str, Any]) -> None:
        for architecture in entry["architectures"]:
            integer(architecture, 0, self._last)
        members = len(entry["architectures"])
        _has(not self._proxies or entry["values"].keys() == self._proxies)
        for proxy, rows in entry["values"].items():
            _has(type(proxy) is str and len(rows) == members)
            for row in rows:
                _has(len(row) == self._draws)
                for value in row:
                    _is_real(value)
        for proxy, place, draw, why in entry["reasons"]:
            _has(proxy in entry["values"] and type(why) is str)
            integer(place, 0, members - 1)
            integer(draw, 0, self._draws - 1)
        for seconds in entry["seconds"].values():
            number(seconds, 0)
        for option in {"seed", "batch_size"} & entry.keys():  # of a sample
            integer(entry[option])

    def _session(self, entry: Mapping[str, Any]) -> None:
        _has(type(entry["started"]) is str)
        for value in entry.values():
            plain = value.values() if type(value) is dict else [value]
            _has(set(map(type, plain)) <= {str, int, float})
            # It stands in the manifest, whose JSON knows no NaN.
            _has(all(type(one) is str or abs(one) < 2**63 for one in plain))


def _has(so: bool) -> None:
    if not so:
        raise ValueError


def _is_real(value: Any) -> None:
    """A number, or NaN where there is none."""
    _has(type(value) is float or (type(value) is int and abs(value) < 2**53))
