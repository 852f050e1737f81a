"""A Ray cluster trains what one process trains, whoever is killed at it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from small_builds import ENGINES, journal_of, journaled, small_spec, trained

from nasbench.building import BuildSpec, build
from nasbench.errors import NasbenchError
from nasbench.table import Table

HERE = Path(__file__).parent
ENGINE = ENGINES[-1]
SEEDS = tuple(range(10))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a cluster of two CPUs, to which this process is connected."""
    ray = pytest.importorskip("ray")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        patched.setenv("RAY_AUTH_MODE", "disabled")
        # Workers import what this process imports.
        patched.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
        context = ray.init(
            num_cpus=2,
            include_dashboard=False,
            log_to_driver=False,
            _node_ip_address="127.0.0.1",
        )
        try:
            yield str(context.address_info["gcs_address"])
        finally:
            ray.shutdown()


@pytest.fixture(scope="module")
def many() -> BuildSpec:
    """Sixty trainings."""
    return small_spec(seeds=SEEDS)


@pytest.fixture(scope="module")
def alone(many: BuildSpec, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The content hash of what one process trains."""
    table = build(many, tmp_path_factory.mktemp("alone") / "t.h5", processes=1, engine=ENGINE)
    return str(table.manifest["content_sha256"])


def _content(table: Table) -> str:
    table.verify()
    return str(table.manifest["content_sha256"])


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
def test_a_killed_worker_is_replaced(
    cluster: str, many: BuildSpec, alone: str, tmp_path: Path
) -> None:
    out = tmp_path / "t.h5"

    sessions: list[dict[str, Any]] = []

    def kill(what: str, done: int, total: int) -> None:
        if what == "training" and done == 5:
            sessions.extend(entry for entry in journaled(out) if entry["entry"] == "session")
            os.kill(sessions[1]["process"], signal.SIGKILL)

    table = build(many, out, engine=ENGINE, executor="ray", progress=kill)
    assert _content(table) == alone
    driver, worker = sessions
    assert len(table.manifest["history"]) == 2
    assert driver["process"] == os.getpid() != worker["process"]
    assert not _alive(worker["process"])


@pytest.mark.slow
def test_a_killed_driver_goes_on(cluster: str, many: BuildSpec, alone: str, tmp_path: Path) -> None:
    out = tmp_path / "t.h5"
    code = (
        f"from pathlib import Path; from small_builds import *;"
        f"build(small_spec(seeds={SEEDS}), Path({str(out)!r}), engine={ENGINE!r}, executor='ray')"
    )
    environment = {**os.environ, "RAY_ADDRESS": cluster}
    with subprocess.Popen([sys.executable, "-c", code], cwd=HERE, env=environment) as driver:
        while not journal_of(out).exists() or len(trained(out)) < 7:
            assert driver.poll() is None
            time.sleep(0.001)
        driver.kill()
    kept = trained(out)
    assert 7 <= len(kept) < 60
    reports: list[int] = []

    def note(what: str, done: int, total: int) -> None:
        if what == "training":
            reports.append(done)
            if done == total:
                assert trained(out)[: len(kept)] == kept
                assert set(Counter(trained(out)).values()) == {1}

    table = build(many, out, engine=ENGINE, executor="ray", progress=note)
    assert reports == list(range(len(kept), 61))
    assert _content(table) == alone


@pytest.mark.slow
def test_what_a_training_says_is_an_error_of_one_sentence(
    cluster: str, spec: BuildSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nasbench.building.ray_executor.__version__", "0.0.0")
    with pytest.raises(
        NasbenchError, match=r"has nasbench-harness .*, this machine 0\.0\.0"
    ) as told:
        build(spec, tmp_path / "t.h5", engine=ENGINE, executor="ray")
    assert "\n" not in str(told.value)


def test_without_ray_the_extra_is_named_before_anything_is_written(
    spec: BuildSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(NasbenchError, match=r"pip install 'nasbench-harness\[ray\]'"):
        build(spec, tmp_path / "t.h5", executor="ray")
    assert not list(tmp_path.iterdir())


def test_hardware_other_than_cpus_is_refused(spec: BuildSpec, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    with pytest.raises(NasbenchError, match="the ray executor trains on CPUs, not on cuda:1"):
        build(spec, tmp_path / "t.h5", executor="ray", hardware="cuda:1")
    assert not list(tmp_path.iterdir())


def test_unknown_executors_are_told(spec: BuildSpec, tmp_path: Path) -> None:
    with pytest.raises(NasbenchError, match="unknown executor 'rya'; did you mean ray"):
        build(spec, tmp_path / "t.h5", executor="rya")
    assert not list(tmp_path.iterdir())
