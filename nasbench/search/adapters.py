"""Our oracles as other libraries search on them.

An objective of Optuna, one of whatever searches in a ConfigSpace, a Gymnasium environment.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nasbench.errors import NasbenchError, unknown
from nasbench.search.oracle import Oracle
from nasbench.search.strategy import Goal, Outcome, Query
from nasbench.space import to_configspace
from nasbench.space.configspace import architecture_of

if TYPE_CHECKING:
    import ConfigSpace
    import optuna

    from nasbench.search.environment import ArchitectureEnv

__all__ = ["ConfigSpaceObjective", "OptunaObjective", "evaluate", "make_env"]


class OptunaObjective:
    """What an Optuna study optimises: `study.optimize(OptunaObjective(oracle, goal), n_trials=50)`.

        oracle = TableOracle(nb.load("table.h5"))
        goal = Goal("valid_accuracy", Budget(evaluations=50), oracle.fidelities)
        study = optuna.create_study(direction="maximize")

    Each decision is a categorical parameter, `d0`, `d1`, ... A goal of one objective reports its
    value after every epoch that shows one, so that the study's pruner can stop the training. A
    trial whose training diverged, or whose architecture breaks a limit, is pruned, too. A
    trial's user attributes are `architecture`, its `string`, and the simulated `seconds` paid.

    How long a study goes on is its own: the goal's budget is not looked at.

    Args:
        oracle: what is searched: a table, a surrogate or the trainer.
        goal: what is better; the study needs a direction for each of its objectives.

    Example:
        >>> import optuna
        >>> from nasbench.search import Budget, TableOracle
        >>> from nasbench.table import load
        >>> oracle = TableOracle(load("nb201-fashion16"))
        >>> goal = Goal("valid_accuracy", Budget(evaluations=3), oracle.fidelities)
        >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
        >>> study = optuna.create_study(direction="maximize")
        >>> study.optimize(OptunaObjective(oracle, goal), n_trials=3)
        >>> len(study.trials)
        3
    """

    def __init__(self, oracle: Oracle, goal: Goal) -> None:
        self._oracle = oracle
        self._goal = goal
        fidelity = goal.recipes[0]
        self._epochs = fidelity.shown or tuple(range(1, fidelity.epochs + 1))
        if goal.objectives:  # Optuna's studies of several objectives have no pruning
            self._epochs = (fidelity.epochs,)

    def __call__(self, trial: optuna.Trial) -> tuple[float, ...]:
        """The values of the trial's architecture at the end, one for each objective."""
        from optuna import TrialPruned

        self._check_directions(trial)
        space, goal = self._oracle.space, self._goal
        decisions = [
            trial.suggest_categorical(f"d{i}", range(count))
            for i, count in enumerate(space.choices)
        ]
        whole = goal.query(int(space.index_of(decisions)))
        trial.set_user_attr("architecture", whole.architecture)
        trial.set_user_attr("string", space.string(whole.architecture))
        values: tuple[float, ...] = ()
        for epochs in self._epochs:
            query = whole._replace(epochs=epochs, resume=epochs > self._epochs[0])
            outcome = evaluate(self._oracle, goal, query)
            trial.set_user_attr("seconds", outcome.seconds)
            rewards = goal.rewards(outcome)
            values = tuple(o.signed(r) for o, r in zip(goal.every_objective, rewards, strict=True))
            failed = rewards[0] == -math.inf
            if failed and (
                epochs == whole.epochs or not math.isfinite(outcome.values[goal.metric])
            ):
                raise TrialPruned("the training diverged, or the architecture breaks a limit")
            if epochs < whole.epochs and not failed:
                trial.report(values[0], epochs)
                if trial.should_prune():
                    raise TrialPruned
        return values

    def _check_directions(self, trial: optuna.Trial) -> None:
        needed = ["maximize" if o.maximize else "minimize" for o in self._goal.every_objective]
        found = [direction.name.lower() for direction in trial.study.directions]
        if found != needed:
            raise NasbenchError(
                f"the goal needs a study of directions {', '.join(needed)}, "
                f"this one has {', '.join(found)}"
            )


class ConfigSpaceObjective:
    """What SMAC3, DEHB, NePS and CARP-S minimise; `nasbench guide others-optimisers` has each.

    It is a function of a configuration, and of the epochs where an optimiser asks for a part of
    the training: the goal's reward, negated. How long a search goes on is the optimiser's own:
    the goal's budget is not looked at.

    Args:
        oracle: what is searched: a table, a surrogate or the trainer.
        goal: what is better; of one objective.
        seed: of the configurations that ConfigSpace draws.
        failed_reward: of a training that diverged or an architecture that breaks a limit. 0 by
            default where the goal maximises; to be given where it minimises.

    Attributes:
        configspace: the space, see `nasbench.space.to_configspace`.
        epochs: of the whole training.

    Example:
        >>> import nasbench as nb
        >>> from nasbench.search import Budget, Goal, TableOracle
        >>> oracle = TableOracle(nb.load("nb201-fashion16"))
        >>> goal = Goal("valid_accuracy", Budget(evaluations=20), oracle.fidelities)
        >>> objective = ConfigSpaceObjective(oracle, goal)
        >>> default = objective.configspace.get_default_configuration()
        >>> objective.architecture(default), round(objective(default), 2)
        (0, -85.11)
    """

    def __init__(
        self,
        oracle: Oracle,
        goal: Goal,
        *,
        seed: int | None = None,
        failed_reward: float | None = None,
    ) -> None:
        if goal.objectives:
            raise NasbenchError("a configuration has one loss: give a goal of one objective")
        self._oracle = oracle
        self._goal = goal
        self._failed_reward = _failed_reward(goal, failed_reward)
        self.configspace: ConfigSpace.ConfigurationSpace = to_configspace(oracle.space, seed)
        self.epochs = goal.recipes[0].epochs

    def __call__(self, configuration: Mapping[str, Any], epochs: float | None = None) -> float:
        """The loss after that many epochs; of the whole training where they are left out."""
        reward = self._goal.reward(self.outcome(configuration, epochs))
        return -(self._failed_reward if reward == -math.inf else reward)

    def outcome(self, configuration: Mapping[str, Any], epochs: float | None = None) -> Outcome:
        """What the training shows, and its simulated seconds from the start.

        Epochs are rounded up to those after which the recipe shows something.
        """
        query = self._goal.query(self.architecture(configuration))
        if epochs is not None:
            query = query._replace(epochs=self._goal.recipes[0].at_least(epochs))
        return evaluate(self._oracle, self._goal, query)

    def architecture(self, configuration: Mapping[str, Any]) -> int:
        """The architecture that a configuration means."""
        return architecture_of(self._oracle.space, configuration)


def make_env(oracle: Oracle, goal: Goal, *, failed_reward: float | None = None) -> ArchitectureEnv:
    """A Gymnasium environment whose episodes build one architecture each and are paid its reward.

    Args:
        oracle: what is searched: a table, a surrogate or the trainer.
        goal: gives the reward; of one objective. Its budget is not looked at.
        failed_reward: of a training that diverged, an architecture that breaks a limit, or an
            action that the decision does not have. 0 by default where the goal maximises, the
            least that an accuracy can be; to be given where it minimises.

    Raises:
        NasbenchError: without gymnasium, or for a goal that has no such reward.

    Example:
        >>> from nasbench.search import Budget, TableOracle
        >>> from nasbench.table import load
        >>> oracle = TableOracle(load("nb201-fashion16"))
        >>> env = make_env(oracle, Goal("valid_accuracy", Budget(evaluations=3), oracle.fidelities))
        >>> _ = env.reset(seed=0)
        >>> steps = [env.step(3) for _ in range(6)]  # the same operation on every edge
        >>> round(steps[-1][1], 2), steps[-1][2]
        (86.43, True)
    """
    if goal.objectives:
        raise NasbenchError("an episode has one reward: give a goal of one objective")
    paid = _failed_reward(goal, failed_reward)
    try:
        from nasbench.search.environment import ArchitectureEnv
    except ImportError as error:
        raise NasbenchError(
            "an environment needs gymnasium: pip install 'nasbench-harness[gymnasium]'"
        ) from error
    return ArchitectureEnv(oracle, goal, paid)


def _failed_reward(goal: Goal, given: float | None) -> float:
    """What a training that diverged is paid: 0, the least an accuracy can be, by default."""
    if given is not None:
        return given
    if goal.maximize:
        return 0.0
    raise NasbenchError(
        f"{goal.metric} is minimised, so rewards are below 0: give failed_reward, what a training "
        f"that diverged is paid"
    )


def evaluate(oracle: Oracle, goal: Goal, query: Query) -> Outcome:
    """What a query shows, with every metric that the goal needs."""
    outcome = oracle.evaluate(query)
    for metric in goal.metrics:
        if metric not in outcome.values:
            raise unknown("metric", metric, outcome.values)
    return outcome
