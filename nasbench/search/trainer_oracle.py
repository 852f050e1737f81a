"""Outcomes that are trained when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from nasbench._words import counted
from nasbench.errors import NasbenchError
from nasbench.search.goal import Fidelity, Outcome, Query
from nasbench.search.oracle import Estimates
from nasbench.space import Space
from nasbench.table.metrics import primary

if TYPE_CHECKING:
    from nasbench.task import Task
    from nasbench.train.epoch import Epoch
    from nasbench.train.recipe import Recipe

__all__ = ["TrainerOracle", "primary_trained"]


def primary_trained(task: Task, recipe: Recipe) -> str | None:
    """What trainings on a task are judged by where nobody says it, as their table is.

    None where a loop of one's own alone knows.
    """
    from nasbench.train.record import curves_of

    return None if recipe.train else primary(sorted(curves_of(task.target)))


class TrainerOracle:
    """Answers by training, now; a training put aside is the checkpoint of a resumed query.

    Args:
        space: of the architectures.
        task: to train on.
        name: of the recipe.
        recipe: to train by.
        seeds: of the trainings behind a query: it shows their mean, at the mean price of one,
            as a table of these seeds does.
        engine: one of `nasbench.train.engine.ENGINES`, or `auto` for the fastest that is here.
        hardware: a torch device's name, or `auto`.
        estimates: of costs, which outcomes show beside what trainings tell.

    Example:
        >>> from nasbench.space import get as space
        >>> from nasbench.task import get as task
        >>> from nasbench.train import Recipe
        >>> recipe = Recipe(epochs=1, train_images=20, valid_images=20, channels=2, cells=1)
        >>> oracle = TrainerOracle(space("nb201-mini"), task("digits"), "1ep", recipe)
        >>> sorted(oracle.evaluate(Query(5, "1ep", 1)).values)
        ['train_accuracy', 'train_loss', 'valid_accuracy', 'valid_loss']
    """

    def __init__(
        self,
        space: Space,
        task: Task,
        name: str,
        recipe: Recipe,
        *,
        seeds: Sequence[int] = (0,),
        engine: str = "auto",
        hardware: str = "auto",
        estimates: Estimates | None = None,
    ) -> None:
        from nasbench.train.engine import make_trainer, pick_engine
        from nasbench.train.feed import prepare

        self.space = space
        self.fidelities: tuple[Fidelity, ...] = (Fidelity(name, recipe.epochs),)
        self._task = task
        self._recipe = recipe
        self._seeds = tuple(seeds)
        self._trainer = make_trainer(pick_engine(engine, hardware, space, task, [recipe]), hardware)
        self._data = prepare(task, recipe, self._trainer.hardware)
        self._aside: dict[tuple[int, int], _Aside] = {}
        self._estimates = estimates

    def key(self, architecture: int) -> int:
        return int(self.space.canonical(architecture))

    def describe(self) -> dict[str, Any]:
        return {
            "kind": "trainer",
            "name": self._trainer.name,
            "task": self._task.name,
            "task_hash": self._task.hash,
            "recipe": self.fidelities[0].recipe,
            "recipe_values": self._recipe.describe(),
            "seeds": list(self._seeds),
            **({"tags": self._estimates.describe()} if self._estimates else {}),
        }

    def evaluate(self, query: Query) -> Outcome:
        """Train as far as the query says; raises NasbenchError for another recipe or epoch."""
        recipe, epochs = self.fidelities[0].recipe, self.fidelities[0].epochs
        if query.recipe != recipe or not 1 <= query.epochs <= epochs:
            raise NasbenchError(
                f"this search trains recipe {recipe} for 1 to {counted(epochs, 'epoch')}, "
                f"not {query.recipe} for {query.epochs}"
            )
        key = self.key(query.architecture)
        results = [self._train(key, seed, query) for seed in self._seeds]
        shown = {
            metric: _mean([epoch.metrics[metric] for epoch in results])
            for metric in results[0].metrics
        }
        if self._estimates:
            shown |= self._estimates.of(key)
        return Outcome(shown, float(np.mean([epoch.train_seconds for epoch in results])))

    def _train(self, architecture: int, seed: int, query: Query) -> Epoch:
        """The epoch that the query asks for, of one seed."""
        place = (architecture, seed)
        aside = self._aside.get(place)
        # A finished training is not done again: the same seed shows the same.
        continues = aside is not None and (query.resume or aside.done == query.epochs)
        if aside is None or not continues or aside.done > query.epochs:
            epochs = self._trainer.epochs(
                self.space, architecture, self._task, self._data, self._recipe, seed
            )
            aside = _Aside(1, next(epochs), epochs)
        # A training that diverged ends early: the epoch asked for is as its last.
        for epoch in islice(aside.further, query.epochs - aside.done):
            aside.last = epoch
        aside.done = query.epochs
        if aside.done == self._recipe.epochs:
            aside.further = iter(())  # nothing is left to continue: let go of the network
        self._aside[place] = aside
        return aside.last


@dataclass(slots=True)
class _Aside:
    """A training put aside: how many epochs are done, what the last showed, and the further."""

    done: int
    last: Epoch
    further: Iterator[Epoch]


def _mean(values: Sequence[float]) -> float:
    """The mean over the trainings; NaN where one diverged, as in a table."""
    return float(np.mean(values))
