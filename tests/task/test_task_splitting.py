"""Splits by group and by time tear nothing apart; what comes apart is never redrawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nasbench.errors import NasbenchError
from nasbench.task import Signal, Split, Target, Task
from nasbench.task.splitting import SplitPlan, split_task

CLASSES = Target("classes", ("a", "b"))
NUMBER = Target("number", ("price",))


def examples(n: int, target: Target, start: int = 0) -> Split:
    """Examples that can be told apart: the number of each is its input."""
    numbers = np.arange(start, start + n, dtype=np.float32)[:, None]
    return Split(numbers, numbers[:, 0].astype(float) if target == NUMBER else np.arange(n) % 2)


def task_of(
    parts: dict[str, Split], plan: SplitPlan, target: Target = CLASSES, **options: Any
) -> Task:
    return split_task("t", parts, plan, signal=Signal("features"), target=target, **options)


def held(task: Task) -> dict[str, np.ndarray]:
    return {name: split.inputs[:, 0].astype(int) for name, split in task.splits.items()}


KEYS = st.lists(st.integers(0, 12), min_size=20, max_size=80).map(np.array)


@given(keys=KEYS, seed=st.integers(0, 99))
def test_no_group_is_in_two_splits_and_every_example_in_one(keys: np.ndarray, seed: int) -> None:
    assume(len(np.unique(keys)) >= 3)
    plan = SplitPlan(seed=seed, by="group", key="speaker")
    task = task_of({"train": examples(len(keys), NUMBER)}, plan, NUMBER, keys={"train": keys})
    chosen = held(task)
    assert sorted(np.concatenate(list(chosen.values()))) == list(range(len(keys)))
    groups = [set(keys[which]) for which in chosen.values()]
    assert all(groups)
    assert sum(map(len, groups)) == len(set.union(*groups))
    assert task.about["split"] == {"seed": seed, "stratified": True, "group": "speaker"}


@given(keys=KEYS, seed=st.integers(0, 99))
def test_train_is_before_valid_and_valid_before_test(keys: np.ndarray, seed: int) -> None:
    assume(len(np.unique(keys)) >= 3)
    plan = SplitPlan(seed=seed, by="time", key="date")
    task = task_of({"train": examples(len(keys), NUMBER)}, plan, NUMBER, keys={"train": keys})
    times = [keys[which] for which in held(task).values()]
    assert sum(map(len, times)) == len(keys)
    assert times[0].max() < times[1].min() <= times[1].max() < times[2].min()


def test_shares_are_met_as_nearly_as_whole_groups_can() -> None:
    keys = np.repeat(np.arange(20), 5)
    plan = SplitPlan(valid=0.25, test_share=0.2, by="group", key="speaker")
    task = task_of({"train": examples(100, CLASSES)}, plan, keys={"train": keys})
    assert [len(of) for of in task.splits.values()] == [60, 20, 20]
    fewer = SplitPlan(train=30, valid=10, by="group", key="speaker")
    task = task_of({"train": examples(100, CLASSES)}, fewer, keys={"train": keys})
    assert [len(of) for of in task.splits.values()] == [30, 10, 20]


def test_a_class_that_a_later_split_lacks_is_said() -> None:
    split = Split(np.zeros((30, 1), np.float32), np.r_[[0, 1] * 9, [0] * 12])
    plan = SplitPlan(by="time", key="date")
    task = task_of({"train": split}, plan, keys={"train": np.arange(30)})
    assert task.notes == (
        "valid has no example of 1 class (b)",
        "test has no example of 1 class (b)",
    )
    late = Split(split.inputs, np.r_[[0] * 20, [1] * 10])
    with pytest.raises(NasbenchError, match="class 'b' has no train example"):
        task_of({"train": late}, plan, keys={"train": np.arange(30)})


def test_groups_go_with_their_examples() -> None:
    keys = np.arange(40) // 4
    plain = examples(40, CLASSES)
    split = Split(plain.inputs, plain.targets, {"speaker": keys})
    names = {"speaker": tuple("abcdefghij")}
    plan = SplitPlan(by="group", key="speaker")
    task = task_of({"train": split}, plan, keys={"train": keys}, groups=names)
    for of in task.splits.values():
        assert (of.groups["speaker"] == of.inputs[:, 0] // 4).all()


@pytest.mark.parametrize(
    ("by", "keys", "told"),
    [
        ("group", {"train": [0, 1, 2, 3] * 5, "test": [4, 5]}, ""),
        ("group", {"train": [0, 1, 2, 3] * 5, "test": [3, 5]}, "train and test .* share 1 groups"),
        ("time", {"train": list(range(20)), "test": [20, 21]}, ""),
        ("time", {"train": list(range(20)), "test": [18, 30]}, "train and test .* overlap in time"),
        ("group", {"train": [0] * 20, "test": [1, 1]}, "1 group by k: 2 or more are needed"),
        ("group", {"train": [0, 1] * 10}, "2 groups by k: 3 or more are needed"),
        ("time", {"train": [7] * 20}, "1 time by k: 3 or more"),
    ],
)
def test_splits_that_come_apart_are_used_as_they_are_or_refused(
    by: Any, keys: dict[str, list[int]], told: str
) -> None:
    parts = {name: examples(len(of), CLASSES, 100 * k) for k, (name, of) in enumerate(keys.items())}
    arrays = {name: np.array(of) for name, of in keys.items()}
    plan = SplitPlan(by=by, key="k")
    if told:
        with pytest.raises(NasbenchError, match=told):
            task_of(parts, plan, keys=arrays)
    else:
        assert sorted(held(task_of(parts, plan, keys=arrays))["test"]) == [100, 101]


def test_numbers_are_spread_evenly_over_a_split() -> None:
    """The mean of any first tenth is near that of the whole: far from sorted, less than random."""
    task = task_of({"train": examples(1000, NUMBER)}, SplitPlan(), NUMBER)
    whole, first = task.train.targets, task.train.first(64).targets
    deciles = np.histogram(first, np.quantile(whole, np.linspace(0, 1, 11)))[0]
    assert abs(first.mean() - whole.mean()) < 30
    assert deciles.min() >= 4
