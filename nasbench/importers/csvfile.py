"""Reading a csv file of anyone's, in blocks of rows: which characters it uses, where it errs."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench._files import csv_value
from nasbench._progress import Progress
from nasbench.errors import BadValue, DamagedFile, NasbenchError

__all__ = ["ROWS", "Dialect", "blocks_of", "read_header", "rows_at"]

ROWS = 1 << 16
"""Of a block."""
MOST_LINE = 1 << 24
"""Characters of a line."""
_SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_MISSING = ("", "nan", "na", "n/a", "null", "none")
"""What stands for a missing number, in small letters; R writes NA, pandas nothing."""
_NUMBER = re.compile(
    r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|[+-]?inf(?:inity)?", re.IGNORECASE | re.ASCII
)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a csv file is written.

    Attributes:
        separator: between cells, one character.
        decimal: the mark before the fraction, `.` or `,`.
        missing: words for a missing number beside those that are known anyway.
        found: whether the separator was found out, and is not the comma.
    """

    separator: str = ","
    decimal: str = "."
    missing: tuple[str, ...] = ()
    found: bool = False

    @classmethod
    def of(
        cls, source: Path, separator: str | None, decimal: str | None, missing: Sequence[str]
    ) -> Dialect:
        """What the options say, and of the separator else what the first line says.

        Raises:
            NasbenchError: for a character that cannot be one, and where the first line does not
                tell which separates.
        """
        names = {word: mark for mark, word in _SEPARATORS.items()} | {"\\t": "\t"}
        mark = None if separator is None else names.get(separator, separator)
        if mark is not None and (len(mark) != 1 or mark in '"\r\n\0' or mark.isalnum()):
            raise BadValue(f"a separator is one character, or the word tab, got {separator!r}")
        if decimal not in (None, ".", ","):
            raise BadValue(f"the decimal mark is . or , and not {decimal!r}")
        found = _find_separator(source) if mark is None else mark
        if found == (decimal or "."):
            raise BadValue(
                f"{source}: {found!r} cannot both separate cells and be the decimal mark; say "
                f"which separates with --separator"
            )
        guessed = mark is None and found != ","
        return cls(found, decimal or ".", tuple(missing), guessed)

    @property
    def said(self) -> list[str]:
        """What was found out, in words."""
        mark = _SEPARATORS.get(self.separator, self.separator)
        return [f"cells are separated by {mark}s"] if self.found else []

    def is_missing(self, cell: str) -> bool:
        """Whether a number's cell holds none."""
        return cell.lower() in _MISSING or cell in self.missing

    @property
    def words(self) -> list[str]:
        """Every way to write a missing number."""
        spelt = {f(word) for word in _MISSING for f in (str, str.upper, str.capitalize)}
        return sorted(spelt | {"NaN", *self.missing})

    def number(self, cell: str) -> float:
        """The number in a cell, NaN of a missing one; raises ValueError of anything else."""
        if self.is_missing(cell):
            return float("nan")
        plain = cell.strip(" ")
        if self.decimal == ",":
            if "." in plain:
                raise ValueError(cell)
            plain = plain.replace(",", ".")
        if not _NUMBER.fullmatch(plain):
            raise ValueError(cell)
        return float(plain)


def _find_separator(source: Path) -> str:
    """The one character by which the first line has several cells, the comma if there is none."""
    first = next(_text_lines(source), (0, ""))[1]
    cells: dict[str, list[str]] = {}
    for mark in _SEPARATORS:
        with suppress(csv.Error):  # quotes that do not match: by this mark, or by none
            cells[mark] = _cells(first, mark)
    marks = [mark for mark, parts in cells.items() if len(parts) > 1]
    if len(marks) > 1:
        keys = ("architecture", "string", "number")
        keyed = [mark for mark in marks if any(part.strip() in keys for part in cells[mark])]
        marks = keyed if len(keyed) == 1 else marks
    if len(marks) > 1:
        raise BadValue(
            f"{source}: its first line has {' and '.join(_SEPARATORS[m] + 's' for m in marks)}; "
            f"say what separates its cells with --separator"
        )
    return marks[0] if marks else ","


def read_header(source: Path, dialect: Dialect) -> list[str]:
    """The columns of a csv file, each of whose lines has as many cells.

    pandas fills short lines up without a word, so that a file cut short would pass.
    """
    header: list[str] = []
    for line, cells in _lines(source, dialect):
        header = header or [csv_value(cell.strip()) for cell in cells]
        if len(cells) != len(header):
            raise DamagedFile(
                f"{source}, line {line}: {len(cells):,} cells, where the first line has "
                f"{len(header):,}"
            )
    if not header:
        raise DamagedFile(f"{source} is empty")
    return header


def rows_at(source: Path, dialect: Dialect, row: int) -> int:
    """The number of the line of a row, the first below the header being row 0."""
    lines = (line for line, _ in _lines(source, dialect))
    return next(islice(lines, row + 1, None), 0)


def blocks_of(
    source: Path, header: Sequence[str], dialect: Dialect
) -> Callable[[Collection[str], Collection[str], Progress], Iterator[Mapping[str, NDArray[Any]]]]:
    """What gives a csv file's columns of text and of numbers, block by block."""

    def blocks(
        text: Collection[str], numbers: Collection[str], progress: Progress
    ) -> Iterator[Mapping[str, NDArray[Any]]]:
        import pandas as pd

        plain = dialect.decimal == "."
        kinds: dict[str, Any] = dict.fromkeys([*text, *numbers], object)
        if plain:
            kinds.update(dict.fromkeys(numbers, np.float64))
        try:
            with (
                source.open("rb") as file,
                pd.read_csv(
                    file,
                    encoding="utf-8-sig",
                    sep=dialect.separator,
                    header=0,
                    names=list(header),
                    usecols=list(kinds),
                    dtype=kinds,
                    keep_default_na=False,
                    na_values=dict.fromkeys(numbers if plain else (), dialect.words),
                    chunksize=ROWS,
                ) as chunks,
            ):
                for chunk in chunks:
                    block = {name: chunk[name].to_numpy() for name in kinds}
                    block |= {name: _texts(block[name]) for name in text}
                    if not plain:
                        block |= {name: _numbers(block[name], dialect) for name in numbers}
                    yield block
                    progress("reading the sheet", file.tell(), source.stat().st_size)
        except NasbenchError:
            raise
        except (OSError, ValueError, OverflowError) as error:
            raise _wrong_cell(source, header, dialect, numbers) or DamagedFile(
                f"{source} cannot be read as csv: {error}"
            ) from error

    return blocks


def _texts(cells: NDArray[Any]) -> NDArray[Any]:
    """Cells without the apostrophe that keeps spreadsheets from taking them for formulas."""
    texts = np.empty(len(cells), dtype=object)
    texts[:] = list(map(csv_value, cells.tolist()))
    return texts


def _numbers(cells: NDArray[Any], dialect: Dialect) -> NDArray[np.float64]:
    return np.asarray([dialect.number(cell) for cell in cells.tolist()], dtype=np.float64)


def _cells(line: str, separator: str) -> list[str]:
    """The cells of one line; raises csv.Error where its quotes do not match."""
    if '"' not in line:
        return line.split(separator)
    return next(csv.reader(StringIO(line), delimiter=separator, strict=True))


def _text_lines(source: Path) -> Iterator[tuple[int, str]]:
    """The number of each line that is not blank, and the line without its end."""
    try:
        with source.open(encoding="utf-8-sig", newline="\n") as file:
            number = 0
            while line := file.readline(MOST_LINE):
                number += 1
                if len(line) == MOST_LINE and not line.endswith("\n"):
                    raise DamagedFile(
                        f"{source}, line {number}: more than {MOST_LINE:,} characters in a line"
                    )
                if "\0" in line or "\r" in line.rstrip("\r\n"):
                    raise DamagedFile(f"{source}, line {number}: control characters")
                if line.strip():
                    yield number, line.rstrip("\r\n")
    except (UnicodeDecodeError, OSError) as error:
        raise DamagedFile(f"{source} cannot be read as UTF-8 csv: {error}") from error


def _lines(source: Path, dialect: Dialect) -> Iterator[tuple[int, Sequence[str]]]:
    """The number of each line that is not blank, and its cells."""
    for number, line in _text_lines(source):
        try:
            yield number, _cells(line, dialect.separator)
        except csv.Error as error:
            mark = _SEPARATORS.get(dialect.separator, repr(dialect.separator))
            raise DamagedFile(
                f"{source}, line {number}: it cannot be read as UTF-8 csv with {mark}s between "
                f"its cells ({error}); --separator names another"
            ) from error


def _wrong_cell(
    source: Path, header: Sequence[str], dialect: Dialect, numbers: Collection[str]
) -> NasbenchError | None:
    """The error that names the first cell that is no number, if there is one."""
    wanted = set(numbers)
    places = [place for place, name in enumerate(header) if name in wanted]
    for line, cells in islice(_lines(source, dialect), 1, None):
        for place in places:
            try:
                dialect.number(cells[place])
            except ValueError:
                return _no_number(f"{source}, line {line}", header[place], cells[place], dialect)
    return None


def _no_number(where: str, column: str, cell: str, dialect: Dialect) -> NasbenchError:
    hint = "an empty cell or NA stands for a missing value, --na WORD names another word"
    if re.fullmatch(r"[+-]?\d*,\d+", cell) and dialect.decimal == ".":
        hint = "where it is a decimal comma, say --decimal ,"
    elif "." in cell and dialect.decimal == ",":
        hint = "the decimal mark is said to be a comma"
    return BadValue(f"{where}: {column[:80]} is {cell[:40]!r}, not a number; {hint}")
