"""A folder of tasks: what is similar, what tells apart, what is best."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import scipy
from earlier_tasks import MakeTask

from nasbench.errors import NasbenchError
from nasbench.search import Budget, Goal, RunSpec, TableOracle, search
from nasbench.space import CellSpace, get
from nasbench.table import load
from nasbench.transfer import Description, Repository, describe
from nasbench.transfer.similarity import distances

N = get("nb201-mini").unique


@pytest.fixture
def base() -> np.ndarray:
    return np.random.default_rng(0).permutation(N) + 20.0


@pytest.fixture
def earlier(make_task: MakeTask, base: np.ndarray, tmp_path: Path) -> Path:
    """`near` orders architectures nearly as `base` does, `far` rather not, `reverse` never."""
    rng = np.random.default_rng(1)
    make_task("near", base + rng.normal(0, 3, N))
    make_task("far", base + rng.normal(0, 60, N))
    make_task("reverse", 120 - base)
    return tmp_path / "earlier"


def target_of(base: np.ndarray, space: CellSpace, few: int = N) -> Description:
    values = dict(zip(space.representatives.tolist(), base.tolist(), strict=True))
    return Description("new", space=space, landmarks=dict(list(values.items())[:few]))


def test_the_most_similar_task_agrees_with_scipy_on_what_it_is(
    earlier: Path, base: np.ndarray, mini: CellSpace
) -> None:
    repository = Repository.open(earlier)
    found = repository.similar(target_of(base, mini))
    assert [of.name for of in found] == ["near", "far", "reverse"]
    for of in found:
        other = load(earlier / f"{of.name}.h5").values("valid_accuracy", mini.representatives)
        assert of.agreement.value == pytest.approx(scipy.stats.spearmanr(base, other).statistic)
        assert of.agreement.low <= of.agreement.value <= of.agreement.high
        assert (of.agreement.n, of.features) == (N, 0)
        assert np.isnan(of.distance)
    assert found[-1].agreement.value == pytest.approx(-1)


def test_without_landmarks_features_decide_and_without_either_nothing_does(
    earlier: Path, mini: CellSpace
) -> None:
    for name, classes in (("near", 100), ("reverse", 12)):
        about = {"name": name, "features": {"classes": classes, "channels": 3}}
        (earlier / f"{name}.json").write_text(json.dumps(about))
    repository = Repository.open(earlier)
    target = Description("new", {"classes": 10, "train_images": 500}, space=mini)
    found = repository.similar(target)
    assert [of.name for of in found] == ["reverse", "near", "far"]
    assert [of.features for of in found] == [1, 1, 0]
    with pytest.raises(NasbenchError, match=r"nothing of new is known .* train 5 landmarks"):
        repository.similar(Description("new", {"side": 32}))
    four = {a: 1.0 * a for a in mini.representatives[:4].tolist()}
    with pytest.raises(NasbenchError, match="nothing of new is known"):
        repository.similar(Description("new", space=mini, landmarks=four))


def test_distances_are_differences_in_deviations_and_leave_out_what_is_unknown() -> None:
    target = {"classes": 10.0, "pixel_mean": 0.5, "side": 32.0}
    others = [{"classes": 1000.0, "pixel_mean": 0.5}, {"side": 32.0}, {"channels": 1.0}, {}]
    found = distances(target, others)
    # Two values lie two deviations apart, whatever they are; equal ones none.
    assert found[0] == (pytest.approx((2 + 0) / 2), 2)
    assert found[1] == (0, 1)
    for unknown in found[2:]:
        assert np.isnan(unknown[0])
        assert unknown[1] == 0


def test_counts_are_compared_by_their_ratio() -> None:
    (few, _), (many, _) = distances({"classes": 10}, [{"classes": 1}, {"classes": 100}])
    assert few == pytest.approx(many)


def test_landmarks_are_spread_over_the_ranks_and_tell_tasks_apart(
    earlier: Path, mini: CellSpace
) -> None:
    repository = Repository.open(earlier)
    at = np.searchsorted(repository.tasks["near"].known, mini.representatives)
    ranks = np.stack([task.ranks[at] for task in repository.tasks.values()])
    chosen = repository.landmarks(8)
    assert len(set(mini.canonical(chosen).tolist())) == 8
    places = np.searchsorted(mini.representatives, chosen)
    order = np.argsort(np.argsort(ranks.mean(0), kind="stable"))[places]
    sizes = [len(part) for part in np.array_split(np.arange(N), 8)]
    parts = np.repeat(np.arange(8), sizes)[order]
    assert parts.tolist() == list(range(8))

    def told(of: np.ndarray) -> float:
        pairs = combinations(range(3), 2)
        return min(float(((ranks[i, of] - ranks[j, of]) ** 2).sum()) for i, j in pairs)

    rng = np.random.default_rng(0)
    by_chance = [told(rng.choice(N, 8, replace=False)) for _ in range(200)]
    assert told(places) > np.quantile(by_chance, 0.95)


@pytest.mark.parametrize("n", [4, N + 1])
def test_too_few_or_too_many_landmarks_are_refused(earlier: Path, n: int) -> None:
    with pytest.raises(NasbenchError, match=f"landmarks are 5 to {N} architectures, got {n}"):
        Repository.open(earlier).landmarks(n)


def test_one_task_has_landmarks_too(make_task: MakeTask, base: np.ndarray, tmp_path: Path) -> None:
    make_task("alone", base)
    chosen = Repository.open(tmp_path / "earlier").landmarks(5)
    values = load(tmp_path / "earlier" / "alone.h5").values("valid_accuracy", chosen)
    assert (np.diff(values) > 0).all()


def test_winners_are_the_best_of_each_in_turn(earlier: Path, mini: CellSpace) -> None:
    repository = Repository.open(earlier)
    best = {name: load(earlier / f"{name}.h5").top(3, "valid_accuracy") for name in ("near", "far")}
    one = repository.winners(["near"], 3)
    assert one == best["near"]["architecture"].tolist()
    both = repository.winners(["near", "far"], 4)
    expected = np.stack([of["architecture"] for of in best.values()], axis=1).ravel().tolist()
    assert both == list(dict.fromkeys(expected))[:4]
    assert repository.winners(["near"], 1000) == repository.tasks["near"].ranked
    with pytest.raises(NasbenchError, match="1 architecture or more"):
        repository.winners(["near"], 0)


def test_the_best_over_all_has_the_best_mean_rank(earlier: Path, mini: CellSpace) -> None:
    repository = Repository.open(earlier)
    every = np.arange(mini.size)
    values = [load(earlier / f"{n}.h5").values("valid_accuracy", every) for n in repository.tasks]
    means = np.mean([scipy.stats.rankdata(column) for column in values], axis=0)
    found = repository.best(5)
    assert len(set(mini.canonical(found).tolist())) == 5
    distinct = means[mini.representatives]
    assert means[found].tolist() == sorted(distinct, reverse=True)[:5]


def test_networks_that_are_the_same_win_once(make_task: MakeTask, tmp_path: Path) -> None:
    """Two architectures of one class stand for one network, whichever did better."""
    space = get("nb201-mini")
    sizes = {c: int((space.classes == c).sum()) for c in space.representatives.tolist()}
    largest = max(sizes, key=sizes.__getitem__)
    accuracy = np.where(space.representatives == largest, 99.0, np.arange(N))
    make_task("one", accuracy)
    best = Repository.open(tmp_path / "earlier").winners(["one"], 3)
    assert sizes[largest] > 3
    assert [int(space.canonical(a)) == largest for a in best] == [True, False, False]


def test_a_task_teaches_nothing_about_itself(
    earlier: Path, make_task: MakeTask, base: np.ndarray, mini: CellSpace
) -> None:
    make_task("copy", base, task={"name": "other"})
    repository = Repository.open(earlier)
    again = target_of(base, mini, 7)  # the same measurement, by another name
    assert "copy" not in repository.without(again).tasks
    assert "near" in repository.without(again).tasks
    make_task("hashed", base - 7, task={"name": "same", "hash": "12"})
    repository = Repository.open(earlier)
    assert "hashed" not in repository.without(Description("x", hash="12")).tasks
    assert "hashed" in repository.without(Description("x", hash="34")).tasks
    assert "hashed" not in repository.without(Description("same")).tasks
    make_task("twice", base, task={"name": "third"})
    assert Repository.open(earlier).copies() == [("copy", "twice")]
    with pytest.raises(NasbenchError, match="no earlier task is left"):
        Repository(t for t in repository.tasks.values() if t.name == "copy").without(again)


def test_a_journal_of_a_search_has_landmarks(
    earlier: Path, base: np.ndarray, tmp_path: Path
) -> None:
    table = load(earlier / "near.h5")
    oracle = TableOracle(table)
    goal = Goal("valid_accuracy", Budget(evaluations=7), oracle.fidelities)
    journal = tmp_path / "run.jsonl"
    run = search(RunSpec("random_search", goal, 0), oracle, journal=journal)
    found = describe(journal)
    shown = {e.query.architecture: e.outcome.values["valid_accuracy"] for e in run.evaluations}
    assert found.landmarks == shown
    assert found.name == "near"
    journal.write_text("{}\n")
    with pytest.raises(NasbenchError, match="is not the journal of a search"):
        describe(journal)


def test_test_accuracy_chooses_nothing(
    earlier: Path, make_task: MakeTask, base: np.ndarray
) -> None:
    """The made-up test accuracies order everything the other way round."""
    repository = Repository.open(earlier)
    near = load(earlier / "near.h5")
    best = repository.winners(["near"], 1)
    assert near.values("test_accuracy", best)[0] == near.column("test_accuracy").min()


def test_tables_of_two_spaces_are_told_apart(earlier: Path, make_task: MakeTask) -> None:
    pairs = CellSpace("pairs", 3, ["none", "nor_conv_3x3"])
    make_task("other", np.arange(pairs.unique), space=pairs)
    (earlier / "far.h5").unlink()
    with pytest.raises(NasbenchError, match="near is of space nb201-mini, other of pairs"):
        Repository.open(earlier)
    (earlier / "other.h5").unlink()
    foreign = Description("new", space=pairs, landmarks={0: 1.0})
    with pytest.raises(NasbenchError, match="new is of space pairs, the repository of nb201-mini"):
        Repository.open(earlier).similar(foreign)


def test_what_is_no_repository_is_told(tmp_path: Path) -> None:
    with pytest.raises(NasbenchError, match="is no folder"):
        Repository.open(tmp_path / "none")
    with pytest.raises(NasbenchError, match="holds no table"):
        Repository.open(tmp_path)
