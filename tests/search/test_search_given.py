"""Classes and functions as strategies: under their names, in this process or in others."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import nasbench as nb
from nasbench.errors import BadValue, DamagedFile, NasbenchError, Unsupported
from nasbench.report.again import compare_command
from nasbench.search import Comparison, Goal, Limit
from nasbench.space import Space
from nasbench.table import Table
from strategies.random_search import RandomSearch

pytestmark = pytest.mark.heavy

COMMON: dict[str, Any] = {
    "budget_evaluations": 6,
    "seeds": range(3),
    "search_recipe": "short",
}


class Drawn:
    """Draws at random."""

    def __init__(self, space: Space, goal: Goal, rng: Any, *, skip: int = 0) -> None:
        self.space, self.goal, self.rng = space, goal, rng
        rng.random(skip)

    def ask(self) -> Any:
        return self.goal.query(int(self.space.sample(self.rng)))

    def tell(self, query: Any, outcome: Any) -> None:
        pass


def local(skip: int) -> type[Drawn]:
    """A class that no other process can import."""

    class Local(Drawn):
        def ask(self) -> Any:
            self.rng.random(skip)
            return super().ask()

    return Local


def test_a_registered_class_is_its_name(made_up_table: Table) -> None:
    by_class = nb.compare([RandomSearch], made_up_table, **COMMON)
    assert by_class.summary() == nb.compare(["random_search"], made_up_table, **COMMON).summary()


def test_a_class_of_a_module_runs_anywhere(
    made_up_table: Table, tmp_path: Path, forked: None
) -> None:
    beside = nb.compare([Drawn], made_up_table, processes=2, out=tmp_path / "1", **COMMON)
    same = type("Drawn", (Drawn,), {"__module__": "__main__"})
    here = nb.compare([same], made_up_table, out=tmp_path / "2", **COMMON)
    assert (beside.given, here.given) == ({"Drawn": True}, {"Drawn": False})
    runs = [(tmp_path / name / "runs" / "Drawn.jsonl").read_bytes() for name in "12"]
    assert runs[0].split(b"\n")[1:] == runs[1].split(b"\n")[1:]  # all but the hash of the code


def test_one_that_nobody_else_can_import_runs_here_and_says_so(
    made_up_table: Table, tmp_path: Path
) -> None:
    strategies = ["random_search", local(1)]
    found = nb.compare(strategies, made_up_table, processes=2, out=tmp_path, **COMMON)
    assert found.here == ("Local",)
    assert found.summary()["remarks"][0].startswith("Local ran in the calling process")
    kept = Comparison.load(tmp_path)
    assert kept.here == ("Local",)
    with pytest.raises(DamagedFile):
        _ = spoilt(tmp_path)
    assert kept.summary() == found.summary()
    with pytest.raises(Unsupported, match="Local cannot have a process of its own"):
        nb.compare([local(1)], made_up_table, isolate=True, **COMMON)


def spoilt(folder: Path) -> Comparison:
    kept = folder / "comparison.json"
    kept.write_text(kept.read_text(encoding="utf-8").replace('"Local": false', '"Local": 3'))
    return Comparison.load(folder)


def test_the_page_says_how_to_make_it_again_in_python(made_up_table: Table) -> None:
    limits = {"flops": (1, None)}
    found = nb.compare(["random_search", local(1)], made_up_table, limits=limits, **COMMON)
    again = compare_command(found)
    names: dict[str, Any] = {"nb": nb, "Local": local(1), "Limit": Limit}
    call = again.replace("'made-up.h5'", repr(str(made_up_table.path)))
    assert again.endswith(".report('DIR')")
    assert eval(call.removesuffix(".report('DIR')"), names).summary() == found.summary()


def test_runs_of_other_code_are_not_taken_up(made_up_table: Table, tmp_path: Path) -> None:
    nb.compare([local(1)], made_up_table, out=tmp_path, **COMMON)
    nb.compare([local(1)], made_up_table, out=tmp_path, **COMMON)
    with pytest.raises(NasbenchError, match=r"holds runs of another setting \(.*code"):
        nb.compare([local(2)], made_up_table, out=tmp_path, **COMMON)


def test_partials_compare_parameters(made_up_table: Table) -> None:
    several = [partial(Drawn, skip=skip) for skip in (0, 5)]
    found = nb.compare([*several, Drawn], made_up_table, **COMMON)
    assert list(found.traces) == ["Drawn(skip=0)", "Drawn(skip=5)", "Drawn"]
    with pytest.raises(BadValue, match="two strategies are called Local"):
        nb.compare([local(1), local(2)], made_up_table, **COMMON)


def test_a_function_makes_a_strategy(made_up_table: Table) -> None:
    found = nb.compare([lambda space, goal, rng: Drawn(space, goal, rng)], made_up_table, **COMMON)
    assert list(found.traces) == ["lambda"]
    assert found.here == ("lambda",)


def test_no_registered_name_is_taken(made_up_table: Table) -> None:
    mine = local(1)
    mine.__name__ = "hybrid"
    with pytest.raises(BadValue, match="hybrid is a registered strategy"):
        nb.compare([mine], made_up_table, **COMMON)


SESSION = """
import nasbench as nb

class Mine:
    def __init__(self, space, goal, rng):
        self.space, self.goal, self.rng = space, goal, rng
    def ask(self):
        return self.goal.query(int(self.space.sample(self.rng)))
    def tell(self, query, outcome):
        pass

common = dict(budget_evaluations=4, seeds=range(4), search_recipe="short", processes=2)
found = nb.compare(["random_search", Mine], {table!r}, **common)
print(found.here, [len(traces) for traces in found.traces.values()])
"""


@pytest.mark.process
def test_a_script_needs_no_guard(made_up_table: Table, tmp_path: Path) -> None:
    script = tmp_path / "mine.py"
    script.write_text(SESSION.format(table=str(made_up_table.path)))
    ran = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.returncode) == ("('Mine',) [4, 4]\n", 0), ran.stderr
    assert "Traceback" not in ran.stderr
