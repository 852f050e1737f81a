"""What holds over all of the code."""

import ast
import re
import tomllib
from collections import Counter, defaultdict
from pathlib import Path

import nasbench
import strategies

PACKAGES = [Path(package.__file__).parent for package in (nasbench, strategies)]


def test_a_class_name_means_one_thing() -> None:
    places = defaultdict(list)
    for path in (path for package in PACKAGES for path in sorted(package.rglob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(f"{path.parent.name}/{path.name}:{node.lineno}")
    assert len(places) > 250
    assert {name: at for name, at in places.items() if len(at) > 1} == {}


def test_the_version_is_said_alike_everywhere() -> None:
    root = Path(nasbench.__file__).parents[1]
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == nasbench.__version__
    assert f"\nversion: {nasbench.__version__}\n" in (root / "CITATION.cff").read_text("utf-8")


def test_strategies_import_each_other_by_no_name_of_the_folder() -> None:
    """In wheels it has another one."""
    for path in PACKAGES[1].glob("*.py"):
        assert "from strategies" not in path.read_text(encoding="utf-8"), path.name


def test_figures_that_are_shown_have_no_exponents() -> None:
    """Of 1,234 milliseconds `:.3g` makes 1.23e+03; `rounded` does not."""
    for room in ("cli", "report", "search"):
        for path in PACKAGES[0].joinpath(room).glob("*.py"):
            if path.name not in ("html.py", "explore_data.py"):  # which write for programs
                assert not re.search(r":\.[3-9]g\}", path.read_text(encoding="utf-8")), path.name


def test_no_two_files_of_tests_have_one_name() -> None:
    """Whichever were imported first would be the other, too."""
    names = Counter(path.name for path in Path(__file__).parent.rglob("*.py"))
    assert [name for name, n in names.items() if n > 1] == ["conftest.py"]


def test_reports_stay_small() -> None:
    folder = Path(nasbench.__file__).parents[1] / "reports"
    kept = [p for p in folder.rglob("*") if p.is_file() and "made" not in p.parts]
    assert sum(path.stat().st_size for path in kept) < 3_000_000
