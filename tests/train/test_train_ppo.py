"""Policies by proximal policy optimization: advantages against their sum, and a table of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import nasbench as nb
from nasbench._python_file import function_of
from nasbench.errors import NasbenchError
from nasbench.network import started
from nasbench.task import Task, from_spec
from nasbench.train.ppo import _advantages, _Rollout
from nasbench.train.recipe import Recipe
from nasbench.train.reference import ReferenceTrainer

pytest.importorskip("gymnasium")
SMALL = {"steps": 128, "copies": 4, "rollout": 16, "minibatch": 32, "episodes": 2}


@pytest.fixture(scope="module")
def cartpole() -> Task:
    given = {"source": "none", "name": "cartpole", "inputs": [4], "outputs": 2}
    return from_spec(given, Path())


def recipe_of(**options: object) -> Recipe:
    function = function_of("train", "nasbench.train.ppo:train", Path())
    return Recipe(epochs=2, learning_rate=0.003, train=function, options={**SMALL, **options})


def test_advantages_are_the_sum_that_they_stand_for() -> None:
    steps, copies, discount, smoothing = 7, 3, 0.9, 0.8
    rng = np.random.default_rng(0)
    values, rewards = (torch.from_numpy(rng.normal(size=(steps, copies))) for _ in "ab")
    ended = torch.from_numpy((rng.random((steps, copies)) < 0.3).astype(float))
    last = torch.from_numpy(rng.normal(size=copies))
    nothing = torch.zeros(())
    found = _advantages(
        _Rollout(nothing, nothing, nothing, values, rewards, ended, last), discount, smoothing
    )
    following = torch.cat([values[1:], last[None]])
    errors = rewards + discount * following * (1 - ended) - values
    for copy in range(copies):
        for start in range(steps):
            expected, weight = 0.0, 1.0
            for step in range(start, steps):  # equation 16: discounted errors to the episode's end
                expected += weight * float(errors[step, copy])
                if ended[step, copy]:
                    break
                weight *= discount * smoothing
            assert float(found[start, copy]) == pytest.approx(expected)


def test_a_policy_trains_and_follows_its_seed(cartpole: Task) -> None:
    space, recipe = nb.space("policy-mlp"), recipe_of()
    trainer = ReferenceTrainer("cpu")
    records = [next(trainer.train(space, [31], cartpole, recipe, [seed])) for seed in (0, 0, 1)]
    first, again, other = (record.curves["return"].tolist() for record in records)
    assert first == again
    assert first != other
    assert set(records[0].tests) == {"test_return"}
    assert all(1 <= value <= 500 for value in first)
    before = [p.clone() for p in started(space, 31, cartpole, recipe, 0).parameters()]
    assert all(torch.isfinite(p).all() for p in before)


@pytest.mark.parametrize(
    ("task", "options", "said"),
    [
        ({}, {"environment": "NoSuch-v1"}, "environment 'NoSuch-v1'"),
        ({"outputs": 3}, {}, r"CartPole-v1 shows \[4\] and takes 2 actions; .* outputs = 3"),
        ({}, {"environment": "Pendulum-v1"}, "takes no numbered actions"),
        ({}, {"steps": 0}, "option steps of PPO is 1 or more"),
        ({}, {"step": 3}, "unknown option of PPO 'step'; did you mean steps"),
        ({}, {"clip": "x"}, "option clip of PPO is as in 0.2"),
    ],
)
def test_what_cannot_be_played_is_refused(task: dict, options: dict, said: str) -> None:
    given = {"source": "none", "name": "cartpole", "inputs": [4], "outputs": 2, **task}
    space, made = nb.space("policy-mlp"), from_spec(given, Path())
    with pytest.raises(NasbenchError, match=said):
        next(ReferenceTrainer("cpu").train(space, [31], made, recipe_of(**options), [0]))
