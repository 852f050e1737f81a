"""Strategies of mixtures and ENAS: their steps, against definitions, and what they find."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import nasbench as nb
from nasbench.errors import BadValue
from nasbench.search import Budget, Fidelity, Goal
from nasbench.search.share_testing import SharingTrial, ToySupernet, drive
from nasbench.search.step import Schedule, Step, StepOutcome
from nasbench.search.strategy import make_strategy
from nasbench.space import ChoiceSpace
from strategies._mixture import softmax, softmax_slope

NB201 = nb.space("nb201")
UNEVEN = ChoiceSpace("uneven", {"a": [1, 2], "b": [1, 2, 3, 4, 5], "c": [1, 2, 3]})
GOAL = Goal("valid_accuracy", Budget(evaluations=10), (Fidelity("toy", 4),))


def begun(name: str, space: Any = NB201, schedule: Schedule | None = None, **own: Any) -> Any:
    given = {**own, "schedule": schedule or Schedule(2, 6)}
    return make_strategy(name, space, GOAL, np.random.default_rng(0), given)


def found_by(name: str, space: Any, steps: int, **own: Any) -> tuple[float, SharingTrial]:
    """The mean quality of the choices that it makes, as a share of the best."""
    toy = ToySupernet(space)
    trial = drive(name, own, toy, Schedule(10, steps // 10))
    assert trial.state.architecture is not None
    ops = space.ops(trial.state.architecture).astype(np.int64)
    possible = np.arange(toy.quality.shape[1]) < np.asarray(space.choices)[:, None]
    best = np.where(possible, toy.quality, 0).max(1)
    return float(toy.quality[np.arange(len(ops)), ops].mean() / best.mean()), trial


@pytest.mark.parametrize("space", [NB201, UNEVEN])
@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("darts", {"logit_rate": 0.05}),
        ("darts", {"order": 2, "logit_rate": 0.05}),
        ("gdas", {"logit_rate": 0.1}),
        ("snas", {"logit_rate": 0.1}),
        ("enas", {"controller_steps": 30, "warm_up": 0.1, "hidden": 16, "controller_rate": 0.03}),
    ],
)
def test_the_best_choices_are_found(space: Any, name: str, own: dict[str, Any]) -> None:
    share, trial = found_by(name, space, 200, **own)
    assert share > 0.9
    chances = trial.state.probabilities
    assert chances is not None
    assert all((row[n:] == 0).all() for row, n in zip(chances, space.choices, strict=True))


def test_slopes_through_a_softmax_are_autograds() -> None:
    rng = np.random.default_rng(0)
    logits, slope = rng.normal(size=(4, 5)), rng.normal(size=(4, 5))
    strategy = begun("gdas", ChoiceSpace("four", {k: [1, 2, 3, 4, 5] for k in "abcd"}))
    strategy.logits = logits
    for tau in (0.3, 2.0):
        noise = rng.gumbel(size=(4, 5))
        a = torch.from_numpy(logits).requires_grad_()
        drawn = ((a.log_softmax(1) + torch.from_numpy(noise)) / tau).softmax(1)
        (wanted,) = torch.autograd.grad((drawn * torch.from_numpy(slope)).sum(), a)
        found = strategy.slope_through(drawn.detach().numpy(), slope, tau)
        np.testing.assert_allclose(found, wanted.numpy(), rtol=1e-9, atol=1e-12)
    (wanted,) = torch.autograd.grad((a.softmax(1) * torch.from_numpy(slope)).sum(), a)
    np.testing.assert_allclose(softmax_slope(softmax(logits), slope), wanted.numpy(), atol=1e-12)


def test_logits_move_as_adam_moves_them() -> None:
    """Three steps by hand: betas .5 and .999, decay in the slope."""
    strategy = begun("darts", logit_rate=0.1, logit_decay=0.5)
    a = strategy.logits.copy()
    mean, square = np.zeros_like(a), np.zeros_like(a)
    for step in range(1, 4):
        slope = np.random.default_rng(step).normal(size=a.shape)
        strategy.descend(slope)
        g = slope + 0.5 * a
        mean, square = 0.5 * mean + 0.5 * g, 0.999 * square + 0.001 * g * g
        a = a - 0.1 * (mean / (1 - 0.5**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
    np.testing.assert_allclose(strategy.logits, a, rtol=1e-12)
    before = strategy.logits
    strategy.descend(np.full_like(a, np.nan))  # of a loss that ran away
    np.testing.assert_array_equal(strategy.logits, before)


def test_darts_takes_a_slope_and_then_a_step_with_moved_logits() -> None:
    strategy, toy = begun("darts", order=2), ToySupernet(NB201)
    slope = strategy.ask()
    assert (slope.split, slope.gradient, slope.rates) == ("valid", True, None)
    assert slope.unrolled == pytest.approx(0.025)
    strategy.tell(slope, toy.run(slope)._replace(gradient=np.ones((6, 5), dtype=np.float32)))
    step = strategy.ask()
    assert (step.split, step.rates.tolist()) == ("train", [pytest.approx(0.025)])
    assert not (step.mixture == slope.mixture).all()
    assert begun("darts").ask().unrolled == 0


def test_gdas_runs_one_path_straight_through_and_cools() -> None:
    strategy, toy = begun("gdas", schedule=Schedule(3, 4)), ToySupernet(NB201)
    kinds = []
    while (step := strategy.ask()) is not None:
        assert step.paths.shape == (1, 1, 6)
        assert (step.mixture.argmax(1) == step.paths[0, 0]).all()
        assert (step.mixture.sum(1) == 1).all()
        kinds.append(step.rates is None)
        strategy.tell(step, toy.run(step))
    assert kinds == [False, True] * 12
    assert strategy._taus.tolist() == pytest.approx([10, 5.05, 0.1])


def test_snas_has_one_level() -> None:
    strategy = begun("snas")
    step = strategy.ask()
    assert (step.split, step.gradient, len(step.rates)) == ("train", True, 1)
    np.testing.assert_allclose(step.mixture.sum(1), 1, rtol=1e-5)


def test_the_papers_cell_has_two_edges_a_node_and_no_none() -> None:
    strategy = begun("darts", discretise="paper")
    strategy.logits = np.zeros((6, 5))
    strategy.logits[:, 0] = 5  # none
    for edge, (choice, logit) in enumerate([(3, 1), (2, 2), (1, 1), (3, 3), (4, 2), (2, 1)]):
        strategy.logits[edge, choice] = logit
    # Edges by target: 0>1; 0>2, 1>2; 0>3, 1>3, 2>3, of which the weakest goes.
    assert NB201.ops(strategy.choose()).tolist() == [3, 2, 1, 3, 4, 0]
    assert NB201.ops(begun("darts").architecture_of(strategy.logits)).tolist() == [0] * 6


def test_enas_warms_up_and_learns_from_rewards() -> None:
    """Epochs of uniform paths, then the controller's; what it gets most reward for grows likely."""
    strategy = begun("enas", schedule=Schedule(8, 5), warm_up=0.25, controller_steps=40, hidden=16)
    asked = []
    while (step := strategy.ask()) is not None:
        asked.append(step.rates is not None)
        reward = 100 * (step.paths[..., 0] == 3).astype(np.float32)
        strategy.tell(step, StepOutcome(1 - reward / 100, reward, None, 1.0))
    assert asked[:3] == [True, True, True]
    assert asked.count(False) == 6 * 40 + 1
    state = strategy.state()
    assert state.probabilities[0, 3] > 0.9
    assert NB201.ops(state.architecture)[0] == 3


@pytest.mark.parametrize(
    ("name", "own", "said"),
    [
        ("darts", {"order": 3}, "of order 1 or 2, got 3"),
        ("darts", {"discretise": "top"}, "all or paper, got 'top'"),
        ("darts", {"logit_rate": 0}, "logit_rate is above 0"),
        ("gdas", {"tau": 0.05}, "temperatures are above 0"),
        ("snas", {"least_tau": 0}, "temperatures are above 0"),
        ("enas", {"warm_up": 1.0}, "warm_up and baseline_decay are 0 to below 1"),
        ("enas", {"train_best": 101}, "train_best 0 to candidates"),
    ],
)
def test_parameters_that_make_no_sense(name: str, own: dict[str, Any], said: str) -> None:
    with pytest.raises(BadValue, match=said):
        begun(name, **own)


def test_requests_are_steps() -> None:
    for name in ("darts", "gdas", "snas", "enas"):
        assert isinstance(begun(name).ask(), Step)
