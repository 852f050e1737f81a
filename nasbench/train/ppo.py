"""Policies in Gymnasium by proximal policy optimization: a training loop for recipes.

    [recipe.24k]
    train = "nasbench.train.ppo:train"
    epochs = 6
    learning_rate = 0.003
    [recipe.24k.options]
    environment = "CartPole-v1"

Schulman, Wolski, Dhariwal, Radford & Klimov, "Proximal Policy Optimization Algorithms", 2017:
the clipped objective of equation 7 with the value loss and the entropy of equation 9, advantages
by generalized advantage estimation (Schulman et al., ICLR 2016, equation 16).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from nasbench.errors import BadValue, Unsupported, unknown
from nasbench.task import Task
from nasbench.train.optimizer import AdamW
from nasbench.train.recipe import Recipe

if TYPE_CHECKING:
    from gymnasium.vector import VectorEnv

__all__ = ["OPTIONS", "train"]

OPTIONS: Mapping[str, Any] = {
    "environment": "CartPole-v1",
    "steps": 4096,  # of all copies together, in an epoch
    "copies": 16,
    "rollout": 64,
    "passes": 4,
    "minibatch": 256,
    "discount": 0.99,
    "smoothing": 0.95,  # lambda of generalized advantage estimation
    "clip": 0.2,
    "value_weight": 0.5,
    "entropy_weight": 0.01,
    "episodes": 16,  # on which a policy is validated and tested
}
"""What a recipe may say under `[recipe.NAME.options]`, and what holds where it does not."""

_VALID, _TEST = 1, 2
"""Spawn keys of the episodes on which a policy is judged: the same for all policies."""


class _Rollout(NamedTuple):
    """What the copies saw and did, `[steps, copies, ...]`, and what followed."""

    seen: Tensor
    actions: Tensor
    log_chances: Tensor
    values: Tensor
    rewards: Tensor
    ended: Tensor
    last_value: Tensor  # [copies]


def train(
    network: nn.Module, task: Task, recipe: Recipe, rng: np.random.Generator
) -> Iterator[dict[str, float]]:
    """Train a policy; after each epoch, what episodes with its likeliest actions return.

    Args:
        network: gives logits `[n, actions]` and values `[n]` of observations `[n, columns]`.
        task: without examples; its inputs and outputs are the environment's.
        recipe: gives epochs, the learning rate, which falls linearly to 0, and the options.
        rng: the training's.

    Yields:
        `train_return`, the mean of the episodes that ended in the epoch (NaN without any),
        `return`, the mean of `episodes` others that all policies meet, and after the last epoch
        `test_return`, of others again.

    Raises:
        Unsupported: where Gymnasium is missing, or the environment is of another kind.
    """
    options = _options(recipe)
    copies, rollout = options["copies"], options["rollout"]
    environment = _environment(options["environment"], copies, task)
    rounds = max(options["steps"] // (copies * rollout), 1)
    optimizer = AdamW(network.parameters(), replace(recipe, weight_decay=0.0))  # which is Adam
    seen, _ = environment.reset(seed=int(rng.integers(2**31)))
    running, done = np.zeros(copies), 0
    for epoch in range(recipe.epochs):
        returns: list[float] = []
        for _ in range(rounds):
            experience, seen = _play(network, environment, seen, rollout, running, returns)
            rate = recipe.learning_rate * (1 - done / (rounds * recipe.epochs))
            _improve(network, optimizer, experience, options, rate)
            done += 1
        shown = {
            "train_return": float(np.mean(returns)) if returns else math.nan,
            "return": _judge(network, options, task, _VALID),
        }
        if epoch == recipe.epochs - 1:
            shown["test_return"] = _judge(network, options, task, _TEST)
        yield shown


def _options(recipe: Recipe) -> dict[str, Any]:
    options = dict(OPTIONS)
    for name, value in recipe.options.items():
        if name not in OPTIONS:
            raise unknown("option of PPO", name, OPTIONS)
        kinds = (int, float) if type(OPTIONS[name]) is float else (type(OPTIONS[name]),)
        beyond = isinstance(value, int | float) and not 0 <= value <= 10**7
        if type(value) not in kinds or beyond:
            raise BadValue(f"option {name} of PPO is as in {OPTIONS[name]!r}, got {value!r}")
        options[name] = value
    for name in ("steps", "copies", "rollout", "passes", "minibatch", "episodes"):
        if options[name] < 1:
            raise BadValue(f"option {name} of PPO is 1 or more, got {options[name]}")
    return options


def _environment(name: str, copies: int, task: Task) -> VectorEnv[Any, Any, Any]:
    """Copies of an environment, whose observations and actions are those of the task."""
    try:
        import gymnasium
    except ImportError as error:
        raise Unsupported(
            "policies need the package gymnasium; pip install 'nasbench-harness[gymnasium]'"
        ) from error
    try:
        made = gymnasium.make_vec(name, num_envs=copies, vectorization_mode="vector_entry_point")
    except gymnasium.error.Error:
        try:
            made = gymnasium.make_vec(name, num_envs=copies, vectorization_mode="sync")
        except gymnasium.error.Error as error:
            raise BadValue(f"environment {name!r}: {str(error).splitlines()[0]}") from error
    observed = made.single_observation_space.shape or ()
    actions = int(getattr(made.single_action_space, "n", 0))
    if observed != task.signal.shape or actions != task.outputs:
        raise Unsupported(
            f"{name} shows {list(observed)} and takes {actions or 'no numbered'} actions; the task "
            f"says inputs = {list(task.signal.shape)}, outputs = {task.outputs}"
        )
    return made


@torch.no_grad()
def _play(
    network: nn.Module,
    environment: VectorEnv[Any, Any, Any],
    seen: Any,
    rollout: int,
    running: Any,
    returns: list[float],
) -> tuple[_Rollout, Any]:
    """Play on from what was seen last; `running` sums rewards, finished sums go to `returns`."""
    taken: list[tuple[Tensor, ...]] = []
    for _ in range(rollout):
        observed = torch.as_tensor(np.asarray(seen), dtype=torch.float32)
        logits, values = network(observed)
        log_chances = F.log_softmax(logits, 1)
        actions = torch.multinomial(log_chances.exp(), 1)
        seen, rewards, terminated, truncated, _ = environment.step(actions[:, 0].numpy())
        ended = np.asarray(terminated) | np.asarray(truncated)
        running += rewards
        returns += running[ended].tolist()
        running[ended] = 0
        chance = log_chances.gather(1, actions)[:, 0]
        after = (torch.as_tensor(np.asarray(a), dtype=torch.float32) for a in (rewards, ended))
        taken.append((observed, actions[:, 0], chance, values, *after))
    _, last = network(torch.as_tensor(np.asarray(seen), dtype=torch.float32))
    columns = [torch.stack(column) for column in zip(*taken, strict=True)]
    return _Rollout._make([*columns, last]), seen


def _advantages(played: _Rollout, discount: float, smoothing: float) -> Tensor:
    """Generalized advantage estimates, `[steps, copies]`."""
    found = torch.zeros_like(played.rewards)
    last, following = torch.zeros_like(played.last_value), played.last_value
    for step in reversed(range(len(found))):
        going = 1 - played.ended[step]
        delta = played.rewards[step] + discount * following * going - played.values[step]
        last = delta + discount * smoothing * going * last
        found[step], following = last, played.values[step]
    return found


def _improve(
    network: nn.Module,
    optimizer: AdamW,
    played: _Rollout,
    options: Mapping[str, Any],
    rate: float,
) -> None:
    """Some passes over what was played, in minibatches."""
    advantages = _advantages(played, options["discount"], options["smoothing"]).flatten()
    targets = advantages + played.values.flatten()
    standard = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
    seen, actions = played.seen.flatten(0, 1), played.actions.flatten()
    before = played.log_chances.flatten()
    for _ in range(options["passes"]):
        for chosen in torch.split(torch.randperm(len(seen)), options["minibatch"]):
            logits, values = network(seen[chosen])
            log_chances = F.log_softmax(logits, 1)
            now = log_chances.gather(1, actions[chosen, None])[:, 0]
            ratio = (now - before[chosen]).exp()
            clipped = ratio.clamp(1 - options["clip"], 1 + options["clip"])
            gain = torch.minimum(ratio * standard[chosen], clipped * standard[chosen]).mean()
            entropy = -(log_chances.exp() * log_chances).sum(1).mean()
            loss = (
                options["value_weight"] * F.mse_loss(values, targets[chosen])
                - gain
                - options["entropy_weight"] * entropy
            )
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 0.5)
            optimizer.step(rate)


@torch.no_grad()
def _judge(network: nn.Module, options: Mapping[str, Any], task: Task, which: int) -> float:
    """The mean return of whole episodes with the likeliest actions, from starts of their own."""
    count = options["episodes"]
    environment = _environment(options["environment"], count, task)
    entropy = np.random.SeedSequence(0, spawn_key=(which,))
    seen, _ = environment.reset(seed=int(entropy.generate_state(1)[0] % 2**31))
    going, returns = np.ones(count, dtype=bool), np.zeros(count)
    while going.any():
        logits, _ = network(torch.as_tensor(np.asarray(seen), dtype=torch.float32))
        seen, rewards, terminated, truncated, _ = environment.step(logits.argmax(1).numpy())
        returns += np.asarray(rewards) * going
        going &= ~(np.asarray(terminated) | np.asarray(truncated))
    environment.close()
    return float(returns.mean())
