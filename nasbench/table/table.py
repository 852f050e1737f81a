"""A table: what was measured of every architecture, and nothing that was not."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasbench.errors import NasbenchError, unknown
from nasbench.space import Space, from_description
from nasbench.table.format import TableFile
from nasbench.table.schema import check_manifest

__all__ = ["Table"]


class Table:
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
    """

    def __init__(self, path: str | Path) -> None:
        self._file = TableFile(Path(path))
        self.path = self._file.path
        self.manifest = self._file.manifest
        self._columns: dict[tuple[object, ...], NDArray[np.float64]] = {}
        check_manifest(path, self.manifest)

    def __repr__(self) -> str:
        space = self.manifest["space"]["name"]
        return f"<Table {self.name}: {len(self.rows):,} rows of {space}, recipes {self.recipes}>"

    # What the table holds.

    @property
    def name(self) -> str:
        """The table's name."""
        return str(self.manifest["name"])

    @property
    def sha256(self) -> str:
        """The hash of the file, as its first line states it."""
        return self._file.sha256

    @cached_property
    def space(self) -> Space:
        """The space whose architectures the table knows."""
        return from_description(self.manifest["space"])

    @property
    def recipes(self) -> tuple[str, ...]:
        """The recipes that were trained."""
        return tuple(self.manifest["recipes"])

    @property
    def devices(self) -> tuple[str, ...]:
        """The devices that were measured (or estimated, or imported: see the manifest)."""
        return tuple(self.manifest["devices"])

    @property
    def seeds(self) -> Mapping[str, tuple[int, ...]]:
        """For each recipe the seeds of its trainings."""
        return {name: tuple(r["seeds"]) for name, r in self.manifest["recipes"].items()}

    @property
    def metrics(self) -> Mapping[str, tuple[str, ...]]:
        """For each recipe the metrics that `values` returns for it."""
        return {
            recipe: tuple(
                name.rsplit("/", 1)[1]
                for name in self.manifest["datasets"]
                if name.startswith(f"recipe/{recipe}/")
            )
            for recipe in self.recipes
        }

    @cached_property
    def rows(self) -> NDArray[np.int32]:
        """The architecture of each row, int32 `[rows]`."""
        return self._file.array("rows")

    @cached_property
    def row_of(self) -> NDArray[np.int32]:
        """The row of each architecture, int32 `[space.size]`; -1 where the table has none.

        In a table that was built, architectures of one class share a row (manifest: `sharing`).
        """
        row_of = self._file.array("row_of")
        if row_of.shape != (self.space.size,) or row_of.max(initial=-1) >= len(self.rows):
            raise NasbenchError(f"{self.path} is damaged: its rows do not fit its space")
        return row_of

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
            seed: of one training; None is the mean over the seeds that exist.
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
        if key not in self._columns:
            self._columns[key] = self._make_column(metric, recipe, epoch, seed)
        return self._columns[key]

    def device_column(self, device: str, metric: str) -> NDArray[np.float64]:
        """What `cost` says of every row, float64 `[rows]`; not to be written."""
        if device not in self.devices:
            raise unknown("device", device, self.devices)
        key = (device, metric)
        if key not in self._columns:
            known = [
                name.rsplit("/", 1)[1]
                for name in self.manifest["datasets"]
                if name.startswith(f"device/{device}/")
            ]
            if metric not in known:
                raise unknown(f"metric of device {device}", metric, known)
            self._columns[key] = _frozen(self._file.array(f"device/{device}/{metric}"))
        return self._columns[key]

    def curves(self, metric: str, *, recipe: str | None = None) -> NDArray[np.floating[Any]]:
        """All a recipe holds of a metric: `[rows, seeds, epochs]`, read-only, in place on disk."""
        name = f"recipe/{self.recipe(recipe)}/{metric}"
        if name not in self.manifest["datasets"]:
            raise unknown("metric", metric, self.metrics[self.recipe(recipe)])
        array = self._file.array(name)
        if array.ndim != 3:
            raise NasbenchError(f"{metric} of recipe {self.recipe(recipe)} is stored without seeds")
        return array

    def epochs(self, metric: str, *, recipe: str | None = None) -> tuple[int, ...]:
        """After how many epochs a recipe's metric was taken, ascending."""
        name = f"recipe/{self.recipe(recipe)}/{metric}"
        if name not in self.manifest["datasets"]:
            raise unknown("metric", metric, self.metrics[self.recipe(recipe)])
        return tuple(self.manifest["datasets"][name]["epochs"])

    def has_seeds(self, metric: str, *, recipe: str | None = None) -> bool:
        """Whether a recipe's metric is kept for each seed, not as one number."""
        name = f"recipe/{self.recipe(recipe)}/{metric}"
        return len(self.manifest["datasets"][name]["shape"]) == 3

    def recipe(self, name: str | None) -> str:
        """The recipe of that name; None stands for the only one."""
        if name is None:
            if len(self.recipes) != 1:
                known = ", ".join(self.recipes)
                raise NasbenchError(f"{self.name} has the recipes {known}: name one")
            return self.recipes[0]
        if name not in self.recipes:
            raise unknown("recipe", name, self.recipes)
        return name

    def missing(self, metric: str, *, recipe: str | None = None) -> dict[int, str]:
        """Why a metric is NaN, a recipe's at its last epoch: architecture to reason."""
        return self._reasons(self.column(metric, recipe=recipe), self._dataset(metric, recipe))

    def missing_cost(self, device: str, metric: str) -> dict[int, str]:
        """Why a device's metric is NaN: architecture to reason."""
        return self._reasons(self.device_column(device, metric), f"device/{device}/{metric}")

    def verify(self) -> None:
        """Check the hash of the file and of every data set; raises NasbenchError."""
        self._file.verify()

    # How it is done.

    def _reasons(self, column: NDArray[np.float64], dataset: str) -> dict[int, str]:
        told: dict[int, str] = {}
        for entry in self.manifest.get("missing", ()):
            if f"{dataset}/".startswith(f"{entry['scope']}/"):
                for architecture in entry["architectures"] or self.rows.tolist():
                    told[architecture] = entry["reason"]
        absent = [told.get(row, "the source gives no reason") for row in self.rows.tolist()]
        isnan = np.isnan(column).tolist()
        return {
            architecture: "not in the table" if row < 0 else absent[row]
            for architecture, row in enumerate(self.row_of.tolist())
            if row < 0 or isnan[row]
        }

    def _dataset(self, metric: str, recipe: str | None) -> str:
        """The name of the data set that holds a metric; see `values`."""
        datasets = self.manifest["datasets"]
        for name in (f"network/{metric}", metric if metric.startswith("proxy/") else ""):
            if name in datasets:
                return name
        recipe = self.recipe(recipe)
        if f"recipe/{recipe}/{metric}" not in datasets:
            network = [n.split("/", 1)[1] for n in datasets if n.startswith("network/")]
            proxies = [n for n in datasets if n.startswith("proxy/")]
            raise unknown("metric", metric, [*self.metrics[recipe], *network, *proxies])
        return f"recipe/{recipe}/{metric}"

    def _gather(self, column: NDArray[np.float64], architectures: ArrayLike) -> NDArray[np.float64]:
        row_of = self.row_of
        if isinstance(architectures, int) and 0 <= architectures < len(row_of):
            row = row_of[architectures]
            return column[row] if row >= 0 else np.float64("nan")
        rows = row_of[self.space.check(architectures)]
        values: NDArray[np.float64] = np.where(rows >= 0, column[rows], np.nan)
        return values

    def _make_column(
        self, metric: str, recipe: str | None, epoch: int, seed: int | None
    ) -> NDArray[np.float64]:
        name = self._dataset(metric, recipe)
        array = self._file.array(name)
        if not name.startswith("recipe/"):
            return _frozen(array)
        recipe = self.recipe(recipe)
        epochs = self.manifest["datasets"][name]["epochs"]
        wanted = self.manifest["recipes"][recipe]["epochs"] if epoch == -1 else epoch
        if wanted not in epochs:
            shown = f"1 to {epochs[-1]}" if len(epochs) == epochs[-1] else f"{epochs}"
            raise NasbenchError(
                f"{metric} of recipe {recipe} is known after epochs {shown}, not after {wanted}"
            )
        if array.ndim == 1:
            if seed is not None:
                raise NasbenchError(
                    f"{metric} of recipe {recipe} is stored as one number without seeds"
                )
            return _frozen(array)
        at_epoch = array[:, :, epochs.index(wanted)].astype(np.float64)
        if seed is None:
            with warnings.catch_warnings():  # a row without any seed is NaN, no news
                warnings.simplefilter("ignore", RuntimeWarning)
                return _frozen(np.nanmean(at_epoch, axis=1))
        seeds = self.seeds[recipe]
        if seed not in seeds:
            raise NasbenchError(f"recipe {recipe} was trained with seeds {seeds}, not {seed}")
        return _frozen(at_epoch[:, seeds.index(seed)])


def _frozen(array: NDArray[Any]) -> NDArray[np.float64]:
    column = array.astype(np.float64)
    column.setflags(write=False)
    return column
