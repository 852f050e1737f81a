"""Strategies that cheat, or harm who runs them: random search but for one thing each.

They are registered as a stranger's package would be, so that other processes find them, too.
Each that looks for the table asks first for whatever it believes to be the best on the test
split: `found` in the test says whether it knew.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from nasbench.search import Goal, Outcome, Query
from nasbench.space import Space


class Honest:
    """Random search; what comes with the third ask is up to `third`."""

    def __init__(self, space: Space, goal: Goal, rng: np.random.Generator) -> None:
        self.space, self.goal, self.rng = space, goal, rng
        self.asks = 0

    def ask(self) -> Any:
        self.asks += 1
        query = self.goal.query(self.space.sample(self.rng))
        return self.third(query) if self.asks == 3 else query

    def third(self, query: Query) -> Any:
        return query

    def tell(self, query: Query, outcome: Outcome) -> None:
        pass


class Cheat(Honest):
    """Any of those below, by name: one process can then serve all of them."""

    def __new__(cls, space: Space, goal: Goal, rng: np.random.Generator, *, which: str) -> Any:
        return globals()[which](space, goal, rng)


class BeginsWithTheBest(Honest):
    """Makes use of a proxy's scores."""

    def __init__(
        self, space: Space, goal: Goal, rng: np.random.Generator, *, scores: Any = None
    ) -> None:
        super().__init__(space, goal, rng)
        self.scores = scores

    def third(self, query: Query) -> Any:
        return self.goal.query(int(np.argmax(self.scores)))


class ExitsInInit(Honest):
    def __init__(self, space: Space, goal: Goal, rng: np.random.Generator) -> None:
        sys.exit(0)


class ExitsInAsk(Honest):
    def third(self, query: Query) -> Any:
        sys.exit(0)


class ExitsInTell(Honest):
    def tell(self, query: Query, outcome: Outcome) -> None:
        raise SystemExit(0)


class Interrupts(Honest):
    def third(self, query: Query) -> Any:
        raise KeyboardInterrupt


class RaisesItsOwn(Honest):
    """A BaseException whose text cannot be had."""

    class Own(BaseException):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    def third(self, query: Query) -> Any:
        raise self.Own


class LeavesTheProcess(Honest):
    def third(self, query: Query) -> Any:
        os._exit(0)


class LeavesLater(Honest):
    """Ends the process once nobody looks any more."""

    def ask(self) -> Any:
        if self.asks == 22:
            os._exit(0)
        return super().ask()


class Forks(Honest):
    """Makes copies of its process that come back, one of them by an error."""

    copies: list[int]

    def third(self, query: Query) -> Any:
        self.copies += filter(None, [os.fork()])
        return query

    def tell(self, query: Query, outcome: Outcome) -> None:
        if self.asks == 4 and not self.copies[1:]:
            self.copies += [os.fork()]
            if not self.copies[-1]:
                raise ValueError("only the copy")


class KillsItself(Honest):
    def third(self, query: Query) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)


class WantsMore(Honest):
    """Changes the budget that all would share."""

    def __init__(self, space: Space, goal: Goal, rng: np.random.Generator) -> None:
        super().__init__(space, goal, rng)
        object.__setattr__(goal.budget, "evaluations", 1000)
        object.__setattr__(goal, "metric", "train_loss")
        object.__setattr__(goal.recipes[0], "epochs", 1000)
        self.goal = Goal("valid_accuracy", goal.budget, goal.recipes)

    def ask(self) -> Any:
        return super().ask()._replace(epochs=1)


class ChangesTheSpace(Honest):
    """Makes the space small for whoever searches it next."""

    def third(self, query: Query) -> Any:
        self.space.size = 2
        return query


class ChangesHowItDraws(Honest):
    def third(self, query: Query) -> Any:
        self.space.sample = lambda rng, n=None: 0  # type: ignore[method-assign, assignment]
        return query


class WritesIntoTheSpace(Honest):
    def third(self, query: Query) -> Any:
        self.space._choices[:] = 1
        return query


class Remembers(Honest):
    """Each run begins with the best of all before it."""

    best: tuple[float, int] | None = None

    def ask(self) -> Any:
        if self.best and not self.asks:
            self.asks += 1
            return self.goal.query(self.best[1])
        return super().ask()

    def tell(self, query: Query, outcome: Outcome) -> None:
        found = self.goal.reward(outcome), query.architecture
        Remembers.best = max(self.best or found, found)


class GlobalNumbers(Honest):
    def ask(self) -> Any:
        return self.goal.query(int(np.random.randint(self.space.size)))  # noqa: NPY002


class OfItsProcess(Honest):
    """Asks the same in one process, whatever the seed."""

    def ask(self) -> Any:
        return self.goal.query(os.getpid() % self.space.size)


class LyingQuery(Query):
    """Is another architecture whenever it is looked at."""

    looks = 0

    @property
    def architecture(self) -> int:  # type: ignore[override]
        LyingQuery.looks += 1
        return LyingQuery.looks % 60

    def __iter__(self) -> Any:
        return iter((self.architecture, "short", 1, True))

    def __getitem__(self, at: Any) -> Any:
        return self.architecture


class LyingInt(int):
    def __lt__(self, other: object) -> bool:
        return True

    __gt__ = __le__ = __ge__ = __eq__ = __lt__  # type: ignore[assignment]

    def __index__(self) -> int:
        return 10**9

    __int__ = __index__

    def __hash__(self) -> int:
        return 1


class Lies(Honest):
    def third(self, query: Query) -> Any:
        return LyingQuery(*query)


class LiesOfNumbers(Honest):
    def third(self, query: Query) -> Any:
        return query._replace(architecture=LyingInt(10**6), epochs=LyingInt(1))


class ArrayResume(Honest):
    def third(self, query: Query) -> Any:
        return query._replace(resume=np.array([1, 2]))


class Swallows(Honest):
    """Goes on for ever, whatever interrupts it as an exception."""

    def third(self, query: Query) -> Any:
        while True:
            try:
                time.sleep(0.02)
            except Exception:
                continue


class StopsTheAlarm(Honest):
    def third(self, query: Query) -> Any:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number in (signal.SIGALRM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        while True:
            time.sleep(0.02)


class SwallowsOnce(Honest):
    """Is late, catches even what is no Exception, and answers as if nothing had been."""

    def third(self, query: Query) -> Any:
        try:
            time.sleep(60)
        except BaseException:
            return query


class NeverLetsGo(Honest):
    """Swallows everything, for ever."""

    def third(self, query: Query) -> Any:
        while True:
            try:
                time.sleep(0.02)
            except BaseException:
                continue


class Hog(Honest):
    def third(self, query: Query) -> Any:
        kept = []
        while True:
            kept.append(np.ones(2**25))


class LooksForTheTable(Honest):
    """Asks for the best on the test split; what each of those below finds it by is `table`."""

    def third(self, query: Query) -> Any:
        table = self.table()
        values = table.values("test_accuracy", table.rows, recipe="short")
        return self.goal.query(int(table.rows[values.argmax()]))

    def table(self) -> Any:
        raise LookupError("no table")


class WalksFrames(LooksForTheTable):
    def table(self) -> Any:
        frame: Any = sys._getframe()
        while frame is not None:
            for value in frame.f_locals.values():
                oracle = getattr(value, "oracle", None)
                if hasattr(oracle, "table"):
                    return oracle.table
            frame = frame.f_back
        return super().table()


class CollectsGarbage(LooksForTheTable):
    file = Path()
    """Of the table that it looks for: other tests may have left theirs."""

    def table(self) -> Any:
        for value in gc.get_objects():
            if type(value).__name__ == "Table" and getattr(value, "path", None) == self.file:
                return value
        return super().table()


def _paths() -> Any:
    """Of every file that this process, or those above it, were told of or have open."""
    yield from (*sys.argv, *os.environ.values())
    process = os.getpid()
    while process > 1:
        folder = Path("/proc", str(process))
        try:
            for name in ("cmdline", "environ"):
                for word in (folder / name).read_bytes().split(b"\0"):
                    yield word.decode(errors="replace").rpartition("=")[2]
            yield from (os.readlink(fd) for fd in (folder / "fd").iterdir())
            stat = (folder / "stat").read_text(encoding="utf-8")
        except OSError:
            return
        process = int(stat.rpartition(")")[2].split()[1])


class OpensTheFile(LooksForTheTable):
    def table(self) -> Any:
        from nasbench.table import Table

        for path in _paths():
            if path.endswith(".h5"):
                return Table(path)
        return super().table()


class ReadsItsParent(LooksForTheTable):
    """Looks into the memory of the process that started it."""

    def table(self) -> Any:
        for process in (os.getppid(),):
            with Path(f"/proc/{process}/mem").open("rb") as memory:
                for line in Path(f"/proc/{process}/maps").read_text(encoding="utf-8").splitlines():
                    if "[heap]" in line:
                        memory.seek(int(line.split("-")[0], 16))
                        if memory.read(64):
                            raise AssertionError("it was read")
        return super().table()


class ListsTheFolder(LooksForTheTable):
    """Guesses where tables lie."""

    def table(self) -> Any:
        from nasbench.table import Table

        for folder in (os.environ.get("NASBENCH_TEST_TABLES", "/tmp"), "/tmp", str(Path.home())):
            for path in sorted(Path(folder).rglob("made-up*.h5")):
                return Table(path)
        return super().table()
