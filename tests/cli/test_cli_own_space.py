"""A space and a training loop of one's own, those of the guide: what is found, made and shown."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pages
import pytest
from typer.testing import CliRunner

from nasbench.building import build
from nasbench.building.spec import read_spec
from nasbench.cli import app
from nasbench.cli.guide import topics
from nasbench.cli.look import _own_networks
from nasbench.report.text import build_facts
from nasbench.surrogate.completed import KEPT

pytestmark = pytest.mark.heavy

FILES = {
    block.file: block.text
    for name in ("tutorial", "own-space", "own-training")
    for block in pages.blocks(topics()[name].text)
    if block.file
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the guide, for fewer networks and one epoch of digits."""
    folder = tmp_path_factory.mktemp("guide")
    narrow = FILES["my_space.py"].replace('"kernel1": [3, 5]', '"kernel1": [3]')
    (folder / "my_space.py").write_text(narrow.replace('"drop": [0.0, 0.2]', '"drop": [0.0]'))
    (folder / "loop.py").write_text(FILES["loop.py"])
    own = FILES["adam.toml"].replace('"nb201-mini"', '"my_space.py"')
    (folder / "adam.toml").write_text(own.replace("epochs = 2", "epochs = 1\ntrain_images = 100"))
    return folder


def test_a_forgotten_rule_is_named(folder: Path, tmp_path: Path) -> None:
    text = (folder / "my_space.py").read_text()
    (tmp_path / "forgot.py").write_text(re.sub(r"    only_if=.*\n", "", text))
    found = CliRunner().invoke(app, ["space", str(tmp_path / "forgot.py"), "--check"])
    assert found.exit_code == 0
    assert 'only_if = {"kernel2": {"depth": [2, 3]}}' in found.output


def test_its_loop_and_its_evaluation_make_a_table(folder: Path) -> None:
    table = build(read_spec(folder / "adam.toml"), folder / "L.h5", processes=1)
    assert table.metrics["adam"] == (
        *("valid_accuracy", "train_seconds", "test_accuracy", "steady", "evaluation_seconds"),
    )
    assert np.isfinite(table.column("steady")).all()
    facts = dict(build_facts(table, "adam").rows)
    assert "train train of loop.py, options (rate 0.003)" in facts["recipe adam"]
    looked = CliRunner().invoke(app, ["info", str(table.path)]).output
    assert re.search(r"networks +my_space.py, SHA-256 [0-9a-f]{64}", looked)


def test_merged_and_completed_tables_say_whose_networks_they_hold() -> None:
    mine = {"name": "my_space.py", "sha256": "0" * 64}
    said = f"my_space.py, SHA-256 {'0' * 64}"
    assert _own_networks({"sources": [{"family": mine}, {"sources": [{"family": mine}]}]}) == [said]
    assert _own_networks({"family": {**mine, "text": "x = 1"}}) == [f"{said}; --json has its text"]
    assert _own_networks({"family": {"name": "mlp"}, "sources": [{}]}) == []
    assert "family" in KEPT


def test_rules_of_a_space_are_shown(folder: Path) -> None:
    looked = CliRunner().invoke(app, ["space", str(folder / "my_space.py")]).output
    assert '{"kernel2": {"depth": [2, 3]}, "kernel3": {"depth": [3]}}' in looked
