"""Splitting examples: stratified, by group or by time; seeded, and never what comes apart already.

By group no group is in two splits. By time every training example is earlier than every one of
`valid`, and those are earlier than those of `test`.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasbench.errors import BadValue
from nasbench.task.base import Split, Task, as_labels, check_classes
from nasbench.task.pixels import Images
from nasbench.task.signal import Signal, Target
from nasbench.task.unread import counted

__all__ = ["Divided", "SplitPlan", "check_shares", "divide", "make_task", "split_task"]

_SHARE = 0.2
"""Of the examples that there are, where nothing else is said."""
_STRATA = 10
"""Parts of equal size, from low to high, that targets which are numbers are taken for."""


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """What is asked of the splits.

    Attributes:
        train: training examples to keep; 0 keeps what valid (and test) leave.
        valid: how many examples, or which share of them, select architectures; None: a fifth.
        test_share: the share that becomes the test split; None: a fifth.
        seed: of the split, below 2**63.
        by: what may not be torn apart: nothing, groups, or the order of time.
        key: what the groups or the times are called.
    """

    train: int = 0
    valid: int | float | None = None
    test_share: float | None = None
    seed: int = 0
    by: Literal["", "group", "time"] = ""
    key: str = ""

    @classmethod
    def known(cls) -> frozenset[str]:
        """What `[task]` may say of it; what groups and times are, readers know."""
        return frozenset({"train", "valid", "test_share", "seed"})


def make_task(
    name: str,
    images: Images,
    labels: ArrayLike,
    *,
    classes: tuple[str, ...],
    own_valid: tuple[Images, ArrayLike] | None = None,
    test: tuple[Images, ArrayLike] | None = None,
    about: dict[str, Any] | None = None,
    notes: Sequence[str] = (),
    **split: Any,
) -> Task:
    """Split images into train, and into valid and test where none are given; stratified and seeded.

    Args:
        name: the task's name.
        images: uint8 `[n, channels, height, width]`.
        labels: integers `[n]`.
        classes: the classes' names.
        own_valid: validation images and labels that come apart; all of them are used.
        test: test images and labels that come apart; all of them are used.
        about: source and licence.
        notes: what was not read, or not as it was: a sentence each.
        **split: `SplitPlan`'s `train`, `valid`, `test_share` and `seed`.

    Raises:
        NasbenchError: where images and labels make no task, or a share is given of a split that
            comes apart.

    Example:
        >>> import numpy as np
        >>> images = np.zeros((30, 1, 4, 4), np.uint8)
        >>> make_task("blank", images, np.arange(30) % 2, classes=("even", "odd"))
        <Task blank: 19 train, 5 valid, 6 test, [1, 4, 4], 2 classes>
    """
    count = len(classes)
    parts = {"train": Split(images, as_labels(name, images, labels, count))}
    for part, own in (("test", test), ("valid", own_valid)):
        if own is not None:
            parts[part] = Split(own[0], as_labels(name, *own, count, f"{part} labels"))
    return split_task(
        name,
        parts,
        SplitPlan(**split),
        signal=Signal("image"),
        target=Target("classes", classes),
        about=about,
        notes=notes,
    )


def split_task(
    name: str,
    parts: Mapping[str, Split],
    plan: SplitPlan,
    *,
    signal: Signal,
    target: Target,
    keys: Mapping[str, NDArray[Any]] | None = None,
    about: Mapping[str, Any] | None = None,
    notes: Sequence[str] = (),
    **named: Mapping[str, tuple[str, ...]],
) -> Task:
    """A task of examples in their splits: those that come apart as they are, others off `train`.

    Args:
        name: the task's name.
        parts: `train`, and each split that comes apart.
        plan: what is asked of the splits.
        signal: what the inputs are.
        target: what is to be answered. Each split has to have all of its classes; by group or
            time only `train` has to, and a note says what the others lack.
        keys: by split each example's group or time, where the plan is by these.
        about: source and licence.
        notes: what was not read, or not as it was: a sentence each.
        **named: `groups` and `legend` of the task.

    Raises:
        BadValue: where there are too few examples or groups, a share is given of a split that
            comes apart, or splits that come apart share a group or overlap in time.
    """
    what = "image" if signal.kind == "image" else "example"
    divided = divide(name, parts, plan, target, keys=keys, what=what)
    return Task(
        name=name,
        train=divided.splits["train"],
        valid=divided.splits["valid"],
        test=divided.splits["test"],
        classes=target.names if target.kind == "classes" else (),
        about={**(about or {}), "split": divided.about},
        notes=(*notes, *divided.notes),
        signal=signal,
        target=target,
        **named,
    )


class Divided(NamedTuple):
    """Examples in their splits, how they were split, and what is to be known of it."""

    splits: dict[str, Split]
    about: dict[str, Any]
    notes: tuple[str, ...]


def divide(
    name: str,
    parts: Mapping[str, Split],
    plan: SplitPlan,
    target: Target,
    *,
    keys: Mapping[str, NDArray[Any]] | None = None,
    what: str = "example",
) -> Divided:
    """Examples in their splits, where no task is made of them yet; see `split_task`.

    Args:
        name: of the task, for errors.
        parts: `train`, and each split that comes apart; inputs may be anything, as in the
            numbers of rows.
        plan: what is asked of the splits.
        target: what is to be answered.
        keys: by split each example's group or time, where the plan is by these.
        what: an example is called.
    """
    seed = plan.seed
    if seed < 0 or seed >= 2**63:
        bound = "is 0 or more" if seed < 0 else "is below 2**63"
        raise BadValue(f"task {name}: the seed of a split {bound}, got {seed}")
    apart = {split for split in parts if split != "train"}
    check_shares(name, apart, plan.valid, plan.test_share, what)
    rng = np.random.default_rng(seed)
    order = _stratified_order(parts["train"].targets, rng)
    if plan.by:
        _check_apart(name, plan, keys or {})
        chosen = _by_key(name, plan, order, (keys or {})["train"], apart, rng)
    else:
        chosen = _by_share(name, plan, order, apart, what)
    splits = {split: parts["train"].take(where) for split, where in chosen.items()}
    for split in ("test", "valid"):
        if split in apart:
            splits[split] = parts[split].take(_stratified_order(parts[split].targets, rng))
    splits = {split: splits[split] for split in ("train", "valid", "test")}
    about: dict[str, Any] = {"seed": seed, "stratified": True}
    about |= {plan.by: plan.key} if plan.by else {}
    about |= {"valid": "given"} if "valid" in apart else {}
    classes = target.names if target.kind == "classes" else ()
    notes = _classes_notes(name, splits, plan, classes, what) if classes else []
    return Divided(splits, about, tuple(notes))


def _classes_notes(
    name: str, splits: Mapping[str, Split], plan: SplitPlan, classes: Sequence[str], what: str
) -> list[str]:
    """Which classes splits by group or time lack; other splits, and `train`, may lack none."""
    notes = []
    for split, of in splits.items():
        if not plan.by or split == "train":
            check_classes(name, split, of, classes, what)
            continue
        missing = np.bincount(of.targets, minlength=len(classes)) == 0
        lost = [classes[int(label)] for label in np.flatnonzero(missing)]
        notes += [f"{split} has no {what} of {counted(lost, 'class', 'classes')}"] if lost else []
    return notes


def check_shares(
    name: str,
    apart: Container[str],
    valid: int | float | None = None,
    test_share: float | None = None,
    what: str = "image",
) -> None:
    """Refuse shares that are none, or of a split that comes apart, before examples are read.

    Args:
        name: of the task.
        apart: the splits that come apart.
        valid: see `SplitPlan`.
        test_share: see `SplitPlan`.
        what: an example is called.
    """
    for split, option, share in (("valid", "valid", valid), ("test", "test_share", test_share)):
        if share is not None and split in apart:
            raise BadValue(
                f"task {name} has {split} {what}s of its own, all used: leave {option} out"
            )
    if test_share is not None and not 0 < test_share < 1:
        raise BadValue(f"task {name}: test_share must lie between 0 and 1, got {test_share}")
    if isinstance(valid, float) and not 0 < valid < 1:
        raise BadValue(
            f"task {name}: valid is a number of {what}s, or a share between 0 and 1; got {valid}"
        )


Order = NDArray[np.intp]


def _by_share(
    name: str, plan: SplitPlan, order: Order, apart: Container[str], what: str
) -> dict[str, Order]:
    """Which examples each split has, off the front of a stratified order."""
    chosen = {}
    if "test" not in apart:
        n_test = round((_SHARE if plan.test_share is None else plan.test_share) * len(order))
        order, chosen["test"] = order[n_test:], order[:n_test]
    n_valid = 0
    if "valid" not in apart:
        n_valid = _wanted(plan, len(order))
    n_train = plan.train or len(order) - n_valid
    if (n_valid < 1 and "valid" not in apart) or n_train < 1 or n_valid + n_train > len(order):
        wanted = f"{n_train} train" + (f" and {n_valid} valid" if "valid" not in apart else "")
        raise BadValue(f"task {name}: {len(order)} {what}s cannot give {wanted}")
    if "valid" not in apart:
        chosen["valid"] = order[:n_valid]
    chosen["train"] = order[n_valid : n_valid + n_train]
    return chosen


def _wanted(plan: SplitPlan, n: int) -> int:
    """Validation examples of so many."""
    share = _SHARE if plan.valid is None else plan.valid
    return share if isinstance(share, int) else round(share * n)


def _by_key(
    name: str,
    plan: SplitPlan,
    order: Order,
    keys: NDArray[Any],
    apart: Container[str],
    rng: np.random.Generator,
) -> dict[str, Order]:
    """Which examples each split has, where those of one key stay together.

    Keys stand in a row: times as they are, groups at random. Off its end go as many whole keys to
    `test` as come nearest to its share, then to `valid`.
    """
    found, place, counts = np.unique(keys, return_inverse=True, return_counts=True)
    if plan.by == "group":
        row = rng.permutation(len(found))
        place, counts = row[place], counts[np.argsort(row)]
    end = len(found)
    chosen = {}
    split_off = [split for split in ("test", "valid") if split not in apart]
    if len(found) <= len(split_off):
        things = f"{plan.by}s" if len(found) > 1 else plan.by
        raise BadValue(
            f"task {name} has {len(found)} {things} by {plan.key}: {len(split_off) + 1} or more "
            f"are needed, so that none is in two splits"
        )
    for number, split in enumerate(split_off):
        n = int(counts[:end].sum())
        share = _SHARE if plan.test_share is None else plan.test_share
        wanted = round(share * n) if split == "test" else _wanted(plan, n)
        held = np.cumsum(counts[:end][::-1])[: end - (len(split_off) - number)]
        begin = end - 1 - int(np.abs(held - wanted).argmin())
        where = place[order]
        chosen[split] = order[(where >= begin) & (where < end)]
        end = begin
    rest = order[place[order] < end]
    if plan.train < 0 or plan.train > len(rest):
        raise BadValue(f"task {name}: {plan.by}s leave {len(rest)} to train, not {plan.train}")
    return {**chosen, "train": rest[: plan.train or len(rest)]}


def _check_apart(name: str, plan: SplitPlan, keys: Mapping[str, NDArray[Any]]) -> None:
    """Refuse splits that come apart where they share a group, or do not follow each other."""
    present = [split for split in ("train", "valid", "test") if split in keys]
    for number, split in enumerate(present):
        for later in present[number + 1 :]:
            if plan.by == "group":
                shared = len(np.intersect1d(keys[split], keys[later]))
                fault = f"share {shared} groups by {plan.key}" if shared else ""
            else:
                late = keys[split].max() > keys[later].min()
                fault = f"overlap in time by {plan.key}" if late else ""
            if fault:
                raise BadValue(
                    f"task {name}: {split} and {later} come apart and {fault}; what comes apart "
                    f"is used as it is: leave {plan.by} out, or join the splits"
                )


def _stratified_order(targets: NDArray[Any], rng: np.random.Generator) -> Order:
    """A random order in which every first part holds the classes in their shares.

    The i-th of a class's n examples, in random order, goes to the place (i + u) / n with u
    uniform: each class is spread evenly over the order. Numbers are taken for the tenth, from
    low to high, in which they lie.
    """
    labels = targets
    if targets.dtype.kind == "f":
        labels = np.argsort(np.argsort(targets, kind="stable")) * _STRATA // max(len(targets), 1)
    place = np.empty(len(labels))
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        place[members] = (np.arange(len(members)) + rng.random(len(members))) / len(members)
    return np.argsort(place, kind="stable")
