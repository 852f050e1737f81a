"""A table: what was measured of every architecture, and nothing that was not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasbench._result import Result
from nasbench.errors import NasbenchError, unknown
from nasbench.table import frames, reasons
from nasbench.table.columns import listed
from nasbench.table.format import LAST, mark_of
from nasbench.table.index import rows_of_manifest
from nasbench.table.rowed import RowedTable

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Table"]


class Table(RowedTable, Result):
    """An immutable file of what was measured; reading one needs no torch.

    Opening reads the manifest; data sets are mapped, so that memory grows by what is asked
    for. A table keeps no clock, no counter and no random numbers. A missing value is NaN, and
    `missing` says why.

    Args:
        path: of the file.

    Attributes:
        path: of the file.
        manifest: what the table says of itself: space, task with its hash, recipes, versions,
            hardware, who trained what and when, data sets with their units and hashes.

    Example:
        >>> from nasbench.table import load
        >>> table = load("nb201-fashion16")
        >>> table.values("valid_accuracy", [435]).round(2).tolist()
        [87.25]
        >>> table.cost("cpu-torch-b1", "latency_ms", [435]).shape
        (1,)
        >>> len(table.top(3))
        3
    """

    # Values.

    def values(
        self,
        metric: str,
        architectures: ArrayLike,
        *,
        recipe: str | None = None,
        epoch: int = -1,
        seed: int | None = None,
    ) -> NDArray[np.float64]:
        """A metric of architectures, float64 of the given shape; NaN where it is missing.

        Args:
            metric: of a recipe (`valid_accuracy` in percent, `train_seconds` cumulative, ...),
                of the network (`parameters`, `flops`), or `proxy/<name>`.
            architectures: of the table's space.
            recipe: may be left out where the table has one, or the metric belongs to none.
            epoch: after how many epochs; -1 is the recipe's last.
            seed: of one training; None is the mean over the seeds that exist. From the epoch on
                at which one of them ended early there is none, see `ended`; seconds stay what
                the training took until then.
        """
        return self._gather(
            self.column(metric, recipe=recipe, epoch=epoch, seed=seed), architectures
        )

    def cost(self, device: str, metric: str, architectures: ArrayLike) -> NDArray[np.float64]:
        """What running architectures costs on a device, float64 of the given shape.

        Args:
            device: one of `devices`.
            metric: `latency_ms`, `energy_mj`, `memory_mib`, ... as the device has them.
            architectures: of the table's space.
        """
        return self._gather(self.device_column(device, metric), architectures)

    def column(
        self, metric: str, *, recipe: str | None = None, epoch: int = -1, seed: int | None = None
    ) -> NDArray[np.float64]:
        """What `values` says of every row, float64 `[rows]`; kept once made, not to be written."""
        key = (metric, recipe, epoch, seed)
        kept = self._columns.kept.get(key)
        if kept is not None:
            return kept
        return self._columns.make(key, self.dataset_of(metric, recipe))

    def device_column(self, device: str, metric: str) -> NDArray[np.float64]:
        """What `cost` says of every row, float64 `[rows]`; kept once made, not to be written."""
        dataset = f"device/{device}/{metric}"
        key = (dataset, None, -1, None)
        kept = self._columns.kept.get(key)
        if kept is not None:
            return kept
        if device not in self.devices:
            raise unknown("device", device, self.devices)
        room = f"device/{device}/"
        known = [n.removeprefix(room) for n in self.manifest["datasets"] if n.startswith(room)]
        if metric not in known:
            raise unknown(f"metric of device {device}", metric, known)
        return self._columns.make(key, dataset)

    def curves(self, metric: str, *, recipe: str | None = None) -> NDArray[np.floating[Any]]:
        """All a recipe holds of a metric: `[rows, seeds, epochs]`, read-only, in place on disk."""
        name = f"recipe/{self.recipe(recipe)}/{metric}"
        if name not in self.manifest["datasets"]:
            raise unknown("metric", metric, self.metrics[self.recipe(recipe)])
        array = self._file.array(name)
        if array.ndim != 3:
            raise NasbenchError(f"{metric} of recipe {self.recipe(recipe)} is stored without seeds")
        return array

    def trainings(
        self,
        metric: str,
        architectures: ArrayLike,
        *,
        recipe: str | None = None,
        seeds: Sequence[int] | None = None,
        epochs: Sequence[int] | None = None,
    ) -> NDArray[np.float64]:
        """A metric of each training: float64, the given shape + `[seeds, epochs]`.

        Args:
            metric: of a recipe, kept for each seed.
            architectures: of the table's space; those without a row are NaN.
            recipe: may be left out where the table has one.
            seeds: which, in this order; all of the recipe's where left out.
            epochs: after how many, in this order; all at which the metric was taken where
                left out.
        """
        stored = self.curves(metric, recipe=recipe)
        known, taken = self.seeds[self.recipe(recipe)], self.epochs(metric, recipe=recipe)
        rows = self.row(architectures)
        found = stored[rows]
        if seeds is not None:
            found = found[..., _places("seeds", seeds, known), :]
        if epochs is not None:
            found = found[..., _places("epochs", epochs, taken)]
        values: NDArray[np.float64] = found.astype(np.float64)
        values[rows < 0] = np.nan
        return values

    def predicted(self, metric: str, *, recipe: str | None = None) -> NDArray[np.bool_]:
        """Which rows of a recipe's metric are predicted, not trained: bool `[rows]`."""
        mark = mark_of(self.recipe(recipe), metric)
        if mark not in self.manifest["datasets"]:
            return np.zeros(rows_of_manifest(self.manifest), dtype=np.bool_)
        return self._file.array(mark).astype(np.bool_)

    def ended(
        self, metric: str, *, recipe: str | None = None, epoch: int = -1
    ) -> NDArray[np.bool_]:
        """Which trainings ended before an epoch, so that they diverged or were cut.

        That is bool `[rows, seeds]`, or `[rows, 1]` for a metric without seeds, False there. A
        seed that was never run did not end. From where a training ended on its row has no mean
        over seeds: `values` and `column` are NaN there.

        Args:
            metric: of a recipe.
            recipe: may be left out where the table has one.
            epoch: after how many; -1 is the recipe's last at which the metric was taken.
        """
        name = self.recipe(recipe)
        taken = self.epochs(metric, recipe=name)
        if not self.has_seeds(metric, recipe=name):
            return np.zeros((rows_of_manifest(self.manifest), 1), dtype=np.bool_)
        place = len(taken) - 1 if epoch == -1 else int(_places("epochs", [epoch], taken)[0])
        return np.asarray(self._columns.ends(f"recipe/{name}/{metric}") <= place)

    def missing(
        self, metric: str, *, recipe: str | None = None, epoch: int = -1, seed: int | None = None
    ) -> dict[int, str]:
        """Why what `values` says is NaN: architecture to reason.

        Of a space too large to be listed, architectures without a row are left out.

        Args:
            metric: as in `values`.
            recipe: as in `values`.
            epoch: as in `values`.
            seed: as in `values`.
        """
        of_rows = reasons.of_metric(self, metric, recipe=recipe, epoch=epoch, seed=seed)
        return reasons.by_architecture(self, of_rows)

    def missing_cost(self, device: str, metric: str) -> dict[int, str]:
        """Why a device's metric is NaN: architecture to reason."""
        return reasons.by_architecture(self, reasons.of_cost(self, device, metric))

    def why(
        self,
        metric: str,
        architecture: int,
        *,
        recipe: str | None = None,
        epoch: int = -1,
        seed: int | None = None,
    ) -> str:
        """Why a metric of one architecture is NaN, "" where it is not.

        Args:
            metric: as in `values`, or `<device>/<metric_unit>`.
            architecture: of the table's space.
            recipe: as in `values`.
            epoch: as in `values`.
            seed: as in `values`.
        """
        row = int(self.row(architecture))
        if row < 0:
            return reasons.of_absent(self, architecture)
        device, _, cost = metric.rpartition("/")
        if device and device != "proxy":
            return reasons.of_cost(self, device, cost)[row]
        return reasons.of_metric(self, metric, recipe=recipe, epoch=epoch, seed=seed)[row]

    def verify(self) -> None:
        """Check the hashes of the file and of every data set; raises NasbenchError.

        Rows must fit the space, and the last epochs that are kept beside the curves must be
        those of the curves.
        """
        self._file.verify()
        self.row(self.rows)
        for name in self.manifest["datasets"]:
            if name.startswith(LAST):
                curves = self._file.array(f"recipe/{name.removeprefix(LAST)}")
                if not np.array_equal(curves[:, :, -1], self._file.array(name), equal_nan=True):
                    raise NasbenchError(f"{self.path} is damaged: {name} is not of its curves")

    # As frames.

    def frame(
        self,
        per: frames.Per = "architecture",
        *,
        recipe: str | None = None,
        epoch: int = -1,
        seed: int | None = None,
        architectures: ArrayLike | None = None,
    ) -> pd.DataFrame:
        """What the table holds as a frame, with `architecture` and `string` in its first columns.

        Args:
            per: what a row stands for. `architecture`: the columns are called as everywhere,
                `<recipe>/<metric>`, `<device>/<metric_unit>`, `parameters`, `flops`,
                `proxy/<name>`. `seed` and `epoch`: `seed` and `epoch` follow, then the metrics
                of one recipe that are kept for each seed.
            recipe: all of them where left out for `architecture`; else it may be left out where
                the table has one.
            epoch: after how many epochs; -1 is the recipe's last (with `epoch`: all of them).
            seed: of one training; None is the mean over the seeds that exist (with `seed` and
                `epoch`: all of them).
            architectures: of the table's space; all that have a row where left out.
        """
        return frames.frame(
            self, per, recipe=recipe, epoch=epoch, seed=seed, architectures=architectures
        )

    def curve(
        self, architecture: int, *, recipe: str | None = None, seed: int | None = None
    ) -> pd.DataFrame:
        """How an architecture's training went: a row an epoch, a column a metric.

        Args:
            architecture: of the table's space.
            recipe: may be left out where the table has one.
            seed: of one training; None is the mean over the seeds that exist.
        """
        return frames.curve(self, architecture, recipe=recipe, seed=seed)

    def top(
        self,
        k: int,
        metric: str | None = None,
        *,
        recipe: str | None = None,
        epoch: int = -1,
        seed: int | None = None,
        maximize: bool | None = None,
    ) -> pd.DataFrame:
        """The k best rows by a metric, the best first: architecture, string, value.

        Args:
            k: how many; fewer where the table has fewer values.
            metric: as in `values`, or `<device>/<metric_unit>` for a cost; what `primary` says
                where left out.
            recipe: as in `values`.
            epoch: as in `values`.
            seed: as in `values`.
            maximize: which is better; may be left out where the metric's name tells
                (accuracies high; losses, seconds, costs and counts low).
        """
        return frames.top(self, k, metric, recipe=recipe, epoch=epoch, seed=seed, maximize=maximize)

    # How it is done.

    def _gather(self, column: NDArray[np.float64], architectures: ArrayLike) -> NDArray[np.float64]:
        if type(architectures) is int and 0 <= architectures < self.space.size:
            row = self._find(architectures)
            return column[row] if row >= 0 else np.float64("nan")
        rows = self.row(architectures)
        values: NDArray[np.float64] = np.where(rows >= 0, column[rows], np.nan)
        return values


def _places(what: str, wanted: Sequence[int], known: tuple[int, ...]) -> NDArray[np.intp]:
    """Where each wanted number is among those that are known."""
    place_of = {number: place for place, number in enumerate(known)}
    for number in wanted:
        if number not in place_of:
            raise NasbenchError(f"there are {what} {listed(known)}, not {number}")
    return np.asarray([place_of[number] for number in wanted], dtype=np.intp)
