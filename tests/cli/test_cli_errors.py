"""Bad input: one clear sentence on stderr, exit status 2, nothing half-written."""

from __future__ import annotations

import re

import pytest

CASES = {
    "unknown space": (("space", "nb202"), "nb201"),
    "unknown table": (("info", "nb201-fasion16"), "unknown table"),
    "no such file": (("info", "nowhere/table.h5"), "there is no table file nowhere/table.h5"),
    "unknown strategy": (
        ("search", "randm_search", "--table", "TABLE", "--budget-evaluations", "3"),
        "did you mean random_search",
    ),
    "unknown parameter": (
        ("search", "reinforce", "--table", "TABLE", "--budget-evaluations", "3", "--set", "rate=1"),
        "parameter of reinforce 'rate'",
    ),
    "setting without a value": (
        ("search", "reinforce", "--table", "TABLE", "--budget-evaluations", "3", "--set", "x"),
        "NAME=VALUE",
    ),
    "unknown metric": (
        (
            *("search", "random_search", "--table", "TABLE", "--budget-evaluations", "3"),
            *("--metric", "valid_acuracy"),
        ),
        "did you mean valid_accuracy",
    ),
    "unknown device": (
        (
            *("search", "random_search", "--table", "TABLE", "--budget-evaluations", "3"),
            *("--metric", "cpu-onnx-b1/latency_ms"),
        ),
        "did you mean cpu-onnxruntime-b1",
    ),
    "test metric": (
        (
            *("search", "random_search", "--table", "TABLE", "--budget-evaluations", "3"),
            *("--metric", "test_accuracy"),
        ),
        "no search may see it",
    ),
    "a word where a number is": (
        ("search", "random_search", "--table", "TABLE", "--workers", "two"),
        "'--workers': Input should be a valid integer",
    ),
    "a number out of range": (
        ("search", "random_search", "--table", "TABLE", "--workers", "0"),
        "greater than or equal to 1",
    ),
    "unknown option": (("search", "random_search", "--nix", "3"), "No such option"),
    "no such command": (("seek",), "No such command 'seek'"),
    "no budget": (("search", "random_search", "--table", "TABLE"), "needs a budget"),
    "no oracle": (("search", "random_search", "--budget-evaluations", "3"), "name one of"),
    "negative budget": (
        ("search", "random_search", "--table", "TABLE", "--budget-seconds", "-1"),
        "more than 0",
    ),
    "tiny budget": (
        ("search", "random_search", "--table", "TABLE", "--budget-seconds", "1e-9"),
        "give a larger one",
    ),
    "malformed limit": (
        (
            *("search", "random_search", "--table", "TABLE", "--budget-evaluations", "3"),
            *("--limit", "latency<5"),
        ),
        "METRIC<=NUMBER",
    ),
    "malformed cell": (
        ("query", "TABLE", "|skip_connect~0|+|skip_conect~0|none~1|"),
        "at character 18",
    ),
    "architecture out of range": (("query", "TABLE", "27"), "0 to 26"),
    "unknown recipe of a table": (("query", "TABLE", "1", "--recipe", "200ep"), "2ep"),
    "epoch beyond the recipe": (("query", "TABLE", "1", "--epoch", "9"), "after 9 epochs"),
    "not a surrogate": (("surrogate", "score", "RECIPE", "TABLE"), "not a surrogate"),
    "too many rows": (
        ("surrogate", "fit", "TABLE", "--train", "999", "--out", "OUT/s.json"),
        "fitted on 2 to",
    ),
    "no comparison": (("report", "TABLE", "--compare", "OUT", "--out", "OUT/p"), "no comparison"),
    "folder under a file": (
        (
            *("compare", "--table", "TABLE", "--strategies", "random_search"),
            *("--budget-evaluations", "2", "--seeds", "1", "--processes", "1"),
            *("--out", "TABLE/inside"),
        ),
        "cannot write",
    ),
    "build under a file": (("build", "RECIPE", "--out", "TABLE/inside.h5"), "there is no folder"),
    "a table named as JSON": (("build", "RECIPE", "--out", "OUT/t.json"), "name it t.h5"),
    "JSON named as a table": (
        ("surrogate", "fit", "TABLE", "--out", "OUT/s.h5"),
        "named as a table, and a JSON file is to be written: name it s.json",
    ),
    "malformed shard": (("build", "RECIPE", "--out", "OUT/t.h5", "--shard", "9/8"), "as in 3/64"),
    "no shards": (("assemble", "RECIPE", "--out", "OUT/t.h5"), "there are no shards in"),
    "unknown executor": (
        ("build", "RECIPE", "--out", "OUT/t.h5", "--executor", "rays"),
        "did you mean ray",
    ),
    "no such recipe": (("build", "nowhere.toml", "--out", "OUT/t.h5"), "no recipe file"),
    "unknown hardware": (
        ("build", "RECIPE", "--out", "OUT/t.h5", "--hardware", "abacus", "--workers", "1"),
        "no hardware 'abacus'",
    ),
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.replace(" ", "-"))
def test_one_sentence(cli, table, recipe, tmp_path, case):
    words, expected = CASES[case]
    places = {"TABLE": table, "RECIPE": recipe, "OUT": tmp_path}
    for name, path in places.items():
        words = [word.replace(name, str(path)) for word in words]
    before = sorted(p for p in tmp_path.rglob("*") if ".build" not in str(p))
    done = cli(*words)
    assert done.status == 2
    assert done.out == ""
    assert expected in done.err
    assert done.err.startswith("nasbench: ")
    assert done.err.count("\n") == 1, "one line"
    assert "Traceback" not in done.err
    assert sorted(p for p in tmp_path.rglob("*") if ".build" not in str(p)) == before


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("epoch = 3", "did you mean epochs"),
        ("epochs = -3", "epochs must be more than 0"),
        ("epochs = 2.5", "epochs must be int"),
        ("epochs = 2\ntrain_images = 10000", "has 1150 train images"),
        ("epochs = ", "is not TOML"),
    ],
)
def test_a_recipe_with_a_fault_is_named_with_its_file(cli, tmp_path, line, expected):
    path = tmp_path / "mine.toml"
    path.write_text(f'space = "nb201-mini"\ntask = "digits"\n[recipe.a]\n{line}\n')
    done = cli("build", path, "--out", tmp_path / "t.h5")
    assert done.status == 2
    assert re.search(rf"{re.escape(str(path))}.*{re.escape(expected)}", done.err)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.toml"]
