"""Reading spreadsheets of anyone's, csv or parquet, in blocks of rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench._progress import Progress
from nasbench.errors import BadValue, DamagedFile, NasbenchError, Unsupported
from nasbench.importers import csvfile
from nasbench.importers.csvfile import Dialect

__all__ = ["Block", "SheetFile", "open_sheet", "shown"]

Block = Mapping[str, NDArray[Any]]
"""Some rows of a sheet by column: text as str objects, numbers as float64, NaN where empty."""

MOST_COLUMNS = 1 << 14
"""Of a sheet: as many as a spreadsheet program has room for."""
_PARQUET = b"PAR1"

_Blocks = Callable[[Collection[str], Collection[str], Progress], Iterator[Block]]


class SheetFile:
    """A spreadsheet.

    Attributes:
        columns: their names.
        source: the file.
        said: sentences on how it was read, as far as that was found out.
    """

    def __init__(
        self,
        source: Path,
        columns: Sequence[str],
        blocks: _Blocks,
        line_of: Callable[[int], str],
        said: Sequence[str] = (),
    ) -> None:
        self.source, self.columns, self.said = source, columns, said
        self._blocks, self._line_of = blocks, line_of
        if len(columns) > MOST_COLUMNS:
            raise Unsupported(
                f"{source} has {len(columns):,} columns; {MOST_COLUMNS:,} at most are read"
            )
        name, times = Counter(columns).most_common(1)[0] if columns else ("", 0)
        if times > 1:
            raise BadValue(f"{source} has two columns {name[:80]!r}")

    def blocks(
        self, text: Collection[str], numbers: Collection[str], progress: Progress
    ) -> Iterator[tuple[int, Block]]:
        """The sheet from its first row to its last, these columns of it.

        Yields:
            The number of the block's first row, and the block.

        Raises:
            NasbenchError: where a cell is not what it should be.
        """
        start = 0
        for block in self._blocks(text, numbers, progress):
            yield start, block
            start += len(next(iter(block.values())))

    def where(self, row: int) -> str:
        """File and line of a row, which is counted from 0."""
        return f"{self.source}, {self._line_of(row)}"


def open_sheet(
    source: Path,
    *,
    separator: str | None = None,
    decimal: str | None = None,
    na: Sequence[str] = (),
) -> SheetFile:
    """The sheet in a file: parquet where it begins as such, csv otherwise.

    Args:
        source: the file.
        separator: of csv, between cells; found out where it is left out.
        decimal: of csv, the decimal mark; `.` where it is left out.
        na: of csv, further words for a missing number.

    Raises:
        NasbenchError: where it is neither; for parquet, where pyarrow is not installed.
    """
    try:
        with source.open("rb") as file:
            start = file.read(len(_PARQUET))
    except OSError as error:
        raise NasbenchError(f"cannot read {source}: {error.strerror}") from error
    if start == _PARQUET:
        if separator or decimal or na:
            raise BadValue(f"{source} is parquet: separator, decimal and na are of csv")
        return _open_parquet(source)
    dialect = Dialect.of(source, separator, decimal, na)
    header = csvfile.read_header(source, dialect)
    return SheetFile(
        source,
        header,
        csvfile.blocks_of(source, header, dialect),
        lambda row: f"line {csvfile.rows_at(source, dialect, row)}",
        dialect.said,
    )


def shown(names: Sequence[str]) -> str:
    """Some names in a sentence, which has room for few and short ones."""
    first = ", ".join(name if len(name) <= 40 else f"{name[:40]}..." for name in names[:10])
    return first if len(names) <= 10 else f"{first} and {len(names) - 10:,} more"


def _open_parquet(source: Path) -> SheetFile:
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
            raise DamagedFile(f"{source} cannot be read as parquet: {error}") from error

    def column(batch: Any, name: str, *, as_text: bool) -> NDArray[Any]:
        held = batch.column(name)
        kind = held.type.value_type if pa.types.is_dictionary(held.type) else held.type
        whole = pa.types.is_integer(kind) or pa.types.is_null(kind)
        if as_text and (whole or pa.types.is_string(kind) or pa.types.is_large_string(kind)):
            return _objects([cell or "" for cell in held.cast(pa.string()).to_pylist()])
        if not as_text and (whole or pa.types.is_floating(kind)):
            numbers: NDArray[Any] = held.cast(pa.float64()).to_numpy(zero_copy_only=False)
            # A NaN of any bits is the quiet one: others warn wherever they are reckoned with.
            return np.where(np.isnan(numbers), np.nan, numbers)
        wanted = "text or whole numbers" if as_text else "numbers"
        raise BadValue(f"{source}: {name[:80]} is {held.type}, not {wanted}")

    def blocks(
        text: Collection[str], numbers: Collection[str], progress: Progress
    ) -> Iterator[Block]:
        with reading(), pq.ParquetFile(source) as file:
            done, total = 0, file.metadata.num_rows
            for batch in file.iter_batches(csvfile.ROWS, columns=[*text, *numbers]):
                block = {name: column(batch, name, as_text=True) for name in text}
                block |= {name: column(batch, name, as_text=False) for name in numbers}
                yield block
                done += batch.num_rows
                progress("reading the sheet", done, total)

    with reading(), pq.ParquetFile(source) as file:
        return SheetFile(source, file.schema_arrow.names, blocks, lambda row: f"row {row + 1}")


def _objects(cells: Sequence[str]) -> NDArray[Any]:
    """Strings as an array of objects: no string takes the room of the longest."""
    array = np.empty(len(cells), dtype=object)
    array[:] = cells
    return array
