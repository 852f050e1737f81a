"""Tables of spaces of any size: rows are kept by their decisions, in kilobytes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hostile_tables import forged, in_format_1
from made_up_curves import curves_of

import nasbench as nb
from nasbench.errors import DamagedFile, NasbenchError
from nasbench.importers import import_table
from nasbench.search import Budget, Fidelity, Goal, RunSpec, TableOracle, search
from nasbench.space import ChoiceSpace, Space
from nasbench.table import Dataset, Table, write_table
from nasbench.table.dumping import dump
from nasbench.table.merging import merge

SPACES = {
    "8^9": ChoiceSpace("widths", {f"layer{n}": range(8) for n in range(9)}),
    "13^40": ChoiceSpace("endless", {f"edge{n}": range(13) for n in range(40)}),
    "many": ChoiceSpace("pairs", {f"pair{n}": range(490) for n in range(3)}),
    "ruled": ChoiceSpace(
        "ruled",
        {
            "depth": [1, 2, 3],
            **{f"k{n}": range(7) for n in range(3)},
            **{f"w{n}": range(9) for n in range(20)},
        },
        only_if={f"k{n}": {"depth": [d for d in (1, 2, 3) if d > n]} for n in (1, 2)},
        never=[{"depth": 3, "k0": 6}],
    ),
}


def made(path: Path, space: Space, n: int = 60, *, seed: int = 0, name: str = "part") -> Table:
    rng = np.random.default_rng(seed)
    rows = np.unique(space.sample(rng, n))
    curves = np.sort(rng.random((len(rows), 2, 3)).astype(np.float32) * 97)
    return write_table(
        path,
        name=name,
        space=space,
        rows=rows,
        sharing="canonical",
        recipes={"r": {"epochs": 3, "seeds": [0, 1]}},
        datasets={
            **curves_of(
                "r", valid_accuracy=curves, test_accuracy=curves + 1, train_seconds=curves + 2
            ),
            "device/board/latency_ms": Dataset(rng.random(len(rows)), {"kind": "measured"}),
        },
        devices={"board": {}},
    )


@pytest.fixture(scope="module", params=SPACES)
def table(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Table:
    return made(tmp_path_factory.mktemp("any") / "part.h5", SPACES[request.param])


def test_rows_are_found_by_their_architectures(table: Table) -> None:
    space = table.space
    assert table.path.stat().st_size < 40_000
    assert table.row(table.rows).tolist() == list(range(len(table.rows)))
    assert table.architectures.tolist() == sorted(table.rows.tolist())
    others = np.unique(space.sample(np.random.default_rng(9), 50))
    others = others[~np.isin(others.tolist(), table.rows.tolist())]
    assert (table.row(others) == -1).all()
    find = table.row_finder()
    both = [*table.rows.tolist(), *others.tolist()]
    assert [find(one) for one in both] == table.row(both).tolist()
    values = table.values("valid_accuracy", table.rows)
    one = int(table.rows[7])
    assert table.values("valid_accuracy", one) == values[7]
    assert np.isnan(table.values("valid_accuracy", int(others[0])))
    assert table.why("valid_accuracy", int(others[0])) == "not in the table"
    for wrong in (-1, space.size):
        with pytest.raises(NasbenchError, match="has architectures 0 to"):
            table.row([wrong])
    table.verify()


def test_frames_and_best_rows_say_strings_that_are_read_back(table: Table) -> None:
    best = table.top(3)
    values = table.values("valid_accuracy", table.rows)
    assert best["architecture"][0] == table.rows[values.argmax()]
    assert table.space.index(best["string"][0]) == best["architecture"][0]
    assert len(table.frame("epoch")) == len(table.rows) * 6
    assert len(table.curve(int(table.rows[0]))) == 3


def toml(space: ChoiceSpace) -> str:
    """The space as a file; JSON writes lists and texts as TOML does."""
    decisions = [f"{name} = {json.dumps(list(of))}" for name, of in space.values.items()]
    needs = [
        f"{name} = {{ {', '.join(f'{other} = {of}' for other, of in on.items())} }}"
        for name, on in space.rules.only_if.items()
    ]
    never = [f"[[never]]\n{name} = {of}" for rule in space.rules.never for name, of in rule.items()]
    never = ["[[never]]", *(line.split("\n")[1] for line in never)] if never else []
    lines = [f'name = "{space.name}"', "[decisions]", *decisions, "[only_if]", *needs, *never]
    return "\n".join(lines)


@pytest.mark.parametrize("kind", ["csv", "npz", "parquet"])
def test_what_is_written_for_others_comes_back(table: Table, tmp_path: Path, kind: str) -> None:
    out, space = tmp_path / f"out.{kind}", tmp_path / "space.toml"
    assert isinstance(table.space, ChoiceSpace)
    space.write_text(toml(table.space))
    dump(table, out, to=kind)
    again = import_table(kind, out, tmp_path / "again.h5", space=str(space))
    assert again.architectures.tolist() == table.architectures.tolist()
    first = table.values("valid_accuracy", table.rows)
    assert np.array_equal(again.values("valid_accuracy", table.rows), first)


def test_tables_are_merged_and_compared(table: Table, tmp_path: Path) -> None:
    other = made(tmp_path / "other.h5", table.space, 40, seed=1, name="other")
    whole = merge([table, other], tmp_path / "whole.h5", name="whole")
    assert set(whole.rows.tolist()) == {*table.rows.tolist(), *other.rows.tolist()}
    first = table.values("valid_accuracy", table.rows)
    assert np.array_equal(whole.values("valid_accuracy", table.rows), first)


def test_a_search_among_the_rows_of_an_endless_space(table: Table) -> None:
    goal = Goal("valid_accuracy", Budget(30), (Fidelity("r", 3, (3,)),))
    run = search(RunSpec("random_search", goal, 0, among_rows=True), TableOracle(table))
    assert {e.query.architecture for e in run.evaluations} <= set(table.rows.tolist())
    assert len(run.evaluations) == 30
    assert run.best in table.rows.tolist()
    assert run.trace().incumbents()[-1] == run.best


def test_searches_of_an_endless_space_are_compared(table: Table, tmp_path: Path) -> None:
    """The runs that are kept are read back, and what they found is looked up."""
    asks = {"budget_evaluations": 8, "among_rows": True, "seeds": range(3), "workers": 1}
    start = [int(table.rows[-1])]
    for _ in range(2):
        found = nb.compare(
            ["random_search", "regularized_evolution"],
            table,
            out=tmp_path,
            progress=False,
            start=start,
            **asks,
        )
        rows = table.row(found.last["random_search"])
        assert (rows >= 0).all()
        summary = found.summary()["strategies"]["regularized_evolution"]
        assert summary["distinct"]["mean"] <= 8
        assert summary["regret"]["mean"] >= 0


def test_what_cannot_be_built_is_missing_for_ever(tmp_path: Path) -> None:
    small = ChoiceSpace("small", {"a": [1, 2], "b": [1, 2]}, never=[{"a": 2, "b": 2}])
    table = made(tmp_path / "small.h5", small, 2, seed=1)
    missing = table.missing("valid_accuracy")
    assert missing[3] == "never: the rules of its space say that it cannot be built"
    assert table.why("valid_accuracy", 3) == missing[3]
    assert set(missing.values()) == {missing[3], "not in the table"}


def test_both_formats_say_the_same(table: Table, tmp_path: Path) -> None:
    if not table.space.size <= 2**20:
        table = made(tmp_path / "small.h5", ChoiceSpace("s", {"a": range(9), "b": range(9)}))
    old = in_format_1(table, tmp_path / "old.h5")
    assert old.manifest["content_sha256"] == table.manifest["content_sha256"]
    assert old.rows.tolist() == table.rows.tolist()
    assert old.row_of.tolist() == table.row_of.tolist()
    assert old.frame().equals(table.frame().astype(old.frame().dtypes))


@pytest.mark.parametrize("fault", ["twice", "beyond", "not canonical"])
def test_rows_that_do_not_fit_are_refused(tmp_path: Path, fault: str) -> None:
    space = SPACES["ruled"]
    table = made(tmp_path / "sound.h5", space)

    def change(_: object, datasets: dict[str, Dataset]) -> None:
        ops = datasets["ops"].values
        if fault == "twice":
            ops[1] = ops[0]
        elif fault == "beyond":
            ops[0, 5] = 200
        else:
            ops[0, :4] = (0, 0, 3, 0)

    opened = Table(forged(tmp_path / "forged.h5", table, change))
    for use in (opened.verify, lambda: opened.architectures):
        with pytest.raises(DamagedFile, match="its rows do not fit its space"):
            use()


def test_a_table_of_a_smaller_space_goes_into_one_of_a_larger(tmp_path: Path) -> None:
    decisions = {f"edge{n}": range(13) for n in range(40)}
    small = ChoiceSpace("small", {**decisions, "edge0": range(2)})
    first = made(tmp_path / "first.h5", small)
    second = made(tmp_path / "second.h5", SPACES["13^40"], seed=1)
    tables = [first, second]
    with pytest.raises(NasbenchError, match="only tables over one space can be merged"):
        merge(tables, tmp_path / "no.h5")
    whole = merge(tables, tmp_path / "whole.h5", lift=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first.h5", "second.h5", "whole.h5"]
    assert whole.space.size == 13**40
    strings = [small.string(one) for one in first.rows.tolist()]
    lifted = [whole.space.index(string) for string in strings]
    expected = first.values("valid_accuracy", first.rows)
    assert np.array_equal(whole.values("valid_accuracy", lifted), expected)
    assert whole.manifest["sources"][0]["lifted_from"]["sha256"] == first.sha256
    other = made(tmp_path / "other.h5", SPACES["8^9"])
    with pytest.raises(NasbenchError, match="layer0"):
        merge([other, second], tmp_path / "no.h5", lift=True)


def test_what_smaller_spaces_chose_of_decisions_that_they_lack_is_said(tmp_path: Path) -> None:
    small = ChoiceSpace("small", {f"edge{n}": range(13) for n in range(39)})
    first = made(tmp_path / "first.h5", small)
    second = made(tmp_path / "second.h5", SPACES["13^40"], seed=1)
    with pytest.raises(NasbenchError, match=r"of a merge by --lift-with edge39=CHOICE"):
        merge([first, second], tmp_path / "no.h5", lift=True)
    whole = merge([first, second], tmp_path / "whole.h5", lift={"edge39": 7})
    lifted = [whole.space.index(f"{small.string(one)}:7") for one in first.rows.tolist()]
    expected = first.values("valid_accuracy", first.rows)
    assert np.array_equal(whole.values("valid_accuracy", lifted), expected)
