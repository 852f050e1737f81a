"""Where two tables differ: in what they say of themselves, in rows, in numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench._progress import Progress
from nasbench.space import Architectures
from nasbench.stats import Estimate, bootstrap_estimate, spearman
from nasbench.table.alignment import answered, axes, blocks, has_seeds, recipe_of, stored, take
from nasbench.table.table import Table
from nasbench.table.write import CONTENT_KINDS

__all__ = ["Column", "Difference", "Fact", "diff"]

_OF_THE_FILE = frozenset({"name", "missing", "datasets", "content_sha256", "history", "finished"})
"""Entries of the manifest that tell tables of the same facts apart, or are compared elsewhere."""
_CHEAP = 20_000
"""Rows up to which an interval of the rank correlation takes a second or less."""
_RESAMPLES = 200


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that the manifests say differently; None where one says nothing."""

    what: str
    a: Any
    b: Any


@dataclass(frozen=True, slots=True)
class Column:
    """A data set of both tables, number by number.

    Attributes:
        name: of the data set.
        content: whether it counts for the content, as what was clocked or estimated does not.
        equal: how many numbers are the same in both.
        differ: how many are not.
        only_a: how many only the first table has.
        only_b: how many only the second table has.
        largest: absolute difference of all numbers that both have; NaN where there are none.
        at: the architecture with the largest difference, None where nothing differs.
        mean: absolute difference of all numbers that both have; NaN where there are none.
        spearman: rank correlation of what both have, at a recipe's last epoch the means over
            seeds; None where a recipe's last epoch is not in both.
    """

    name: str
    content: bool
    equal: int
    differ: int
    only_a: int
    only_b: int
    largest: float
    at: int | None
    mean: float
    spearman: Estimate | None

    @property
    def same(self) -> bool:
        """Whether both tables have the same numbers and no others."""
        return not (self.differ or self.only_a or self.only_b)

    def describe(self) -> dict[str, Any]:
        """By name; plain JSON values, None for NaN."""
        values = {k: None if v != v else v for k, v in asdict(self).items() if k != "name"}
        return {**values, "spearman": self.spearman.describe() if self.spearman else None}


@dataclass(frozen=True, slots=True, eq=False)
class Difference:
    """What tells two tables apart.

    Attributes:
        a: the first table.
        b: the second.
        facts: what the manifests say differently.
        rows: how many architectures both have a row for; one row a class where both share them.
        only_a: architectures that only the first has a row for, ascending.
        only_b: architectures that only the second has a row for, ascending.
        columns: the data sets of both.
        datasets_only_a: those that only the first has, or keeps in this form: for each seed, or
            as one number.
        datasets_only_b: those that only the second has, or keeps in this form.
    """

    a: Table
    b: Table
    facts: tuple[Fact, ...]
    rows: int
    only_a: Architectures
    only_b: Architectures
    columns: tuple[Column, ...]
    datasets_only_a: tuple[str, ...]
    datasets_only_b: tuple[str, ...]

    @property
    def same_hash(self) -> bool:
        """Whether the content hashes are equal: rows in one order, numbers of one type."""
        return bool(self.a.manifest["content_sha256"] == self.b.manifest["content_sha256"])

    @property
    def same_content(self) -> bool:
        """Whether what was trained, counted, derived or imported is the same number by number."""
        if any(fact.what.split("/")[0] == "space" for fact in self.facts):
            return False
        alone = [(self.a, name) for name in self.datasets_only_a]
        alone += [(self.b, name) for name in self.datasets_only_b]
        return (
            not len(self.only_a)
            and not len(self.only_b)
            and not any(_is_content(table, name) for table, name in alone)
            and all(column.same for column in self.columns if column.content)
        )

    def describe(self) -> dict[str, Any]:
        """Everything by name; plain JSON values."""
        return {
            "a": _describe(self.a),
            "b": _describe(self.b),
            "same_content": self.same_content,
            "same_hash": self.same_hash,
            "facts": {fact.what: {"a": fact.a, "b": fact.b} for fact in self.facts},
            "rows": self.rows,
            "rows_only_a": self.only_a.tolist(),
            "rows_only_b": self.only_b.tolist(),
            "datasets": {column.name: column.describe() for column in self.columns},
            "datasets_only_a": list(self.datasets_only_a),
            "datasets_only_b": list(self.datasets_only_b),
        }


def diff(a: Table, b: Table, *, progress: Progress = lambda what, done, total: None) -> Difference:
    """Compare two tables, seed by seed and epoch by epoch, whatever the order of their rows.

    A row that stands for its class is compared as that of each architecture in it, where the
    other table does not share rows. Tables of different spaces have no architecture in common.

    Args:
        a: a table.
        b: another.
        progress: called with which data set is compared.
    """
    common = [name for name in stored(a) if name in stored(b)]
    facts = tuple(_facts("", _said(a, common), _said(b, common)))
    common = [name for name in common if _form(a, name) == _form(b, name)]
    nothing = np.empty(0, dtype=np.int64)
    both, only_a, only_b = nothing, nothing, nothing
    columns = []
    if a.manifest["space"] == b.manifest["space"]:
        _, architectures = answered([a, b])
        in_a, in_b = a.row(architectures) >= 0, b.row(architectures) >= 0
        only_a, only_b = architectures[in_a & ~in_b], architectures[in_b & ~in_a]
        both = architectures[in_a & in_b]
        for done, name in enumerate(common):
            progress("comparing data sets", done, len(common))
            columns.append(_compare(name, a, b, both))
        progress("comparing data sets", len(common), len(common))
    return Difference(
        a,
        b,
        facts,
        len(both),
        only_a,
        only_b,
        tuple(columns),
        tuple(name for name in stored(a) if name not in common),
        tuple(name for name in stored(b) if name not in common),
    )


def _said(table: Table, datasets: Sequence[str]) -> dict[str, Any]:
    """The manifest's facts, those about some of the data sets among them."""
    facts = {key: value for key, value in table.manifest.items() if key not in _OF_THE_FILE}
    about = {
        name: {**table.dataset(name).about, "seeds": has_seeds(table, name)} for name in datasets
    }
    return {**facts, "datasets": about}


def _form(table: Table, name: str) -> tuple[Any, ...]:
    """What must be alike for numbers to be compared; seeds and epochs find each other."""
    if has_seeds(table, name):
        return ("seeds",)
    dataset = table.dataset(name)
    return (dataset.values.shape[1:], dataset.about.get("epochs"))


def _facts(where: str, a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[Fact]:
    for key in dict.fromkeys([*a, *b]):
        first, other = a.get(key), b.get(key)
        what = f"{where}{key}"
        if isinstance(first, Mapping) and isinstance(other, Mapping):
            yield from _facts(f"{what}/", first, other)
        elif first != other:
            yield Fact(what, first, other)


def _is_content(table: Table, name: str) -> bool:
    return table.manifest["datasets"][name].get("kind") in CONTENT_KINDS


def _compare(name: str, a: Table, b: Table, architectures: Architectures) -> Column:
    onto = axes(name, [a, b])
    numbers = 1 if onto is None else len(onto.seeds) * len(onto.epochs)
    equal = differ = only_a = only_b = 0
    total, largest, at = 0.0, -1.0, None
    for piece in blocks(architectures, numbers):
        first, in_a = take(a, name, architectures[piece], onto)
        other, in_b = take(b, name, architectures[piece], onto)
        both = in_a & in_b
        unlike = both & (first != other)
        equal += int((both & ~unlike).sum())
        differ += int(unlike.sum())
        only_a += int((in_a & ~in_b).sum())
        only_b += int((in_b & ~in_a).sum())
        if unlike.any():
            apart = np.abs(first[unlike].astype(np.float64) - other[unlike])
            total += float(apart.sum())
            if apart.max() > largest:
                largest = float(apart.max())
                at = int(architectures[piece][np.nonzero(unlike)[0][apart.argmax()]])
    compared = equal + differ
    return Column(
        name=name,
        content=_is_content(a, name) or _is_content(b, name),
        equal=equal,
        differ=differ,
        only_a=only_a,
        only_b=only_b,
        largest=max(largest, 0.0) if compared else np.nan,
        at=at,
        mean=total / compared if compared else np.nan,
        spearman=_rank_correlation(name, a, b, architectures),
    )


def _rank_correlation(
    name: str, a: Table, b: Table, architectures: Architectures
) -> Estimate | None:
    columns = []
    for table in (a, b):
        column = _column(table, name)
        if column is None:
            return None
        columns.append(column[table.row(architectures)])
    known = np.isfinite(columns).all(axis=0)
    x, y = (column[known] for column in columns)
    if len(x) < 2:
        return None
    if len(x) <= _CHEAP and (x != y).any():
        return bootstrap_estimate(spearman, x, y, resamples=_RESAMPLES)
    value = float(spearman(x, y))
    return Estimate(value, np.nan, np.nan, len(x))


def _column(table: Table, name: str) -> NDArray[np.float64] | None:
    """One number a row, a recipe's at its last epoch; None where there is none."""
    dataset, recipe = table.dataset(name), recipe_of(name)
    if recipe:
        if table.manifest["recipes"][recipe]["epochs"] not in dataset.about["epochs"]:
            return None
        return table.column(name.rpartition("/")[2], recipe=recipe)
    return dataset.values.astype(np.float64) if dataset.values.ndim == 1 else None


def _describe(table: Table) -> dict[str, str]:
    return {
        "name": table.name,
        "path": str(table.path),
        "sha256": table.sha256,
        "content_sha256": table.manifest["content_sha256"],
    }
