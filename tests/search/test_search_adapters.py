"""Tables as an Optuna objective and as a Gymnasium environment."""

from __future__ import annotations

import math
import subprocess
import sys
from typing import Any

import gymnasium
import numpy as np
import optuna
import pytest
from gymnasium.utils.env_checker import check_env
from made_up import EPOCHS, MINI, MadeUpOracle

from nasbench.errors import NasbenchError
from nasbench.search import (
    Budget,
    Goal,
    Limit,
    Objective,
    OptunaObjective,
    Oracle,
    TableOracle,
    make_env,
)
from nasbench.search.testing import ToyOracle
from nasbench.space import ChoiceSpace
from nasbench.table import Table

UNEVEN = ChoiceSpace("uneven", {"width": [8, 16], "depth": [1, 2, 3, 4], "head": ["plain"]})


def _goal(oracle: Oracle, metric: str = "valid_accuracy", **more: Any) -> Goal:
    return Goal(metric, Budget(evaluations=1), oracle.fidelities, **more)


@pytest.fixture(autouse=True)
def _quiet_optuna() -> Any:
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    yield
    optuna.logging.set_verbosity(before)


def _study(objective: OptunaObjective, trials: int, **more: Any) -> optuna.Study:
    given = {"direction": "maximize", "sampler": optuna.samplers.RandomSampler(seed=0), **more}
    study = optuna.create_study(**given)
    study.optimize(objective, n_trials=trials)
    return study


# An Optuna objective.


def test_a_study_sees_what_the_table_holds(made_up_table: Table) -> None:
    oracle = TableOracle(made_up_table, recipe="short")
    objective = OptunaObjective(oracle, _goal(oracle))
    study = _study(objective, 20, pruner=optuna.pruners.NopPruner())
    space = made_up_table.space
    for trial in study.trials:
        architecture = trial.user_attrs["architecture"]
        ops = [trial.params[f"d{i}"] for i in range(len(space.choices))]
        assert architecture == space.index_of(ops)
        assert trial.user_attrs["string"] == space.string(architecture)
        curve = {
            epoch: made_up_table.values(
                "valid_accuracy", [architecture], recipe="short", epoch=epoch
            )[0]
            for epoch in range(1, 5)
        }
        assert trial.values == [pytest.approx(curve[4])]
        assert trial.intermediate_values == {e: pytest.approx(curve[e]) for e in (1, 2, 3)}
        seconds = made_up_table.values("train_seconds", [architecture], recipe="short", epoch=4)[0]
        assert trial.user_attrs["seconds"] == pytest.approx(seconds)
    best = study.best_trial.user_attrs["architecture"]
    assert study.best_value == pytest.approx(
        made_up_table.values("valid_accuracy", [best], recipe="short")[0]
    )


def test_a_pruned_trial_has_paid_as_far_as_it_went() -> None:
    oracle = MadeUpOracle()
    pruner = optuna.pruners.ThresholdPruner(lower=50.0, n_warmup_steps=2)
    study = _study(OptunaObjective(oracle, _goal(oracle)), 30, pruner=pruner)
    states = set()
    for trial in study.trials:
        architecture = trial.user_attrs["architecture"]
        went = EPOCHS if architecture >= 50 else 2
        assert trial.user_attrs["seconds"] == went
        assert trial.state.name == ("COMPLETE" if went == EPOCHS else "PRUNED")
        states.add(trial.state.name)
    assert len(states) == 2
    # Each epoch after the first continues the training.
    assert all(query.resume == (query.epochs > 1) for query in oracle.asked)


def test_what_diverges_or_breaks_a_limit_is_pruned() -> None:
    oracle = MadeUpOracle(value=lambda a, e: math.nan if a % 2 and e > 1 else float(a))
    goal = _goal(oracle, limits=(Limit("valid_accuracy", at_least=60.0),))
    study = _study(OptunaObjective(oracle, goal), 40, pruner=optuna.pruners.NopPruner())
    for trial in study.trials:
        architecture = trial.user_attrs["architecture"]
        good = architecture % 2 == 0 and architecture >= 60
        assert (trial.state.name == "COMPLETE") == good
        # A diverged training ends there; a limit is looked at when it is over.
        assert trial.user_attrs["seconds"] == (2 if architecture % 2 else EPOCHS)


def test_less_is_better_in_a_study_that_minimises() -> None:
    oracle = MadeUpOracle()
    objective = OptunaObjective(oracle, _goal(oracle, maximize=False))
    study = _study(objective, 40, direction="minimize", pruner=optuna.pruners.NopPruner())
    tried = [trial.user_attrs["architecture"] for trial in study.trials]
    assert study.best_value == min(tried)


def test_several_objectives_are_several_directions() -> None:
    oracle = MadeUpOracle()
    goal = _goal(oracle, objectives=(Objective("train_loss", maximize=False),))
    study = _study(
        OptunaObjective(oracle, goal), 10, direction=None, directions=["maximize", "minimize"]
    )
    for trial in study.trials:
        assert trial.values == [trial.user_attrs["architecture"], 1.0]
    with pytest.raises(NasbenchError, match="directions maximize, minimize, this one has maximize"):
        _study(OptunaObjective(oracle, goal), 1)


def test_a_study_of_the_wrong_direction_is_refused() -> None:
    oracle = MadeUpOracle()
    with pytest.raises(NasbenchError, match="directions maximize, this one has minimize"):
        _study(OptunaObjective(oracle, _goal(oracle)), 1, direction="minimize")


# A Gymnasium environment.


def _play(env: gymnasium.Env[Any, Any], actions: list[int]) -> list[tuple[Any, ...]]:
    env.reset()
    return [env.step(np.int64(action)) for action in actions]


@pytest.mark.parametrize("space", [MINI, UNEVEN])
def test_gymnasium_finds_no_fault(space: Any) -> None:
    oracle = ToyOracle(space)
    check_env(make_env(oracle, _goal(oracle)), skip_render_check=True)


def test_an_episode_builds_one_architecture(made_up_table: Table) -> None:
    oracle = TableOracle(made_up_table, recipe="long", costs=["toy/latency_ms"])
    env = make_env(oracle, _goal(oracle, limits=(Limit("toy/latency_ms", 1e9),)))
    rng = np.random.default_rng(0)
    for _ in range(20):
        ops = [int(rng.integers(count)) for count in MINI.choices]
        *open_steps, (seen, reward, terminated, truncated, info) = _play(env, ops)
        for n, step in enumerate(open_steps, 1):
            assert step[0].tolist() == [op + 1 for op in ops[:n]] + [0] * (len(ops) - n)
            assert step[1:4] == (0.0, False, False)
        architecture = int(MINI.index_of(ops))
        assert (terminated, truncated) == (True, False)
        assert seen.tolist() == [op + 1 for op in ops]
        assert (info["architecture"], info["string"]) == (architecture, MINI.string(architecture))
        known = made_up_table.values("valid_accuracy", [architecture], recipe="long")[0]
        assert reward == pytest.approx(known)
        seconds = made_up_table.values("train_seconds", [architecture], recipe="long")[0]
        assert info["seconds"] == pytest.approx(seconds)
        assert info["values"]["valid_accuracy"] == reward
        assert not any("test" in metric for metric in info["values"])


def test_the_mask_says_which_choices_a_decision_has() -> None:
    oracle = ToyOracle(UNEVEN)
    env = make_env(oracle, _goal(oracle), failed_reward=-7.0)
    _, info = env.reset()
    masks = [info["action_mask"].tolist()]
    masks += [step[4]["action_mask"].tolist() for step in _play(env, [1, 3, 0])]
    assert masks == [[1, 1, 0, 0], [1, 1, 1, 1], [1, 0, 0, 0], [0, 0, 0, 0]]
    oracle.asked.clear()
    (step,) = _play(env, [2])
    assert step[1:4] == (-7.0, True, False)
    assert "architecture" not in step[4]
    assert not oracle.asked
    with pytest.raises(NasbenchError, match=r"this episode is over, or none has begun"):
        env.step(np.int64(0))


def test_masked_sampling_never_leaves_the_space() -> None:
    oracle = ToyOracle(UNEVEN)
    env = make_env(oracle, _goal(oracle))
    env.action_space.seed(0)
    found = set()
    for _ in range(60):
        _, info = env.reset()
        over = False
        while not over:
            action = env.action_space.sample(info["action_mask"])
            _, _, over, _, info = env.step(action)
        found.add(info["architecture"])
    assert found == set(range(UNEVEN.size))


def test_what_has_no_reward_is_paid_the_failed_one() -> None:
    oracle = MadeUpOracle(value=lambda a, _: math.nan if a == 0 else float(a))
    limited = _goal(oracle, limits=(Limit("valid_accuracy", 100.0),))
    for given, paid in ((None, 0.0), (-3.0, -3.0)):
        env = make_env(oracle, limited, failed_reward=given)
        for architecture in (0, 124, 60):
            *_, (_, reward, _, _, info) = _play(env, MINI.ops(architecture).tolist())
            assert reward == (60.0 if architecture == 60 else paid)
            assert info["seconds"] == EPOCHS


def test_goals_without_a_single_reward_are_refused() -> None:
    oracle = MadeUpOracle()
    with pytest.raises(NasbenchError, match="an episode has one reward"):
        make_env(oracle, _goal(oracle, objectives=(Objective("train_loss"),)))
    with pytest.raises(NasbenchError, match=r"valid_accuracy is minimised.*give failed_reward"):
        make_env(oracle, _goal(oracle, maximize=False))
    env = make_env(oracle, _goal(oracle, maximize=False), failed_reward=-200.0)
    assert _play(env, MINI.ops(60).tolist())[-1][1] == -60.0


# Both.


def test_an_unknown_metric_is_told() -> None:
    oracle = MadeUpOracle()
    goal = _goal(oracle, "valid_acuracy")
    with pytest.raises(NasbenchError, match="did you mean valid_accuracy"):
        _study(OptunaObjective(oracle, goal), 1)
    with pytest.raises(NasbenchError, match="did you mean valid_accuracy"):
        _play(make_env(oracle, goal), [0] * len(MINI.choices))


@pytest.mark.process
def test_neither_library_is_loaded_before_it_is_used() -> None:
    code = (
        "import sys, nasbench.search as s; s.OptunaObjective, s.make_env; "
        "assert not {'optuna', 'gymnasium', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_gymnasium_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    monkeypatch.delitem(sys.modules, "nasbench.search.environment", raising=False)
    oracle = MadeUpOracle()
    with pytest.raises(NasbenchError, match=r"pip install 'nasbench-harness\[gymnasium\]'"):
        make_env(oracle, _goal(oracle))
