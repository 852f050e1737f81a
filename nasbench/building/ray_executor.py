"""Training on a Ray cluster: each training is a task of one CPU; the driver keeps its record."""

from __future__ import annotations

import logging
import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, lru_cache
from itertools import islice
from typing import Any

from nasbench._quiet import quiet_ray
from nasbench._version import __version__
from nasbench.building.executor import Unit, UnitTrainer
from nasbench.building.provenance import session
from nasbench.building.spec import BuildSpec
from nasbench.errors import NasbenchError
from nasbench.train.record import Record

__all__ = ["import_ray", "train_on_ray"]

RETRIES = 5
"""How often a training is started again whose worker was lost; a second time gives the same."""

_OWN_CLUSTER = {
    "address": "local",
    "include_dashboard": False,
    "_node_ip_address": "127.0.0.1",
}


def import_ray() -> Any:
    """The ray package; where it is missing, an error says which extra brings it."""
    quiet_ray()
    try:
        import ray
    except ImportError as error:
        raise NasbenchError("Ray is not installed; pip install 'nasbench-harness[ray]'") from error
    return ray


def train_on_ray(
    spec: BuildSpec,
    units: Sequence[Unit],
    processes: int | None,
    engine: str,
    joined: Callable[[Mapping[str, Any]], None],
) -> Iterator[tuple[Unit, Record]]:
    """Train units on the cluster that `RAY_ADDRESS` names, else on one that is started here.

    A task costs Ray about a millisecond and a training a hundred or more, so that each training
    is a task of its own: a worker that dies takes one training with it.

    Args:
        spec: gives space, task and recipes.
        units: what to train.
        processes: how many side by side; what the cluster has room for by default.
        engine: `native` or `reference`; trains on the CPU, on one thread.
        joined: called with the session of each machine before its first record.
    """
    if not units:
        return
    ray = import_ray()
    hosts: set[str] = set()
    waiting: dict[Any, Unit] = {}
    todo = iter(units)
    with _cluster(ray):
        task = ray.remote(num_cpus=1, max_retries=RETRIES)(_train)
        shared = [ray.put(spec)]  # in a list it goes to a task as it is: each worker reads it once
        try:
            while True:
                # Twice what it can run: no CPU waits for its next training, and a cluster that
                # grows by itself sees what for.
                room = processes or 2 * max(1, int(ray.cluster_resources().get("CPU", 0)))
                for unit in islice(todo, max(0, room - len(waiting))):
                    waiting[task.remote(shared, unit, engine, __version__)] = unit
                if not waiting:
                    return
                for done in ray.wait(list(waiting))[0]:
                    unit = waiting.pop(done)
                    record, where = _result(ray, done)
                    if where["host"] not in hosts:
                        hosts.add(where["host"])
                        joined(where)
                    yield unit, record
        finally:
            for left in waiting:
                ray.cancel(left)


@contextmanager
def _cluster(ray: Any) -> Iterator[None]:
    """A connection to a cluster; one that the caller has made stays."""
    if ray.is_initialized():
        yield
        return
    own = {} if os.environ.get("RAY_ADDRESS") else _OWN_CLUSTER
    try:
        ray.init(log_to_driver=False, logging_level=logging.ERROR, **own)
    except ConnectionError as error:
        raise NasbenchError(
            f"no Ray cluster answers ({str(error).splitlines()[0]}): start it with `ray start`, "
            f"or unset RAY_ADDRESS to start one on this machine"
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _result(ray: Any, done: Any) -> tuple[Record, Mapping[str, Any]]:
    try:
        record, where = ray.get(done)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from error
    except ray.exceptions.RayError as error:
        raise NasbenchError(
            f"a training lost its worker {RETRIES + 1} times ({type(error).__name__}); what is "
            f"finished is kept, and the same command goes on from there"
        ) from error
    return record, where


def _train(
    shared: Sequence[Any], unit: Unit, engine: str, version: str
) -> tuple[Record, dict[str, Any]]:
    """A task: one training, and where it ran."""
    if __version__ != version:
        raise NasbenchError(
            f"{platform.node()} has nasbench-harness {__version__}, this machine "
            f"{version}: install the same on every node of the cluster"
        )
    return _trainer(shared[0], engine).train(unit), _session()


@lru_cache(maxsize=1)
def _trainer(shared: Any, engine: str) -> UnitTrainer:
    return UnitTrainer(import_ray().get(shared), engine, "cpu")


@cache
def _session() -> dict[str, Any]:
    return session()
