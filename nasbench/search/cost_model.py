"""What training takes where a table does not say: an assumption, and called one."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import NasbenchError
from nasbench.search.goal import as_floats
from nasbench.table import Table

__all__ = ["CostModel"]


@dataclass(frozen=True, slots=True)
class CostModel:
    """The seconds of a training as so many for each epoch.

    Attributes:
        seconds_per_epoch: of each architecture, or of the average row of the table where
            architectures differ.
        in_proportion_to: what an architecture's seconds are in proportion to: a metric of the
            network (`flops`, `parameters`) or a cost as `<device>/<metric_unit>`; None where
            an epoch takes the same of all.

    Example:
        >>> CostModel(0.5).seconds_per_epoch
        0.5
        >>> CostModel(0.5, "flops").in_proportion_to
        'flops'
    """

    seconds_per_epoch: float
    in_proportion_to: str | None = None

    def __post_init__(self) -> None:
        if not 0 < self.seconds_per_epoch < math.inf:
            raise NasbenchError(
                f"the seconds of an epoch must be more than 0, got {self.seconds_per_epoch}"
            )
        as_floats(self, "seconds_per_epoch")

    def __str__(self) -> str:
        each = f"{self.seconds_per_epoch:g} s an epoch"
        if self.in_proportion_to is None:
            return each
        return f"{each} of the average row, in proportion to {self.in_proportion_to}"

    def epoch_seconds(self, table: Table) -> NDArray[np.float64]:
        """The seconds of one epoch of each row, float64 `[rows]`; NaN where its measure is."""
        if self.in_proportion_to is None:
            return np.full(len(table.rows), self.seconds_per_epoch)
        device, found, metric = self.in_proportion_to.partition("/")
        if found:
            column = table.device_column(device, metric)
        else:
            column = table.dataset(f"network/{device}").values.astype(np.float64)
        if not (np.nan_to_num(column, nan=1.0) > 0).all():
            raise NasbenchError(
                f"seconds cannot be in proportion to {self.in_proportion_to}: "
                f"some rows have 0 or less of it"
            )
        return np.asarray(column * (self.seconds_per_epoch / np.nanmean(column)))
