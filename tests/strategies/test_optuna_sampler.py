"""Optuna's samplers as strategies, against Optuna's own loop with the same seed."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from typing import Any

import numpy as np
import optuna
import pytest
import torch
from asking import GOAL, play

from nasbench.errors import NasbenchError
from nasbench.search import Budget, Fidelity, Goal, Limit, Objective, Outcome, make_strategy
from nasbench.space import ChoiceSpace, Space, get
from strategies.gp_bo import GpBo
from strategies.optuna_sampler import OptunaSampler
from strategies.tpe import Tpe

pytestmark = pytest.mark.heavy

MINI = get("nb201-mini")
TWO = Goal(
    "valid_accuracy",
    Budget(evaluations=1),
    (Fidelity("r", 1),),
    objectives=(Objective("latency", maximize=False),),
)


def _worth(space: Space, architecture: int) -> float:
    """The later a choice the better, and the first decision counts most."""
    ops = space.ops(architecture)
    return float(ops @ np.arange(len(ops), 0, -1))


def _outcome(architecture: int) -> Outcome:
    latency = float(MINI.ops(architecture).max())
    return Outcome({"valid_accuracy": _worth(MINI, architecture), "latency": latency}, 1.0)


def _by_optuna(sampler: optuna.samplers.BaseSampler, goal: Goal, trials: int) -> list[int]:
    """What Optuna's own loop tries."""
    tried = []

    def objective(trial: optuna.Trial) -> tuple[float, ...]:
        ops = [trial.suggest_categorical(f"d{i}", range(n)) for i, n in enumerate(MINI.choices)]
        tried.append(int(MINI.index_of(ops)))
        return goal.rewards(_outcome(tried[-1]))

    directions = ["maximize"] * len(goal.every_objective)
    study = optuna.create_study(directions=directions, sampler=sampler)
    study.optimize(objective, n_trials=trials)
    return tried


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize(
    ("name", "parameters", "plain", "goal", "trials"),
    [
        ("optuna_sampler", {}, lambda s: optuna.samplers.TPESampler(seed=s), GOAL, 40),
        ("tpe", {}, lambda s: optuna.samplers.TPESampler(seed=s, multivariate=False), GOAL, 40),
        ("gp_bo", {}, lambda s: optuna.samplers.GPSampler(seed=s), GOAL, 16),
        (
            "gp_bo",
            {"n_startup_trials": 5, "deterministic": True},
            lambda s: optuna.samplers.GPSampler(
                seed=s, n_startup_trials=5, deterministic_objective=True
            ),
            GOAL,
            10,
        ),
        (
            "optuna_sampler",
            {"sampler": "NSGAIISampler", "arguments": {"population_size": 10}},
            lambda s: optuna.samplers.NSGAIISampler(seed=s, population_size=10),
            TWO,
            60,
        ),
        ("tpe", {}, lambda s: optuna.samplers.TPESampler(seed=s, multivariate=False), TWO, 30),
    ],
)
def test_one_worker_asks_what_optuna_tries(
    name: str, parameters: dict[str, Any], plain: Any, goal: Goal, trials: int
) -> None:
    seed = int(np.random.default_rng(3).integers(2**32))
    strategy = make_strategy(name, MINI, goal, np.random.default_rng(3), parameters)
    asked = []
    for _ in range(trials):
        query = strategy.ask()
        assert query is not None
        asked.append(query.architecture)
        strategy.tell(query, _outcome(query.architecture))
    assert asked == _by_optuna(plain(seed), goal, trials)


@pytest.mark.parametrize(("strategy", "evaluations"), [(Tpe, 60), (GpBo, 20)])
def test_it_learns(strategy: Any, evaluations: int) -> None:
    values = np.asarray([_worth(MINI, i) for i in range(MINI.size)])
    asked = play(strategy(MINI, GOAL, np.random.default_rng(0)), values, evaluations)
    # The mean of what comes last is above nine tenths of the space.
    assert values[asked[-5:]].mean() > np.quantile(values, 0.9)


def _told(goal: Goal, outcomes: list[dict[str, float]]) -> list[tuple[str, Any]]:
    strategy = OptunaSampler(MINI, goal, np.random.default_rng(0))
    for values in outcomes:
        query = strategy.ask()
        assert query is not None
        strategy.tell(query, Outcome(values, 1.0))
    return [(trial.state.name, trial.values) for trial in strategy._study.trials]


def test_what_has_no_reward_is_told_as_the_worst_so_far() -> None:
    goal = Goal("loss", Budget(evaluations=1), (Fidelity("r", 1),), False, (Limit("ms", 5.0),))
    outcomes = [(math.nan, 1), (2.0, 9), (2.0, 1), (math.nan, 1), (3.0, 1), (0.5, 9)]
    assert _told(goal, [{"loss": loss, "ms": ms} for loss, ms in outcomes]) == [
        ("FAIL", None),
        ("FAIL", None),
        ("COMPLETE", [-2.0]),
        ("COMPLETE", [-2.0]),
        ("COMPLETE", [-3.0]),
        ("COMPLETE", [-3.0]),
    ]


def test_of_several_objectives_each_is_told_its_worst() -> None:
    outcomes = [(50.0, 9.0), (60.0, 12.0), (math.nan, 1.0)]
    found = _told(TWO, [{"valid_accuracy": a, "latency": b} for a, b in outcomes])
    assert [values for _, values in found] == [[50.0, -9.0], [60.0, -12.0], [50.0, -12.0]]


def test_a_diverging_architecture_does_not_hold_the_gaussian_process() -> None:
    """Untold, it would stay the most promising one for ever."""
    values = np.asarray([_worth(MINI, i) for i in range(MINI.size)])
    values[np.argsort(values)[-10:]] = math.nan
    asked = play(GpBo(MINI, GOAL, np.random.default_rng(1)), values, 25)
    assert len(set(asked[10:])) > 10


def test_open_queries_are_running_trials_and_are_told_by_their_own_number() -> None:
    strategy = OptunaSampler(MINI, GOAL, np.random.default_rng(0))
    queries = [strategy.ask() for _ in range(4)]
    assert {trial.state.name for trial in strategy._study.trials} == {"RUNNING"}
    for n in (2, 0, 3, 1):
        query = queries[n]
        assert query is not None
        strategy.tell(query, Outcome({"valid_accuracy": float(query.architecture)}, 1.0))
    for query, trial in zip(queries, strategy._study.trials, strict=True):
        assert query is not None
        assert trial.values == [query.architecture]


def test_a_sampler_that_has_tried_all_asks_for_nothing_more() -> None:
    space = ChoiceSpace("six", {"a": [1, 2], "b": [1, 2, 3], "c": ["only"]})
    for sampler, arguments in (
        ("BruteForceSampler", {}),
        ("GridSampler", {"search_space": {"d0": [0, 1], "d1": [0, 1, 2], "d2": [0]}}),
    ):
        strategy = OptunaSampler(
            space, GOAL, np.random.default_rng(0), sampler=sampler, arguments=arguments
        )
        assert sorted(play(strategy, np.ones(space.size), 20)) == list(range(6)), sampler


@pytest.mark.parametrize("name", ["tpe", "gp_bo"])
def test_a_huge_space_with_single_choices(name: str) -> None:
    wide = {f"d{i}": tuple("abcdefgh") for i in range(20)}
    space = ChoiceSpace("wide", {**wide, "one": ["only"]})
    strategy = make_strategy(name, space, GOAL, np.random.default_rng(0))
    for n in range(13):
        query = strategy.ask()
        assert query is not None
        strategy.tell(query, Outcome({"valid_accuracy": float(n)}, 1.0))


@pytest.mark.parametrize(
    ("name", "parameters", "why"),
    [
        ("tpe", {"n_startup_trials": "3"}, "integers of 1 or more, got '3'"),
        ("tpe", {"n_ei_candidates": 0}, "integers of 1 or more, got 0"),
        ("gp_bo", {"n_startup_trials": 2.5}, "an integer of 1 or more, got 2.5"),
        ("optuna_sampler", {"arguments": "seed"}, "arguments are values by name, got 'seed'"),
        (
            "optuna_sampler",
            {"sampler": "TpeSampler"},
            "unknown sampler of Optuna 'TpeSampler'; did you mean TPESamp",
        ),
        ("optuna_sampler", {"sampler": "BaseSampler"}, "unknown sampler of Optuna 'BaseSampler'"),
        (
            "optuna_sampler",
            {"arguments": {"n_startup": 3}},
            "unknown argument of TPESampler 'n_startup'; did you",
        ),
        ("optuna_sampler", {"arguments": {"seed": 3}}, "unknown argument of TPESampler 'seed'"),
        (
            "optuna_sampler",
            {"sampler": "NSGAIISampler", "arguments": {"population_size": 1}},
            "NSGAIISampler cannot",
        ),
        ("optuna_sampler", {"sampler": "CmaEsSampler"}, "CmaEsSampler knows numbers alone"),
        (
            "optuna_sampler",
            {"sampler": "GridSampler"},
            "GridSampler cannot be made of these arguments: .*space",
        ),
    ],
)
def test_bad_parameters_are_one_sentence(name: str, parameters: dict[str, Any], why: str) -> None:
    with pytest.raises(NasbenchError, match=why) as told:
        make_strategy(name, MINI, GOAL, np.random.default_rng(0), parameters)
    assert "\n" not in str(told.value)


def test_without_optuna_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(NasbenchError, match=r"pip install 'nasbench-harness\[optuna\]'"):
        make_strategy("tpe", MINI, GOAL, np.random.default_rng(0))


def test_nothing_global_changes_and_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    before = optuna.logging.get_verbosity()
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    for name in ("optuna_sampler", "tpe", "gp_bo"):
        strategy = make_strategy(name, MINI, GOAL, np.random.default_rng(0))
        play(strategy, np.arange(MINI.size, dtype=float), 12)
    assert optuna.logging.get_verbosity() == before
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    assert capfd.readouterr() == ("", "")


def asked() -> list[object]:
    """What two of the strategies ask for."""
    worth = np.arange(MINI.size) % 37.0
    return [
        play(make_strategy(name, MINI, GOAL, np.random.default_rng(5)), worth, evaluations)
        for name, evaluations in (("tpe", 15), ("gp_bo", 12))
    ]


@pytest.mark.slow
@pytest.mark.process
def test_another_process_asks_the_same() -> None:
    environment = os.environ | {"PYTHONHASHSEED": "1"}  # whatever this process has
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    code = "import test_optuna_sampler as t; print(t.asked())"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{asked()}\n"
