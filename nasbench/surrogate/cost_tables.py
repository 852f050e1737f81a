"""Costs that tables hold: samples to predict from, other devices, and the table of estimates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench._words import counted
from nasbench.errors import BadValue, unknown
from nasbench.surrogate.cost import CostPrediction, predict_costs
from nasbench.surrogate.cost_features import CostFeatures
from nasbench.table import Dataset, Table, write_table

__all__ = ["PredictedCosts", "cost_sources", "predict_table_costs", "sampled_costs"]

Floats = NDArray[np.float64]

_NOT_COSTS = ("_spread_ms", "_low_ms", "_high_ms", "_low_mj", "_high_mj")
"""Endings of what says how far a cost can be trusted, and is none."""


class PredictedCosts:
    """What is estimated of a device, for the rows of a table.

    Args:
        table: whose rows are predicted.
        device: of the estimates.
        metric: such as `latency_ms`.
        found: the estimates, for `table.rows` in ascending order.
        sampled: the rows of the table that were measured, ascending.
        sources: how many other devices were looked at.

    Attributes:
        metric: `<device>/<metric_unit>`.
        found: as given.
        sources: as given.
    """

    def __init__(
        self,
        table: Table,
        device: str,
        metric: str,
        found: CostPrediction,
        sampled: NDArray[np.int64],
        sources: int,
    ) -> None:
        self.sources = sources
        self.table, self.device, self.sampled, self.found = table, device, sampled, found
        self.metric = f"{device}/{metric}"

    def write(self, path: Path, *, level: float, new: bool = False) -> Table:
        """Write a table of the estimates, all of them of the kind `estimated`.

        Beside `latency_ms` it has `latency_low_ms` and `latency_high_ms`. A row that was measured
        has its estimate, too, so that one column is of one kind; `nasbench merge` joins the table
        with others.

        Args:
            path: of the file.
            level: of the interval.
            new: nothing was at `path` when the work on it began.
        """
        stem, _, unit = self.metric.rpartition("/")[2].rpartition("_")
        low, high = self.found.interval(level)
        columns = {"": self.found.values, "low_": low, "high_": high}
        place = np.searchsorted(self.found.architectures, self.table.rows)
        about: dict[str, Any] = {"kind": "estimated", "unit": unit}
        said = {**self.found.describe(), "level": level, "sampled": self.sampled.tolist()}
        return write_table(
            path,
            name=f"{self.table.name}-{self.device}-estimated",
            space=self.table.space,
            rows=self.table.rows,
            sharing=self.table.manifest["sharing"],
            recipes={},
            datasets={
                f"device/{self.device}/{stem}_{end}{unit}": Dataset(values[place], about)
                for end, values in columns.items()
            },
            devices={self.device: {"estimated": said}},
            about={"sources": [{"name": self.table.name, "sha256": self.table.sha256}]},
            new=new,
        )


def predict_table_costs(
    table: Table,
    samples: Table | None = None,
    *,
    device: str | None = None,
    metric: str = "latency_ms",
    sources: Sequence[str] | None = None,
    seed: int = 0,
) -> PredictedCosts:
    """Estimate a device's cost for every row of a table, from those that were measured on it.

    Args:
        table: of architectures, with the costs of other devices.
        samples: a table that knows the device; `table` itself where left out.
        device: may be left out where the samples have one.
        metric: `latency_ms`, `energy_mj` or another of the device.
        sources: other devices of `table`, by name; all that have the metric where left out.
        seed: of XGBoost.

    Raises:
        NasbenchError: for unknown names, another space, or samples that cannot be predicted from.
    """
    measured = samples or table
    if measured.space.describe() != table.space.describe():
        raise BadValue(
            f"{measured.name} is of {measured.space.name}, {table.name} of {table.space.name}: "
            f"samples are architectures of the table"
        )
    if device is None:
        if len(measured.devices) != 1:
            held = ", ".join(measured.devices) or "no devices"
            raise BadValue(f"{measured.name} has {held}: name one with --device")
        device = measured.devices[0]
    architectures, costs = sampled_costs(table, measured, device, metric)
    known = cost_sources(table, metric, sources, without=device)
    features = CostFeatures.make(table.space, table.rows, sources=known)
    found = predict_costs(features, architectures, costs, seed=seed)
    return PredictedCosts(table, device, metric, found, np.sort(architectures), len(known))


def sampled_costs(
    table: Table, samples: Table, device: str, metric: str
) -> tuple[NDArray[np.int64], Floats]:
    """The rows of a table that another measured on a device, `[m]`, and their costs, `[m]`.

    Architectures that share a row of the table are one network: their mean counts.
    """
    column = samples.device_column(device, metric)
    told = np.isfinite(column)
    architectures, costs = samples.rows[told], column[told]
    rows = table.row(architectures)
    if (rows < 0).any():
        raise BadValue(
            f"{samples.name} measured {counted(int((rows < 0).sum()), 'architecture')} that "
            f"{table.name} lacks, {table.space.string(int(architectures[rows < 0][0]))} first"
        )
    distinct, place = np.unique(rows, return_inverse=True)
    mean = np.bincount(place, costs) / np.bincount(place)
    return table.rows[distinct], mean


def cost_sources(
    table: Table, metric: str, names: Sequence[str] | None = None, *, without: str = ""
) -> dict[str, Floats]:
    """By device, its cost of each row of a table, `[rows]`.

    Args:
        table: with the devices.
        metric: such as `latency_ms`.
        names: of devices; all that have the metric where left out.
        without: a device that is left out: the one to predict.
    """
    held = {
        name.split("/")[1]
        for name in table.manifest["datasets"]
        if name.startswith("device/") and name.endswith(f"/{metric}")
        if not name.endswith(_NOT_COSTS)
    }
    for name in names or ():
        if name not in held:
            raise unknown(f"device with {metric}", name, held)
        if name == without:
            raise BadValue(f"{name} is to be predicted, and no source of itself")
    return {
        name: table.device_column(name, metric)
        for name in (names if names is not None else table.devices)
        if name in held and name != without
    }
