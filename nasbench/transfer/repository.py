"""The task-architecture repository: a folder of tables of one space, each of a task."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from itertools import zip_longest
from pathlib import Path

import numpy as np
import scipy
from numpy.typing import NDArray

from nasbench._files import utf8
from nasbench.errors import NasbenchError
from nasbench.space import Architectures, Space
from nasbench.table import Table
from nasbench.transfer.description import Description
from nasbench.transfer.similarity import FEWEST_LANDMARKS, Similarity, distances, landmark_agreement
from nasbench.transfer.sources import longest_recipe, of_table

__all__ = ["EarlierTask", "Repository"]

EQUAL = 0.005
"""Points: accuracies that differ by less are the same measurement, rounded differently."""


@dataclass(frozen=True, eq=False)
class EarlierTask:
    """A table of the repository, and what is known of its task.

    Attributes:
        table: of the task.
        about: its description: what the manifest says, what the images say where they are at
            hand, and what a description beside the table (`TABLE.json`) adds.

    Example:
        >>> from nasbench.table import load
        >>> from nasbench.transfer import describe
        >>> EarlierTask(load("nb201-fashion16"), describe("nb201-fashion16")).about.name
        'fashion16'
    """

    table: Table
    about: Description

    @property
    def name(self) -> str:
        """The table's file, without its ending: no two of a folder are called alike."""
        return utf8(self.table.path.stem)

    @property
    def recipe(self) -> str:
        """Of the table, by which the accuracies are: its longest."""
        return longest_recipe(self.table)

    @property
    def feature(self) -> str:
        """The table as a feature of the meta-learner, as `nasbench surrogate fit` is told."""
        return f"table:{self.table.path}@{self.recipe}"

    @cached_property
    def known(self) -> Architectures:
        """The architectures whose accuracy is known, ascending, `[n]`."""
        return self.table.space.check(sorted(self.about.landmarks))

    @cached_property
    def accuracies(self) -> NDArray[np.float64]:
        """Mean validation accuracy of each that is known, percent, `[n]`."""
        return np.asarray([self.about.landmarks[a] for a in self.known.tolist()])

    @cached_property
    def ranks(self) -> NDArray[np.float64]:
        """Ranks of the accuracies, 0 the worst and 1 the best, `[n]`."""
        ranks = scipy.stats.rankdata(self.accuracies)
        return np.asarray((ranks - 1) / max(ranks.max() - 1, 1))

    @cached_property
    def ranked(self) -> list[int]:
        """The best of each class of which one is known, the best first."""
        order = self.known[np.argsort(-self.ranks, kind="stable")]
        _, first = np.unique(self.table.space.canonical(order), return_index=True)
        ranked: list[int] = order[np.sort(first)].tolist()
        return ranked

    def same_as(self, other: Description) -> bool:
        """Whether a description is of this very task: it would teach what it is asked about.

        So it is where the hash of images and labels, or the name, is the same (another split of
        one data set is no other task), or where the accuracies are the same measurement.
        """
        mine = self.about
        if mine.name == other.name or (mine.hash and mine.hash == other.hash):
            return True
        common = [a for a in other.landmarks if a in mine.landmarks]
        apart = [abs(mine.landmarks[a] - other.landmarks[a]) for a in common]
        return len(common) >= FEWEST_LANDMARKS and float(np.median(apart)) <= EQUAL


class Repository:
    """Earlier tasks, all of one space.

    Args:
        tasks: one or more, in the order of their names.

    Attributes:
        tasks: by name.
        space: of all tables.

    Example:
        >>> from nasbench.table import load
        >>> from nasbench.transfer import describe
        >>> one = EarlierTask(load("nb201-fashion16"), describe("nb201-fashion16"))
        >>> earlier = Repository([one])
        >>> list(earlier.tasks), earlier.space.name
        (['nb201-fashion16-v1'], 'nb201')
    """

    def __init__(self, tasks: Iterable[EarlierTask]) -> None:
        self.tasks = {task.name: task for task in tasks}
        if not self.tasks:
            raise NasbenchError("no earlier task is left: transfer needs the table of another one")
        first, *others = self.tasks.values()
        self.space: Space = first.table.space
        for other in others:
            if other.table.space.describe() != self.space.describe():
                raise NasbenchError(
                    f"{first.name} is of space {self.space.name}, {other.name} of "
                    f"{other.table.space.name}: a repository has the tables of one space, so keep "
                    f"a folder for each"
                )

    @classmethod
    def open(cls, folder: str | Path) -> Repository:
        """The tables (.h5) of a folder, each with the description beside it, if there is one."""
        path = Path(folder)
        if not path.is_dir():
            raise NasbenchError(f"{folder} is no folder: a repository is a folder of tables")
        tables = sorted(path.glob("*.h5"))
        if not tables:
            raise NasbenchError(f"{folder} holds no table (.h5): nothing to transfer from")
        return cls(_open(file) for file in tables)

    def without(self, target: Description) -> Repository:
        """The tasks that the target is not: of the target itself nothing is learnt."""
        return Repository(task for task in self.tasks.values() if not task.same_as(target))

    def copies(self) -> list[tuple[str, str]]:
        """Pairs of tables of one task."""
        tasks = list(self.tasks.values())
        return [
            (first.name, second.name)
            for place, first in enumerate(tasks)
            for second in tasks[place + 1 :]
            if first.same_as(second.about)
        ]

    def similar(self, target: Description) -> list[Similarity]:
        """The earlier tasks by how similar they are to the target, the most similar first.

        Where the target has landmarks, by the rank correlation with them; else by the distance
        of the meta-features that both have. Feurer, Springenberg & Hutter, "Initializing
        Bayesian Hyperparameter Optimization via Meta-Learning", AAAI 2015, compare the two
        distances; theirs predicts the correlation, since a new task has no landmarks there.

        Raises:
            NasbenchError: nothing that the target has in common with any task, or another space.
        """
        if target.space is not None and target.space.describe() != self.space.describe():
            raise NasbenchError(
                f"{target.name} is of space {target.space.name}, the repository of "
                f"{self.space.name}: architectures of one are none of the other"
            )
        tasks = list(self.tasks.values())
        far = distances(target.features, [task.about.features for task in tasks])
        found = [
            Similarity(
                task.name, landmark_agreement(target.landmarks, task.about.landmarks), apart, n
            )
            for task, (apart, n) in zip(tasks, far, strict=True)
        ]
        by_landmarks = [s for s in found if math.isfinite(s.agreement.value)]
        if by_landmarks:
            ranked = sorted(by_landmarks, key=lambda s: -s.agreement.value)
            return ranked + [s for s in found if s not in by_landmarks]
        by_features = [s for s in found if math.isfinite(s.distance)]
        if not by_features:
            raise NasbenchError(
                f"nothing of {target.name} is known that is known of an earlier task: train "
                f"{FEWEST_LANDMARKS} landmarks or more and name their journal"
            )
        ranked = sorted(by_features, key=lambda s: s.distance)
        return ranked + [s for s in found if s not in by_features]

    def landmarks(self, n: int) -> list[int]:
        """`n` architectures that tell the tasks apart, each of another class.

        Sorted by their mean rank, the architectures are cut into `n` equal parts, from poor to
        good, so that any task ranks what is chosen. The squared difference of an architecture's
        ranks on two tasks says how well it tells them apart; out of each part in turn the one
        is taken that tells apart best the two tasks which those before it tell apart worst.

        Raises:
            NasbenchError: fewer than are needed, or than all tables know.
        """
        known, ranks = self._ranks()
        standing = self.space.canonical(known) == known
        known, ranks = known[standing], ranks[:, standing]
        if not FEWEST_LANDMARKS <= n <= len(known):
            raise NasbenchError(
                f"landmarks are {FEWEST_LANDMARKS} to {len(known):,} architectures, got {n}"
            )
        first, second = np.triu_indices(len(ranks), 1)
        apart = (ranks[first] - ranks[second]) ** 2  # [pairs, known]
        covered = np.zeros(len(apart))  # how far each pair of tasks is told apart
        chosen = []
        for part in np.array_split(np.argsort(ranks.mean(0), kind="stable"), n):
            best = part[len(part) // 2]  # with one task there are no two to tell apart
            if len(apart):
                best = part[apart[covered.argmin(), part].argmax()]
            covered += apart[:, best]
            chosen.append(int(known[best]))
        return chosen

    def winners(self, names: Sequence[str], top: int) -> list[int]:
        """The best architectures of these tasks, of each in turn, each of another class."""
        turns = zip_longest(*(self.tasks[name].ranked for name in names))
        return self._distinct((a for turn in turns for a in turn if a is not None), top)

    def best(self, top: int) -> list[int]:
        """The best architectures by their mean rank over all tasks, each of another class.

        Brazdil & Soares, "A Comparison of Ranking Methods for Classification Algorithm
        Selection", ECML 2000: average ranks. It needs nothing of the new task. Architectures
        that a table does not know are left out.
        """
        known, ranks = self._ranks()
        return self._distinct(known[np.argsort(-ranks.mean(0), kind="stable")].tolist(), top)

    def _ranks(self) -> tuple[Architectures, NDArray[np.float64]]:
        """The architectures that all tables know, ascending, and their ranks, `[tasks, n]`."""
        tasks = list(self.tasks.values())
        known = reduce(np.intersect1d, [task.known for task in tasks])
        ranks = [task.ranks[np.searchsorted(task.known, known)] for task in tasks]
        return known, np.stack(ranks)

    def _distinct(self, ranked: Iterable[int], top: int) -> list[int]:
        """The first `top` of them, of each class the first."""
        if top < 1:
            raise NasbenchError(f"a warm start has 1 architecture or more, got {top}")
        found: dict[int, int] = {}  # by class
        for architecture in ranked:
            found.setdefault(int(self.space.canonical(architecture)), architecture)
            if len(found) == top:
                break
        return list(found.values())


def _open(path: Path) -> EarlierTask:
    table = Table(path)
    about = of_table(table)
    beside = path.with_suffix(".json")
    if beside.exists():
        given = Description.read(beside)
        if about.hash and given.hash and about.hash != given.hash:
            raise NasbenchError(f"{beside} describes another task than that of {path}")
        # What was measured on the table's own task goes before what is said beside it.
        features = {**given.features, **about.features}
        about = replace(about, name=given.name, hash=about.hash or given.hash, features=features)
    return EarlierTask(table, about)
