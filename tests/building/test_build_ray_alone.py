"""A Ray cluster that we start is of this machine alone; one that is named is joined as it is."""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from nasbench.building.ray_executor import _cluster, import_ray

NAMES = (
    "RAY_ADDRESS",
    "RAY_AUTH_MODE",
    "RAY_AUTH_TOKEN",
    "RAY_AUTH_TOKEN_PATH",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER",
    "RAY_USAGE_STATS_ENABLED",
)


@pytest.fixture
def began(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What a stand-in for Ray is started with, its environment as nobody set it."""
    for name in NAMES:
        monkeypatch.setenv(name, "")  # so that it is put back afterwards
        monkeypatch.delenv(name)
    found: list[dict[str, Any]] = []
    ray = SimpleNamespace(
        is_initialized=lambda: False,
        init=lambda **options: found.append(options),
        shutdown=lambda: None,
    )
    monkeypatch.setitem(sys.modules, "ray", ray)
    return found


def test_a_cluster_of_our_own_is_loopback_and_silent(began):
    with _cluster(import_ray()):
        [options] = began
    assert options["address"] == "local"
    assert options["_node_ip_address"] == "127.0.0.1"
    assert options["include_dashboard"] is False
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
    # Without it Ray puts an address that others reach in place of the loopback one.
    assert os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] == "0"
    # Without it Ray writes a token under the home directory.
    assert len(os.environ["RAY_AUTH_TOKEN"]) == 64


def test_a_named_cluster_is_joined_as_it_is(began, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "head:6379")
    with _cluster(import_ray()):
        [options] = began
    assert not options.keys() & {"address", "_node_ip_address", "include_dashboard"}
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
    assert "RAY_AUTH_TOKEN" not in os.environ


def test_what_the_user_set_stands(began, monkeypatch):
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", "/somewhere/token")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "1")
    import_ray()
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "1"
    assert "RAY_AUTH_TOKEN" not in os.environ
