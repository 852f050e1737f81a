"""Texts in classes, or with a number each: csv, tsv or parquet, words as ids."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench._files import utf8
from nasbench.errors import BadValue
from nasbench.task.base import Task, check_names, check_room
from nasbench.task.examples import label_rows, task_name, unused
from nasbench.task.rows import RowOptions, read_rows
from nasbench.task.signal import MOST_LENGTH, MOST_VOCABULARY, UNKNOWN, Signal, id_type
from nasbench.task.splitting import SplitPlan

__all__ = ["encode", "texts", "vocabulary_of", "words_of"]

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?|\d+|[^\w\s]|_")
_RULE = "lower case; a word is a run of letters, a run of digits or one other sign"
_FIRST = ("<pad>", "<unk>")


def texts(
    path: str | Path,
    *,
    name: str = "",
    text: str = "text",
    length: int = 32,
    vocabulary: int = 20_000,
    rows: RowOptions | None = None,
    plan: SplitPlan | None = None,
) -> Task:
    """Texts in a column of a csv, tsv or parquet file, or of a folder with a file a split.

    Args:
        path: of the file or the folder.
        name: the task's name; the file's by default.
        text: the column of texts.
        length: words of a text that are kept, the first ones; shorter texts are padded with 0.
        vocabulary: ids at most, 0 (padding) and 1 (unknown word) among them.
        rows: what else the columns are; the target is `label` by default.
        plan: of the splits.

    Raises:
        NasbenchError: where a file is damaged or too large, or a column is not there.
    """
    path = Path(path)
    name = task_name(name, path)
    check_names(name, None)
    if not 1 <= length <= MOST_LENGTH:
        raise BadValue(f"[task]: length is 1 to {MOST_LENGTH:,} words, got {length}")
    if not 3 <= vocabulary <= MOST_VOCABULARY:
        raise BadValue(f"[task]: vocabulary is 3 to {MOST_VOCABULARY:,} words, got {vocabulary}")
    rows = rows or RowOptions()
    rows = replace(rows, target=rows.target or "label")
    read = read_rows(path, rows)
    read.column(text, "text")
    check_room(sum(map(len, read.columns[text].values())), 4 * length, "texts", "lower length")
    kept, labelled = label_rows(name, read, rows, plan or SplitPlan())
    cells = kept.columns[text]
    words = vocabulary_of(cells["train"], vocabulary)
    inputs, said = _encode_all(cells, words, length)
    return labelled.task(
        name,
        Signal("tokens", (length,), id_type(len(words)).name, vocabulary=len(words)),
        inputs,
        about={"source": utf8(path.name), "words": _RULE},
        legend={"tokens": words},
        notes=[
            *unused(kept, [text, rows.target, rows.group, rows.time, *rows.groups]),
            *said,
        ],
    )


def words_of(text: str) -> list[str]:
    """A text's words: runs of letters (with an apostrophe inside), of digits, or single signs.

    Example:
        >>> words_of("Don't pay 3.50!")
        ["don't", 'pay', '3', '.', '50', '!']
    """
    return _WORD.findall(unicodedata.normalize("NFC", text).lower())


def vocabulary_of(texts: Iterable[str], most: int) -> tuple[str, ...]:
    """Padding, the unknown word, and the words that occur twice by falling count, then by letters.

    Example:
        >>> vocabulary_of(["a b", "b a c", "b"], 10)
        ('<pad>', '<unk>', 'b', 'a')
    """
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(words_of(text))
    falling = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    known = [word for word, count in falling if count > 1]
    return (*_FIRST, *known[: most - len(_FIRST)])


def encode(
    texts: Sequence[str], words: Sequence[str], length: int
) -> tuple[NDArray[Any], list[int]]:
    """Texts as ids `[n, length]`, and how many words each has.

    A text without any word is one unknown word, so that there is something to look at.
    """
    ids = {word: number for number, word in enumerate(words)}
    for first in _FIRST:  # they are no words
        del ids[first]
    tokens = np.zeros((len(texts), length), id_type(len(words)))
    counts = []
    for row, text in enumerate(texts):
        found = words_of(text)
        counts.append(len(found))
        kept = [ids.get(word, UNKNOWN) for word in found[:length]] or [UNKNOWN]
        tokens[row, : len(kept)] = kept
    return tokens, counts


def _encode_all(
    cells: Mapping[str, Sequence[str]], words: Sequence[str], length: int
) -> tuple[dict[str, NDArray[Any]], list[str]]:
    """Ids by split, and what is to be said of them."""
    inputs, longer, empty = {}, 0, 0
    for split, of in cells.items():
        inputs[split], counts = encode(of, words, length)
        longer += sum(count > length for count in counts)
        empty += counts.count(0)
    every = sum(map(len, cells.values()))
    said = []
    if longer:
        said.append(
            f"{longer:,} of {every:,} texts have more than {length} words: the first are used"
        )
    if empty:
        said.append(f"{empty:,} of {every:,} texts have no word: they are one unknown word")
    return inputs, said
