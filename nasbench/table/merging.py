"""One table out of several over one space: rows, recipes, seeds and devices joined."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench._files import check_out
from nasbench._progress import Progress
from nasbench._version import __version__
from nasbench.errors import NasbenchError, unknown
from nasbench.space import Architectures
from nasbench.space.rules import Value
from nasbench.table.alignment import (
    Axes,
    answered,
    axes,
    blocks,
    has_seeds,
    marks,
    stored,
    take,
)
from nasbench.table.format import PREDICTED, Dataset
from nasbench.table.lifting import lift_table
from nasbench.table.metrics import metric_name
from nasbench.table.schema import covers, scopes_of
from nasbench.table.scratch import Scratch
from nasbench.table.table import Table
from nasbench.table.uniting import (
    alike,
    check_spaces,
    labelled_tables,
    source_of,
    unite,
    united_devices,
    united_recipes,
    united_task,
)
from nasbench.table.write import write_table

__all__ = ["merge"]


def merge(
    tables: Sequence[Table],
    out: Path,
    *,
    name: str | None = None,
    from_first: Collection[str] = (),
    lift: bool | Mapping[str, Value] = False,
    new: bool = False,
    progress: Progress = lambda what, done, total: None,
) -> Table:
    """Join tables: halves of a build, other seeds, costs and accuracies of one space.

    A number that two tables have must be the same in both. Of a training that both clocked the
    seconds are those of the table that has more epochs of it, the first of equals. Where one has
    NaN, the other's value stands. Rows that stand for their class stay so where they do in every
    table. Else they are written out for each architecture of the class, and the manifest's
    `sources` say which were.

    What a row has of a metric is predicted or trained, never both: where two tables have a
    recipe's metric, the same of its rows must be predicted in both.

    What the manifests say alike is said of the whole; what else each says is kept under
    `sources`, beside its name and hashes.

    Args:
        tables: two or more.
        out: the table.
        name: of the table; the first table's where none is given.
        from_first: metrics, by the names that commands or files give them, that are taken from
            the first table that has them, whatever the others say: numbers that were rounded on
            the way do not agree to the last digit.
        lift: take tables of smaller spaces as those of the largest, see `lift_table`; as a
            mapping it says what smaller ones chose of decisions that they lack.
        new: nothing was at `out` when the caller's work began, or is there now: what appears
            stays, and is said.
        progress: called with which data set is joined.

    Raises:
        NasbenchError: where spaces, tasks, recipes of one name, devices of one name, values or
            what is predicted do not agree.
    """
    new = not check_out(out) or new
    if lift is not False:
        with Scratch(out) as scratch:
            of_one = _lifted(tables, {} if lift is True else lift, scratch)
            return merge(of_one, out, name=name, from_first=from_first, new=new, progress=progress)
    if len(tables) < 2:
        raise NasbenchError("merging takes two tables or more")
    labelled = labelled_tables(tables)
    check_spaces(labelled)
    task = united_task(labelled)
    recipes = united_recipes(labelled)
    devices = united_devices(labelled)
    primary = next(
        (t.manifest["primary"] for t in tables if t.recipes and "primary" in t.manifest), None
    )
    sharing, architectures = answered(tables)
    every = dict.fromkeys(dataset for table in tables for dataset in stored(table))
    # Which rows are predicted is no data set of its own: it goes where their values go.
    names = [name for name in every if not name.startswith(PREDICTED)]
    called = {metric_name(dataset): dataset for dataset in names}
    taken = {called.get(given, given) for given in from_first}
    for given in from_first:
        if given not in (*names, *called):
            raise unknown("data set", given, (*names, *called))
    datasets: dict[str, Dataset] = {}
    holes: dict[str, NDArray[np.bool_]] = {}
    dropped: dict[str, NDArray[np.bool_]] = {}
    with Scratch(out) as scratch:
        for done, dataset in enumerate(names):
            progress("joining data sets", done, len(names))
            having = {label: t for label, t in labelled.items() if dataset in stored(t)}
            if dataset in taken:
                having = dict(islice(having.items(), 1))
            datasets |= marks(dataset, having, architectures)
            joined = _join(dataset, having, architectures, scratch)
            datasets[dataset], holes[dataset], dropped[dataset] = joined
        progress("joining data sets", len(names), len(names))
        return write_table(
            out,
            name=name or tables[0].name,
            space=tables[0].space,
            rows=architectures,
            sharing=sharing,
            recipes=recipes,
            datasets=datasets,
            devices=devices,
            missing=_missing(labelled, architectures, holes, dropped),
            about={
                **alike(tables),
                **({"task": task} if task else {}),
                **({"primary": primary} if primary else {}),
                "versions": {"nasbench": __version__},
                "sources": [source_of(table, tables, sharing) for table in tables],
            },
            new=new,
        )


def _lifted(tables: Sequence[Table], choices: Mapping[str, Value], scratch: Scratch) -> list[Table]:
    """The tables as those of the largest of their spaces, in files that go with the scratch."""
    largest = max((table.space for table in tables), key=lambda space: space.size)
    described = dict(largest.describe())
    return [
        table
        if table.manifest["space"] == described
        else lift_table(table, largest, scratch.path / f"{number}.h5", defaults=choices)
        for number, table in enumerate(tables)
    ]


def _join(
    name: str, having: Mapping[str, Table], architectures: Architectures, scratch: Scratch
) -> tuple[Dataset, NDArray[np.bool_], NDArray[np.bool_]]:
    """A data set of several tables, and the rows in which some of it is missing or was dropped."""
    about = _about(name, having)
    clocked = about.get("kind") == "measured" and re.fullmatch(r"recipe/.*_seconds", name)
    onto = axes(name, list(having.values()))
    stored_as = [table.dataset(name).values for table in having.values()]
    shape = (*stored_as[0].shape[1:],) if onto is None else (len(onto.seeds), len(onto.epochs))
    if onto is None and any(values.shape[1:] != shape for values in stored_as):
        raise NasbenchError(
            f"{name} holds different numbers of values for an architecture in "
            f"{' and '.join(having)}: what is not the same needs another name"
        )
    dtype = np.result_type(*stored_as)
    rows = np.any([table.row(architectures) >= 0 for table in having.values()], axis=0)
    values: NDArray[Any]
    if dtype.kind != "f" and onto is None and rows.all():
        values = np.empty((len(architectures), *shape), dtype)
    else:  # whole numbers have no NaN
        dtype = dtype if dtype.kind == "f" else np.promote_types(dtype, np.float32)
        values = scratch.missing(len(architectures), *shape, dtype=dtype)
    holes, dropped = np.zeros((2, len(architectures)), dtype=bool)
    for piece in blocks(architectures, int(np.prod(shape))):
        found = {label: take(t, name, architectures[piece], onto) for label, t in having.items()}
        known = np.zeros((piece.stop - piece.start, *shape), dtype=bool)
        for label, (new, has) in found.items():
            if clocked:
                has = _by_one_clock(values[piece], known, new, has)
            clash = known & has & (values[piece] != new)
            if clash.any():
                raise _conflict(name, label, found, clash, architectures[piece], onto)
            values[piece][has] = new[has]
            known |= has
        within = tuple(range(1, known.ndim))
        holes[piece] = ~known.all(axis=within)
        given = np.any([has for _, has in found.values()], axis=0)
        dropped[piece] = (given & ~known).any(axis=within)
    return Dataset(values, about), holes, dropped


def _by_one_clock(
    values: NDArray[Any], known: NDArray[np.bool_], new: NDArray[Any], has: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Of a training that was clocked twice, which seconds stand: `[rows, seeds, epochs]`.

    Those that know more of its epochs, the first of equals; what is not to stand leaves `values`
    and `known`.
    """
    epochs = tuple(range(2, known.ndim))
    twice = (known & has & (values != new)).any(axis=epochs, keepdims=True)
    fuller = has.sum(axis=epochs, keepdims=True) > known.sum(axis=epochs, keepdims=True)
    out = known & twice & fuller
    values[out] = np.nan
    known[out] = False
    stand: NDArray[np.bool_] = has & ~(twice & ~fuller)
    return stand


def _about(name: str, having: Mapping[str, Table]) -> dict[str, Any]:
    """What the tables say of a data set: one kind and one unit, the notes of all."""
    (first, table), *others = having.items()
    about = dict(table.dataset(name).about)
    seeded = has_seeds(table, name)
    for label, other in others:
        if has_seeds(other, name) != seeded:
            with_seeds, without = (first, label) if seeded else (label, first)
            raise NasbenchError(
                f"{name} is kept for each seed in {with_seeds} and as one number in {without}: "
                f"what is not the same needs another name"
            )
        said = dict(other.dataset(name).about)
        if seeded:
            about["epochs"] = sorted({*about["epochs"], *said.pop("epochs")})
        said = {key: value for key, value in said.items() if key not in ("note", "seconds")}
        about = unite(name, first, about, label, said)
    every = [table.dataset(name) for table in having.values()]
    if notes := dict.fromkeys(of.about["note"] for of in every if "note" in of.about):
        about["note"] = "; ".join(notes)
    if clocked := [of for of in every if "seconds" in of.about]:  # a mean over architectures
        known = [max(1, int(np.isfinite(of.values).sum())) for of in clocked]
        about["seconds"] = float(np.average([of.about["seconds"] for of in clocked], weights=known))
    return about


def _conflict(
    name: str,
    label: str,
    found: Mapping[str, tuple[NDArray[Any], NDArray[np.bool_]]],
    clash: NDArray[np.bool_],
    architectures: Architectures,
    onto: Axes | None,
) -> NasbenchError:
    place = tuple(int(axis[0]) for axis in np.nonzero(clash))
    first, before = next((other, v[place]) for other, (v, has) in found.items() if has[place])
    where = f"architecture {architectures[place[0]]}"
    if onto is not None:
        where += f", seed {onto.seeds[place[1]]}, epoch {onto.epochs[place[2]]}"
    return NasbenchError(
        f"{name} of {where} is {before} in {first} and {found[label][0][place]} in {label}: tables "
        f"that contradict each other cannot be merged; nasbench diff shows where they do, and "
        f"--from-first {name} takes all of it from the first"
    )


def _missing(
    labelled: Mapping[str, Table],
    architectures: Architectures,
    holes: Mapping[str, NDArray[np.bool_]],
    dropped: Mapping[str, NDArray[np.bool_]],
) -> list[dict[str, Any]]:
    """Why values are NaN: rows that a table lacks, what was dropped, then what each table says.

    Of several reasons the last stands.
    """
    absent: list[dict[str, Any]] = []
    carried: list[dict[str, Any]] = []

    def tell(into: list[dict[str, Any]], scope: str, why: str, of: NDArray[np.bool_]) -> None:
        under = [rows for name, rows in holes.items() if covers(scope, name)]
        listed = of & np.any(under, axis=0) if under else of
        if listed.any():
            named = [] if listed.all() else architectures[listed].tolist()
            into.append({"scope": scope, "reason": why, "architectures": named})

    clocks = "two clocks contradict each other, and the one with more epochs lacks this one"
    for name, rows in dropped.items():
        tell(absent, name, clocks, rows)
    for label, table in labelled.items():
        row = table.row(architectures)
        mine = {name for name in stored(table) if name in holes}
        for scope in scopes_of(mine, holes):
            tell(absent, scope, f"{label} has no row for it", row < 0)
        for entry in table.manifest["missing"]:
            meant = row >= 0
            if entry["architectures"]:
                known = [a for a in entry["architectures"] if 0 <= a < table.space.size]
                meant &= np.isin(row, table.row(known))
            under = {name for name in holes if covers(entry["scope"], name)}
            # A reason is about this table's data sets, not about others of the same room.
            for scope in [entry["scope"]] if under <= mine else sorted(under & mine):
                tell(carried, scope, entry["reason"], meant)
    return absent + carried
