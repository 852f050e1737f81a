"""Builds of a second, and processes that are killed at work on them."""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from seldom import seldom

import nasbench as nb
from nasbench.building import BuildSpec, Shard, assemble_shards, build, train_shard
from nasbench.building.journal import BuildFolder, folder_of, read_plan
from nasbench.space import CellSpace
from nasbench.train.native import library

ENGINES = ("reference",) if library() is None else ("reference", "native")
"""Engines that are here."""
ONE = seldom(ENGINES[:-1], ENGINES)
"""The faster of them, and the other with the slow tests: for what hardly depends on the engine."""

OPERATIONS = ("none", "nor_conv_1x1")
"""Of three nodes: 8 cells, 6 distinct."""


def small_spec(
    operations: Sequence[str] = OPERATIONS, seeds: tuple[int, ...] = (0, 1), **recipe: Any
) -> BuildSpec:
    """Cells of three nodes on sixty digits."""
    base = nb.Recipe(
        epochs=2, train_images=60, valid_images=50, test_images=40, channels=4, cells=1
    )
    space, task = CellSpace("small", 3, operations), nb.task("digits")
    return BuildSpec("small", space, task, seeds, {"2ep": replace(base, **recipe)}, ())


def journal_of(out: Path, part: str = "") -> Path:
    """The journal of an unfinished build, or of a part of it."""
    return out.with_name(out.name + ".build") / part / "journal.jsonl"


def journaled(out: Path, part: str = "") -> list[dict[str, Any]]:
    """The whole entries of a journal; whatever does not have its checksum is no entry."""
    found = []
    for line in journal_of(out, part).read_bytes().split(b"\n"):
        checksum, _, text = line.partition(b" ")
        if checksum == f"{zlib.crc32(text):08x}".encode():
            found.append(json.loads(text))
    return found


def trained(out: Path, part: str = "") -> list[tuple[str, int, int]]:
    """Recipe, architecture and seed of the trainings in a journal."""
    return [
        (entry["recipe"], entry["record"]["architecture"], entry["record"]["seed"])
        for entry in journaled(out, part)
        if entry["entry"] == "training"
    ]


def trained_for_hours(out: Path, engine: str) -> None:
    """Build by two recipes, of which the second takes hours, with two processes or threads."""
    spec = small_spec(seeds=(0,))
    short = spec.recipes["2ep"]
    hours = replace(short, epochs=5_000, train_images=0, channels=32, cells=5)
    spec = replace(spec, recipes={"short": short, "hours": hours})
    build(spec, out, processes=2, engine=engine)


# What follows runs in a process of its own (see `zygote`) that forks builds and kills them.


def killed_at_random(out: Path, engine: str, seeds: int, kills: int) -> None:
    """Kill builds of one table, one after the other, each a random while after some trainings.

    What was journaled before a kill stands unchanged at the head of the journal after the next.
    """
    spec = small_spec(seeds=tuple(range(seeds)))
    rng = random.Random(1)
    kept: list[dict[str, Any]] = []

    def lines() -> int:
        """How many, since it is asked a thousand times a second: no checksum is looked at."""
        journal = journal_of(out)
        return journal.read_bytes().count(b"\n") if journal.exists() else 0

    for _ in range(kills):
        wanted = len(kept) + rng.randrange(7)
        child = os.fork()
        if not child:
            build(spec, out, processes=1, engine=engine)
            os._exit(0)
        while lines() < wanted:
            assert os.waitpid(child, os.WNOHANG) == (0, 0), "it ended before it was killed"
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.02))
        os.kill(child, signal.SIGKILL)
        assert os.waitpid(child, 0)[1] == signal.SIGKILL, "it ended before it was killed"
        found = journaled(out) if journal_of(out).exists() else []
        assert found[: len(kept)] == kept
        kept = found


def killed_at_each_step(folder: Path, engine: str, spec: BuildSpec, shards: int = 0) -> None:
    """One build for each call that changes the disk, killed just before it.

    With shards it is those, one after the other, and their assembly.
    """
    for step in itertools.count():
        child = os.fork()
        if not child:
            _die_before(step)
            out = folder / f"{step}.h5"
            for number in range(1, shards + 1):
                train_shard(spec, out, Shard(number, shards), processes=1, engine=engine)
            if shards:
                assemble_shards(spec, out)
            else:
                build(spec, out, processes=1, engine=engine)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0
            return


def hold(out: Path, plan: Mapping[str, Any] | None, held: Event, part: str = "") -> None:
    """Be at work on a build, or on a part of it by the plan that is there, until the kill."""
    plan = read_plan(folder_of(out) / part) if plan is None else plan
    folder = BuildFolder(out, plan or {}, part)
    held.set()
    time.sleep(3600)
    folder.close(remove=False)


def _die_before(step: int) -> None:
    """Make this process kill itself before the `step`-th change of the disk.

    Where that is the moment in which a line of the journal is on its way to the disk, the half
    of it gets there in every second step.
    """
    counter = itertools.count()

    def deadly(function: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            if next(counter) == step:
                if function is fsync and step % 2:
                    os.ftruncate(args[0], os.fstat(args[0]).st_size - 20)
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **kwargs)

        return call

    fsync = os.fsync
    for name in ("fsync", "mkdir", "replace", "rmdir", "unlink"):
        setattr(os, name, deadly(getattr(os, name)))
