"""SMAC3's Bayesian optimisation as a strategy."""

from __future__ import annotations

import logging
import math
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from nasbench.errors import BadValue, NasbenchError
from nasbench.search import Goal, Outcome, Query
from nasbench.space import Space, to_configspace
from nasbench.space.configspace import architecture_of, configuration_of

from ._pending import Pending

__all__ = ["Smac"]

TRIES = 1000
"""Draws of which all were asked for before, until SMAC gives a space up; its own 16 end in spaces
of some hundred architectures after half of them."""

MOST_LEAVES = 2**14
"""Of a tree: more than a search has trainings."""

FOREST: dict[str, Any] = {
    "log_y": True,
    "n_trees": 10,
    "ratio_features": 1.0,
    "min_samples_split": 2,
    "min_samples_leaf": 1,
    "max_depth": 2**20,
    "bootstrapping": True,
}
"""SMAC's own settings of this facade."""


class Smac:
    """SMAC3: a random forest on conditional decisions, and expected improvement.

    Hutter, Hoos, Leyton-Brown, "Sequential Model-Based Optimization for General Algorithm
    Configuration", LION 2011; Lindauer et al., "SMAC3: A Versatile Bayesian Optimization Package
    for Hyperparameter Optimization", JMLR 23, 2022. The extra `smac` installs it.

    It is SMAC's facade for hyperparameters, asked and told, with its own settings: a Sobol design
    first, then a forest of 10 trees on log-scaled costs, fitted again after every 8 asks. The
    space is that of `to_configspace`, so that rules are conditions and forbidden clauses, and
    numbers have their order. SMAC asks for no configuration twice and ends when it finds no new
    one. It does not look at trainings that still run.

    A training that diverged or breaks a limit is told as the worst reward so far; before there
    is any, it waits for the first.

    Args:
        space: to search.
        goal: gives the recipe and what is better.
        rng: gives SMAC its seed.
        initial: architectures of the Sobol design.
        challengers: how many candidates the acquisition is maximised over.
        warm_start: architectures that come first, such as the winners of earlier tasks.
    """

    def __init__(
        self,
        space: Space,
        goal: Goal,
        rng: np.random.Generator,
        *,
        initial: int = 10,
        challengers: int = 10_000,
        warm_start: Sequence[int] = (),
    ) -> None:
        for count in (initial, challengers):
            if type(count) is not int or count < 1:
                raise BadValue(
                    f"initial and challengers must be integers of 1 or more, got {count!r}"
                )
        self._space = space
        self._goal = goal
        seed = int(rng.integers(2**31))
        configspace = to_configspace(space, seed)
        with _quiet() as smac:
            self._smac = _facade(smac, configspace, seed, initial, challengers)
            self._first = deque(
                smac.runhistory.TrialInfo(configuration_of(configspace, space, a), seed=0)
                for a in (space.check(list(warm_start)).tolist() if warm_start else ())
            )
        self._open = Pending[Query, Any]()
        self._failed: list[Any] = []
        self._worst = math.inf

    def ask(self) -> Query | None:
        """The next trial; None when SMAC finds no new one."""
        if self._first:
            trial = self._first.popleft()
        else:
            with _quiet() as smac:
                try:
                    trial = self._smac.ask()
                except (StopIteration, smac.main.exceptions.ConfigurationSpaceExhaustedException):
                    return None
        query = self._goal.query(architecture_of(self._space, trial.config))
        self._open.add(query, trial)
        return query

    def tell(self, query: Query, outcome: Outcome) -> None:
        """The outcome of the trial."""
        trial = self._open.pop(query)
        reward = self._goal.reward(outcome)
        if reward == -math.inf:
            self._failed.append(trial)
        else:
            self._worst = min(self._worst, reward)
            self._tell(trial, reward)
        if self._worst < math.inf:
            for failed in self._failed:
                self._tell(failed, self._worst)
            self._failed.clear()

    def _tell(self, trial: Any, reward: float) -> None:
        with _quiet() as smac:
            # Without a file: a search keeps a journal of its own.
            self._smac.tell(trial, smac.runhistory.TrialValue(cost=-reward), save=False)


def _facade(smac: Any, configspace: Any, seed: int, initial: int, challengers: int) -> Any:
    """SMAC as it is asked and told; the files that it writes when it is made do not stay."""
    from smac.model.random_forest.random_forest import RandomForest

    facade = smac.HyperparameterOptimizationFacade
    with tempfile.TemporaryDirectory() as folder:
        scenario = smac.Scenario(
            configspace,
            deterministic=True,
            n_trials=2**31,
            seed=seed,
            output_directory=Path(folder),
        )
        # For the facade's own 2**20 leaves each tree takes and clears 130 MB, nine tenths of an
        # ask, and it begins threads for trees of milliseconds. The trees are the same.
        model = RandomForest(configspace, seed=seed, max_leaf_nodes=MOST_LEAVES, n_jobs=1, **FOREST)
        return facade(
            scenario,
            None,
            model=model,
            initial_design=facade.get_initial_design(scenario, n_configs=initial),
            acquisition_maximizer=in_order(
                facade.get_acquisition_maximizer(scenario, challengers=challengers)
            ),
            config_selector=facade.get_config_selector(scenario, retries=TRIES),
            logging_level=False,
            overwrite=True,
        )


def in_order(maximizer: Any) -> Any:
    """The same, asking alike in every process.

    SMAC's local search begins with a set of configurations, whose order is that of the hashes of
    texts, which Python draws anew for each process.
    """
    search = maximizer._local_search
    starts = search._get_init_points_from_previous_configs
    search._get_init_points_from_previous_configs = lambda *given: sorted(starts(*given), key=repr)
    return maximizer


@contextmanager
def _quiet() -> Iterator[Any]:
    """SMAC, without its log.

    Raises:
        NasbenchError: where it is not installed.
    """
    try:
        import smac
    except ImportError as error:
        raise NasbenchError(
            "this strategy needs smac: pip install 'nasbench-harness[smac]'"
        ) from error
    log = logging.getLogger("smac")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield smac
    finally:
        log.setLevel(before)
