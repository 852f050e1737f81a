"""Tables for other tools: CSV, Parquet and NumPy's npz, written piece by piece."""

from __future__ import annotations

import csv
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench._files import atomic_path, csv_cell, write_text
from nasbench._progress import Progress
from nasbench._version import __version__
from nasbench.errors import NasbenchError, unknown
from nasbench.space import Architectures
from nasbench.table.alignment import blocks, has_seeds, recipe_of, stored
from nasbench.table.published import published
from nasbench.table.schema import covers
from nasbench.table.sheet import PER, Sheet, check_single_numbers, epochs_of, spread
from nasbench.table.table import Table

__all__ = ["FORMATS", "PER", "dump"]


def dump(
    table: Table,
    out: Path,
    *,
    to: str,
    per: str | None = None,
    progress: Progress = lambda what, done, total: None,
) -> int:
    """Write a table in another format, whole or not at all.

    Every architecture that the table answers for is written, ascending, so that any of them can
    be looked up without this package. Where rows stand for their class (`sharing` is canonical),
    a sheet's column `canonical` says of which architecture the numbers are: those that share one
    are one network, trained once.

    `npz` has the layout that `nasbench import npz` reads: `architectures` as strings; for each
    recipe its `epochs`, its `seeds` and its metrics `[n, seeds, epochs]`, NaN after epochs at
    which a metric was not taken, or `[n]`; `parameters`, `flops`, `network/...`, `device/...`,
    `proxy/...` as `[n]`; `proxy_draws/...` as `[n, draws]`, which sheets leave to their mean,
    `proxy/...`. Types are kept.

    `csv` and `parquet` have a line for each architecture, seed and epoch, the recipes below one
    another, or for each architecture and seed at the recipe's last epoch, or for each
    architecture with the means over seeds at the last epoch. What there is once for an
    architecture stands on each of its lines under its full name: `<device>/<metric_unit>`, `flops`,
    `proxy/<name>`, `<recipe>/<metric>`. CSV leaves what is missing empty and writes numbers
    so that they read back equal as float64; text that begins as a spreadsheet's formula does
    has an apostrophe before it, which the importer takes away again.

    The manifest goes along: as `nasbench` in Parquet's metadata, beside the other two as the
    file `<out>.json`. An npz also says in `about/...` what its importer understands: licence,
    citation, what is derived, why values are missing.

    Args:
        table: what is written.
        out: the file.
        to: one of `FORMATS`.
        per: what a line of a sheet stands for, one of `PER`; `epoch`, which leaves nothing out,
            where none is given.
        progress: called with how many architectures are written.

    Returns:
        How many lines it has, or architectures in an npz.

    Raises:
        NasbenchError: for an unknown format, for what a format has no place for, where pyarrow
            is needed and missing, and where the file cannot be written.
    """
    if to not in FORMATS:
        raise unknown("format", to, FORMATS)
    if to == "npz":
        if per is not None:
            raise NasbenchError("an npz holds every seed and epoch: --per is for csv and parquet")
        return _npz(table, out, progress)
    sheet = Sheet(table, "epoch" if per is None else per)
    _SHEETS[to](sheet, out, progress)
    return len(sheet.architectures) * sheet.lines


def _provenance(table: Table) -> str:
    """The manifest as JSON, without what is only about places in the table's file."""
    gone = ("offset", "shape", "sha256")
    datasets = {
        name: {k: v for k, v in table.manifest["datasets"][name].items() if k not in gone}
        for name in stored(table)
    }
    document = {
        "written_by": f"nasbench-harness {__version__}",
        "table_sha256": table.sha256,
        **published(table.manifest),
        "datasets": datasets,
    }
    return json.dumps(document, indent=1)


def _new(out: Path) -> AbstractContextManager[Path]:
    """As `atomic_path`; what appears while it is written stays, and is said."""
    return atomic_path(out, new=not out.exists())


@contextmanager
def _with_manifest(table: Table, out: Path) -> Iterator[Path]:
    """A path to write to, as `atomic_path` has them, and the manifest beside it."""
    with (
        _new(out.with_name(f"{out.name}.json")) as manifest,
        _new(out) as partial,
    ):
        write_text(manifest, f"{_provenance(table)}\n")
        yield partial


def _csv(sheet: Sheet, out: Path, progress: Progress) -> None:
    with (
        _with_manifest(sheet.table, out) as partial,
        partial.open("w", encoding="utf-8", newline="") as file,
    ):
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(map(csv_cell, sheet.names))
        for columns in _pieces(sheet, progress):
            lines.writerows(zip(*map(_cells, columns), strict=True))


def _cells(column: NDArray[Any]) -> list[Any]:
    if column.dtype.kind == "O":
        return list(map(csv_cell, column.tolist()))
    if column.dtype.kind != "f":
        cells: list[Any] = column.tolist()
        return cells
    # As float64, whose shortest digits read back equal whichever of the two they are read as.
    return ["" if value != value else value for value in column.tolist()]


def _parquet(sheet: Sheet, out: Path, progress: Progress) -> None:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise NasbenchError(
            "Parquet needs the package pyarrow; pip install 'nasbench-harness[parquet]'"
        ) from error
    nothing = sheet.columns(sheet.architectures[:0])
    types = [pa.string() if c.dtype.kind == "O" else pa.from_numpy_dtype(c.dtype) for c in nothing]
    schema = pa.schema(
        list(zip(sheet.names, types, strict=True)), {"nasbench": _provenance(sheet.table)}
    )
    with _new(out) as partial, pq.ParquetWriter(partial, schema) as file:
        for columns in _pieces(sheet, progress):
            arrays = [pa.array(c, type=t) for c, t in zip(columns, types, strict=True)]
            file.write_table(pa.Table.from_arrays(arrays, schema=schema))


def _pieces(sheet: Sheet, progress: Progress) -> Iterator[list[NDArray[Any]]]:
    everything = sheet.architectures
    for piece in blocks(everything, sheet.lines * len(sheet.names)):
        yield sheet.columns(everything[piece])
        progress("writing architectures", piece.stop, len(everything))


_SHEETS: Mapping[str, Callable[[Sheet, Path, Progress], None]] = {
    "csv": _csv,
    "parquet": _parquet,
}
FORMATS = (*_SHEETS, "npz")
_LETTERS = 100
"""Of an architecture's string, about."""


def _npz(table: Table, out: Path, progress: Progress) -> int:
    check_single_numbers(table)
    architectures = table.architectures
    with (
        _with_manifest(table, out) as partial,
        # A metric that is not taken at each epoch is mostly NaN: packed it takes no room.
        zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
    ):
        _put(archive, "architectures", *_strings(table, architectures))
        for recipe in table.recipes:
            _put_whole(archive, f"recipe/{recipe}/epochs", np.asarray(epochs_of(table, recipe)))
            if seeds := table.seeds[recipe]:
                _put_whole(archive, f"recipe/{recipe}/seeds", np.asarray(seeds))
        names = stored(table)
        for done, name in enumerate(names):
            bare = name in ("network/parameters", "network/flops")
            key = name.removeprefix("network/") if bare else name
            _put(archive, key, *_array(table, name, architectures))
            if sentence := _sentence(table, name):
                _put_whole(archive, f"about/{key}", np.asarray(sentence))
            progress("writing data sets", done + 1, len(names))
        source = table.manifest.get("source", {})
        about = {key: source[key] for key in ("licence", "citation") if key in source}
        about["table"] = f"{table.name}, of which the file has the SHA-256 {table.sha256}"
        if table.manifest["sharing"] == "canonical":
            about["sharing"] = "architectures that are the same network share one training"
        for key, sentence in about.items():
            _put_whole(archive, f"about/{key}", np.asarray(sentence))
    return len(architectures)


def _put(
    archive: zipfile.ZipFile,
    name: str,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
    parts: Iterable[NDArray[Any]],
) -> None:
    """Write an array of which memory holds one part at a time."""
    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
        descr = np.lib.format.dtype_to_descr(dtype)
        header = {"descr": descr, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(member, header)
        for part in parts:
            member.write(part.astype(dtype, copy=False).tobytes())


def _put_whole(archive: zipfile.ZipFile, name: str, array: NDArray[Any]) -> None:
    _put(archive, name, array.dtype, array.shape, [array])


def _sentence(table: Table, name: str) -> str:
    """That a data set is derived, or why some of it is missing, in the importer's words."""
    dataset = table.dataset(name)
    if dataset.about.get("kind") == "derived":
        note = str(dataset.about.get("note", "the table does not say how"))
        return f"derived: {note.removeprefix('derived: ')}"
    if not np.isnan(
        dataset.values.min(initial=0)
    ):  # NaN is passed on: no array of its own is needed
        return ""
    reasons = dict.fromkeys(
        missing["reason"] for missing in table.manifest["missing"] if covers(missing["scope"], name)
    )
    return f"missing: {' or '.join(reasons)}" if reasons else ""


_Array = tuple[np.dtype[Any], tuple[int, ...], Iterator[NDArray[Any]]]
"""Type, shape and the parts one after another."""


def _strings(table: Table, architectures: Architectures) -> _Array:
    def parts() -> Iterator[NDArray[np.str_]]:
        for piece in blocks(architectures, _LETTERS):
            yield np.asarray([table.space.string(a) for a in architectures[piece].tolist()])

    # The longest must be known before the first is written: they are made twice, and not kept.
    longest = max(part.dtype.itemsize for part in parts()) // np.dtype("<U1").itemsize
    return np.dtype(f"<U{longest}"), architectures.shape, parts()


def _array(table: Table, name: str, architectures: Architectures) -> _Array:
    dataset = table.dataset(name)
    rows = table.row(architectures)
    onto = epochs_of(table, recipe_of(name)) if has_seeds(table, name) else None

    def part(piece: slice) -> NDArray[Any]:
        found = dataset.values[rows[piece]]
        return found if onto is None else spread(found, dataset.about["epochs"], onto)

    nothing = part(slice(0, 0))
    pieces = blocks(architectures, int(np.prod(nothing.shape[1:])))
    return nothing.dtype, (len(architectures), *nothing.shape[1:]), map(part, pieces)
