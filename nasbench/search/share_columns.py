"""Scores of a table in the place of shared weights: two-stage searches in milliseconds.

A strategy that trains along paths and then ranks architectures by what they inherit asks nothing
of the weights but scores at their end, and a table can hold those. Its steps cost what they would,
so that hundreds of seeds stand beside searches on one clock. A zero-cost proxy in the same place
shows what the supernet is worth.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import BadValue, Unsupported
from nasbench.search.goal import Outcome, Query
from nasbench.search.oracle import Oracle
from nasbench.search.share_prices import Prices
from nasbench.search.step import Mixture, Paths, Step, StepOutcome, check_step
from nasbench.search.strategy import strategy_class
from nasbench.space import Space
from nasbench.table import Table, load

if TYPE_CHECKING:
    from nasbench.train.shared import SharedState

__all__ = ["ColumnOracle", "ScoreColumns", "read_columns"]

OF_TRAINING = ("learning_rate", "least_rate")
"""Parameters of strategies that change what is trained, and so the scores."""


@dataclass(frozen=True, eq=False)
class ScoreColumns:
    """Scores of every architecture of a space, by one supernet or several, or by a proxy.

    Attributes:
        name: as columns have it: `fairnas10`, or the proxy's.
        table: where they stand: its name and hash.
        space: of the architectures, as it describes itself.
        accuracy: percent, or of a proxy the percentile, `[supernets, architectures]`; NaN of what
            has no score.
        loss: likewise; of a proxy the percentile with its sign turned.
        seeds: of the supernets; empty for a proxy.
        trained: what the supernets are a function of, see `nasbench.search.inherited`; empty for
            a proxy.
        seconds: of one score by a proxy.
    """

    name: str
    table: Mapping[str, str]
    space: Mapping[str, Any]
    accuracy: NDArray[np.float32]
    loss: NDArray[np.float32]
    seeds: tuple[int, ...] = ()
    trained: Mapping[str, Any] | None = None
    seconds: float = 0.0

    @property
    def sharing(self) -> Mapping[str, Any]:
        """How the weights were shared; of a proxy, none were."""
        if self.trained is None:
            return {"norm": "batch", "affine": False, "engine": "none"}
        return dict(self.trained["sharing"])

    @property
    def steps_per_epoch(self) -> int:
        """Batches of an epoch of the supernets; a proxy trains none, which is one of no cost."""
        return 1 if self.trained is None else int(self.trained["schedule"]["steps_per_epoch"])

    def of(self, seed: int) -> int:
        """Which supernet a run of a seed has, in turn."""
        return seed % len(self.loss)

    def describe(self) -> dict[str, Any]:
        """Plain JSON values."""
        about = {"seeds": list(self.seeds)} if self.seeds else {"seconds": self.seconds}
        return {"name": self.name, "table": dict(self.table), **about}

    def check(
        self,
        strategy: str,
        epochs: int,
        parameters: Mapping[str, Any],
        fits: Mapping[str, Any],
    ) -> None:
        """Refuse runs of which these are not the scores.

        Args:
            strategy: that is run.
            epochs: of its training.
            parameters: its own.
            fits: what the supernets must have been trained by, as `trained` has it.

        Raises:
            BadValue: in one sentence.
        """
        cls = strategy_class(strategy)
        if not getattr(cls, "ranks_at_the_end", False):
            raise BadValue(
                f"{strategy} asks more of shared weights than scores at their end: rsps, spos and "
                f"fairnas run on a table's"
            )
        if self.trained is None:
            if epochs != 1:
                raise BadValue(f"{self.name} is computed without training: leave epochs out")
            return
        for what, wanted in fits.items():
            if self.trained[what] != wanted:
                was = ", ".join(f"{key} {value}" for key, value in self.trained[what].items())
                raise BadValue(
                    f"the supernets of {self.name} in {self.table['name']} differ in their {what}: "
                    f"{was}"
                )
        for name in OF_TRAINING:
            default = inspect.signature(cls).parameters[name].default
            if parameters.get(name, default) != self.trained["parameters"].get(name, default):
                raise BadValue(f"{self.name} was trained by another {name}: leave it as it was")
        images = inspect.signature(cls).parameters["images"].default
        if parameters.get("images", images) != self.trained["images"]:
            raise BadValue(
                f"{self.name} was scored on {self.trained['images']:,} examples: set images to that"
            )


def read_columns(source: str | Path | Table, strategy: str, epochs: int | None) -> ScoreColumns:
    """The scores that stand in the place of a strategy's shared weights.

    Args:
        source: a table, its file or its name, with columns of `nasbench proxies inherited`; with
            `:PROXY` behind it those of a zero-cost proxy.
        strategy: whose supernets are looked for.
        epochs: of these.

    Raises:
        BadValue: where the table has none of them.
    """
    text, proxy = source, ""
    if isinstance(source, str) and ":" in source and not Path(source).exists():
        text, _, proxy = source.rpartition(":")
    table = text if isinstance(text, Table) else load(text)
    table.space.check_listable("a score of each architecture")
    if proxy:
        return _of_proxy(table, proxy)
    names = _supernets(table)
    wanted = f"{strategy}{epochs}"
    if wanted not in names:
        has = ", ".join(names) or "none"
        raise BadValue(
            f"{table.name} has no inherited scores of {wanted}, and these: {has}; a proxy's are "
            f"{table.name}:PROXY"
        )
    loss, accuracy, seeds = [], [], names[wanted]
    for seed in seeds:
        loss.append(_dense(table, table.column(f"proxy/{wanted}_loss_s{seed}")))
        accuracy.append(_dense(table, table.column(f"proxy/{wanted}_accuracy_s{seed}")))
    about = table.manifest["datasets"][f"proxy/{wanted}_loss_s{seeds[0]}"]
    trained = {**about["supernet"], "images": int(about["images"])}
    return ScoreColumns(wanted, *_held(table), np.stack(accuracy), np.stack(loss), seeds, trained)


def _supernets(table: Table) -> dict[str, tuple[int, ...]]:
    """The supernets whose losses and accuracies a table has, and their seeds."""
    found: dict[str, list[int]] = {}
    datasets = table.manifest["datasets"]
    for name, about in datasets.items():
        match = re.fullmatch(r"proxy/(\w+)_loss_s([0-9]{1,10})", name)
        if match and "supernet" in about and name.replace("_loss_s", "_accuracy_s") in datasets:
            found.setdefault(match[1], []).append(int(match[2]))
    return {name: tuple(sorted(seeds)) for name, seeds in found.items()}


def _of_proxy(table: Table, name: str) -> ScoreColumns:
    from nasbench.validity.scores import scores_of  # most runs have no use for it

    (scores,) = scores_of(table, [name]).values()
    order = np.sort(scores[np.isfinite(scores)])
    percent = 100 * np.searchsorted(order, scores, side="right") / max(len(order), 1)
    dense = _dense(table, np.where(np.isfinite(scores), percent, np.nan))[None]
    full = name if name.startswith("proxy/") else f"proxy/{name}"
    seconds = float(table.manifest["datasets"].get(full, {}).get("seconds", 0.0))
    short = full.removeprefix("proxy/")
    return ScoreColumns(short, *_held(table), dense, -dense, seconds=seconds)


def _held(table: Table) -> tuple[dict[str, str], dict[str, Any]]:
    """What a table is called, with its hash, and its space."""
    return {"name": table.name, "sha256": table.sha256}, dict(table.space.describe())


def _dense(table: Table, column: NDArray[np.float64]) -> NDArray[np.float32]:
    """A column of rows as one of all architectures of the space; NaN without a row."""
    row = np.asarray(table.row(np.arange(table.space.size)))
    return np.where(row >= 0, column[row], np.nan).astype(np.float32)


class ColumnOracle:
    """Answers the steps of two-stage strategies by columns, at the price of the real ones.

    Training shows no losses, and changes nothing: a column has the scores at its end.

    Args:
        columns: the scores.
        seed: of the run, which chooses the supernet.
        steps: of the whole training, before any score.
        queries: answers trainings of single architectures.
        prices: of steps.
    """

    pass_seconds = 0.0
    judges = False

    def __init__(
        self, columns: ScoreColumns, seed: int, steps: int, queries: Oracle, prices: Prices
    ) -> None:
        self.space: Space = queries.space
        self.steps_per_epoch = columns.steps_per_epoch
        self.trained = 0
        self.queries = queries
        self.prices = prices
        self._columns = columns
        self.sharing: Mapping[str, Any] = columns.sharing
        self._place = columns.of(seed)
        self._steps = steps

    def price(self, step: Step) -> float:
        """What a step will cost."""
        if self._columns.trained is not None:
            return self.prices.of(step, self._columns.trained["images"])
        if step.rates is not None or step.paths is None:
            return 0.0
        return self._columns.seconds * float(np.prod(step.paths.shape[:2]))

    def evaluate(self, query: Query) -> Outcome:
        """What training an architecture alone shows, at its own price."""
        return self.queries.evaluate(query)

    def run(self, step: Step) -> StepOutcome:
        """Look up.

        Raises:
            Unsupported: for what columns do not know.
        """
        check_step(self.space, step)
        price = self.price(step)
        if step.paths is None or step.mixture is not None or step.distil:
            raise Unsupported("scores of a table are of paths that are trained by their labels")
        shape = step.paths.shape[:2]
        if step.rates is not None:
            self.trained += len(step.rates)
            return StepOutcome(np.empty((0, shape[1]), dtype=np.float32), None, None, price)
        if step.split != "valid" or self.trained < self._steps:
            raise Unsupported(
                "scores of a table are those of the validation split at the end of the training"
            )
        found = self.space.index_of(step.paths)
        loss, accuracy = (
            of[self._place, found] for of in (self._columns.loss, self._columns.accuracy)
        )
        return StepOutcome(loss, accuracy, None, price)

    def judge(self, paths: Paths, images: int) -> NDArray[np.float32]:
        """Nothing is judged: there are no weights to score by."""
        raise Unsupported("columns of a table are not judged")

    def judge_mixture(self, mixture: Mixture, images: int) -> float | None:
        """There is none."""
        return None

    def state(self) -> SharedState:
        """There is no checkpoint of what is looked up."""
        raise Unsupported("columns of a table need no checkpoint")

    def restore(self, state: SharedState) -> None:
        """There is no checkpoint of what is looked up."""
        raise Unsupported("columns of a table need no checkpoint")
