"""What the tests of every room share."""

from __future__ import annotations

import gc
import math
import os
import signal
import sys
from collections.abc import Generator, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import drawing
import numpy as np
import pytest
import typer.main
import typer.testing
import zygote
from hypothesis import settings
from quick_models import QUICK, REAL

import nasbench as nb
from nasbench import _processes
from nasbench.space import CellSpace
from nasbench.surrogate.predictors import PREDICTORS

# No test depends on how fast the machine is.
settings.register_profile("nasbench", deadline=None, max_examples=60)
settings.load_profile("nasbench")


def _end_in_time() -> None:
    """A fork holds the pipes of whoever runs the tests, for whom they do not end before it does.

    Not so what `subprocess` begins: an alarm stays with the program that the fork becomes, which
    may be a daemon that outlives a test, as Ray's do.
    """
    if sys._getframe(1).f_globals.get("__name__") != "subprocess":
        signal.alarm(600)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_end_in_time)


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """What modules hold stays: the garbage collector need not look at it again and again.

    Nor need it look at each 700th object that a test makes: Hypothesis is called each time.
    """
    gc.disable()
    try:
        collected = yield
    finally:
        gc.enable()
        gc.freeze()
        gc.set_threshold(100_000)
    if any(item.get_closest_marker("process") for item in getattr(session, "items", ())):
        zygote.begin()
    return collected


@pytest.fixture(scope="session", autouse=True)
def _quick_models() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PREDICTORS, "xgboost", QUICK)
        yield


@pytest.fixture(scope="session", autouse=True)
def _in_one_process_and_silent() -> Iterator[None]:
    """No process begins unless one is asked for, and slow work says nothing."""
    real = _processes.cores
    with pytest.MonkeyPatch.context() as patch:
        # Modules that are loaded later import what is there then.
        for name, module in tuple(sys.modules.items()):
            if name.startswith("nasbench.") and getattr(module, "cores", None) is real:
                patch.setattr(module, "cores", lambda: 1)
        patch.setattr("nasbench._progress.FIRST", math.inf)
        yield


@pytest.fixture(scope="session", autouse=True)
def _disks_in_their_own_time() -> Iterator[None]:
    """What a test writes need not outlive the machine: no journal waits for the disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda file: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def _commands_made_once() -> Iterator[None]:
    """Not for each command line that is tried: there are dozens, which take 50 ms of CPU."""
    real = typer.main.get_command
    made = cache(real)
    with pytest.MonkeyPatch.context() as patch:
        for module in (typer.main, typer.testing):
            for name in [name for name, value in vars(module).items() if value is real]:
                patch.setattr(module, name, made)
        yield


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    drawing.begin(item)


@pytest.fixture(scope="session", autouse=True)
def _drawn_as_marked() -> Iterator[None]:
    with drawing.by_marks():
        yield


@pytest.fixture(scope="session", autouse=True)
def _counted_once() -> Iterator[None]:
    """Most builds are of the same few networks: dozens of tests count each once a process."""
    measuring: Any = sys.modules.get("nasbench.building.measuring")
    if measuring is None:  # nothing that was collected builds
        yield
        return
    real = measuring.counts_of
    known: dict[str, dict[str, float]] = {}

    def counts_of(spec: Any, architecture: int) -> dict[str, float]:
        if spec.here:  # a class of the test's own, which no description tells from others
            return real(spec, architecture)
        (recipe, *_) = spec.recipes.values()
        made_of = (spec.space.describe(), spec.family.describe(), recipe, spec.task.hash)
        key = f"{architecture} {made_of}"
        if key not in known:
            known[key] = real(spec, architecture)
        return known[key].copy()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measuring, "counts_of", counts_of)
        yield


@pytest.fixture(autouse=True)
def _real_models(request: pytest.FixtureRequest) -> Iterator[None]:
    """The predictor as users have it, for tests that ask whether it learns."""
    with pytest.MonkeyPatch.context() as patch:
        if request.node.get_closest_marker("real_models"):
            patch.setitem(PREDICTORS, "xgboost", REAL)
        yield


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers are forks of a process that has imported all, where how they begin is not asked."""
    for room in ("_pool", "search.workers"):
        monkeypatch.setattr(f"nasbench.{room}.fresh_context", lambda: zygote.CONTEXT)


@pytest.fixture
def few_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is not asked how inherited losses rank: of few architectures, on few images."""
    monkeypatch.setattr("nasbench.search.sharing.JUDGED", 12)
    monkeypatch.setattr("nasbench.search.sharing.JUDGED_IMAGES", 32)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """A folder of further published figures, which come with neither package nor tests."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("NASBENCH_SHARED_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no published figures in {folder}; NASBENCH_SHARED_DATA names their folder")
    return folder


@pytest.fixture(scope="session")
def published_data() -> Path:
    """Published figures that come with the tests; `NOTICES.md` there says whose they are."""
    return Path(__file__).parent / "data"


@pytest.fixture(scope="session")
def published(published_data: Path) -> Mapping[str, Any]:
    """NAS-Bench-201 on CIFAR-10 as its authors published it: arrays in the official order."""
    with np.load(published_data / "nb201_cifar10.npz") as file:
        return {key: file[key] for key in file.files}


@pytest.fixture(scope="session")
def published_proxies(published_data: Path) -> Mapping[str, Any]:
    """Zero-cost proxies of the same cells, in the same order: `proxy/<name>`, NaN of some."""
    with np.load(published_data / "nb201_cifar10_proxies.npz") as file:
        return {key: file[key] for key in file.files}


@pytest.fixture(scope="session")
def nb201() -> CellSpace:
    return nb.space("nb201")


@pytest.fixture(scope="session")
def mini() -> CellSpace:
    return nb.space("nb201-mini")
