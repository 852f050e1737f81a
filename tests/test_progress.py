"""How long work says how far it is, where it can."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import rich.progress

from nasbench import _progress
from nasbench._progress import shown


def test_the_callers_own_is_called_and_false_is_silence(capsys: Any) -> None:
    told: list[Any] = []
    with shown(lambda *of: told.append(of)) as tell:
        tell("training", 1, 2)
    with shown(False) as tell:
        tell("training", 1, 2)
    assert told == [("training", 1, 2)]
    assert capsys.readouterr() == ("", "")


def test_a_log_gets_a_line_now_and_then(monkeypatch: Any, capsys: Any) -> None:
    now = [0.0]
    monkeypatch.setattr(_progress, "FIRST", 10.0)
    monkeypatch.setattr(_progress.time, "monotonic", lambda: now[0])
    with shown() as tell:
        for done in range(0, 101, 5):
            now[0] = float(done)
            tell("training", done, 200)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "nasbench: training 10 of 200, 10 s so far, 3 min left",
        "nasbench: training 40 of 200, 40 s so far, 3 min left",
        "nasbench: training 70 of 200, 70 s so far, 2 min left",
        "nasbench: training 100 of 200, 2 min so far, 2 min left",
    ]


def test_the_start_of_work_is_no_part_of_what_is_left(monkeypatch: Any, capsys: Any) -> None:
    """Processes that begin take longer than many of the runs that they are for."""
    now = [0.0]
    monkeypatch.setattr(_progress, "FIRST", 10.0)
    monkeypatch.setattr(_progress.time, "monotonic", lambda: now[0])
    with shown() as tell:
        for done in range(1, 32):
            now[0] = 29.0 + done
            tell("searching", done, 300)
    assert capsys.readouterr().err.splitlines() == [
        "nasbench: searching 1 of 300, 30 s so far",
        "nasbench: searching 31 of 300, 60 s so far, 4 min left",
    ]


def test_a_terminal_gets_bars(monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    with shown() as tell:
        tell("training", 3, 200)
    assert "training" in capsys.readouterr().err


def test_a_bar_begins_where_the_work_does(monkeypatch: Any) -> None:
    """What earlier runs did took none of the time by which is told what is left."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    begun: list[dict[str, int]] = []
    add_task = rich.progress.Progress.add_task

    def noted(bars: Any, what: str, **said: int) -> Any:
        begun.append(said)
        return add_task(bars, what, **said)

    monkeypatch.setattr(rich.progress.Progress, "add_task", noted)
    with shown() as tell:
        tell("training", 150, 200)
    assert begun == [{"total": 200, "completed": 150}]


def test_a_notebook_gets_a_bar_that_moves(monkeypatch: Any, capsys: Any) -> None:
    drawn: list[str] = []
    display = ModuleType("IPython.display")
    handle = SimpleNamespace(update=drawn.append)
    vars(display).update(HTML=str, display=lambda of, display_id: drawn.append(of) or handle)
    ipython = ModuleType("IPython")
    vars(ipython)["get_ipython"] = lambda: SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    now = [0.0]
    monkeypatch.setattr(_progress.time, "monotonic", lambda: now[0])
    with shown() as tell:  # none is drawn that comes too soon after the last
        for done, seconds in enumerate((60, 0, 60, 60), 1):
            now[0] += seconds
            tell("training <nets>", done, 4)
    assert [drawing.partition("</progress> ")[2] for drawing in drawn] == [
        "training &lt;nets&gt; 1 of 4",
        "training &lt;nets&gt; 3 of 4, 30 s left",
        "training &lt;nets&gt; 4 of 4",
    ]
    assert 'value="4" max="4"' in drawn[-1]
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("seconds", "text"), [(99, "99 s"), (120, "2 min"), (9000, "2.5 h")])
def test_durations(seconds: float, text: str) -> None:
    assert _progress._duration(seconds) == text
