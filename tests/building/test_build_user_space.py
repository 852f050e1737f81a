"""A space in a file of the user's own is built as those that ship are."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import zygote
from user_space import MY_SPACE, RECIPE, written

import nasbench as nb
from nasbench.building import Shard, assemble_shards, build, read_spec, train_shard
from nasbench.building.retrain import retrain
from nasbench.errors import NasbenchError
from nasbench.network import network
from nasbench.table import Table


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("own"))


@pytest.fixture(scope="module")
def table(recipe: Path) -> Table:
    return build(read_spec(recipe), recipe.with_name("T.h5"), processes=1)


def test_a_table_has_a_row_for_each_network(recipe: Path, table: Table) -> None:
    space = read_spec(recipe).space
    assert table.rows.tolist() == space.representatives.tolist()
    assert len(table.rows) == 6  # depth 1 or 2, kernel2 where it is 2, drop
    spec = read_spec(recipe)
    for row in table.rows.tolist():
        net = network(space, row, spec.task, spec.recipes["r"])
        [counted] = table.values("parameters", [row])
        assert counted == sum(p.numel() for p in net.parameters())


def test_its_manifest_holds_the_file_and_opening_it_runs_nothing(
    recipe: Path, table: Table, tmp_path: Path
) -> None:
    family = table.manifest["family"]
    assert family["name"] == "my_space.py"
    assert family["text"] == MY_SPACE
    assert "text" not in table.manifest["recipe_file"]["family"]
    assert str(recipe.parent) not in json.dumps(table.manifest)
    assert table.manifest["recipes"]["r"]["trained"]["network"] == {"width": 4}
    read = (
        "import sys, nasbench as nb; table = nb.load(sys.argv[1]); table.top(3); "
        "print('torch' in sys.modules, table.space.source)"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    said = subprocess.run(
        [sys.executable, "-c", read, str(table.path)],
        capture_output=True, text=True, check=True, cwd=tmp_path, env=env,
    )  # fmt: skip
    assert said.stdout.split() == ["False", "None"]


def test_the_same_file_gives_the_same_bytes(table: Table, tmp_path: Path) -> None:
    torch.rand(3)
    again = build(read_spec(written(tmp_path)), tmp_path / "T.h5", processes=1)
    assert again.manifest["content_sha256"] == table.manifest["content_sha256"]


def test_shards_make_the_same_table(table: Table, tmp_path: Path) -> None:
    spec, out = read_spec(written(tmp_path)), tmp_path / "T.h5"
    for number in (1, 2):
        train_shard(spec, out, Shard(number, 2), processes=1)
    assembled = assemble_shards(spec, out)
    assert assembled.manifest["content_sha256"] == table.manifest["content_sha256"]


def killed(space: Path, out: Path) -> None:
    """A build that ends itself after its third training; in a process of its own."""

    def die(what: str, done: int, total: int) -> None:
        if done == 3:
            signal.raise_signal(signal.SIGKILL)

    build(read_spec(space), out, processes=1, progress=die)


@pytest.mark.process
@pytest.mark.heavy
@pytest.mark.usefixtures("forked")
def test_processes_train_it_and_a_kill_loses_nothing(table: Table, tmp_path: Path) -> None:
    recipe, out = written(tmp_path), tmp_path / "T.h5"
    with zygote.begun(killed, recipe, out) as (ended, _):
        ended.join(zygote.LIMIT)
    assert ended.exitcode == -signal.SIGKILL
    finished = build(read_spec(recipe), out, processes=2)
    assert finished.manifest["content_sha256"] == table.manifest["content_sha256"]


class Stopped(BaseException):
    """As Ctrl-C."""


def begun(spec, out, shard=None):
    def stop(what, done, total):
        if done == 1:
            raise Stopped

    how = (spec, out) if shard is None else (spec, out, shard)
    with pytest.raises(Stopped):
        (build if shard is None else train_shard)(*how, processes=1, progress=stop)


def test_a_build_that_began_with_another_text_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "T.h5"
    begun(read_spec(written(tmp_path)), out)
    changed = read_spec(written(tmp_path, space=MY_SPACE + "# more\n"))
    with pytest.raises(NasbenchError, match=r"my_space.py as it was, and its text has changed; "):
        build(changed, out, processes=1)
    build(read_spec(written(tmp_path)), out, processes=1)  # as it was


def test_so_is_a_shard(tmp_path: Path) -> None:
    out = tmp_path / "T.h5"
    begun(read_spec(written(tmp_path)), out, Shard(1, 2))
    changed = read_spec(written(tmp_path, space=MY_SPACE + "# more\n"))
    with pytest.raises(NasbenchError, match=r"shard 1/2 .* its text has changed"):
        train_shard(changed, out, Shard(2, 2), processes=1)


def test_other_sizes_are_another_build(tmp_path: Path) -> None:
    out = tmp_path / "T.h5"
    begun(read_spec(written(tmp_path)), out)
    wider = read_spec(written(tmp_path, RECIPE + "[recipe.r.network]\nwidth = 8\n"))
    with pytest.raises(NasbenchError, match="a build of another recipe, task, engine or version"):
        build(wider, out, processes=1)


def test_a_file_without_build_is_refused(tmp_path: Path) -> None:
    text = MY_SPACE.partition("\n\ndef build")[0] + "\n"
    with pytest.raises(NasbenchError, match=r"my_space.py has no build: it needs def build"):
        read_spec(written(tmp_path, space=text))


def test_a_module_of_a_package_is_one_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "their_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "parts.py").write_text("from torch import nn\n")
    text = MY_SPACE.replace("from torch import nn\n", "from .parts import nn\n")
    (package / "spaces.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    path = written(tmp_path, RECIPE.replace("my_space.py", "their_package.spaces:space"))
    spec = read_spec(path)
    assert spec.describe()["family"]["name"] == "spaces.py"
    assert nb.network(spec.space, 0, spec.task, spec.recipes["r"])


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("outputs))", "outputs + 1))", r"gives \[2, 11\] for 2 examples, not \[2, 10\]"),
        ("nn.Linear(width, outputs)", "nn.Linear(7, outputs)", r"fails on 2 .* RuntimeError: mat1"),
        ('choices["drop"]', 'choices["dorp"]', r"failed: .*drop.* \(line \d+ of my_space.py\)"),
        ("nn.ReLU()", "nn.BatchNorm1d(3)", "fails on 2 examples"),
    ],
)
def test_networks_are_tried_before_the_first_training(
    tmp_path: Path, old: str, new: str, why: str
) -> None:
    spec = read_spec(written(tmp_path, space=MY_SPACE.replace(old, new)))
    with pytest.raises(NasbenchError, match=why):
        build(spec, tmp_path / "T.h5", processes=1)
    assert not (tmp_path / "T.h5.build").exists()


def test_a_network_that_fails_on_the_way_is_one_sentence(tmp_path: Path) -> None:
    checked = "nn.Linear(width, outputs), Tired())"
    text = MY_SPACE.replace("nn.Linear(width, outputs))", checked) + (
        "\n\nclass Tired(nn.Module):\n    batches = 0\n\n    def forward(self, x):\n"
        "        self.batches += self.training\n        assert self.batches < 2, 'too tired'\n"
        "        return x\n"
    )
    spec = read_spec(written(tmp_path, space=text))
    said = r"fails in training: AssertionError: too tired \(line \d+ of my_space.py\)"
    with pytest.raises(NasbenchError, match=said):
        build(spec, tmp_path / "T.h5", processes=1)


def test_a_table_is_trained_again_with_the_file_beside_its_recipe(
    recipe: Path, table: Table, tmp_path: Path
) -> None:
    spec = read_spec(recipe)
    found = retrain(table, 3, space=spec.space, processes=1)
    assert all(row.identical for row in found.rows)
    with pytest.raises(NasbenchError, match=r"built by my_space.py, and a table runs no code"):
        retrain(table, 1, processes=1)
    changed = read_spec(written(tmp_path, space=MY_SPACE + "# more\n"))
    with pytest.raises(NasbenchError, match=r"my_space.py is not what mine was built with"):
        retrain(table, 1, space=changed.space, processes=1)
