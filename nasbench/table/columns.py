"""Columns: one number for each row of a table, out of what is stored for each training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import NasbenchError, unknown
from nasbench.table.endings import curve_ends, mean_over_seeds, ran_of
from nasbench.table.format import LAST, TableFile

__all__ = ["Columns", "dataset_of", "listed"]

MOST_COLUMNS = 128
"""How many columns a table keeps in memory: 16 MB of 15,625 rows."""

Key = tuple[str, str | None, int, int | None]


class Columns:
    """The columns of a table that were asked for, and what they are made of.

    Args:
        file: the table.

    Attributes:
        kept: the columns by what was asked for: metric, recipe, epoch and seed.
    """

    def __init__(self, file: TableFile) -> None:
        self._file = file
        self.kept: dict[Key, NDArray[np.float64]] = {}
        self._ends: dict[str, NDArray[np.int32]] = {}
        self._ran: dict[str, NDArray[np.bool_]] = {}

    def make(self, key: Key, dataset: str) -> NDArray[np.float64]:
        """A column that is made and kept for the next time; the oldest makes room for it."""
        _, _, epoch, seed = key
        column = _column(self._file, dataset, epoch, seed, lambda: self.ends(dataset))
        if len(self.kept) >= MOST_COLUMNS:
            del self.kept[next(iter(self.kept))]
        self.kept[key] = column
        return column

    def ends(self, dataset: str) -> NDArray[np.int32]:
        """Where the curves of a recipe's metric end, int32 `[rows, seeds]`; kept once found."""
        if dataset not in self._ends:
            recipe = dataset.rpartition("/")[0]
            self._ends[dataset] = curve_ends(
                self._file.array(dataset), lambda: self._trained(recipe)
            )
        return self._ends[dataset]

    def _trained(self, recipe: str) -> NDArray[np.bool_]:
        """Which trainings of `recipe/<name>` there were, `[rows, seeds]`; kept once found."""
        if recipe not in self._ran:
            names = (n for n in self._file.manifest["datasets"] if n.startswith(f"{recipe}/"))
            self._ran[recipe] = ran_of(self._file.array(name) for name in names)
        return self._ran[recipe]


def dataset_of(datasets: Iterable[str], metric: str, recipe: str | None) -> str:
    """The data set of a metric: of the network or a proxy where no recipe is given."""
    alone = metric if metric.startswith("proxy/") else f"network/{metric}"
    wanted = alone if recipe is None else f"recipe/{recipe}/{metric}"
    if wanted not in datasets:
        rooms = ("network/", f"recipe/{recipe}/")
        known = [n.removeprefix(room) for room in rooms for n in datasets if n.startswith(room)]
        raise unknown("metric", metric, [*known, *(n for n in datasets if n.startswith("proxy/"))])
    return wanted


def _column(
    file: TableFile,
    name: str,
    epoch: int,
    seed: int | None,
    ends: Callable[[], NDArray[np.int32]],
) -> NDArray[np.float64]:
    """A data set at an epoch, of a seed or their mean: float64 `[rows]`, not to be written.

    Seconds of a training that ended stay what they were: it took no more. Of anything else it
    has no value from there on, and its row no mean.

    Args:
        file: the table.
        name: of the data set.
        epoch: after how many epochs; -1 is the recipe's last.
        seed: None is the mean over the seeds that exist.
        ends: tells where the curves end, see `curve_ends`.
    """
    if not name.startswith("recipe/"):
        return _frozen(file.array(name))
    recipe, metric = name.removeprefix("recipe/").rsplit("/", 1)
    about = file.manifest["recipes"][recipe]
    epochs = file.manifest["datasets"][name]["epochs"]
    wanted = about["epochs"] if epoch == -1 else epoch
    if wanted not in epochs:
        raise NasbenchError(
            f"{metric} of recipe {recipe} is known after epochs {listed(epochs)}, not after "
            f"{wanted}"
        )
    last = LAST + name.removeprefix("recipe/")
    if wanted == epochs[-1] and last in file.manifest["datasets"]:
        at_epoch = file.array(last)  # small: the curves stay unread
    else:
        stored = file.array(name)
        if stored.ndim == 1:
            if seed is not None:
                raise NasbenchError(
                    f"{metric} of recipe {recipe} is stored as one number without seeds"
                )
            return _frozen(stored)
        at_epoch = stored[:, :, epochs.index(wanted)].copy()
        file.let_go(name)
    lost: NDArray[np.bool_] | None = None
    if np.isnan(at_epoch).any():
        lost = ends() <= epochs.index(wanted)
        if metric.endswith("_seconds"):
            at_epoch, lost = _held(at_epoch, file.array(name), ends(), lost), None
    if seed is None:
        return _frozen(mean_over_seeds(at_epoch, lost))
    seeds = about["seeds"]
    if seed not in seeds:
        raise NasbenchError(f"recipe {recipe} was trained with seeds {listed(seeds)}, not {seed}")
    return _frozen(at_epoch[:, seeds.index(seed)])


def _held(
    at_epoch: NDArray[Any],
    curves: NDArray[Any],
    ends: NDArray[np.int32],
    lost: NDArray[np.bool_],
) -> NDArray[Any]:
    """Values `[rows, seeds]` at an epoch, the last ones where a curve has ended before."""
    held = np.array(at_epoch)
    row, seed = np.nonzero(lost & (ends > 0))
    held[row, seed] = curves[row, seed, ends[row, seed] - 1]
    return held


def listed(numbers: Sequence[int]) -> str:
    """Ascending numbers in few words: `1 to 200`, `7, 2, 5`."""
    if len(numbers) > 3 and list(numbers) == list(range(numbers[0], numbers[-1] + 1)):
        return f"{numbers[0]} to {numbers[-1]}"
    return ", ".join(map(str, numbers))


def _frozen(array: NDArray[Any]) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore"):  # a NaN of any bits is a NaN
        column = array.astype(np.float64)
    column.setflags(write=False)
    return column
