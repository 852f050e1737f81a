"""Nothing phones home and nothing is written there, by us or by what we depend on.

Fresh processes, since it is at their first import that dependencies do so, with a home directory
that is empty before and after.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.heavy

WATCHED = """
import sys
from nasbench.cli import main

def watch(event, arguments):
    if event.startswith("socket.") and event not in ("socket.__new__", "socket.gethostname"):
        family = getattr(arguments[0], "family", None)
        if family is None or family.name != "AF_UNIX":
            print("WATCHED", event, arguments[1:], file=sys.stderr)

sys.addaudithook(watch)
for words in sys.argv[1].strip().splitlines():
    sys.argv = ["nasbench", *words.split()]
    main()
"""
COMMANDS = """
build tiny.toml --out t.h5 --workers {n}
compare --table t.h5 --strategies random_search --budget-evaluations 2 --seeds {n} --processes {n} --out c
report t.h5 --out r
export 3 --recipe tiny.toml --train --onnx x.onnx
"""  # noqa: E501
SWITCHES = ("ORT_", "RAY_", "MPL", "XDG_")


def run(words: list[str], folder: Path, recipe: Path) -> str:
    """Standard error of a command in a folder with the recipe and an empty home directory."""
    home = folder / "home"
    home.mkdir()
    # scikit-learn, which has the digits, takes longer to import than all else.
    text = (
        recipe.read_text(encoding="utf-8")
        .replace('"digits"', '"fashion16"')
        .replace("seeds = 2", "seeds = 1")
    )
    (folder / "tiny.toml").write_text(text, encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(SWITCHES)}
    path = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", "")])
    done = subprocess.run(
        words,
        cwd=folder,
        env={**kept, "HOME": str(home), "PATH": path, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert list(home.rglob("*")) == []
    return done.stderr


def test_commands_open_no_connection_and_leave_home_empty(recipe, tmp_path):
    """Native code is not seen by Python's hooks; ONNX Runtime's leaves a file under home."""
    commands = COMMANDS.replace("report t.h5 --out r\n", "")  # draws as the comparison does
    told = run([sys.executable, "-c", WATCHED, commands.format(n=1)], tmp_path, recipe)
    assert "WATCHED" not in told


@pytest.mark.process
def test_the_document_stands_alone_on_standard_output():
    code = """
import os, subprocess, sys
from nasbench.cli.common import document_alone, emit
print("ours")
document_alone()
print("a user's file")
os.system("echo a process")
emit({"a": 1}, True, "")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == 'ours\n{\n  "a": 1\n}\n'
    assert sorted(done.stderr.splitlines()) == ["a process", "a user's file"]


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
def test_no_system_call_reaches_the_network_or_home(recipe, tmp_path):
    """Each command in processes of its own, with their workers and all native code."""
    calls = "trace=network,openat,mkdir,mkdirat"
    commands = [*COMMANDS.format(n=2).strip().splitlines(), "demo --recipe tiny.toml"]
    script = "\n".join(["set -e", *(f"nasbench {words}" for words in commands)])
    run(["strace", "-f", "-qq", "-o", "trace", "-e", calls, "bash", "-c", script], tmp_path, recipe)
    trace = (tmp_path / "trace").read_text(encoding="utf-8", errors="replace").splitlines()
    assert len(trace) > 1000
    assert [line for line in trace if re.search(r"(connect|send\w*)\(.*AF_INET", line)] == []
    home = str(tmp_path / "home")
    wrote = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|mkdir")
    assert [line for line in trace if home in line and wrote.search(line)] == []
