"""Examples in docstrings show what comes out."""

import doctest
import importlib
import inspect
from pathlib import Path

import pytest
from seldom import seldom

import nasbench

SLOW = {
    f"nasbench.{name}"
    for name in (
        *("building.call", "network.testing", "report.call", "report.page", "report.share_call"),
        *("surrogate.call", "surrogate.scoring", "surrogate.sizes", "validity.call"),
    )
}
"""Those that take half a CPU second and more: they fit, draw or train."""

ROOT = Path(nasbench.__file__).parents[1]
ROOMS = sorted((ROOT / "nasbench").glob("[a-z]*/__init__.py"))
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for room in ("nasbench", "strategies")
    for path in (ROOT / room).rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)


@pytest.mark.heavy
@pytest.mark.usefixtures("few_judged")
@pytest.mark.parametrize("name", seldom(SLOW, MODULES))
def test_examples_show_what_comes_out(name: str) -> None:
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted > 0
    assert found.failed == 0


def test_modules_whose_examples_only_the_slow_suite_runs_are_there() -> None:
    assert set(MODULES) > SLOW


def test_every_public_name_has_an_example() -> None:
    """Of a function or a class; of a class, one of its methods may have it."""
    rooms = ["nasbench", *(f"nasbench.{path.parent.name}" for path in ROOMS)]
    rooms.remove("nasbench.cli")  # the program: its help has examples, which the guide's test runs
    lacking, seen = set(), 0
    for room in rooms:
        module = importlib.import_module(room)
        for public in getattr(module, "__all__", ()):
            found = getattr(module, public)
            if not (inspect.isclass(found) or inspect.isfunction(found)):
                continue
            seen += 1
            methods = vars(found).values() if inspect.isclass(found) else ()
            if not any(">>> " in (one.__doc__ or "") for one in (found, *methods)):
                lacking.add(f"{room}.{public}")
    assert seen > 200
    assert lacking == set()
