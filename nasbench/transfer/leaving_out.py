"""Each task of a repository left out in turn, and searched with what the others know."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from nasbench._words import counted
from nasbench.errors import NasbenchError
from nasbench.search import (
    Budget,
    Comparison,
    SearchProtocol,
    Trace,
    search,
    strategy_class,
)
from nasbench.search.setting import Setting
from nasbench.search.trace import KeptTraces
from nasbench.stats import noise_ceiling, spearman
from nasbench.table import trained_seeds
from nasbench.transfer.evaluation import COLD, GOOD, LEAST, MEAN, WARM, Held, TransferEvaluation
from nasbench.transfer.repository import EarlierTask, Repository
from nasbench.transfer.sources import METRIC

__all__ = ["STRATEGIES", "evaluate_transfer"]

STRATEGIES = ("random_search", "regularized_evolution", "local_search", "hybrid")
BEST_SHARE = 0.1
"""What is good at random is of the best tenth by the mean rank over the earlier tasks."""


def evaluate_transfer(
    repository: Repository,
    *,
    strategies: Sequence[str] = STRATEGIES,
    budget: Budget,
    seeds: Sequence[int] = range(50),
    top: int = 10,
    landmarks: int = 10,
    out: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> TransferEvaluation:
    """Leave each task out in turn, and search its table with what the others know and without.

    For each task that is left out the others choose the landmarks, and its accuracies of these
    choose the most similar of the others: nothing else of it is looked at. The warm search
    trains the landmarks, then the best architectures of the most similar task, then what the
    strategy asks for; all of it is paid. Beside it run the cold search and, as controls, one
    from the winners of the least similar task and two that need no landmarks: from the best by
    the mean rank over all other tasks, and from architectures drawn at random out of the best
    tenth by that rank.

    Searches and landmarks see the mean over seeds after the longest recipe of the table; regret
    is measured in it, too.

    Args:
        repository: of two different tasks or more.
        strategies: registered names, with their own defaults.
        budget: of each search.
        seeds: of the searches.
        top: winners that a start has.
        landmarks: that are trained.
        out: a folder that keeps the runs as they finish; what it has is not run again.
        progress: called after each search with the searches done and in all.

    Example:
        >>> import numpy as np
        >>> from tempfile import TemporaryDirectory
        >>> from nasbench.space import get
        >>> from nasbench.table import Dataset, write_table
        >>> from nasbench.transfer import Description, EarlierTask
        >>> space = get("nb201-mini")
        >>> def task(folder, name, values):
        ...     curve = Dataset(values[:, None, None], {"kind": "trained", "epochs": [1]})
        ...     table = write_table(
        ...         Path(folder) / f"{name}.h5",
        ...         name=name,
        ...         space=space,
        ...         rows=space.representatives,
        ...         sharing="canonical",
        ...         recipes={"1ep": {"epochs": 1, "seeds": [0]}},
        ...         datasets={f"recipe/1ep/{split}_accuracy": curve for split in ("valid", "test")},
        ...     )
        ...     known = dict(zip(space.representatives.tolist(), values.tolist(), strict=True))
        ...     return EarlierTask(table, Description(name, landmarks=known))
        >>> accuracy = np.linspace(50, 60, len(space.representatives), dtype=np.float32)
        >>> with TemporaryDirectory() as folder:
        ...     tasks = [task(folder, "a", accuracy), task(folder, "b", accuracy**2 / 60)]
        ...     found = evaluate_transfer(
        ...         Repository(tasks), strategies=["random_search"], budget=Budget(evaluations=9),
        ...         seeds=range(2), top=2, landmarks=5,
        ...     )
        ...     print(sorted(found.held), found.held["a"].similar[0].name)
        ['a', 'b'] b
    """
    names = list(dict.fromkeys(strategies))
    for name in names:
        strategy_class(name)
    if not names or not seeds:
        raise NasbenchError("an evaluation needs a strategy and a seed at least")
    copies = {second for _, second in repository.copies()}
    targets = [task for task in repository.tasks.values() if task.name not in copies]
    if len(targets) < 2:
        raise NasbenchError(
            f"to leave a task out takes tables of two tasks or more; here is one: {targets[0].name}"
        )
    if budget.evaluations is not None and budget.evaluations <= landmarks + top:
        raise NasbenchError(
            f"{landmarks} landmarks and {top} winners use up "
            f"{counted(budget.evaluations, 'evaluation')}: "
            f"give a larger budget"
        )
    every = len(targets) * len(names) * len(seeds)
    held = {}
    for place, task in enumerate(targets):

        def tell(done: int, before: int = place * len(names) * len(seeds)) -> None:
            if progress:
                progress(before + done, every)

        others = repository.without(task.about)
        held[task.name] = _LeftOutTask(task, others, top, landmarks, budget, out).run(
            names, seeds, tell
        )
    return TransferEvaluation(repository, held, budget, tuple(seeds), top)


class _LeftOutTask:
    """One task left out."""

    def __init__(
        self,
        task: EarlierTask,
        others: Repository,
        top: int,
        landmarks: int,
        budget: Budget,
        out: Path | None,
    ) -> None:
        self.task = task
        self.others = others
        self.top = top
        self.out = out
        self.landmarks = tuple(others.landmarks(landmarks))
        known = {a: task.about.landmarks[a] for a in self.landmarks if a in task.about.landmarks}
        self.similar = others.similar(replace(task.about, landmarks=known))
        self.starts = {COLD: (), WARM: self._after(0), MEAN: self._rows(others.best(top))}
        if len(self.similar) > 1:
            self.starts[LEAST] = self._after(-1)
        protocol = SearchProtocol(
            budget_evaluations=budget.evaluations,
            budget_seconds=budget.seconds,
            budget_epochs=budget.epochs,
            metric=METRIC,
            search_recipe=task.recipe,
            among_rows=len(task.table.architectures) != task.table.space.buildable,
        )
        self.setting = Setting.of(task.table, protocol)
        self.oracle = self.setting.oracle(task.table)

    def _after(self, place: int) -> tuple[int, ...]:
        """The landmarks, then the winners of the task at that place of the similar ones."""
        winners = self.others.winners([self.similar[place].name], self.top)
        return self._rows(dict.fromkeys((*self.landmarks, *winners)))

    def _rows(self, chosen: Iterable[int]) -> tuple[int, ...]:
        """Those that the task's table answers for."""
        every = list(chosen)
        found = zip(every, self.task.table.row(every).tolist(), strict=True)
        return tuple(architecture for architecture, row in found if row >= 0)

    def run(
        self, strategies: Sequence[str], seeds: Sequence[int], tell: Callable[[int], None]
    ) -> Held:
        """Every search."""
        comparisons = {}
        variants = (*self.starts, GOOD)
        for place, strategy in enumerate(strategies):
            traces: dict[str, list[Trace]] = {variant: [] for variant in variants}
            with ExitStack() as stack:
                kept = {variant: self._kept(strategy, variant, stack) for variant in variants}
                for done, seed in enumerate(seeds, 1):
                    for variant in variants:
                        known = kept[variant]
                        trace = known.traces.get(seed) if known else None
                        if trace is None:
                            trace = self._search(strategy, variant, seed)
                            if known:
                                known.add(trace)
                        traces[variant].append(trace)
                    tell(place * len(seeds) + done)
            comparisons[strategy] = Comparison(
                self.task.table, self.setting, traces, oracle=self.oracle
            )
        whole = {name: _agreement(self.task, other) for name, other in self.others.tasks.items()}
        return Held(
            self.task,
            self.similar,
            self.landmarks,
            {name: found[0] for name, found in whole.items()},
            {name: found[1] for name, found in whole.items()},
            self.starts,
            comparisons,
        )

    def _search(self, strategy: str, variant: str, seed: int) -> Trace:
        start = self._good(seed) if variant == GOOD else self.starts[variant]
        spec = replace(self.setting.protocol, start=start).spec(strategy, seed, self.oracle)
        run = search(spec, self.oracle)
        if not run.evaluations:
            raise NasbenchError(
                f"{strategy} finished no evaluation on {self.task.name}: the budget is too small"
            )
        return run.trace()

    @cached_property
    def _best(self) -> list[int]:
        """The best classes by the mean rank over the others."""
        space = self.others.space
        known = space.unique if space.listable else len(self.task.known)
        return self.others.best(max(self.top, round(BEST_SHARE * known)))

    def _good(self, seed: int) -> tuple[int, ...]:
        """As many of the best as there are winners, drawn for a seed."""
        key = (zlib.crc32(GOOD.encode()),)
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
        return self._rows(rng.permutation(self._best)[: self.top].tolist())

    def _kept(self, strategy: str, variant: str, stack: ExitStack) -> KeptTraces | None:
        if self.out is None:
            return None
        protocol = replace(self.setting.protocol, start=self.starts.get(variant, ()))
        header = {
            "spec": protocol.spec(strategy, 0, self.oracle).describe(self.oracle),
            "variant": variant,
            "top": self.top,
            "others": [task.table.sha256 for task in self.others.tasks.values()],
        }
        name = f"{strategy}-{variant.replace(' ', '-')}.jsonl"
        path = self.out / "runs" / self.task.name / name
        return stack.enter_context(closing(KeptTraces(path, header, self.oracle)))


def _agreement(first: EarlierTask, second: EarlierTask) -> tuple[float, float | None]:
    """Spearman's correlation over all that both know, and what seeds leave of it."""
    _, one, other = np.intersect1d(first.known, second.known, return_indices=True)
    ceilings = [_ceiling(task) for task in (first, second)]
    ceiling = None if None in ceilings else float(np.prod(np.asarray(ceilings, dtype=float)))
    return float(spearman(first.accuracies[one], second.accuracies[other])), ceiling


def _ceiling(task: EarlierTask) -> float | None:
    """What a perfect prediction of the mean over seeds could reach; None of one seed."""
    table, recipe = task.table, task.recipe
    if not table.has_seeds(METRIC, recipe=recipe) or len(table.seeds[recipe]) < 2:
        return None
    return noise_ceiling(trained_seeds(table, METRIC, recipe=recipe)).spearman
