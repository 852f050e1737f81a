"""Reading spreadsheets of anyone's, csv or parquet, in blocks of rows."""

from __future__ import annotations

import csv
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench._progress import Progress
from nasbench.errors import NasbenchError

__all__ = ["Block", "Sheet", "open_sheet"]

Block = Mapping[str, NDArray[Any]]
"""Some rows of a sheet by column: text as str objects, numbers as float64, NaN where empty."""

_ROWS = 1 << 16
_PARQUET = b"PAR1"
_EMPTY = ["", "nan", "NaN"]


class Sheet:
    """A spreadsheet.

    Attributes:
        columns: their names.
        source: the file.
    """

    def __init__(
        self,
        source: Path,
        columns: Sequence[str],
        blocks: Callable[[Collection[str], Collection[str], Progress], Iterator[Block]],
    ) -> None:
        self.source, self.columns = source, columns
        self._blocks = blocks
        for column in columns:
            if columns.count(column) > 1:
                raise NasbenchError(f"{source} has two columns {column!r}")

    def blocks(
        self, text: Collection[str], numbers: Collection[str], progress: Progress
    ) -> Iterator[Block]:
        """The sheet from its first row to its last, these columns of it.

        Raises:
            NasbenchError: where a cell is not what it should be.
        """
        return self._blocks(text, numbers, progress)


def open_sheet(source: Path) -> Sheet:
    """The sheet in a file: parquet where it begins as such, csv otherwise.

    Raises:
        NasbenchError: where it is neither; for parquet, where pyarrow is not installed.
    """
    try:
        with source.open("rb") as file:
            start = file.read(len(_PARQUET))
    except OSError as error:
        raise NasbenchError(f"cannot read {source}: {error.strerror}") from error
    return _open_parquet(source) if start == _PARQUET else _open_csv(source)


def _open_csv(source: Path) -> Sheet:
    header = _check_lines(source)

    def blocks(
        text: Collection[str], numbers: Collection[str], progress: Progress
    ) -> Iterator[Block]:
        import pandas as pd

        try:
            with (
                source.open("rb") as file,
                pd.read_csv(
                    file,
                    encoding="utf-8-sig",
                    header=0,
                    names=header,
                    usecols=[*text, *numbers],
                    dtype={**dict.fromkeys(text, object), **dict.fromkeys(numbers, np.float64)},
                    keep_default_na=False,
                    na_values=dict.fromkeys(numbers, _EMPTY),
                    chunksize=_ROWS,
                ) as chunks,
            ):
                for chunk in chunks:
                    yield {name: chunk[name].to_numpy() for name in (*text, *numbers)}
                    progress("reading the sheet", file.tell(), source.stat().st_size)
        except NasbenchError:
            raise
        except (OSError, ValueError, OverflowError) as error:
            raise _wrong_cell(source, header, numbers) or NasbenchError(
                f"{source} cannot be read as csv: {error}"
            ) from error

    return Sheet(source, header, blocks)


def _check_lines(source: Path) -> list[str]:
    """The header of a csv file, each of whose lines has as many cells.

    pandas fills short lines up without a word, so that a file cut short would pass.
    """
    header: list[str] = []
    for line, cells in _lines(source):
        header = header or list(cells)
        if len(cells) != len(header):
            raise NasbenchError(
                f"{source}, line {line}: {len(cells)} cells, where the first line has {len(header)}"
            )
    if not header:
        raise NasbenchError(f"{source} is empty")
    return header


def _lines(source: Path) -> Iterator[tuple[int, Sequence[str]]]:
    """The number of each line of a csv file that is not blank, and its cells."""
    try:
        with source.open(encoding="utf-8-sig", newline="\n") as file:
            for number, line in enumerate(file, 1):
                if "\0" in line or "\r" in line.rstrip("\r\n"):
                    raise NasbenchError(f"{source}, line {number}: control characters")
                if '"' in line:
                    yield number, next(csv.reader([line], strict=True))
                elif line.strip():
                    yield number, line.rstrip("\r\n").split(",")
    except (csv.Error, UnicodeDecodeError, OSError) as error:
        raise NasbenchError(f"{source} cannot be read as UTF-8 csv: {error}") from error


def _wrong_cell(
    source: Path, header: Sequence[str], numbers: Collection[str]
) -> NasbenchError | None:
    """The error that names the first cell that is no number, if there is one."""
    places = [header.index(name) for name in numbers]
    for line, cells in islice(_lines(source), 1, None):
        for place in places:
            try:
                float(cells[place] or "nan")
            except ValueError:
                return NasbenchError(
                    f"{source}, line {line}: {header[place]} is {cells[place][:40]!r}, not a "
                    f"number; an empty cell stands for a missing value"
                )
    return None


def _open_parquet(source: Path) -> Sheet:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise NasbenchError(
            f"{source} is a parquet file, which pyarrow reads: "
            f"pip install 'nasbench-harness[parquet]'"
        ) from error

    @contextmanager
    def reading() -> Iterator[None]:
        try:
            yield
        except NasbenchError:
            raise
        except (pa.ArrowException, OSError, ValueError) as error:
            raise NasbenchError(f"{source} cannot be read as parquet: {error}") from error

    def column(batch: Any, name: str, *, as_text: bool) -> NDArray[Any]:
        held = batch.column(name)
        kind = held.type.value_type if pa.types.is_dictionary(held.type) else held.type
        whole = pa.types.is_integer(kind) or pa.types.is_null(kind)
        if as_text and (whole or pa.types.is_string(kind) or pa.types.is_large_string(kind)):
            return _objects([cell or "" for cell in held.cast(pa.string()).to_pylist()])
        if not as_text and (whole or pa.types.is_floating(kind)):
            numbers: NDArray[Any] = held.cast(pa.float64()).to_numpy(zero_copy_only=False)
            return numbers
        wanted = "text or whole numbers" if as_text else "numbers"
        raise NasbenchError(f"{source}: {name} is {held.type}, not {wanted}")

    def blocks(
        text: Collection[str], numbers: Collection[str], progress: Progress
    ) -> Iterator[Block]:
        with reading(), pq.ParquetFile(source) as file:
            done, total = 0, file.metadata.num_rows
            for batch in file.iter_batches(_ROWS, columns=[*text, *numbers]):
                block = {name: column(batch, name, as_text=True) for name in text}
                block |= {name: column(batch, name, as_text=False) for name in numbers}
                yield block
                done += batch.num_rows
                progress("reading the sheet", done, total)

    with reading(), pq.ParquetFile(source) as file:
        return Sheet(source, file.schema_arrow.names, blocks)


def _objects(cells: Sequence[str]) -> NDArray[Any]:
    """Strings as an array of objects: no string takes the room of the longest."""
    array = np.empty(len(cells), dtype=object)
    array[:] = cells
    return array
