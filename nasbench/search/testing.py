"""The contract of strategies as tests that any of them can be put to, one a property.

    from nasbench.search.testing import StrategyContract

    class TestMyStrategy(StrategyContract):
        strategy = "my_strategy"

Or all in one: `check_strategy("my_strategy")`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np

from nasbench.errors import NasbenchError, StrategyError
from nasbench.search.repeating import check_same, fresh_run, short_run
from nasbench.search.run import Run, search
from nasbench.search.run_spec import RunSpec
from nasbench.search.share_testing import SharingContract
from nasbench.search.strategy import (
    Budget,
    Fidelity,
    Goal,
    Outcome,
    Query,
    Strategy,
    is_ours,
    make_strategy,
    strategy_class,
)
from nasbench.space import Space, get

__all__ = ["StrategyContract", "ToyOracle", "check_strategy"]

EPOCHS = 4


class ToyOracle:
    """A made-up space of accuracies: the closer to a hidden architecture, the better.

    Accuracy grows with the epochs; seconds are the epochs, times one more than the first
    decision. Some architectures diverge.

    Args:
        space: any.
        diverging: the share of architectures whose training diverges.
    """

    def __init__(self, space: Space, diverging: float = 0.0) -> None:
        self.space = space
        self.fidelities: tuple[Fidelity, ...] = (Fidelity("toy", EPOCHS),)
        rng = np.random.default_rng(0)
        self._hidden = space.ops(space.sample(rng))
        self._diverging = diverging
        self.asked: list[Query] = []

    def evaluate(self, query: Query) -> Outcome:
        """What the made-up training shows."""
        self.asked.append(query)
        ops = self.space.ops(query.architecture)
        accuracy = 100 * float((ops == self._hidden).mean()) * query.epochs / EPOCHS
        diverges = (query.architecture % 2**32 * 0.618) % 1 < self._diverging
        value = math.nan if diverges else accuracy
        return Outcome({"valid_accuracy": value}, float(query.epochs * (1 + int(ops[0]))))

    def key(self, architecture: int) -> int:
        """Every architecture is its own."""
        return architecture

    def describe(self) -> dict[str, Any]:
        """What it is."""
        return {"kind": "toy", "space": self.space.name, "diverging": self._diverging}


class Case(NamedTuple):
    """A search that a strategy is tried in."""

    space: str
    diverging: float
    workers: int
    budget: Budget


def cases(spaces: Sequence[str], evaluations: int) -> list[Case]:
    """Searches in which every two values of two settings come together, at the least cost.

    Of two spaces, two shares of trainings that diverge, one worker and three, a budget in
    evaluations and one in seconds: five searches in place of sixteen. Further spaces have their
    own five.
    """
    budgets = Budget(evaluations=evaluations), Budget(seconds=20.0 * EPOCHS)
    found = []
    for first in range(0, len(spaces), 2):
        two = (spaces[first], spaces[min(first + 1, len(spaces) - 1)])
        for space, diverging, workers, budget in _PAIRS:
            found.append(Case(two[space], (0.0, 0.3)[diverging], (1, 3)[workers], budgets[budget]))
    return found


_PAIRS = ((0, 0, 0, 0), (1, 1, 1, 0), (1, 1, 0, 1), (1, 0, 1, 1), (0, 1, 1, 1))
"""Kleitman and Spencer's five rows, 1973: any two columns have 00, 01, 10 and 11 among them."""


class Tried(NamedTuple):
    """What came of a case: all that was asked, the run, and why there is none."""

    asked: list[Query]
    run: Run | None
    error: str


class StrategyContract:
    """Tests of a registered strategy, one a property: inherit, and pytest runs them.

    A strategy asks the same for the same seed, also in a fresh process; it takes outcomes in any
    order, with several queries open; it stays within the space, the recipes and their epochs;
    bears trainings that diverge; leaves global random numbers alone; and ends with its budget.

    Attributes:
        strategy: its name.
        parameters: of its own.
        spaces: to try it on.
        evaluations: of each case.

    Example:
        >>> from nasbench.search.testing import StrategyContract
        >>> class TestRandomSearch(StrategyContract):
        ...     strategy = "random_search"
        ...     spaces = ("nb201-mini",)
        >>> TestRandomSearch().test_it_asks_the_same_for_the_same_seed()
    """

    strategy: ClassVar[str] = ""
    parameters: ClassVar[Mapping[str, Any]] = {}
    spaces: ClassVar[Sequence[str]] = ("nb201-mini", "nb201")
    evaluations: ClassVar[int] = 60
    _tried: ClassVar[dict[Case, list[Tried]]]

    def test_no_search_with_it_fails(self) -> None:
        for tried in self._cases().values():
            assert not tried[0].error, tried[0].error
            assert tried[0].run
            assert tried[0].run.evaluations, f"{self.strategy} finished no evaluation"

    def test_it_stays_within_the_space_and_the_recipes(self) -> None:
        for case, tried in self._cases().items():
            _check_queries(self.strategy, get(case.space), tried[0].asked)

    def test_it_ends_with_its_budget(self) -> None:
        for case, tried in self._cases().items():
            done = tried[0].run.evaluations if tried[0].run else []
            assert len(done) <= (case.budget.evaluations or math.inf)
            assert all(e.finished <= (case.budget.seconds or math.inf) for e in done)

    def test_it_asks_the_same_for_the_same_seed(self) -> None:
        for tried in self._cases().values():
            assert tried[0].asked == tried[1].asked, (
                f"{self.strategy} asks differently for the same seed"
            )

    def test_it_asks_the_same_in_a_fresh_process(self) -> None:
        """Ours do by the golden file of their trajectories."""
        if is_ours(self.strategy):
            return
        oracle = ToyOracle(get(self.spaces[0]), 0.1)
        goal = Goal("valid_accuracy", Budget(evaluations=self.evaluations), oracle.fidelities)
        spec = RunSpec(self.strategy, goal, 7, self.parameters)
        try:
            first = fresh_run(spec, oracle)
            check_same(self.strategy, first, short_run(spec, oracle))
        except StrategyError as error:
            raise AssertionError(str(error)) from error

    def test_it_takes_outcomes_in_any_order(self) -> None:
        for space in self.spaces:
            _check_any_order(self.strategy, self.parameters, get(space), self.evaluations)

    def test_it_leaves_global_random_numbers_alone(self) -> None:
        case, *_ = self._cases()  # the first runs import: what libraries draw then is theirs
        kept = np.random.get_state(), random.getstate()  # noqa: NPY002  watched, not used
        try:
            np.random.random_sample()  # noqa: NPY002  a state that no seed leads to
            random.random()
            before = _global_states()
            self._try(case)
            now = _global_states()
        finally:
            np.random.set_state(kept[0])  # noqa: NPY002
            random.setstate(kept[1])
        for library, state in before.items():
            assert now[library] == state, (
                f"{self.strategy} draws from {library}'s global random numbers"
            )

    @classmethod
    def _cases(cls) -> dict[Case, list[Tried]]:
        """Every case twice, made once for all tests."""
        if "_tried" not in vars(cls):  # a subclass has its own
            cls._tried = {
                case: [cls._try(case), cls._try(case)]
                for case in cases(cls.spaces, cls.evaluations)
            }
        return cls._tried

    @classmethod
    def _try(cls, case: Case) -> Tried:
        oracle = ToyOracle(get(case.space), case.diverging)
        goal = Goal("valid_accuracy", case.budget, oracle.fidelities)
        spec = RunSpec(cls.strategy, goal, 7, cls.parameters, case.workers)
        strategy = make_strategy(cls.strategy, oracle.space, goal, spec.rng(), cls.parameters)
        try:
            return Tried(oracle.asked, search(spec, oracle, strategy=strategy), "")
        except NasbenchError as error:  # it asked for what is no query
            return Tried(oracle.asked, None, str(error))


def _global_states() -> dict[str, str]:
    """Of the random numbers that all of a process share."""
    numpy = str(np.random.get_state(legacy=False))  # noqa: NPY002
    return {"numpy": numpy, "Python": str(random.getstate())}


def check_strategy(
    name: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    spaces: tuple[str, ...] = ("nb201-mini", "nb201"),
    evaluations: int = 60,
) -> None:
    """Put a registered strategy to every test of `StrategyContract`.

    One that shares weights is put to `nasbench.search.share_testing.SharingContract`.

    Args:
        name: of the strategy.
        parameters: of its own.
        spaces: to try it on.
        evaluations: of each case.

    Raises:
        AssertionError: by the first test that it does not pass.
        NasbenchError: for an unknown name or parameter.
    """
    given = {
        "strategy": name,
        "parameters": parameters or {},
        "spaces": spaces,
        "evaluations": evaluations,
    }
    shares = getattr(strategy_class(name), "shares_weights", False)
    kind: type = SharingContract if shares else StrategyContract
    contract = type("Contract", (kind,), given)()
    for test in vars(kind):
        if test.startswith("test_"):
            getattr(contract, test)()


def _check_queries(name: str, space: Space, asked: list[Query]) -> None:
    for query in asked:
        assert 0 <= query.architecture < space.size, f"{name} left the space: {query}"
        assert query.recipe == "toy", f"{name} asked for a recipe that the goal lacks: {query}"
        assert 1 <= query.epochs <= EPOCHS, f"{name} asked beyond the recipe's epochs: {query}"


def _check_any_order(
    name: str, parameters: Mapping[str, Any], space: Space, evaluations: int
) -> None:
    """Several open queries, told back in an order of their own."""
    oracle = ToyOracle(space, diverging=0.1)
    goal = Goal("valid_accuracy", Budget(evaluations=evaluations), oracle.fidelities)
    strategy = make_strategy(name, space, goal, np.random.default_rng(3), parameters)
    assert isinstance(strategy, Strategy), f"{name} has no ask and tell"
    order = np.random.default_rng(5)
    waiting: list[Query] = []
    for _ in range(evaluations):
        query = strategy.ask() if len(waiting) < 5 else None
        if query is not None:
            waiting.append(query)
        if waiting and (query is None or order.random() < 0.5):
            told = waiting.pop(int(order.integers(len(waiting))))
            strategy.tell(told, oracle.evaluate(told))
    _check_queries(name, space, oracle.asked)
    assert oracle.asked, f"{name} asked for nothing"
