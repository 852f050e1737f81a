"""What a build ends with: what was found, and commands that work."""

import shlex
import shutil

import nasbench as nb
from nasbench.cli.found import found_in, next_of
from nasbench.stats import seed_noise
from nasbench.table import trained_seeds


def test_the_best_is_that_of_the_table_and_the_noise_that_of_its_seeds(table):
    opened = nb.load(table)
    found = dict(found_in(opened))
    best = opened.top(1).iloc[0]
    assert found["best"].startswith(f"{best.string} ({best.architecture}): valid_accuracy")
    assert found["best"].endswith(", mean of 2 seeds")
    noise = seed_noise(trained_seeds(opened, "valid_accuracy"))
    assert f"less than {noise.floor:.2g} behind" in found["noise"]


def test_what_is_said_to_do_next_can_be_done(table, recipe, cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    moved = shutil.copy(table, tmp_path / "my table.h5")
    commands = [shlex.split(line) for _, line in next_of(nb.load(moved), str(recipe))]
    assert [words[1] for words in commands] == ["report", "compare", "export"]
    for words in commands:
        few = ["--seeds", "2", "--processes", "1"] if words[1] == "compare" else []
        done = cli(*words[1:], *few)
        assert done.status == 0, done.err
    assert (tmp_path / "best.onnx").exists()


def test_a_table_of_costs_alone_is_judged_by_the_first(tmp_path, cli):
    sheet = tmp_path / "costs.csv"
    rows = "\n".join(f"{number},{9 - number}" for number in range(4))
    sheet.write_text(f"architecture,device/npu/latency_ms\n{rows}\n")
    made = cli("import", "csv", sheet, "--space", "nb201-mini", "--out", tmp_path / "costs.h5")
    assert made.status == 0, made.err
    opened = nb.load(tmp_path / "costs.h5")
    ((_, best),) = found_in(opened)
    assert best.endswith("(3): npu/latency_ms 6")
    assert next_of(opened) == [("next", f"nasbench report {opened.path} --out page")]
