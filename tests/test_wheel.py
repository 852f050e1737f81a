"""A wheel, built and installed: what it holds, and that it works without the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[1]
PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
OFFLINE = ("--no-index", "--no-deps")

pytestmark = [pytest.mark.slow, pytest.mark.process]


def run(*words: str | Path, cwd: Path, fails: bool = False) -> str:
    """What a command prints that sees neither the checkout nor its environment."""
    known = {key: of for key, of in os.environ.items() if not key.startswith(("PYTHON", "PYTEST"))}
    done = subprocess.run(list(map(str, words)), cwd=cwd, env=known, capture_output=True, text=True)
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what git knows, since a build leaves files behind."""
    copy = tmp_path_factory.mktemp("source")
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    for name in filter(lambda name: (ROOT / name).is_file(), listed.splitlines()):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes((ROOT / name).read_bytes())
    return copy


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(*PIP, "wheel", "--no-build-isolation", *OFFLINE, "-w", folder, source, cwd=folder)
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return new_environment(tmp_path_factory.mktemp("new"), wheel)


def new_environment(folder: Path, *what: str | Path) -> Path:
    """One with this installed; what it depends on is found where these tests find it."""
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    options = ("--no-build-isolation", "--ignore-installed", *OFFLINE)
    run(*PIP, "--python", python, "install", *options, *what, cwd=folder)
    return folder


def test_a_wheel_is_for_every_python_and_has_names_of_ours_alone(wheel: Path) -> None:
    name, version, *tag = wheel.stem.split("-")
    assert tag[:2] == ["py3", "none"]
    assert tag[2].startswith(sysconfig.get_platform().split("-")[0].replace(".", "_"))
    with ZipFile(wheel) as file:
        held = file.namelist()
        points = file.read(f"{name}-{version}.dist-info/entry_points.txt").decode()
        top = file.read(f"{name}-{version}.dist-info/top_level.txt").decode()
    tops = {path.partition("/")[0] for path in held}
    assert tops == {"nasbench", "nasbench_strategies", f"{name}-{version}.dist-info"}
    assert set(top.split()) == {"nasbench", "nasbench_strategies"}
    assert "hybrid = nasbench_strategies.hybrid:Hybrid" in points
    assert " strategies" not in points
    libraries = [path for path in held if path.endswith(".so")]
    assert all(path.count(".") == 1 for path in libraries), libraries
    kept = {"guide/tutorial.md", "_data/tables/nb201-mini-fashion16.toml", "py.typed"}
    assert {f"nasbench/{path}" for path in kept} <= set(held)


def test_what_is_installed_works_without_the_checkout(installed: Path, tmp_path: Path) -> None:
    nasbench, python = installed / "bin" / "nasbench", installed / "bin" / "python"
    where = run(python, "-c", "import nasbench; print(nasbench.__file__)", cwd=tmp_path)
    assert where.startswith(str(installed))
    assert "hybrid" in run(nasbench, "strategies", cwd=tmp_path)
    assert "# From your own images" in run(nasbench, "guide", "tutorial", cwd=tmp_path)
    words = ("--table", "nb201-fashion16", "--budget-evaluations", "5")
    isolated = run(nasbench, "search", "hybrid", *words, "--isolate", cwd=tmp_path)
    assert run(nasbench, "search", "hybrid", *words, cwd=tmp_path) == isolated
    words += ("--strategies", "reinforce", "--seeds", "2", "--processes", "2", "--out", "compared")
    run(nasbench, "compare", *words, cwd=tmp_path)
    run(python, "-c", "import strategies", cwd=tmp_path, fails=True)


def test_the_native_engine_of_a_wheel_trains(installed: Path, tmp_path: Path) -> None:
    text = "from nasbench.train.native import library; print(library() is not None)"
    here = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert run(installed / "bin" / "python", "-c", text, cwd=tmp_path) == here.stdout


def test_a_checkout_that_is_installed_keeps_its_names(source: Path, tmp_path: Path) -> None:
    folder = new_environment(tmp_path / "new", "--editable", source)
    words = ("--table", "nb201-fashion16", "--budget-evaluations", "5")
    assert "best" in run(folder / "bin" / "nasbench", "search", "hybrid", *words, cwd=tmp_path)
    text = "import strategies, nasbench; print(strategies.__file__, nasbench.__file__)"
    where = run(folder / "bin" / "python", "-c", text, cwd=tmp_path).split()
    assert all(path.startswith(str(source)) for path in where)
