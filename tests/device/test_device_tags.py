"""Operation tags: sums over units give whole networks, on a device whose prices are known."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import Tensor, nn
from typer.testing import CliRunner

import nasbench as nb
from nasbench._progress import silent
from nasbench.building import read_spec
from nasbench.building.measuring import timed_network
from nasbench.building.sums import sum_tags
from nasbench.building.tagging import tag_operations
from nasbench.cli import app
from nasbench.device import DeviceSpec, Measurement
from nasbench.device.base import METRICS
from nasbench.device.inference import evaluating, examples
from nasbench.device.operation_tag import Roofline
from nasbench.device.rescaling import DOUBT, common_factor, factors_of_parts
from nasbench.device.tagging import Repeated, measure_tags
from nasbench.device.tags import Tags
from nasbench.device.units import units_of
from nasbench.errors import NasbenchError
from nasbench.network.graph import graph_of
from nasbench.table import Dataset, recipe_path, write_table
from nasbench.task import Signal

pytestmark = pytest.mark.heavy

OVERHEAD = 0.25
PRICES = {nn.Conv2d: 3e-6, nn.AvgPool2d: 1e-6, nn.BatchNorm2d: 2e-7, nn.ReLU: 1e-7}
"""Milliseconds for each number that a module puts out, and each weight of a filter."""


class KnownDevice:
    """Modules have prices, all else is free; the first turns may fail, as on a busy machine."""

    def __init__(self, failing: int = 0, watts: float = math.nan, within: float = 1.0) -> None:
        self.spec = DeviceSpec(runtime="onnxruntime")
        self.failing = failing
        self.watts = watts
        self.within = within  # by which 3 x 3 convolutions cost more in whole networks

    def describe(self) -> dict[str, Any]:
        return self.spec.describe()

    def measure(self, networks: Iterable[nn.Module], inputs: Signal) -> list[Measurement]:
        found = [self._latency(network, inputs) for network in networks]
        if self.failing:
            self.failing -= 1
            found[-1] = math.nan
        return [
            Measurement(
                **dict.fromkeys(METRICS, math.nan)
                | {"latency_ms": ms, "energy_mj": self.watts * ms},
                kind={} if math.isnan(self.watts) else {"energy_mj": "measured"},
                reasons={},
            )
            for ms in found
        ]

    def _latency(self, network: nn.Module, inputs: Signal) -> float:
        whole = OVERHEAD
        alone = any(isinstance(module, Repeated) for module in network.modules())

        def price(module: nn.Module, given: Any, out: Tensor) -> None:
            nonlocal whole
            size = module.weight[0].numel() if isinstance(module, nn.Conv2d) else 1
            if isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3) and not alone:
                size *= self.within
            whole += PRICES.get(type(module), 0.0) * out.numel() * size

        hooks = [module.register_forward_hook(price) for module in network.modules()]
        with evaluating(network, examples(network, inputs, 1)) as x:
            network(x)
        for hook in hooks:
            hook.remove()
        return whole


@pytest.fixture(scope="module")
def spec() -> Any:
    return read_spec(recipe_path("nb201-mini-fashion16"))


@pytest.fixture(scope="module")
def tags(spec: Any) -> Tags:
    return tag_operations(spec, KnownDevice(), sample=100, whole=4)


def test_sums_give_every_network_of_the_family(spec: Any, tags: Tags) -> None:
    cells = spec.space.representatives[::7]
    networks = [timed_network(spec, int(cell)) for cell in cells]
    truth = [m.latency_ms for m in KnownDevice().measure(networks, spec.task.signal)]
    sums = sum_tags(spec, tags, cells.tolist())
    assert sums["untagged"].sum() == 0
    # What is estimated by the roofline, as the classifier, is free on this device.
    assert sums["latency_ms"] == pytest.approx(truth, rel=2e-3)
    assert tags.base_ms == pytest.approx(OVERHEAD, rel=2e-3)
    assert tags.scale == pytest.approx(1, abs=2e-3)
    assert tags.errors[0] < 2e-3


def test_energy_is_summed_where_a_counter_measured_it(spec: Any, tags: Tags) -> None:
    cells = spec.space.representatives[[-1, -20]].tolist()
    networks = {str(cell): timed_network(spec, cell) for cell in cells}
    counted = measure_tags(KnownDevice(watts=3), networks, spec.task.signal, [], silent)
    sums = sum_tags(spec, counted, cells)
    assert sums["energy_mj"] == pytest.approx(3 * sums["latency_ms"], rel=2e-3)
    assert tags.base_mj is None
    assert np.isnan(sum_tags(spec, tags, cells)["energy_mj"]).all()


def test_memory_is_by_liveness_and_not_a_sum(spec: Any, tags: Tags) -> None:
    cell = int(spec.space.representatives[-1])
    graph = graph_of(timed_network(spec, cell), spec.task.signal)
    found = sum_tags(spec, tags, [cell])
    assert found["memory_mib"][0] * 2**20 == graph.peak_bytes
    assert graph.peak_bytes < sum(unit.moved_bytes * n for unit, n in units_of(graph).items())
    assert 0 <= found["memory_bound"][0] <= 1
    moved = sum(unit.moved_bytes * n for unit, n in units_of(graph).items())
    assert found["moving_ms"][0] == pytest.approx(1e-6 * moved / tags.roofline.gigabytes)


def test_a_turn_that_fails_is_taken_again(spec: Any) -> None:
    networks = {"one": timed_network(spec, int(spec.space.representatives[-1]))}
    device = KnownDevice(failing=3)
    found = measure_tags(device, networks, spec.task.signal, [], silent)
    assert device.failing == 0
    assert all(t.kind == "measured" for t in found.operations.values() if "conv2d" in t.name)
    assert all(math.isnan(error) for error in found.errors)  # no network was measured whole


def test_a_device_that_measures_nothing_says_so(spec: Any) -> None:
    networks = {"one": timed_network(spec, int(spec.space.representatives[-1]))}
    with pytest.raises(NasbenchError, match="measures no convolution"):
        measure_tags(KnownDevice(failing=10**6), networks, spec.task.signal, [], silent)


def test_a_row_has_one_product_and_what_is_folded_into_it() -> None:
    """An activation may begin it; a pool, a second convolution and what is read twice end it."""

    class Branches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Sequential(nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4))
            self.pool = nn.AvgPool2d(3, 1, 1)
            self.last = nn.Sequential(nn.Conv2d(4, 8, 1), nn.ReLU(), nn.Conv2d(8, 8, 1))

        def forward(self, x: Tensor) -> Tensor:
            y = self.first(x)
            return self.last(self.pool(y) + y)

    units = units_of(graph_of(Branches(), Signal("image", (4, 6, 6), "uint8")))
    assert [unit.name for unit in units] == [
        *("relu conv2d batchnorm2d", "avgpool2d", "add", "conv2d relu", "conv2d")
    ]
    assert [unit.multiply_adds for unit in units] == [36 * 4 * 36, 0, 0, 36 * 32, 36 * 64]
    row = next(iter(units))
    image = 4 * 4 * 36
    weights = 4 * (4 * 36 + 4 + 4 * 4) + 8  # and BatchNorm's count of batches
    assert row.weight_bytes == weights
    assert row.moved_bytes == 2 * image + weights


def test_attention_linear_layers_and_sums_of_tokens_are_measured() -> None:
    class Layer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(50, 8)
            self.linear = nn.Linear(8, 8)

        def forward(self, ids: Tensor) -> Tensor:
            x = self.embedding(ids)
            heads = self.linear(x).unflatten(2, (2, 4)).transpose(1, 2)
            seen = nn.functional.scaled_dot_product_attention(heads, heads, heads)
            return (x + seen.transpose(1, 2).flatten(2)).mean(1)

    class CountingDevice(KnownDevice):
        def _latency(self, network: nn.Module, inputs: Signal) -> float:
            graph = graph_of(network, inputs)
            return OVERHEAD + 1e-9 * graph.multiply_adds + 1e-9 * graph.moved_bytes

    tokens = Signal("tokens", (6,), "int64", 50)
    found = measure_tags(CountingDevice(), {"one": Layer()}, tokens, [], silent)
    kinds = {tag.name: tag.kind for tag in found.operations.values()}
    measured = {name for name, kind in kinds.items() if kind == "measured"}
    assert {"linear", "add", "scaled_dot_product_attention"} <= measured
    assert kinds["embedding"] == "estimated"
    work = {tag.name: tag.multiply_adds for tag in found.operations.values()}
    (linear,) = [tag for tag in found.operations.values() if tag.name == "linear"]
    assert work["scaled_dot_product_attention"] == 2 * 6 * 6 * 8
    moved = 2 * 4 * 6 * 8 + linear.weight_bytes
    assert linear.latency_ms == pytest.approx(1e-9 * (6 * 8 * 8 + moved), rel=1e-6)
    assert found.roofline.launch_ms > 0


def test_what_does_not_hear_the_input_is_no_unit() -> None:
    class Constant(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv2d(4, 4, 3, padding=1)
            self.second = nn.Conv2d(4, 4, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.first(x) + self.second(self.first.bias[:, None, None].expand_as(x))

    units = units_of(graph_of(Constant(), Signal("image", (4, 6, 6), "uint8")))
    assert [unit.name for unit in units] == ["conv2d", "add"]


def test_what_a_roofline_says_of_an_unknown_unit(tags: Tags) -> None:
    net = nn.Sequential(nn.Conv2d(3, 64, 5, padding=2))
    units = units_of(graph_of(net, Signal("image", (3, 8, 8), "uint8")))
    (unit,) = units
    assert tags.unknown(units) == 1
    arithmetic = 1e-6 * unit.multiply_adds / tags.roofline.giga_multiply_adds
    moving = 1e-6 * unit.moved_bytes / tags.roofline.gigabytes
    assert tags.latency_ms(units) == pytest.approx(tags.base_ms + max(arithmetic, moving))
    assert tags.memory_bound(units) == float(moving > arithmetic)


def test_errors_are_of_networks_that_the_scale_has_not_seen() -> None:
    tags = Tags("d", {}, Roofline(1, 1), {}, 0.0, {"a": (2.0, 1.0), "b": (4.0, 2.0), "c": (3.0, 1)})
    assert tags.scale == pytest.approx(12 ** (1 / 3))
    logs = np.log([2, 2, 3])
    without = [math.exp((logs.sum() - own) / 2) for own in logs]
    expected = np.mean([abs(s / m - 1) for s, m in zip(without, [2, 2, 3], strict=True)])
    assert tags.errors == (pytest.approx((0.5 + 0.5 + 2 / 3) / 3), pytest.approx(expected))


def test_factors_are_those_of_a_ridge_that_grows_with_the_share() -> None:
    rng = np.random.default_rng(0)
    parts = rng.uniform(0, 1, (5, 7)) * [8, 4, 2, 1, 1, 0.5, 0]
    measured = parts @ rng.uniform(0.8, 1.4, 7)
    common = common_factor(parts.sum(1), measured)
    relative = parts / measured[:, None]
    # Each factor is drawn to the common one by its share: the same as one least-squares problem.
    pull = np.sqrt(DOUBT * 5 * relative.mean(0))
    system = np.vstack([relative, np.diag(pull)])
    wanted, *_ = np.linalg.lstsq(system, np.r_[np.ones(5), common * pull])
    found = factors_of_parts(parts, measured)
    assert found[:6] == pytest.approx(wanted[:6])
    assert found[6] == common  # which no network has
    one = factors_of_parts(parts[:1], measured[:1])
    assert one == pytest.approx(measured[0] / parts[0].sum())


def test_whole_networks_say_by_how_much_each_operation_is_off(spec: Any) -> None:
    """Large convolutions take half as much again within a network, as where caches are full."""
    crowded = KnownDevice(within=1.5)
    tags = tag_operations(spec, crowded, sample=12, whole=8)
    cells = spec.space.representatives[::13]
    networks = [timed_network(spec, int(cell)) for cell in cells]
    truth = np.asarray([m.latency_ms for m in crowded.measure(networks, spec.task.signal)])
    sums = [tags.latency_ms(units_of(graph_of(n, spec.task.signal))) for n in networks]
    by_one = np.abs(tags.scale * np.asarray(sums) / truth - 1).mean()
    by_each = np.abs(sum_tags(spec, tags, cells.tolist())["latency_ms"] / truth - 1).mean()
    assert by_each < 0.5 * by_one
    assert tags.errors[1] < tags.errors[0]


# Files and commands.


def test_tags_are_read_as_they_were_written(tags: Tags, tmp_path: Path) -> None:
    tags.save(tmp_path / "tags.json")
    again = Tags.load(tmp_path / "tags.json")
    assert again.operations == tags.operations
    assert (again.device, again.base_ms, again.roofline) == (
        *(tags.device, tags.base_ms, tags.roofline),
    )
    assert again.whole == tags.whole
    assert again.counts == tags.counts
    assert set(tags.counts) == set(tags.whole)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("nasbench_tags", 2),
        ("roofline", {"giga_multiply_adds": 0, "gigabytes": 1}),
        ("base_ms", float("nan")),
        ("base_ms", None),
        ("whole", {"a": [1]}),
        ("whole", {"a": [1, -1]}),
        ("operations", [{}]),
        ("operations", 3),
        ("about", 3),
        ("counts", 3),
        ("counts", {"a": [1]}),
        ("counts", {"a": ["many"]}),
        ("base_ms", 1e300),
        ("whole", {"a": [1e308, 1e-308]}),
        ("whole", {"a": [1, 1, 1]}),
        ("whole", {"a\n": [1, 1]}),
        ("nasbench_tags", True),
        ("about", {"description": {"batch_size": "1"}}),
    ],
)
def test_a_file_of_something_else_is_refused(
    tags: Tags, tmp_path: Path, key: str, value: Any
) -> None:
    path = tmp_path / "tags.json"
    tags.save(path)
    said = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**said, key: value}), "utf-8")
    with pytest.raises(NasbenchError, match=r"tags\.json"):
        Tags.load(path)


def test_a_file_that_would_fill_the_memory_is_not_read(
    tags: Tags, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tags.save(tmp_path / "tags.json")
    monkeypatch.setattr("nasbench.device.tags.LARGEST", 1000)
    with pytest.raises(NasbenchError, match="has more than 1,000 bytes"):
        Tags.load(tmp_path / "tags.json")


def test_counts_that_do_not_give_the_sums_are_refused(tags: Tags, tmp_path: Path) -> None:
    path = tmp_path / "tags.json"
    none = {name: (0,) * len(tags.operations) for name in tags.whole}
    for changed in (none, {"another": next(iter(tags.counts.values()))}):
        replace(tags, counts=changed).save(path)
        with pytest.raises(NasbenchError, match="holds no operation tags"):
            Tags.load(path)
    said = tags.describe()
    path.write_text(json.dumps({**said, "operations": said["operations"][:1] * 2}), "utf-8")
    with pytest.raises(NasbenchError, match="holds no operation tags"):
        Tags.load(path)


@pytest.mark.parametrize(
    "change",
    [
        {"latency_ms": -1},
        {"latency_ms": True},
        {"latency_ms": "1"},
        {"latency_ms": 1e9},
        {"kind": "imported"},
        {"energy_mj": 0},
        {"key": 5},
        {"name": "add\x1b[2J\n,"},
        {"weight_bytes": -5},
        {"multiply_adds": 0.5},
    ],
)
def test_a_tag_that_nothing_costs_is_refused(
    tags: Tags, tmp_path: Path, change: dict[str, Any]
) -> None:
    path = tmp_path / "tags.json"
    tags.save(path)
    said = json.loads(path.read_text("utf-8"))
    said["operations"][0] |= change
    path.write_text(json.dumps(said), "utf-8")
    with pytest.raises(NasbenchError, match="holds no operation tags"):
        Tags.load(path)


def test_sums_that_are_no_cost_are_refused(spec: Any, tags: Tags) -> None:
    """Names of operations that no network has are the roofline's, and counted."""
    cell = int(spec.space.representatives[-1])
    others = {f"of another, {key}": tag for key, tag in tags.operations.items()}
    strange = replace(tags, operations=others, whole={}, counts={})
    found = sum_tags(spec, strange, [cell])
    graph = graph_of(timed_network(spec, cell), spec.task.signal)
    assert found["untagged"] == sum(units_of(graph).values())
    for change, unit in (({"base_ms": -1000.0}, "ms"), ({"base_mj": -1e9}, "mJ")):
        negative = replace(tags, whole={}, counts={}, **change)
        energies = {k: replace(t, energy_mj=1.0) for k, t in tags.operations.items()}
        with pytest.raises(NasbenchError, match=rf"sum up to -1e\+0\d {unit} for .*costs"):
            sum_tags(spec, replace(negative, operations=energies), [cell])


def test_tags_are_made_and_summed_by_command(
    spec: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nasbench.building.measuring.device_of", lambda spec, one: KnownDevice())
    made, out = tmp_path / "tags.json", tmp_path / "sums.h5"
    recipe, device = "nb201-mini-fashion16", "cpu-onnxruntime-b1"
    run = CliRunner().invoke(
        app,
        ["device", "tags", recipe, "--device", device, "--sample", "12", "--out", str(made)],
        catch_exceptions=False,
    )
    assert "on average over 5 networks" in run.output
    rows = spec.space.representatives[:10]
    table = write_table(
        tmp_path / "t.h5",
        name="t",
        space=spec.space,
        rows=rows,
        sharing="canonical",
        recipes={},
        datasets={"network/flops": Dataset(np.ones(len(rows)), {})},
    )
    run = CliRunner().invoke(
        app,
        [
            *("device", "predict", str(table.path), "--tags", str(made), "--recipe", recipe),
            *("--out", str(out), "--json"),
        ],
        catch_exceptions=False,
    )
    said = json.loads(run.output)
    assert said["architectures"] == 10
    sums = nb.load(out)
    assert sums.manifest["devices"][device]["kinds"] == {
        "latency_ms": "estimated",
        "memory_mib": "estimated",
        "moving_ms": "estimated",
    }
    assert np.isfinite(sums.cost(device, "latency_ms", rows)).all()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["device", "tags", "nb201-mini-fashion16", "--out", "x.json"], "name one with --device"),
        (
            ["device", "tags", "nb201-mini-fashion16", "--device", "npu", "--out", "x.json"],
            "unknown device 'npu'",
        ),
        (["device", "predict", "nb201-fashion16", "--tags", "x.json"], "give both --tags and"),
        (
            [
                "device",
                "predict",
                "nb201-fashion16",
                "--tags",
                "x",
                "--recipe",
                "r",
                "--sources",
                "a",
            ],
            "need no samples",
        ),
    ],
)
def test_what_tags_cannot_be_of_is_one_sentence(
    words: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NasbenchError, match=says):
        CliRunner().invoke(app, words, catch_exceptions=False)
    assert not list(tmp_path.iterdir())
