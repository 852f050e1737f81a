"""From the first command at a new task to a search that begins with others' winners."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from earlier_tasks import MakeTask, write_task

from nasbench.cli import main
from nasbench.space import ChoiceSpace, get

pytestmark = pytest.mark.heavy

SPACE = get("nb201-mini")
N = SPACE.unique
Nasbench = Callable[..., tuple[int, str, str]]


@pytest.fixture
def nasbench(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Nasbench:
    """Runs `nasbench` with these words: status, stdout, stderr."""

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["nasbench", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            main()
        return (int(left.value.code or 0), *capsys.readouterr())

    return run


@pytest.fixture
def earlier(make_task: MakeTask, tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    base = rng.permutation(N) + 20.0
    make_task("near", base + rng.normal(0, 1, N), task={"name": "digits-like", "classes": ["a"]})
    make_task("far", rng.permutation(N) + 20.0)
    write_task(tmp_path / "new.h5", base)
    return tmp_path / "earlier"


def test_the_whole_way_of_a_new_task(nasbench: Nasbench, earlier: Path, tmp_path: Path) -> None:
    landmarks, journal, start = (tmp_path / name for name in ("l.txt", "l.jsonl", "s.txt"))
    new = tmp_path / "new.h5"
    status, out, _ = nasbench("transfer", "list", earlier)
    assert status == 0
    assert "near" in out
    assert "digits-like" in out

    status, out, _ = nasbench("transfer", "landmarks", earlier, "-n", 8, "--out", landmarks)
    assert f"--start {landmarks} --budget-evaluations 8" in out
    common = ("--table", new, "--start", landmarks, "--budget-evaluations", 8)
    status, out, _ = nasbench("search", "random_search", *common, "--out", journal, "--json")
    assert status == 0
    assert json.loads(out)["distinct"] == 8

    status, out, _ = nasbench("transfer", "similar", earlier, journal, "--json")
    found = json.loads(out)["similar"]
    assert [of["task"] for of in found] == ["near", "far"]
    assert found[0]["spearman"]["n"] == 8
    assert found[0]["feature"] == f"table:{earlier / 'near.h5'}@8ep"

    command = ("transfer", "start", earlier, journal, "--top", 3, "--out", start, "--json")
    status, out, _ = nasbench(*command)
    chosen = json.loads(out)["architectures"]
    assert start.read_text().splitlines()[1:] == [SPACE.string(a) for a in chosen]
    begun = ("search", "local_search", "--table", new, "--start", start, "--json")
    status, out, _ = nasbench(*begun, "--budget-evaluations", 12)
    assert status == 0
    assert json.loads(out)["spec"]["start"] == chosen
    assert json.loads(out)["valid_accuracy"] > 80

    out_folder = tmp_path / "compared"
    compared = ("compare", "--table", new, "--strategies", "random_search", "--start", start)
    more = ("--budget-evaluations", 6, "--seeds", 2, "--processes", 1, "--out", out_folder)
    status, out, _ = nasbench(*compared, *more)
    assert status == 0
    assert json.loads((out_folder / "comparison.json").read_text())["setting"]["start"] == chosen


def test_without_a_target_the_best_over_all_is_the_start(
    nasbench: Nasbench, earlier: Path, tmp_path: Path
) -> None:
    status, out, _ = nasbench("transfer", "start", earlier, "--out", tmp_path / "s.txt")
    assert status == 0
    assert "the best 10 of the mean rank over far, near" in out
    assert len((tmp_path / "s.txt").read_text().splitlines()) == 11


def test_a_description_beside_a_table_tells_more_of_it(nasbench: Nasbench, earlier: Path) -> None:
    before = json.loads(nasbench("transfer", "list", earlier, "--json")[1])["tasks"]["far"]
    assert before["features"] == {}
    assert nasbench("transfer", "describe", "digits", "--out", earlier / "far.json")[0] == 0
    after = json.loads(nasbench("transfer", "list", earlier, "--json")[1])["tasks"]["far"]
    assert after["task"] == "digits"
    assert after["features"]["classes"] == 10
    _, out, error = nasbench("transfer", "similar", earlier, "digits", "--json")
    assert "far is of digits itself: it is left out" in error
    assert [of["task"] for of in json.loads(out)["similar"]] == ["near"]


@pytest.mark.drawn
def test_evaluate_writes_a_page_and_prints_what_is_saved(
    nasbench: Nasbench, earlier: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    words = ("transfer", "evaluate", earlier, "--strategies", "random_search", "--seeds", 3)
    sizes = ("--budget-evaluations", 12, "--top", 3, "--landmarks", 5, "--out", out)
    status, printed, _ = nasbench(*words, *sizes)
    assert status == 0
    assert "At the whole budget: most similar" in printed
    assert printed.splitlines()[-1] == str(out / "index.html")
    assert (out / "savings.csv").exists()
    document = json.loads(nasbench(*words, *sizes, "--json")[1])
    assert document == json.loads((out / "transfer.json").read_text())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "names no architecture"),
        ("# nothing\n", "names no architecture"),
        ("5\nnor_conv\n", "line 2: .*nor_conv"),
        ("125\n", "line 1: nb201-mini has architectures 0 to 124"),
    ],
)
def test_a_start_that_cannot_be_read_is_told(
    nasbench: Nasbench, earlier: Path, tmp_path: Path, text: str, why: str
) -> None:
    start = tmp_path / "s.txt"
    start.write_text(text)
    common = ("search", "random_search", "--table", tmp_path / "new.h5", "--start", start)
    status, out, error = nasbench(*common, "--budget-evaluations", 3)
    assert (status, out) == (2, "")
    assert error.count("\n") == 1
    assert re.search(why, error)


def test_what_cannot_be_used_is_one_sentence(
    nasbench: Nasbench, earlier: Path, tmp_path: Path
) -> None:
    start = ("--out", tmp_path / "s.txt")
    for words, why in (
        (("list", tmp_path / "none"), "is no folder"),
        (("similar", earlier, "digit"), "did you mean digits"),
        (("start", earlier, *start, "--landmarks", tmp_path / "new.h5"), "name it as TARGET"),
        (("start", earlier, tmp_path / "no.jsonl", *start), "there is no file"),
        (("evaluate", earlier, *start, "--strategies", "random"), "did you mean random_search"),
    ):
        status, out, error = nasbench("transfer", *words)
        assert (status, out) == (2, "")
        assert error.startswith("nasbench: ")
        assert error.count("\n") == 1
        assert why in error


def test_a_folder_of_tables_of_the_task_itself_is_told(
    nasbench: Nasbench, make_task: MakeTask, tmp_path: Path
) -> None:
    base = np.random.default_rng(0).permutation(N) + 20.0
    make_task("mine", base)
    write_task(tmp_path / "new.h5", base)
    start = ("--out", tmp_path / "s.txt")
    status, out, err = nasbench(
        "transfer", "start", tmp_path / "earlier", tmp_path / "new.h5", *start
    )
    assert (status, out) == (2, "")
    assert f"every table of {tmp_path / 'earlier'} (mine) is of new itself" in err
    assert err.count("\n") == 1
    assert not (tmp_path / "s.txt").exists()


@pytest.mark.parametrize("name", ["digits-like", "near"])
def test_a_target_may_be_one_of_the_repository(
    nasbench: Nasbench, earlier: Path, name: str
) -> None:
    status, out, err = nasbench("transfer", "similar", earlier, name, "--json")
    assert status == 0, err
    assert "near is of digits-like itself: it is left out" in err
    assert [of["task"] for of in json.loads(out)["similar"]] == ["far"]
    status, _, err = nasbench("transfer", "similar", earlier, "nere")
    assert status == 2
    assert "near" in err


def test_spaces_that_nobody_can_list_have_earlier_tasks_too(
    nasbench: Nasbench, tmp_path: Path
) -> None:
    large = ChoiceSpace("large", {f"d{n}": range(9) for n in range(40)})
    rows = large.sample(np.random.default_rng(0), 30)
    worth = np.arange(30.0)
    (tmp_path / "earlier").mkdir()
    for name, accuracy in (("up", worth), ("nearly", worth + worth % 3), ("down", -worth)):
        place = tmp_path / "earlier" / f"{name}.h5"
        write_task(place, 50 + accuracy, space=large, rows=rows, task={"name": name})
    status, out, err = nasbench("transfer", "similar", tmp_path / "earlier", "up", "--json")
    assert status == 0, err
    assert [of["task"] for of in json.loads(out)["similar"]] == ["nearly", "down"]
    start = tmp_path / "start.txt"
    words = ("transfer", "start", tmp_path / "earlier", "up", "--top", 2, "--out", start, "--json")
    best = sorted(range(30), key=lambda place: -(place + place % 3))[:2]
    assert json.loads(nasbench(*words)[1])["architectures"] == [int(rows[place]) for place in best]
    words = ("transfer", "landmarks", tmp_path / "earlier", "-n", 6, "--out", start, "--json")
    assert set(json.loads(nasbench(*words)[1])["landmarks"]) <= set(rows.tolist())
