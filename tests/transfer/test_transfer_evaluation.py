"""Each task left out in turn: what is seen of it, what is paid, what comes out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from beginnings import check_beginning
from earlier_tasks import MakeTask

from nasbench.errors import NasbenchError
from nasbench.report.transfer import write_transfer
from nasbench.search import Budget
from nasbench.space import CellSpace, ChoiceSpace, get
from nasbench.transfer import Held, Repository, TransferEvaluation, evaluate_transfer
from nasbench.transfer.evaluation import GOOD, LEAST, MEAN, WARM
from nasbench.transfer.savings import Saving

pytestmark = pytest.mark.heavy

N = get("nb201-mini").unique
SEEDS = range(12)


def evaluated(folder: Path, out: Path | None = None, **options: object) -> TransferEvaluation:
    given: Mapping[str, object] = {
        "strategies": ["random_search", "local_search"],
        "budget": Budget(evaluations=20),
        "seeds": SEEDS,
        "top": 4,
        "landmarks": 5,
        **options,
    }
    return evaluate_transfer(Repository.open(folder), out=out, **given)  # type: ignore[arg-type]


@pytest.fixture
def tasks(make_task: MakeTask, tmp_path: Path) -> Path:
    """Two tasks that are nearly alike, and one that orders everything the other way round."""
    rng = np.random.default_rng(0)
    base = rng.permutation(N) + 20.0
    make_task("a", base + rng.normal(0, 1, N))
    make_task("b", base + rng.normal(0, 1, N))
    make_task("c", 120 - base + rng.normal(0, 1, N))
    return tmp_path / "earlier"


def test_a_twin_helps_from_its_first_winner_and_the_reverse_hurts(tasks: Path) -> None:
    found = evaluated(tasks)
    held = found.held["a"]
    assert [of.name for of in held.similar] == ["b", "c"]
    assert held.agreement["b"] > 0.95
    assert held.agreement["c"] < -0.95
    twin = at(held, WARM, 20)
    assert twin.difference.high < 0
    assert twin.saved.low > 0
    assert twin.warm < 3  # the best of b is among the best of a
    assert twin.cold == at(held, LEAST, 20).cold
    # What a and b agree on is the worst of c: four of five evaluations are lost.
    lost = at(found.held["c"], MEAN, 5)
    assert lost.difference.low > 0
    assert lost.saved.value < 0
    hurts = found.hurts()
    assert ("c", "random_search", lost) in hurts
    assert all(of.difference.low > 0 for _, _, of in hurts)


def at(held: Held, variant: str, evaluations: int) -> Saving:
    (found,) = (
        of
        for of in held.savings["random_search"]
        if (of.variant, of.axis, of.at) == (variant, "evaluations", evaluations)
    )
    return found


def test_all_of_the_start_is_paid_and_comes_first(tasks: Path, mini: CellSpace) -> None:
    found = evaluated(tasks, strategies=["random_search"])
    held = found.held["a"]
    assert len(held.landmarks) == 5
    traces = held.comparisons["random_search"].traces
    for variant in (WARM, LEAST, MEAN):
        start = held.starts[variant]
        assert len(set(mini.canonical(list(start)).tolist())) >= 4
        for trace in traces[variant]:
            assert trace.architectures[: len(start)].tolist() == list(start)
            assert trace.evaluations == 20
            assert (np.diff(trace.finished) > 0).all()
    assert held.starts[WARM][:5] == held.starts[LEAST][:5] == held.landmarks
    drawn = [tuple(trace.architectures[:4].tolist()) for trace in traces[GOOD]]
    assert len(set(drawn)) > 1
    # The mean rank of b and its reverse says nothing, but all is of the better part.
    others = Repository.open(tasks).without(found.held["a"].task.about)
    assert {a for of in drawn for a in of} <= set(others.best(7))


def test_of_the_task_left_out_only_the_landmarks_choose(tasks: Path, make_task: MakeTask) -> None:
    before = evaluated(tasks, strategies=["random_search"]).held["a"]
    space = get("nb201-mini")
    values = before.task.table.values("valid_accuracy", space.representatives)
    kept = np.isin(space.representatives, space.canonical(list(before.landmarks)))
    values[~kept] = np.random.default_rng(5).permutation(values[~kept])
    make_task("a", values)
    after = evaluated(tasks, strategies=["random_search"]).held["a"]
    assert after.starts == before.starts
    assert after.similar == before.similar


def test_tables_of_a_few_architectures_are_searched_among_them(
    make_task: MakeTask, tmp_path: Path
) -> None:
    large = ChoiceSpace("large", {f"d{n}": range(9) for n in range(40)})
    rows = large.sample(np.random.default_rng(0), 40)
    worth = np.random.default_rng(1).permutation(40)
    for name, accuracy in (("up", 50 + worth), ("alike", 50.2 + worth), ("down", 99 - worth)):
        make_task(name, accuracy, space=large, rows=rows, task={"name": name})
    found = evaluated(tmp_path / "earlier", strategies=["random_search"], seeds=range(2))
    assert found.held["up"].similar[0].name == "alike"
    for held in found.held.values():
        for start in held.starts.values():
            assert set(start) <= set(rows.tolist())


def test_a_second_table_of_a_task_is_neither_searched_nor_learnt_from(
    tasks: Path, make_task: MakeTask
) -> None:
    a = Repository.open(tasks).tasks["a"].table
    make_task("again", a.values("valid_accuracy", get("nb201-mini").representatives))
    found = evaluated(tasks, strategies=["random_search"])
    assert list(found.held) == ["a", "b", "c"]
    assert {of.name for of in found.held["a"].similar} == {"b", "c"}
    assert {of.name for of in found.held["b"].similar} == {"a", "again", "c"}


@pytest.mark.slow
def test_runs_are_kept_and_the_page_says_what_was_found(tasks: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = evaluated(tasks, out)
    kept = {path: path.read_bytes() for path in out.rglob("*.jsonl") if "wall" not in path.name}
    assert len(kept) == 3 * 2 * 5
    path = next(iter(kept))
    path.write_bytes(kept[path][: len(kept[path]) // 2])  # as a kill would leave it
    again = evaluated(tasks, out)
    assert {path: path.read_bytes() for path in kept} == kept
    assert again.describe() == first.describe()
    with pytest.raises(NasbenchError, match="of another setting"):
        evaluated(tasks, out, top=3)
    check_beginning(write_transfer(first, out))
    page = (out / "index.html").read_text()
    assert "nothing can be concluded" in page
    assert json.loads((out / "transfer.json").read_text()) == first.describe()
    lines = (out / "savings.csv").read_text().splitlines()
    assert len(lines) == 1 + sum(len(s) for h in first.held.values() for s in h.savings.values())
    assert {"saved-evaluations", "saved-seconds"} <= {
        of.stem.partition("-")[2] for of in (out / "figures").glob("*.svg")
    }
    assert "most similar" in (out / "report.md").read_text()


def test_tests_of_many_pairs_are_corrected_and_few_tasks_prove_nothing(tasks: Path) -> None:
    found = evaluated(tasks)
    raw = {(t, s): pair.p for t, held in found.held.items() for s, pair in held.pairs.items()}
    assert len(raw) == 6
    assert min(found.p_holm.values()) == pytest.approx(6 * min(raw.values()))
    assert {pair.difference.n for pair in found.over_tasks.values()} == {3}
    assert all("too few" in pair.note for pair in found.over_tasks.values())


def test_what_cannot_be_evaluated_is_told(tasks: Path) -> None:
    with pytest.raises(NasbenchError, match="did you mean random_search"):
        evaluated(tasks, strategies=["random_serch"])
    with pytest.raises(NasbenchError, match="5 landmarks and 4 winners use up 9 evaluations"):
        evaluated(tasks, budget=Budget(evaluations=9))
    for name in "bc":
        (tasks / f"{name}.h5").unlink()
    with pytest.raises(NasbenchError, match="two tasks or more; here is one: a"):
        evaluated(tasks)
