"""Every proxy keeps the contract, and the contract finds those that do not."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
import torch
from seldom import seldom
from torch import Tensor, nn

from nasbench.errors import NasbenchError
from nasbench.proxy import Proxy, get, names, proxy, registry
from nasbench.proxy.probe import Probe, Values
from nasbench.proxy.registry import OWN
from nasbench.proxy.testing import check_proxy

pytestmark = pytest.mark.heavy

Plain = Callable[[nn.Module, Tensor, Tensor], float]


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_decorated", {})


DEAR = {"grasp", "linear_regions", "ntk_condition", "zen", "zico"}
"""Whose contract takes the longest: others of each kind stay."""


@pytest.mark.parametrize("name", seldom(DEAR, OWN))
def test_ours(name: str) -> None:
    check_proxy(name)


def test_one_of_ones_own() -> None:
    @proxy(better="high", paper="ours", about="BatchNorm by its running statistics; float32")
    def confidence(network: nn.Module, images: Tensor, labels: Tensor) -> float:
        return network.eval()(images).softmax(1).amax(1).mean().item()

    assert isinstance(confidence, Proxy)
    assert get("confidence") is confidence
    assert names()[-1] == "confidence"
    check_proxy("confidence")


def depends_on_the_global_generator(net: nn.Module, images: Tensor, labels: Tensor) -> float:
    return float(torch.rand(()))


def draws_from_python(net: nn.Module, images: Tensor, labels: Tensor) -> float:
    random.random()
    return 1.0


def infinite(net: nn.Module, images: Tensor, labels: Tensor) -> float:
    return float("inf")


def raises(net: nn.Module, images: Tensor, labels: Tensor) -> float:
    raise RuntimeError("no convolution\nhere")


def draws_denied(net: nn.Module, images: Tensor, labels: Tensor) -> float:
    return float(images.sum())


def spoils_the_batch(net: nn.Module, images: Tensor, labels: Tensor) -> float:
    labels.zero_()
    return 1.0


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (depends_on_the_global_generator, "two values for one draw"),
        (draws_from_python, "global random numbers"),
        (infinite, "not finite: the value is inf"),
        (raises, "raises failed: RuntimeError: no convolution here"),
        (draws_denied, "depends on the draw"),
    ],
)
def test_what_breaks_it(function: Plain, said: str) -> None:
    proxy(better="low", random=function is not draws_denied)(function)
    with pytest.raises(AssertionError, match=said):
        check_proxy(function.__name__)


def test_ones_own_cannot_spoil_what_others_see() -> None:
    proxy(better="low")(spoils_the_batch)
    check_proxy("spoils_the_batch")


def spoils_the_weights(probe: Probe) -> Values:
    with torch.no_grad():
        probe.networks[0].get_parameter("stem.0.weight").zero_()
    return np.ones(len(probe))


def knows_its_place(probe: Probe) -> Values:
    return np.arange(1.0, len(probe) + 1)


@pytest.mark.parametrize(
    ("name", "said"),
    [("spoils_the_weights", "changes the networks"), ("knows_its_place", "others are beside it")],
)
def test_what_breaks_it_for_all(name: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Proxy(name, "high", "", "", function=f"{__name__}:{name}")
    monkeypatch.setattr(registry, "_decorated", {name: broken})
    with pytest.raises(AssertionError, match=said):
        check_proxy(name)


# Names.


def test_unknown_names_list_the_near_ones() -> None:
    with pytest.raises(NasbenchError, match="did you mean synflow"):
        get("sinflow")


def test_ours_keep_their_names() -> None:
    def snip(network: nn.Module, images: Tensor, labels: Tensor) -> float:
        return 0.0

    with pytest.raises(NasbenchError, match="give yours another name"):
        proxy(better="high")(snip)
    with pytest.raises(NasbenchError, match="'high' or 'low'"):
        proxy(better="more")(draws_denied)  # type: ignore[arg-type]


class Point:
    """An entry point of another package."""

    def __init__(self, name: str, loaded: object) -> None:
        self.name, self.loaded = name, loaded

    def load(self) -> object:
        if isinstance(self.loaded, Exception):
            raise self.loaded
        return self.loaded


def test_entry_points(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = Proxy("theirs", "low", "a paper", "float32", function=draws_denied)
    points = [Point("theirs", theirs), Point("broken", ImportError("no such package"))]
    points += [Point("other", theirs), Point("snip", theirs)]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: points)
    registry._registered.cache_clear()
    try:
        assert get("theirs") is theirs
        assert {"theirs", "broken", "other"} < set(names())
        assert get("snip") is OWN["snip"]  # nobody else's takes the place of ours
        with pytest.raises(NasbenchError, match="broken cannot be loaded: no such package"):
            get("broken")
        with pytest.raises(NasbenchError, match=r"other of nasbench\.proxies must name a proxy"):
            get("other")
    finally:
        registry._registered.cache_clear()


@pytest.mark.process
def test_names_need_no_torch() -> None:
    import subprocess
    import sys

    code = "import sys, nasbench.proxy as p; p.get('zen'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
