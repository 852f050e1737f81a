"""Strategies of partial channels, expected costs and slices, and DARTS' early stop."""

from __future__ import annotations

from typing import Any, ClassVar, cast

import numpy as np
import pytest
import torch

import nasbench as nb
from nasbench.errors import BadValue
from nasbench.search import Budget, Fidelity, Goal, Limit, SoftTarget
from nasbench.search.share_costs import Costs
from nasbench.search.share_testing import SharingContract, ToySupernet
from nasbench.search.step import Schedule, Step, StepOutcome
from nasbench.search.strategy import name_of
from nasbench.space import ChoiceSpace
from nasbench.surrogate import ChoiceCosts
from strategies._mixture import softmax
from strategies.darts import Darts, WatchedEigenvalue
from strategies.fbnet import Fbnet
from strategies.ofa import Ofa
from strategies.pc_darts import PcDarts
from strategies.rsps import Rsps

NB201 = nb.space("nb201")
MINI = nb.space("nb201-mini")
GOAL = Goal("valid_accuracy", Budget(evaluations=10), (Fidelity("toy", 4),))


class Linear:
    """A cost that is a sum over choices, in place of a table's."""

    def __init__(self, space: Any, base: float = 2.0) -> None:
        shape = (len(space.choices), max(space.choices))
        self.space, self.base = space, base
        self.each = np.random.default_rng(5).random(shape)

    def per_choice(self, metric: str) -> Any:
        return ChoiceCosts(self.base, self.each, 0.0)

    def lowest(self, metric: str) -> float:
        return float(self.base + self.each.min(1).sum())

    def of(self, metric: str, architectures: Any) -> Any:
        ops = self.space.ops(architectures).astype(np.int64)
        return self.base + self.each[np.arange(ops.shape[1]), ops].sum(1)


def begun(cls: Any, space: Any = MINI, goal: Goal = GOAL, seed: int = 0, **own: Any) -> Any:
    schedule = own.pop("schedule", Schedule(4, 5))
    return cls(space, goal, np.random.default_rng(seed), schedule=schedule, **own)


def asked_of(strategy: Any, toy: ToySupernet) -> list[Any]:
    found = []
    while (request := strategy.ask()) is not None:
        found.append(request)
        run = toy.run if isinstance(request, Step) else toy.evaluate
        strategy.tell(request, cast("Any", run)(request))
    return found


class TestPcDarts(SharingContract):
    strategy = name_of(PcDarts)
    spaces = ("nb201-mini",)


class TestFbnet(SharingContract):
    strategy = name_of(Fbnet)
    spaces = ("nb201-mini",)


class TestOfa(SharingContract):
    strategy = name_of(Ofa)
    parameters: ClassVar = {"population": 5, "parents": 2, "generations": 2}
    spaces = ("nb201-mini",)


def numerical(values: Any, of: Any) -> Any:
    """Central differences of a function of one array."""
    found = np.zeros_like(values)
    for place in np.ndindex(*values.shape):
        ends = []
        for sign in (1, -1):
            moved = values.copy()
            moved[place] += sign * 1e-6
            ends.append(of(moved))
        found[place] = (ends[0] - ends[1]) / 2e-6
    return found


def test_edges_of_pc_darts_are_weighed_by_node_and_learn_by_their_slopes() -> None:
    strategy = begun(PcDarts, NB201)
    rng = np.random.default_rng(1)
    strategy.edge_logits, strategy.logits = rng.normal(size=6), rng.normal(size=(6, 5))
    weights = strategy.edge_weights()
    # 0>1; 0>2, 1>2; 0>3, 1>3, 2>3.
    sums = [weights[list(of)].sum() for of in ((0,), (1, 2), (3, 4, 5))]
    np.testing.assert_allclose(sums, 1)
    np.testing.assert_allclose(strategy.mixture().sum(1), weights, rtol=1e-6)
    slope = rng.normal(size=(6, 5))
    to_logits, to_edges = strategy.slopes(slope)

    def loss(logits: Any, edges: Any) -> float:
        of = begun(PcDarts, NB201)
        of.logits, of.edge_logits = logits, edges
        return float((slope * of.edge_weights()[:, None] * of.probabilities()).sum())

    here = strategy.logits, strategy.edge_logits
    np.testing.assert_allclose(to_logits, numerical(here[0], lambda a: loss(a, here[1])), atol=1e-8)
    np.testing.assert_allclose(to_edges, numerical(here[1], lambda b: loss(here[0], b)), atol=1e-8)


def test_pc_darts_mixes_part_of_the_channels_and_is_frozen_at_first() -> None:
    strategy = begun(PcDarts, schedule=Schedule(4, 5), warm_up=0.5, partial=2)
    asked = asked_of(strategy, ToySupernet(MINI))
    assert all(step.partial == 2 for step in asked)
    assert [step.rates is None for step in asked] == [False] * 10 + [True, False] * 10
    assert (asked[9].mixture == asked[0].mixture).all()
    assert not (asked[11].mixture == asked[0].mixture).all()


def test_the_loss_of_fbnet_has_the_expected_cost() -> None:
    """Its slope to the mixture, against central differences of the paper's product."""
    costs = Linear(MINI)
    strategy = begun(Fbnet, costs=costs, cost="phone/mj", alpha=0.3, beta=0.7)
    rng = np.random.default_rng(2)
    slope, drawn = rng.normal(size=(3, 5)), softmax(rng.normal(size=(3, 5)))

    def loss(m: Any) -> float:
        cost = costs.base + (m * costs.each).sum()
        return float((4 + (m * slope).sum()) * 0.3 * np.log(cost) ** 0.7)

    found = strategy.with_cost(drawn, 4 + float((drawn * slope).sum()), slope)
    np.testing.assert_allclose(found, numerical(drawn, loss), rtol=1e-5, atol=1e-8)
    np.testing.assert_array_equal(begun(Fbnet).with_cost(drawn, 4.0, slope), slope)


def test_fbnet_finds_cheaper_architectures_where_costs_weigh_more() -> None:
    costs = Linear(MINI)
    found = []
    for beta in (0.0, 30.0):
        strategy = begun(
            Fbnet, costs=costs, cost="phone/mj", beta=beta, schedule=Schedule(8, 20), logit_rate=0.1
        )
        asked_of(strategy, ToySupernet(MINI))
        found.append(costs.of("", np.asarray([strategy.state().architecture]))[0])
    assert found[0] > found[1] + 0.2


SIZES = ChoiceSpace("sizes", {"s1.depth": [1, 2], "s1.kernel": [3, 5, 7], "width": [4, 8]})


def test_ofa_trains_the_largest_and_frees_kernels_before_depths() -> None:
    strategy = begun(Ofa, SIZES, schedule=Schedule(4, 50), largest=0.5, shrink=["kernel", "depth"])
    steps = [strategy.ask()]
    for _ in range(3):
        strategy.tell(steps[-1], StepOutcome(np.ones((50, 4)), None, None, 1.0))
        steps.append(strategy.ask())
    for step in steps[:2]:
        assert (step.paths.shape, step.distil) == ((50, 1, 3), False)
        assert (step.paths == [1, 2, 1]).all()
    kernels, everything = steps[2].paths, steps[3].paths
    assert steps[2].distil
    assert steps[3].distil
    assert (kernels[:, 0] == [1, 2, 1]).all()
    assert (kernels[:, 1] == [1, 0, 1]).all()
    assert set(kernels[..., 0].ravel()) == set(kernels[..., 2].ravel()) == {1}
    assert set(kernels[:, 2:, 1].ravel()) == {0, 1, 2}
    assert (everything[:, 1] == 0).all()
    assert set(everything[:, 2:, 0].ravel()) == {0, 1}


def test_ofa_specialises_for_each_limit_after_one_training() -> None:
    costs = Linear(MINI)
    all_costs = costs.of("", np.arange(MINI.size))
    at = [float(np.quantile(all_costs, share)) for share in (0.4, 0.05)]
    few = {"population": 20, "parents": 5, "generations": 3}
    strategy = begun(Ofa, MINI, costs=costs, cost="phone/ms", at=at, **few)
    asked = asked_of(strategy, ToySupernet(MINI))
    assert sum(len(step.rates) for step in asked if step.rates is not None) == 20
    state = strategy.state()
    bounds = sorted(at)
    assert list(state.also) == [f"phone/ms<={bound:g}" for bound in bounds]
    for bound, architecture in zip(bounds, state.also.values(), strict=True):
        assert all_costs[architecture] <= bound
    assert state.architecture == state.also[f"phone/ms<={bounds[1]:g}"]


def test_candidates_keep_limits_and_soft_targets_weigh_them() -> None:
    costs = Linear(MINI)
    all_costs = costs.of("", np.arange(MINI.size))
    bound = float(np.quantile(all_costs, 0.5))
    limits = Goal(*_of(GOAL), limits=(Limit("phone/ms", at_most=bound),))
    strategy = begun(Rsps, MINI, limits, costs=costs, candidates=20)
    scored = asked_of(strategy, ToySupernet(MINI))[-1].paths[:, 0]
    assert len(scored) == 20
    assert (all_costs[MINI.index_of(scored)] <= bound).all()
    cheap = Goal(*_of(GOAL), targets=(SoftTarget("phone/ms", bound, -9.0, -9.0),))
    strategy = begun(Rsps, MINI, cheap, costs=costs)
    scored = MINI.index_of(asked_of(strategy, ToySupernet(MINI))[-1].paths[:, 0])
    assert strategy.state().architecture == scored[all_costs[scored].argmin()]
    with pytest.raises(BadValue, match="a soft target weighs accuracy"):
        begun(Rsps, MINI, cheap, costs=costs, by="loss")


def _of(goal: Goal) -> Any:
    return goal.metric, goal.budget, goal.recipes


def test_costs_are_the_tables_and_sums_of_choices_elsewhere() -> None:
    table = nb.load("nb201-fashion16")
    costs = Costs(table, ["flops"], table.recipes[0])
    some = NB201.sample(np.random.default_rng(0), 20)
    np.testing.assert_array_equal(costs.of("flops", some), table.values("flops", some))
    known = costs._columns["flops"].copy()
    costs._columns["flops"] = np.where(np.arange(len(known)) % 50, known, np.nan)
    summed = costs.of("flops", table.rows[::50])  # sums stand in for what is not known
    assert 0.95 < np.corrcoef(summed, known[::50])[0, 1] < 1
    with pytest.raises(BadValue, match="kept for the report"):
        Costs(table, ["test_accuracy"], table.recipes[0])


def test_the_dominant_eigenvalue_is_that_of_the_hessian() -> None:
    """Of a loss that is a quadratic in the mixture, by autograd."""
    strategy = begun(Darts)
    rng = np.random.default_rng(3)
    strategy.logits = rng.normal(size=(3, 5))
    quadratic = rng.normal(size=(15, 15))
    quadratic = 3 * quadratic @ quadratic.T

    def loss(logits: torch.Tensor) -> torch.Tensor:
        m = logits.softmax(1).reshape(-1)
        return 0.5 * m @ torch.from_numpy(quadratic) @ m

    logits = torch.from_numpy(strategy.logits)
    hessian = torch.autograd.functional.hessian(loss, logits).reshape(15, 15).numpy()  # type: ignore[no-untyped-call]
    values = np.linalg.eigvalsh(hessian)
    wanted = values[np.abs(values).argmax()]
    before = strategy.logits.copy()
    for _ in range(4):  # it goes on from its last vector
        slopes = strategy.dominant(7)
        step = next(slopes)
        try:
            while True:
                assert (step.images, step.gradient, step.rates) == (7, True, None)
                m = step.mixture.reshape(-1).astype(np.float64)
                slope = (quadratic @ m).reshape(3, 5)
                step = slopes.send(StepOutcome(np.ones((1, 1)), None, slope, 1.0))
        except StopIteration as end:
            found = end.value
    assert found == pytest.approx(wanted, rel=0.02)
    np.testing.assert_array_equal(strategy.logits, before)


def test_darts_goes_back_where_the_eigenvalue_rises() -> None:
    watched = WatchedEigenvalue(2)
    logits = [np.full((1, 1), float(epoch)) for epoch in range(6)]
    assert [watched.look(v, of) for v, of in zip([1, 1, 1, 1.2], logits, strict=False)] == [
        None
    ] * 4
    kept = watched.look(1.9, logits[4])  # 1.55 after 1
    assert kept is logits[2]


def test_darts_stops_early_by_what_it_is_shown() -> None:
    strategy = begun(Darts, schedule=Schedule(6, 3), early_stop=True, window=1, images=9)
    toy = ToySupernet(MINI)
    rounds, epochs = 0.0, 0
    while (step := strategy.ask()) is not None:
        outcome = toy.run(step)
        if step.images:  # the slope grows with the logits' own size: the curvature rises
            rounds += 1
            slope = 5.0 ** (rounds // 16) * (step.mixture - 0.2)
            outcome = outcome._replace(gradient=slope.astype(np.float32))
        epochs += step.rates is not None
        strategy.tell(step, outcome)
    assert epochs == 6
    assert strategy.state().eigenvalue is not None
    assert begun(Darts).state().eigenvalue is None


@pytest.mark.parametrize(
    ("cls", "own", "said"),
    [
        (PcDarts, {"partial": 0}, "partial must be an integer of 1 or more"),
        (PcDarts, {"warm_up": 1.0}, "warm_up is 0 to below 1"),
        (Fbnet, {"beta": -1.0}, "beta 0 or more"),
        (Fbnet, {"cost": "a/ms"}, "a/ms is read from a table"),
        (Fbnet, {"cost": "a/mj", "costs": Linear(MINI, 0.1)}, "must be above 1"),
        (Ofa, {"at": [3]}, "name its column with cost"),
        (Ofa, {"cost": "a/ms"}, "has no limit: give some with at"),
        (Ofa, {"cost": "a/ms", "at": [3]}, "a/ms is read from a table"),
        (Ofa, {"cost": "a/ms", "at": [1], "costs": Linear(MINI)}, "nothing has a/ms of 1 or less"),
        (Ofa, {"together": 1}, "together is 2 paths or more"),
        (Darts, {"window": 0}, "window must be an integer of 1 or more"),
    ],
)
def test_parameters_that_make_no_sense(cls: Any, own: dict[str, Any], said: str) -> None:
    with pytest.raises(nb.NasbenchError, match=said):
        begun(cls, **own)
