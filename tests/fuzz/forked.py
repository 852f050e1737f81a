"""Inputs, each taken by a forked child of one warm process with limits of time and memory.

Or by the command, as users run it. A child that ends with status 0 gave an answer, as did a `diff`
that ends with 1; one that ends with status 2 and one line on stderr refused. Everything else
(another status, a signal, a second line) is a fall.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

from nasbench.cli import main
from nasbench.errors import NasbenchError

SECONDS = 20
"""CPU seconds that an input may take."""
MEMORY = 3 << 30
"""Bytes that an input may take beside what the warm process has."""

WARM = (
    *("matplotlib.backends.backend_agg", "nasbench.report", "pandas", "rich.console"),
    *("sklearn.datasets", "strategies", "typer._adapters", "xgboost"),
)
"""What children would import, each anew."""
CHECKSUM = re.compile(
    "does not have the hash it states|checksum in b'IHDR'"
    r"|is damaged in line \d+: (?!its checksum is right)"
)
"""How a refusal reads that a checksum is the reason of."""
NOTE = "nasbench: task "
"""How a line on stderr begins that says what of a task is not read; answers have such, too."""


def warm() -> None:
    """Import what children would, so that a fork of this process costs milliseconds."""
    for name in WARM:
        import_module(name)


@dataclass(frozen=True)
class Input:
    """A foreign input that lies in files.

    Attributes:
        words: of the command that takes it.
        function: that a forked child calls in the command's place, where that costs less.
        sealed: whether something under a checksum is changed, and the checksum right again.
    """

    words: Sequence[object]
    function: Callable[[], object] | None = None
    sealed: bool = False


@dataclass
class Tally:
    """How many inputs were answered and refused, and how the others fell.

    Attributes:
        sealed: how many had their checksums made right again.
        passed: how many of these no checksum refused.
    """

    answered: int = 0
    refused: int = 0
    sealed: int = 0
    passed: int = 0
    fell: list[str] = field(default_factory=list)
    sentences: Counter[str] = field(default_factory=Counter)

    def take(self, about: str, given: Input, status: int, stderr: str) -> None:
        said = stderr.splitlines()
        # The sentence that refuses a task may begin as a note does, and is the last.
        lines = [line for line in said if not line.startswith(NOTE)] or said[-1:] * bool(status)
        self.sealed += given.sealed
        self.passed += given.sealed and not CHECKSUM.search(stderr)
        # `diff` that finds a difference ends with 1, and says so on stdout alone.
        differs = os.WIFEXITED(status) and os.WEXITSTATUS(status) == 1 and not lines
        if status == 0 or differs:
            self.answered += 1
        elif (
            os.WIFEXITED(status)
            and os.WEXITSTATUS(status) == 2
            and len(lines) == 1
            and lines[0].startswith("nasbench: ")
        ):
            self.refused += 1
            without = re.sub(r"/\S+", "", lines[0])  # the folder, whose name is drawn
            self.sentences[" ".join(without.split()[-5:])] += 1
        else:
            ended = (
                f"signal {os.WTERMSIG(status)}"
                if os.WIFSIGNALED(status)
                else f"status {os.WEXITSTATUS(status)}"
            )
            self.fell.append(f"{about}: {ended}: {' / '.join(lines[-3:])[:400]}")

    def __str__(self) -> str:
        said = (
            f"{self.answered:,} answered, {self.refused:,} refused in one sentence "
            f"({len(self.sentences)} different ends), {len(self.fell)} fell"
        )
        if not self.sealed:
            return said
        share = self.passed / self.sealed
        return f"{said}; {self.sealed:,} with checksums right again, which {share:.1%} passed"


def by_command(given: Input, about: str, tally: Tally) -> None:
    """Let the command take the input, and note how it ended."""
    done = subprocess.run(
        [sys.executable, "-m", "nasbench", *map(str, given.words)],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=30 * SECONDS,
        check=False,
    )
    status = done.returncode << 8 if done.returncode >= 0 else -done.returncode
    tally.take(about, given, status, done.stderr)


def attempt(given: Input, about: str, tally: Tally) -> None:
    """Let a forked child take the input, and note how it ended."""
    with tempfile.TemporaryFile("w+b") as told:
        child = os.fork()
        if not child:
            os._exit(_take(given, told.fileno()))
        _, status = os.waitpid(child, 0)
        told.seek(0)
        tally.take(about, given, status, told.read(1 << 16).decode(errors="replace"))


def _take(given: Input, stderr: int) -> int:
    os.dup2(stderr, 2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 (till the end)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * 4096
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.alarm(30 * SECONDS)  # one that sleeps uses no CPU
    status = 1
    try:
        status = _status(given)
    except BaseException:
        traceback.print_exc()
    with contextlib.suppress(Exception):
        sys.stderr.flush()
    return status


def _status(given: Input) -> int:
    if given.function is None:
        sys.argv = ["nasbench", *map(str, given.words)]
        try:
            main()
        except SystemExit as left:
            return int(left.code or 0)
        return 0
    try:
        given.function()
    except NasbenchError as error:
        print(f"nasbench: {error}", file=sys.stderr)
        return 2
    return 0
