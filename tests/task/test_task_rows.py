"""Texts and tables from csv, tsv and parquet: what is learned comes from the training split."""

from __future__ import annotations

import csv
import re
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasbench.errors import NasbenchError
from nasbench.task import Signal, Target, Task, from_spec
from nasbench.task.columns import as_numbers, code_categories, instant, kind_of_target
from nasbench.task.texts import encode, vocabulary_of, words_of

N = 60


def write(path: Path, head: list[str], rows: list[list[object]], separator: str = ",") -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=separator).writerows([head, *rows])
    return path


def text_rows(n: int = N) -> list[list[object]]:
    return [[f'Word{k % 5}, said "{k}"\nand left', ("no", "yes")[k % 2], k] for k in range(n)]


def house_rows(n: int = N) -> list[list[object]]:
    """Price, rooms (some missing), town, date, and a name of its own."""
    return [
        [1.5 * k, "" if k % 10 == 0 else k % 4, "ABC?"[k % 4], f"2026-01-{1 + k // 3:02}", f"h{k}x"]
        for k in range(n)
    ]


HOUSES = ["price", "rooms", "town", "when", "name"]


@pytest.fixture
def here(tmp_path: Path) -> Path:
    write(tmp_path / "texts.csv", ["text", "label", "id"], text_rows())
    write(tmp_path / "houses.csv", HOUSES, house_rows())
    return tmp_path


def read(here: Path, source: str, path: str, **options: Any) -> Task:
    return from_spec({"source": source, "path": path, **options}, here)


# Texts.

WORD = re.compile(r"[a-z]+(?:'[a-z]+)?|[0-9]+|[^\sa-z0-9]")


@given(st.text(st.characters(codec="ascii"), max_size=60))
def test_words_of_plain_english_are_those_of_a_plain_pattern(text: str) -> None:
    assert words_of(text) == WORD.findall(text.lower())


def test_words_of_any_language_stay_whole() -> None:
    assert words_of("Größe l'été СЛОВО e\u0301te\u0301") == ["größe", "l'été", "слово", "été"]


@given(st.lists(st.lists(st.sampled_from("abcdef"), max_size=6).map(" ".join), max_size=12))
def test_a_vocabulary_is_by_falling_count_then_by_letters(texts: list[str]) -> None:
    counts = {w: " ".join(texts).split().count(w) for w in "abcdef"}
    expected = [w for w in sorted(counts, key=lambda w: (-counts[w], w)) if counts[w] >= 2]
    assert vocabulary_of(texts, 100) == ("<pad>", "<unk>", *expected)
    assert vocabulary_of(texts, 4) == ("<pad>", "<unk>", *expected[:2])


def test_texts_are_ids_padded_and_cut() -> None:
    tokens, counts = encode(["b a zzz", "", "a a a a", "<pad>"], ("<pad>", "<unk>", "a", "b"), 3)
    assert tokens.tolist() == [[3, 2, 1], [1, 0, 0], [2, 2, 2], [1, 1, 1]]
    assert counts == [3, 0, 4, 3]
    assert tokens.dtype == np.uint16


def test_a_text_task_learns_its_vocabulary_from_the_training_split_alone(here: Path) -> None:
    task = read(here, "text", "texts.csv", length=4, vocabulary=50)
    assert task.signal == Signal("tokens", (4,), "uint16", vocabulary=len(task.legend["tokens"]))
    assert task.target == Target("classes", ("no", "yes"))
    texts = [str(row[0]) for row in text_rows()]
    whole = {tuple(encode([text], task.legend["tokens"], 4)[0][0].tolist()) for text in texts}
    assert {tuple(row) for of in task.splits.values() for row in of.inputs.tolist()} <= whole
    # Numbers that are in one text alone, and words of the other splits, are unknown.
    words = set(task.legend["tokens"]) - {"<pad>", "<unk>"}
    assert words == {"word", *"01234", ",", "said", '"', "and", "left"}
    assert task.notes == (
        "not read: 1 column (id)",
        "60 of 60 texts have more than 4 words: the first are used",
    )
    test_alone = text_rows() + [["only only here here", "no", 0]] * 9
    folder = here / "apart"
    folder.mkdir()
    write(folder / "train.csv", ["text", "label", "id"], text_rows())
    write(folder / "Test.csv", ["text", "label", "id"], test_alone[-20:])
    (folder / "readme.txt").write_text("not rows")
    apart = read(here, "text", "apart")
    assert len(apart.test) == 20
    assert "only" not in apart.legend["tokens"]
    assert "not read: 1 file (readme.txt) beside the splits" in apart.notes


def test_tsv_takes_quotes_as_letters_and_parquet_as_csv(here: Path) -> None:
    rows = [[f'"quoted {k % 3}', k % 2] for k in range(N)]
    text = "\n".join("\t".join(map(str, row)) for row in rows)
    (here / "t.tsv").write_text(text + "\n")
    task = read(here, "text", "t.tsv", columns=["text", "label"])
    assert '"' in task.legend["tokens"]
    assert task.classes == ("0", "1")
    frame = pd.DataFrame(rows, columns=["text", "label"])
    frame.to_parquet(here / "t.parquet")
    assert read(here, "text", "t.parquet").hash == task.hash


# Tables.


def test_a_table_s_columns_are_numbers_or_categories(here: Path) -> None:
    task = read(here, "table", "houses.csv", target="price", time="when")
    assert task.signal == Signal("features", (2,), "float32", categories=(0, 5))
    assert task.target == Target("number", ("price",))
    assert task.legend == {
        "columns": ("rooms", "town"),
        "columns/town": ("unknown", "missing", "A", "B", "C"),
    }
    assert task.notes == ("not read: 1 column (name) with another text in nearly every row",)
    place = {1.5 * k: k for k in range(N)}
    for split in task.splits.values():
        k = np.array([place[price] for price in split.targets])
        rooms = np.where(k % 10 == 0, np.nan, k % 4)
        np.testing.assert_array_equal(split.inputs[:, 0], rooms.astype(np.float32))
        assert split.inputs[:, 1].tolist() == [{0: 2, 1: 3, 2: 4, 3: 1}[n % 4] for n in k]
    last = [max(of.targets) for of in task.splits.values()]
    first = [min(of.targets) for of in task.splits.values()]
    assert last[0] < first[1]
    assert last[1] < first[2]


def test_a_category_that_only_other_splits_have_is_unknown_and_said(here: Path) -> None:
    rows = [[k % 2, "ab"[k % 2] if k < N - 3 else "new", "tvx"[k % 3]] for k in range(N)]
    named = [
        [*row[:2], ["train", "val", "testing"][(k > 30) + (k > 45)]] for k, row in enumerate(rows)
    ]
    write(here / "s.csv", ["y", "letter", "fold"], named)
    task = read(here, "table", "s.csv", target="y", splits="fold", groups=["letter"])
    assert [len(of) for of in task.splits.values()] == [31, 15, 14]
    assert task.legend["columns/letter"] == ("unknown", "a", "b")
    assert sorted(set(task.test.inputs[:, 0].tolist())) == [0, 1, 2]
    assert "1 column (letter) with categories that the training split does not have" in str(task)
    assert task.groups == {"letter": ("a", "b", "new")}
    assert sorted(np.bincount(task.test.groups["letter"]).tolist()) == [3, 5, 6]


def test_group_columns_keep_groups_apart_and_are_no_inputs(here: Path) -> None:
    rows = [[k % 2, k % 7, f"speaker {k % 10}"] for k in range(N)]
    write(here / "g.csv", ["y", "x", "who"], rows)
    task = read(here, "table", "g.csv", target="y", group="who")
    assert task.legend["columns"] == ("x",)
    held = [set(of.groups["who"]) for of in task.splits.values()]
    assert sum(map(len, held)) == len(set.union(*held)) == 10


def test_numbers_can_be_categories_and_columns_left_out(here: Path) -> None:
    options = {"target": "town", "categories": ["rooms"], "leave_out": ["name", "when", "price"]}
    task = read(here, "table", "houses.csv", **options)
    assert task.classes == ("A", "B", "C")
    assert task.signal.categories == (5,)
    assert task.notes == (
        "not read: 15 rows without town",
        "left out: 3 columns (name, when, price)",
    )


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", "2", "-3"], "classes"), (["1.0", "2"], "number"), (["1e3", "2"], "number"),
        (["a", "1.5"], "classes"), (["0.5", "inf"], "classes"), (["1_0.5"], "classes"),
    ],
)  # fmt: skip
def test_floats_are_numbers_and_whole_numbers_classes(cells: list[str], kind: str) -> None:
    assert kind_of_target(cells) == kind


@given(st.datetimes(), st.datetimes(), st.timezones())
def test_times_are_in_the_order_of_the_clock(a: datetime, b: datetime, zone: tzinfo) -> None:
    assert ((instant(a.isoformat()) or 0) < (instant(b.isoformat(" ")) or 0)) == (a < b)
    if 1900 < a.year < 9000:
        there = a.replace(tzinfo=UTC).astimezone(zone)
        assert there.utcoffset() is not None
        assert instant(there.isoformat()) == instant(f"{a.isoformat()}Z")


@pytest.mark.parametrize("cell", ["", "may", "2026-13-01", "2026-02-30", "99999-01-01", "NaT", "0"])
def test_what_is_no_date_is_none(cell: str) -> None:
    assert instant(cell) is None


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False)))
def test_numbers_are_read_as_they_were_written(values: list[float]) -> None:
    assert as_numbers("here", [repr(value) for value in values], "a number").tolist() == values


@given(st.lists(st.sampled_from(["a", "b", "", "NA", "c"])), st.lists(st.sampled_from("abcd")))
def test_categories_come_from_the_training_cells(train: list[str], test: list[str]) -> None:
    names, codes = code_categories({"train": train, "test": test})
    there = sorted({cell for cell in train if cell in "abc" and cell})
    assert [name for name in names if name not in ("unknown", "missing")] == there
    assert [names[code] for code in codes["test"]] == [
        cell if cell in there else "unknown" for cell in test
    ]
    assert ("missing" in names) == bool({"", "NA"} & set(train))


# What is refused.


@pytest.mark.parametrize(
    ("source", "content", "options", "told"),
    [
        ("text", "text,label\na,1\nb\n", {}, r"m.csv, line 3: 1 cells, and there are 2 columns"),
        ("text", "", {}, "does not begin with the names of its columns"),
        ("text", "text,label\n", {}, "has no rows below"),
        ("text", "text,text\na,b\n", {}, "two columns are called 'text'"),
        ("text", "txt,label\na,b\n", {}, "that text names: 'text'; did you mean txt"),
        ("text", "text,lable\na,b\n", {}, "that target names: 'label'; did you mean lable"),
        ("text", b"text,label\n\xff,b\n", {}, "is no UTF-8 text .* save it as UTF-8"),
        ("text", 'text,label\n"a,b\n', {}, "cannot read rows .*: unexpected end of data"),
        ("text", "text,label\na,b\n", {"length": 0}, "length is 1 to 1,048,576 words, got 0"),
        ("text", "text,label\na,b\n", {"length": 10**9}, "length is 1 to"),
        ("text", "text,label\na,b\n", {"vocabulary": 2}, "vocabulary is 3 to 16,777,216"),
        ("text", "text,label\na,b\n", {"separator": "ab"}, "separator is one letter"),
        ("text", "text,label\na,b\n", {"text": 5}, "text is the column of texts, in quotes, got 5"),
        ("text", "text,label\na,b\n", {"size": 5}, r"unknown key of \[task\] 'size'"),
        ("text", "text,label\na,b\na,c\n", {}, "class 'b' has no train example|cannot give"),
        ("table", "x,y\n1,2\n", {}, "needs a target: the column"),
        ("table", "y\n" + "1\n2\n" * 9, {"target": "y"}, "no column of .* is left as an input"),
        ("table", "x,y\n" + "1,a\n2,b\n3,a\n1e99,b\n" * 9, {"target": "y"}, r"holds 1e\+99"),
        ("table", "x,y\n" + "1,a\n2,b\n3,a\n1;4,b\n" * 9, {"target": "y"}, "and '1;4' among them"),
        ("table", "x,y\n1,1.5\n2,b\n", {"target": "y", "kind_of_target": "number"}, "got 'b'"),
        ("table", "x,y\n1,a\n", {"target": "y", "kind_of_target": "n"}, '"classes" or "number"'),
        ("table", "x,y\n1,a\n", {"target": "y", "group": "x", "time": "x"}, "leave one of the two"),
        ("table", "x,y,d\n" + "1,a,may\n" * 9, {"target": "y", "time": "d"}, "date as .*may"),
        ("table", "x,y,s\n1,a,tr\n", {"target": "y", "splits": "s"}, "says each row's split"),
        ("table", "x,y,s\n1,a,test\n", {"target": "y", "splits": "s"}, "no row of the train"),
        ("table", "x,y\n1,?\n", {"target": "y"}, "no row of train has a value in y"),
        (
            "table",
            "x,y,s\n" + "1,a,train\n2,b,train\n3,c,test\n" * 3,
            {"target": "y", "splits": "s"},
            "test has y c, which train has not",
        ),
        (
            "table",
            "x,y\n" + "".join(f"{k % 3},{k}\n" for k in range(99)),
            {"target": "y"},
            "99 whole numbers, most of them once: say kind_of_target",
        ),
    ],
)  # fmt: skip
def test_rows_that_make_no_task_are_refused_in_one_sentence(
    tmp_path: Path, source: str, content: str | bytes, options: dict[str, Any], told: str
) -> None:
    data = content.encode() if isinstance(content, str) else content
    (tmp_path / "m.csv").write_bytes(data)
    with pytest.raises(NasbenchError, match=told) as refused:
        read(tmp_path, source, "m.csv", **options)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 500


def test_files_that_are_no_rows_are_refused(here: Path) -> None:
    (here / "bad.parquet").write_bytes(b"PAR1 not at all PAR1")
    with pytest.raises(NasbenchError, match=r"cannot read rows .*bad.parquet as parquet"):
        read(here, "table", "bad.parquet", target="y")
    pd.DataFrame({"x": [[1], [2]], "y": [1, 2]}).to_parquet(here / "lists.parquet")
    with pytest.raises(NasbenchError, match="column x is of list"):
        read(here, "table", "lists.parquet", target="y")
    (here / "rows.xlsx").write_bytes(b"")
    with pytest.raises(NasbenchError, match=r"read from .csv, .tsv, .parquet files, got"):
        read(here, "table", "rows.xlsx", target="y")
    with pytest.raises(NasbenchError, match=r"cannot read rows .*absent.csv: No such file"):
        read(here, "table", "absent.csv", target="y")
    (here / "empty").mkdir()
    with pytest.raises(NasbenchError, match=r"has no train.csv"):
        read(here, "table", "empty", target="y")


def test_cells_beyond_memory_are_refused(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nasbench.task.cells.memory", lambda: 20_000)
    with pytest.raises(NasbenchError, match=r"too large: its cells take more than .* half of"):
        read(here, "table", "houses.csv", target="price")
