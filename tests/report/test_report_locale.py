"""The same bytes in every locale, and on systems without Unix's own modules."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import elsewhere
import pytest
from small_report import write_made_up

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
RECIPE = """
space = "räume.toml"
[task]
source = "npz"
path = "grün.npz"
name = "grün"
[recipe."époque"]
epochs = 1
"""
MEASURED = {"thinking.csv", "local_search.wall.jsonl", "random_search.wall.jsonl"}


def _files(folder: Path) -> dict[str, bytes]:
    """What does not depend on the clock."""
    found = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    return {name: data for name, data in found.items() if Path(name).name not in MEASURED}


@pytest.mark.drawn("pdf")
@pytest.mark.slow
@pytest.mark.process
def test_another_locale_and_system_give_the_same_bytes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import numpy as np

    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "grün.npz", images=images, labels=np.arange(40) % 2)
    space = 'name = "räume"\nnodes = 2\noperations = ["none", "skip_connect"]\n'
    (tmp_path / "räume.toml").write_text(space, encoding="utf-8")
    recipe, table = tmp_path / "größe.toml", tmp_path / "größe.h5"
    recipe.write_text(RECIPE, encoding="utf-8")
    write_made_up(table, "größe ± 1")
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    command = [sys.executable, elsewhere.__file__, recipe, table, there]
    path = os.pathsep.join(filter(None, sys.path))
    environment = {**os.environ, **ASCII, "PYTHONPATH": path}
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stderr == b""
    elsewhere.main(str(recipe), str(table), str(here))
    assert "größe" in (here / "spec.json").read_text(encoding="utf-8").encode().decode(
        "unicode_escape"
    )
    ours, theirs = _files(here), _files(there)
    assert ours.keys() == theirs.keys()
    assert len(ours) > 20
    assert [name for name in ours if ours[name] != theirs[name]] == []
    printed = capsys.readouterr().out.replace(str(here), str(there))
    assert done.stdout.decode().splitlines()[0] == printed.splitlines()[0]
