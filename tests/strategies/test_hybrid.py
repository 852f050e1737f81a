"""The portfolio: who gets the next query, and what is learnt from equal networks and priors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from asking import GOAL, play

from nasbench.errors import NasbenchError
from nasbench.search import Budget, Fidelity, Goal, Outcome
from nasbench.space import CellSpace, ChoiceSpace, Space, get
from strategies.hybrid import Hybrid
from strategies.regularized_evolution import RegularizedEvolution

WIDE = ChoiceSpace("wide", {f"d{i}": range(5) for i in range(6)})


def hidden(space: Space, seed: int) -> np.ndarray:
    """How near each architecture is to a hidden one, and a little noise."""
    rng = np.random.default_rng(seed)
    target = space.ops(space.sample(rng))
    near = (space.ops(np.arange(space.size)) == target).sum(1)
    return near + 0.1 * rng.normal(size=space.size)


def make(space: Space, evaluations: int = 60, seed: int = 0, **parameters: Any) -> Hybrid:
    goal = Goal("valid_accuracy", Budget(evaluations=evaluations), (Fidelity("r", 1),))
    return Hybrid(space, goal, np.random.default_rng(seed), **parameters)


@pytest.mark.parametrize("seed", range(5))
def test_finds_the_hidden_one_sooner_than_evolution(seed: int) -> None:
    values = hidden(WIDE, 100 + seed)
    evolution = RegularizedEvolution(WIDE, GOAL, np.random.default_rng(seed))
    ours, theirs = (play(strategy, values, 60) for strategy in (make(WIDE, seed=seed), evolution))
    assert values[ours].max() == values.max()
    assert np.argmax(values[ours]) < np.argmax(values[theirs])


def area(credits: list[float]) -> float:
    """Under the running sum of credits, as a share of the most: the rule, word for word."""
    most = np.cumsum(np.ones(len(credits))).sum()
    return float(np.cumsum(credits[::-1]).sum() / most)


def test_the_next_query_is_given_by_the_rule() -> None:
    """Arms that ask for known architectures, beside the rule written down a second time."""
    values = np.arange(WIDE.size, dtype=float)
    rng = np.random.default_rng(3)
    strategy = make(WIDE, 200, initial=20, window=30, curiosity=0.1)
    made: list[str] = []
    # The first asks for good architectures, the last for better and better ones.
    levels = {"climb": lambda: 0.6, "evolve": rng.random, "sample": lambda: len(made) / 200}

    def arm(name: str) -> Any:
        def ask() -> list[int]:
            made.append(name)
            return [int(min(levels[name](), 0.99) * WIDE.size) + int(rng.integers(100))]

        return ask

    strategy._arms = {name: arm(name) for name in levels}
    told: list[float] = []
    history: list[tuple[str, float]] = []
    for turn in range(200):
        expected = ""
        if turn >= 20:
            window = history[-30:]
            worth = {}
            for name in levels:
                credits = [credit for which, credit in window if which == name]
                worth[name] = np.inf
                if credits:
                    bonus = np.sqrt(2 * np.log(len(window)) / len(credits))
                    worth[name] = area(credits) + 0.1 * bonus
            expected = max(worth, key=worth.__getitem__)
        query = strategy.ask()
        assert query
        if turn >= 20:
            assert made[-1] == expected
            history.append((expected, float(np.mean(values[query.architecture] > told))))
        told.append(values[query.architecture])
        strategy.tell(query, Outcome({"valid_accuracy": told[-1]}, 1.0))
    assert set(made) == set(levels)


@pytest.mark.parametrize("share", [True, False])
def test_two_equal_networks_settle_whether_equals_are_asked_for(share: bool) -> None:
    space = get("nb201-mini")
    assert isinstance(space, CellSpace)
    values = np.random.default_rng(1).normal(size=space.size)
    asked = play(make(space), values[space.classes] if share else values, space.size)
    pairs = len(asked) - len(set(space.classes[asked].tolist()))
    if share:  # the one pair that was needed to learn it
        assert (len(asked), pairs) == (space.unique + 1, 1)
    else:
        assert sorted(asked) == list(range(space.size))


def test_winners_come_first_and_scores_choose_the_random_ones() -> None:
    values = hidden(WIDE, 3)
    winners = np.argsort(-values)[[7, 3]]
    asked = play(make(WIDE, warm_start=winners, scores=values, initial=8), values, 10)
    assert asked[:2] == winners.tolist()
    assert (values[asked[2:]] > np.median(values)).mean() > 0.8


def test_scores_are_learnt_from() -> None:
    """Nothing but the scores says what is good: the process must see them."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=WIDE.size)
    scores = values + 0.5 * rng.normal(size=WIDE.size)
    found = [
        np.mean(values[play(make(WIDE, 80, scores=given), values, 80)[30:]])
        for given in ((), scores)
    ]
    assert found[1] > found[0] + 0.3


def test_scores_are_an_arm_that_has_to_earn_its_queries() -> None:
    """Good scores get most of the queries, bad ones fewest; each time the best that is left."""
    values = hidden(WIDE, 3)
    shares = []
    for scores in (values, -values):
        strategy = make(WIDE, 80, scores=scores, scores_as="arm", initial=10)
        made = []
        for _ in range(80):
            query = strategy.ask()
            assert query is not None
            made.append((strategy._turn, query.architecture))
            reward = float(values[query.architecture])
            strategy.tell(query, Outcome({"valid_accuracy": reward}, 1.0))
        asked = [architecture for turn, architecture in made if turn == "inherit"]
        order = np.argsort(-scores, kind="stable").tolist()
        places = [order.index(a) for a in asked]
        assert places == sorted(places)
        assert places[0] < 20
        shares.append(len(asked))
    assert shares[0] > 3 * shares[1]


def test_scores_that_are_an_arm_are_nothing_else() -> None:
    """Without the arm's first query all goes as if there were no scores."""
    values = hidden(WIDE, 4)
    plain = play(make(WIDE, initial=10), values, 10)
    assert play(make(WIDE, scores=-values, scores_as="arm", initial=10), values, 10) == plain


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ({"scores_as": "arm"}, "scores_as = 'arm' needs scores"),
        ({"scores_as": "wing"}, "scores_as is prior, arm or both, got 'wing'"),
        ({"initial": 0}, "initial must be an integer of 1 or more, got 0"),
        ({"window": 2.0}, "window must be an integer of 1 or more, got 2.0"),
        ({"explore": -1}, "explore must be a number of 0 or more, got -1"),
        ({"curiosity": float("nan")}, "curiosity must be a number of 0 or more, got nan"),
        ({"warm_start": [15_625]}, "warm_start must name architectures of wide, by number"),
        ({"warm_start": [0.5]}, "warm_start must name architectures of wide, by number"),
        ({"scores": [1.0]}, "a number for each of the 15,625 architectures of wide, got 1"),
    ],
)
def test_bad_parameters_are_refused(parameters: dict[str, Any], why: str) -> None:
    with pytest.raises(NasbenchError, match=why):
        make(WIDE, **parameters)
