"""The interface's pages are written, with every name that rooms have to offer."""

import subprocess
import sys
from pathlib import Path

import pytest

import nasbench as nb

ROOT = Path(nb.__file__).parents[1]


@pytest.mark.slow
@pytest.mark.process
def test_pages_show_every_public_name(tmp_path: Path) -> None:
    pytest.importorskip("pdoc")
    made = subprocess.run(
        [sys.executable, "-m", "nasbench._document", tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert (made.returncode, made.stderr) == (0, "")
    page = (tmp_path / "nasbench.html").read_text(encoding="utf-8")
    assert all(f'id="{name}"' in page for name in ("Recipe", "build", "compare", "load"))
    search = (tmp_path / "nasbench" / "search.html").read_text(encoding="utf-8")
    assert 'id="SearchProtocol"' in search
