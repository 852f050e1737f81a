"""Optuna's samplers as strategies."""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from nasbench.errors import NasbenchError, unknown
from nasbench.search import Goal, Outcome, Query
from nasbench.space import Space

from ._pending import Pending

__all__ = ["OptunaSampler"]


class OptunaSampler:
    """Any sampler of Optuna, on a study in memory.

    Akiba, Sano, Yanase, Ohta, Koyama, "Optuna: A Next-generation Hyperparameter Optimization
    Framework", KDD 2019; the extra `optuna` installs it. Each sampler names its own paper.

    Every decision is a categorical parameter, named `d0`, `d1`, ...: its choices have no order.
    `CmaEsSampler`, which knows numbers alone, is refused. Goals of several objectives make a
    study of several directions. Queries that are not answered yet are running trials; what a
    sampler does with these (TPE's constant liar, GP's batch) is its own. A sampler may ask for
    an architecture twice.

    A training that diverged or breaks a limit is told as a complete trial with the worst reward
    so far, and before there is any as a failed one. Told as failed or pruned, it would be
    unknown to the samplers that model complete trials alone, and asked for again.

    Args:
        space: to search.
        goal: gives the recipe and what is better.
        rng: gives the sampler its seed.
        sampler: a class of `optuna.samplers`.
        arguments: its own, by name; plain values.
        warm_start: architectures that come first, such as the winners of earlier tasks.
    """

    several_objectives = True

    def __init__(
        self,
        space: Space,
        goal: Goal,
        rng: np.random.Generator,
        *,
        sampler: str = "TPESampler",
        arguments: Mapping[str, Any] | None = None,
        warm_start: Sequence[int] = (),
    ) -> None:
        self._space = space
        self._goal = goal
        with _quiet() as optuna:
            made = _make(optuna, sampler, arguments or {}, int(rng.integers(2**32)))
            self._distributions = {
                f"d{i}": optuna.distributions.CategoricalDistribution(tuple(range(count)))
                for i, count in enumerate(space.choices)
            }
            directions = ["maximize"] * len(goal.every_objective)
            self._study = optuna.create_study(sampler=made, directions=directions)
        for architecture in space.check(list(warm_start)).tolist() if warm_start else ():
            ops = space.ops(architecture).tolist()
            self._study.enqueue_trial(dict(zip(self._distributions, ops, strict=True)))
        # Samplers that list what there is end the study so; Optuna's own allows that in its
        # loop alone, and here is none.
        self._study.stop = self._stop
        self._stopped = False
        self._open = Pending[Query, Any]()
        self._worst = (math.inf,) * len(directions)

    def ask(self) -> Query | None:
        """The next trial; None when the sampler has tried all."""
        if self._stopped:
            return None
        with _quiet():
            trial = self._study.ask(self._distributions)
        decisions = [trial.params[name] for name in self._distributions]
        query = self._goal.query(int(self._space.index_of(decisions)))
        self._open.add(query, trial)
        return query

    def tell(self, query: Query, outcome: Outcome) -> None:
        """The outcome of the trial."""
        trial = self._open.pop(query)
        rewards = self._goal.rewards(outcome)
        if rewards[0] == -math.inf:
            rewards = self._worst
        else:
            self._worst = tuple(map(min, self._worst, rewards))
        with _quiet() as optuna:
            if rewards[0] == math.inf:
                self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
            else:
                self._study.tell(trial, list(rewards))

    def _stop(self) -> None:
        self._stopped = True


@contextmanager
def _quiet() -> Iterator[Any]:
    """Optuna, without its log and without its warnings of what is experimental.

    Raises:
        NasbenchError: where it is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise NasbenchError(
            "this strategy needs optuna: pip install 'nasbench-harness[optuna]'"
        ) from error
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield optuna
    finally:
        optuna.logging.set_verbosity(before)


def _make(optuna: Any, name: str, arguments: Mapping[str, Any], seed: int) -> Any:
    """The sampler of that name; its seed is ours."""
    samplers = optuna.samplers
    if name == "CmaEsSampler":
        raise NasbenchError(f"{name} knows numbers alone: it would leave decisions to chance")
    known = [one for one in dir(samplers) if one.endswith("Sampler") and one[:4] != "Base"]
    if name not in known:
        raise unknown("sampler of Optuna", name, set(known) - {"CmaEsSampler"})
    if not isinstance(arguments, Mapping):
        raise NasbenchError(f"arguments are values by name, got {arguments!r}")
    takes = inspect.signature(getattr(samplers, name)).parameters
    for key in arguments:
        if key not in takes or key == "seed":
            raise unknown(f"argument of {name}", key, [one for one in takes if one != "seed"])
    seeded = {"seed": seed} if "seed" in takes else {}
    try:
        return getattr(samplers, name)(**arguments, **seeded)
    except (TypeError, ValueError, AttributeError, ImportError) as error:
        reason = " ".join(str(error).split())
        raise NasbenchError(f"{name} cannot be made of these arguments: {reason}") from error
