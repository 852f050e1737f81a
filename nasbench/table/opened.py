"""A table file, opened: what its manifest says that it holds, before any value is read."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from nasbench._words import counted
from nasbench.errors import NasbenchError, unknown
from nasbench.space import Space, from_description
from nasbench.table.columns import Columns, dataset_of
from nasbench.table.format import Dataset, TableFile
from nasbench.table.index import rows_of_manifest
from nasbench.table.metrics import primary, primary_of
from nasbench.table.schema import check_manifest

__all__ = ["OpenTable"]


class OpenTable:
    """What a table says of itself; `nasbench.table.Table` reads its values.

    Args:
        path: of the file.

    Attributes:
        path: of the file.
        manifest: checked, see `nasbench.table.schema.check_manifest`.
    """

    def __init__(self, path: str | Path) -> None:
        self._file = TableFile(Path(path))
        self.path = self._file.path
        self.manifest = self._file.manifest
        self._columns = Columns(self._file)
        check_manifest(path, self.manifest)

    def __repr__(self) -> str:
        space = self.manifest["space"]["name"]
        rows = rows_of_manifest(self.manifest)
        return f"<Table {self.name}: {counted(rows, 'row')} of {space}, recipes {self.recipes}>"

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

    def dataset(self, name: str) -> Dataset:
        """An array of the manifest's `datasets`, with what the manifest says of it."""
        if name not in self.manifest["datasets"]:
            raise unknown("data set", name, self.manifest["datasets"])
        stored = ("shape", "dtype", "offset", "sha256")
        about = {k: v for k, v in self.manifest["datasets"][name].items() if k not in stored}
        return Dataset(self._file.array(name), about)

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
            if not self.recipes:
                raise NasbenchError(f"{self.name} holds no trainings, so no recipe")
            if len(self.recipes) != 1:
                known = ", ".join(self.recipes)
                raise NasbenchError(f"{self.name} has the recipes {known}: name one")
            return self.recipes[0]
        if name not in self.recipes:
            raise unknown("recipe", name, self.recipes)
        return name

    def primary(self, recipe: str | None = None) -> str | None:
        """What architectures are judged by where nobody names a metric.

        What the manifest says, `primary`, where the recipe has that metric; else, and in older
        tables, see `nasbench.table.metrics.primary`. Of a table without recipes it is the first
        cost, as `<device>/<metric_unit>`. None where there is neither.

        Args:
            recipe: may be left out where the table has one.

        Example:
            >>> import nasbench as nb
            >>> nb.load("nb201-fashion16").primary()
            'valid_accuracy'
        """
        said: str | None = self.manifest.get("primary")
        if self.recipes:
            metrics = self.metrics[self.recipe(recipe)]
            return said if said in metrics else primary(metrics)
        datasets = self.manifest["datasets"]
        return said if f"device/{said}" in datasets else primary_of((), datasets)

    def dataset_of(self, metric: str, recipe: str | None) -> str:
        """The data set of a metric that `values` takes."""
        datasets = self.manifest["datasets"]
        alone = metric.startswith("proxy/") or f"network/{metric}" in datasets
        chosen = None if alone and recipe is None else self.recipe(recipe)
        return dataset_of(datasets, metric, None if alone else chosen)
