"""Every kind of page begins with answers, doubts, and what makes it again; calls do."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from beginnings import check_beginning

import nasbench
import nasbench as nb
from nasbench.building import tested
from nasbench.building.call import choose
from nasbench.building.exporting import Exported
from nasbench.report.again import report_commands
from nasbench.report.calls import choose_call, fit_call, score_call, search_call
from nasbench.report.result_briefs import brief_of
from nasbench.report.sections import Brief
from nasbench.surrogate import Surrogate
from nasbench.table import Dataset, Table, write_table

pytestmark = pytest.mark.heavy

POLICIES = "policy-cartpole"
GIVEN: dict[str, Any] = {"budget_evaluations": 3, "seeds": [0]}
SOURCES = {
    path: path.read_text(encoding="utf-8") for path in Path(nasbench.__file__).parent.rglob("*.py")
}
WITH_PAGES = {"Comparison", "Comparisons", "Judgement", "Shares", "Table"}
"""Results whose page has a beginning of its own; others' are in `result_briefs`."""


def scored(folder: Path) -> Table:
    rng, space = np.random.default_rng(0), nb.space("nb201-mini")
    rows = space.representatives
    accuracy = rng.normal(70, 5, (len(rows), 2, 1))
    return write_table(
        folder / "scored.h5",
        name="scored",
        space=space,
        rows=rows,
        sharing="canonical",
        recipes={"r": {"epochs": 1, "seeds": [0, 1]}},
        datasets={
            "recipe/r/valid_accuracy": Dataset(accuracy, {"kind": "trained", "epochs": [1]}),
            "proxy/one": Dataset(rng.normal(size=len(rows)), {"kind": "computed"}),
            "proxy/two": Dataset(rng.normal(size=len(rows)), {"kind": "computed"}),
        },
    )


def exported(folder: Path) -> Exported:
    chosen = choose("nb201-fashion16", 5)
    return Exported(
        chosen, folder / "net.onnx", 1e-6, 80.0, tested.Tested("accuracy", 79.5, 78, 81, 90)
    )


MADE: dict[str, Callable[[Path], Any]] = {
    "run": lambda _: nb.search(
        "regularized_evolution",
        "nb201-fashion16",
        budget_evaluations=6,
        seed=3,
        parameters={"population_size": 4},
        limits={"parameters": (None, 30_000)},
    ),
    "surrogate": lambda _: nb.fit(POLICIES, train=20, metric="parameters"),
    "score": lambda of: nb.score(
        nb.fit(POLICIES, of / "SURROGATE.json", train=20, metric="parameters"), nb.load(POLICIES)
    ),
    "sizes": lambda _: nb.score(
        POLICIES, metric="parameters", sizes=[10], draws=1, predictors=["ridge"]
    ),
    "choice": lambda _: nb.choose("nb201-fashion16", within=1, least="parameters"),
    "weighed": lambda _: nb.choose(
        "nb201-fashion16",
        weights={"valid_accuracy": 10, "parameters": 1},
        limits={"parameters": (None, 30_000)},
        reference=1462,
    ),
    "table": lambda _: nb.load(POLICIES),
    "comparison": lambda _: nb.compare(["random_search"], POLICIES, metric="return", **GIVEN),
    "tables": lambda _: nb.compare(["random_search"], [POLICIES], metric="return", **GIVEN),
    "proxies": lambda of: nb.judge_proxies(scored(of)),
    "exported": exported,
}


@pytest.mark.parametrize("kind", MADE)
def test_every_kind_of_page_begins_alike_and_its_command_makes_it_again(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    page = MADE[kind](tmp_path).report(tmp_path / "page")
    commands = check_beginning(
        page, "" if kind in ("surrogate", "sizes", "proxies") else " of 2026-11-"
    )
    again = [command for command in commands if command.startswith("nb.")]
    if again and kind != "exported":  # which would train
        assert eval(again[0], {"nb": nb}).read_bytes() == page.read_bytes()


def test_calls_name_a_shipped_sample_as_it_is_loaded() -> None:
    sample = nb.load("mixed-fashion16")
    assert sample.name != "mixed-fashion16"
    fitted = nb.fit(sample, train=20, metric="parameters")
    run = nb.search("random_search", sample, budget_evaluations=2, among_rows=True)
    chosen = nb.choose(sample, within=5, least="parameters")
    calls = [
        fit_call(fitted),
        score_call(nb.score(fitted, sample)),
        search_call(run),
        choose_call(chosen),
        *report_commands(sample, None, [], scored=False),
    ]
    assert all(re.search("[' ]mixed-fashion16[' ]", call) for call in calls), calls
    own = {"name": "own", "sha256": "0" * 64}
    assert fit_call(Surrogate({**fitted.document, "table": own})).startswith("nb.fit('TABLE.h5', ")


def test_a_page_to_look_around_in_begins_alike(tmp_path: Path) -> None:
    (command,) = check_beginning(nb.explore(POLICIES, tmp_path), " of 2026-11-30")
    assert command == f"nasbench explore {POLICIES} --out DIR"


def test_no_kind_of_result_was_forgotten() -> None:
    kinds = re.compile(r"^class (\w+)\((?:\w+, )?(?:Result|Facts)\)", re.M)
    known = {name for text in SOURCES.values() for name in kinds.findall(text)} - {"Facts"}
    assert known >= WITH_PAGES
    assert known - WITH_PAGES - {"Exported"} == {kind.__name__ for kind in brief_of.registry} - {
        "object",
        "Facts",  # of which files are the one kind
    }


def test_no_page_is_written_past_the_one_place() -> None:
    """Whoever writes a page has a `Brief`, which has no empty part."""
    assert {path.stem for path, text in SOURCES.items() if ".get_template(" in text} == {
        "sections",
        "explore",
    }
    whole: dict[str, Any] = {
        "answers": [("A", "a")],
        "cannot": "b",
        "commands": ["c"],
        "made_from": "d",
    }
    for name in whole:
        with pytest.raises(ValueError, match="a page begins with"):
            Brief(**{**whole, name: type(whole[name])()})
