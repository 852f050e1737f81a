"""Equivalence is sound: a class's networks are one function, also while they are trained.

Networks of two members of a class, every edge built as the release builds it, are given the
same weights by way of `normal_form(...).order`. Outputs, gradients and three steps of SGD must
agree in float64. Across classes no assignment of weights may make the outputs agree.
"""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

import nasbench as nb
from nasbench.network import network
from nasbench.network.cell import Cell, CellNetwork, Shift
from nasbench.space import SHIFT, CellSpace
from nasbench.task import Signal

pytestmark = pytest.mark.heavy

FEW = pytest.mark.parametrize("n", [12, pytest.param(50, marks=pytest.mark.slow)])
"""Pairs of cells to try."""

RECIPE = nb.Recipe(epochs=1, channels=3, cells=1)


class Small:
    """All that a network asks of a task."""

    signal = Signal("image", (2, 6, 6), "uint8")
    outputs = 3


def cell(letters: str) -> int:
    """The nb201 cell with these operations: N none, S skip, 1 and 3 convolutions, P pool."""
    space = nb.space("nb201")
    return int(space.index_of(["NS13P".index(letter) for letter in letters]))


def build(space: CellSpace, architecture: int, *, live: bool, seed: int = 0) -> CellNetwork:
    """A network in float64 with random weights, scales and shifts."""
    net = network(space, architecture, Small(), RECIPE, live=live).double()
    generator = torch.Generator().manual_seed(seed)
    for module in net.modules():
        for parameter in module.parameters(recurse=False):
            drawn = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            scale = isinstance(module, nn.BatchNorm2d) and parameter is module.weight
            parameter.data = 1 + 0.2 * drawn if scale else 0.5 * drawn
    return net


def cells_of(net: CellNetwork) -> list[Cell]:
    return [block for block in net.blocks if isinstance(block, Cell)]


def owners(space: CellSpace, architecture: int, net: CellNetwork) -> list[list[nn.Module]]:
    """For each cell of a network the modules with live weights, in the order of the class."""
    order = [space.pairs[edge] for edge in space.normal_form(architecture).order]
    found = []
    for block in cells_of(net):
        at = {(e.source, e.target): i for i, e in enumerate(block.graph.edges)}
        found.append([block.operations[at[pair]] for pair in order])
    return found


def is_shift(space: CellSpace, architecture: int) -> list[bool]:
    """For each edge of the order whether it is a convolution of zeros."""
    nonzero = {0}
    shifts = set()
    for edge in space.graph(architecture).edges:
        if edge.operation.startswith("nor_conv"):
            if edge.source not in nonzero:
                shifts.add((edge.source, edge.target))
            nonzero.add(edge.target)
        elif edge.operation != "none" and edge.source in nonzero:
            nonzero.add(edge.target)
    return [space.pairs[edge] in shifts for edge in space.normal_form(architecture).order]


def live_parameters(space: CellSpace, architecture: int, net: CellNetwork) -> list[nn.Parameter]:
    """The skeleton's parameters and those of the order; of a shift only BatchNorm's shift."""
    skeleton: list[nn.Module] = [block for block in net.blocks if not isinstance(block, Cell)]
    found = [
        p for module in (net.stem, *skeleton, net.last, net.classifier) for p in module.parameters()
    ]
    shifts = is_shift(space, architecture)
    for modules in owners(space, architecture, net):
        for module, shift in zip(modules, shifts, strict=True):
            if isinstance(module, Shift):
                found.append(module.bias)
            elif shift:
                found.append(module[2].bias)
            else:
                found.extend(module.parameters())
    return found


def outcome(net: CellNetwork, parameters: list[nn.Parameter]) -> dict[str, list[Tensor]]:
    """What a network shows before, while and after it is trained for three steps."""
    generator = torch.Generator().manual_seed(9)
    x = torch.randn(6, 2, 6, 6, generator=generator, dtype=torch.float64)
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    optimizer = torch.optim.SGD(
        net.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=5e-4
    )
    shown: dict[str, list[Tensor]] = {"outputs while training": []}
    for step in range(3):
        logits = net.train()(x)
        shown["outputs while training"].append(logits.detach())
        optimizer.zero_grad()
        F.cross_entropy(logits, labels).backward()
        if step == 0:
            shown["gradients"] = [
                torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in parameters
            ]
        optimizer.step()
    shown["parameters after training"] = [p.detach() for p in parameters]
    shown["outputs in evaluation"] = [net.eval()(x).detach()]
    shown["outputs in training"] = [net.train()(x).detach()]
    return shown


def assert_equal_under_training(
    space: CellSpace, first: int, second: int, *, live: bool = False
) -> None:
    """`second`'s network, live or official, is `first`'s official one with mapped weights."""
    source, target = build(space, first, live=False), build(space, second, live=live, seed=1)
    mapped = live_parameters(space, first, source), live_parameters(space, second, target)
    for mine, theirs in zip(*mapped, strict=True):
        theirs.data = mine.data.clone()
    mine, theirs = (outcome(net, p) for net, p in zip((source, target), mapped, strict=True))
    for what, tensors in mine.items():
        for a, b in zip(tensors, theirs[what], strict=True):
            difference = float((a - b).detach().abs().max())
            assert difference < 1e-9, f"{what} of {first} and {second} differ by {difference}"


# Within a class.


@FEW
def test_members_of_a_class_stay_equal_under_training(nb201: CellSpace, n: int) -> None:
    rng = np.random.default_rng(0)
    tried = 0
    for architecture in rng.permutation(nb201.representatives).tolist():
        members = np.flatnonzero(nb201.classes == architecture)
        if len(members) > 1 and nb201.normal_form(architecture).order:
            first, second = rng.choice(members, 2, replace=False).tolist()
            assert_equal_under_training(nb201, first, second)
            tried += 1
        if tried == n:
            return


def test_pooling_leaves_a_pointwise_convolution_of_constants_as_it_is() -> None:
    five = CellSpace("five", 5)
    first, second = (
        int(five.index_of(["NS13P".index(c) for c in cell]))
        for cell in ("NN1NN1SNNP", "NN1NN1SNNS")
    )
    assert five.normal_form(first).key == five.normal_form(second).key
    assert_equal_under_training(five, first, second)


@FEW
def test_the_live_network_of_a_class_is_its_members(nb201: CellSpace, n: int) -> None:
    rng = np.random.default_rng(1)
    for architecture in rng.choice(nb201.size, n, replace=False).tolist():
        canonical = nb201.canonical(architecture)
        assert_equal_under_training(nb201, architecture, canonical, live=True)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param("NN3NNS", "NN1NNS", id="a convolution of zeros, whatever its kernel"),
        pytest.param("NN3NNS", "NN3NNP", id="pooling leaves a shift as it is"),
        pytest.param("NN3S3S", "N33S1P", id="shifts beside the input"),
        pytest.param("3SSNNP", "3NNPPN", id="pooling distributes over sums"),
        pytest.param("1PSNNP", "1NNNPN", id="...not over what it has pooled"),
        pytest.param("31NNSS", "13NNSS", id="convolutions change places"),
        pytest.param("3N1N3S", "3N3N1S", id="...with the same input"),
        pytest.param("NN1N3S", "NN1N31", id="a convolution of constants is more than its shift"),
        pytest.param("SSS333", "S3N3N3", id="the input twice is not the input"),
    ],
)
def test_the_known_traps_are_judged_as_the_networks_behave(
    nb201: CellSpace, first: str, second: str
) -> None:
    a, b = cell(first), cell(second)
    same = nb201.canonical(a) == nb201.canonical(b)
    assert same == (nearest(nb201, a, b) < 1e-9)
    if same:
        assert_equal_under_training(nb201, a, b)
        assert_equal_under_training(nb201, a, nb201.canonical(a), live=True)


# Across classes.


class Slots:
    """Weights for convolutions of one cell: one of either kernel, a scale and a shift each."""

    def __init__(self, channels: int = 3, count: int = 6) -> None:
        generator = torch.Generator().manual_seed(5)

        def drawn(*shape: int) -> Tensor:
            return torch.randn(shape, generator=generator, dtype=torch.float64)

        self.kernels = {
            1: drawn(count, channels, channels, 1, 1),
            3: drawn(count, channels, channels, 3, 3),
        }
        self.scales = 1 + 0.2 * drawn(count, channels)
        self.shifts = drawn(count, channels)
        self.x = drawn(3, channels, 5, 5)

    def outputs(self, space: CellSpace, architecture: int, ways: list[tuple[int, ...]]) -> Tensor:
        """What the cell shows for each way to give its convolutions a slot: `[ways, 2, ...]`.

        First in training, then in evaluation: a 1 x 1 convolution of constants is its shift
        under the statistics of the batch, but not under those that were kept.
        """
        block = Cell(space.graph(architecture), self.x.shape[1]).double()
        convolutions = [m for m in block.operations if isinstance(m, nn.Sequential)]
        shown = []
        with torch.no_grad():
            for way in ways:
                for module, slot in zip(convolutions, way, strict=True):
                    kernel = module[1].kernel_size[0]
                    module[1].weight.data = self.kernels[kernel][slot]
                    module[2].weight.data = self.scales[slot]
                    module[2].bias.data = self.shifts[slot]
                    module[2].reset_running_stats()
                shown.append(torch.stack([block.train()(self.x), block.eval()(self.x)]))
        return torch.stack(shown)


SLOTS = Slots()


def convolutions(space: CellSpace, architecture: int) -> int:
    edges = space.graph(architecture).edges
    return sum(edge.operation.startswith("nor_conv") for edge in edges)


def nearest(space: CellSpace, first: int, second: int) -> float:
    """How near two cells' outputs come over every way to share weights between them."""
    few, many = sorted((first, second), key=lambda a: convolutions(space, a))
    slots = convolutions(space, many)
    fixed = SLOTS.outputs(space, many, [tuple(range(slots))])
    ways = list(permutations(range(slots), convolutions(space, few)))
    return float((SLOTS.outputs(space, few, ways) - fixed).abs().flatten(1).amax(1).min())


def test_all_of_mini_is_split_as_the_networks_behave(mini: CellSpace) -> None:
    """No sample: every pair of the 125 cells, every way to share weights."""
    ways = list(permutations(range(3)))
    shown = torch.stack(
        [
            SLOTS.outputs(mini, a, [way[: convolutions(mini, a)] for way in ways])
            for a in range(mini.size)
        ]
    ).flatten(2)  # [cells, ways, numbers]
    distance = torch.cdist(shown[:, 0], shown.flatten(0, 1), p=float("inf"))
    nearest_way = distance.reshape(mini.size, mini.size, len(ways)).amin(2).numpy()
    classes = mini.canonical(np.arange(mini.size))
    assert ((nearest_way < 1e-9) == (classes[:, None] == classes)).all()
    assert (nearest_way[nearest_way >= 1e-9] > 1e-3).all()


@FEW
def test_cells_that_the_release_wrongly_merges_differ(nb201: CellSpace, n: int) -> None:
    rng = np.random.default_rng(2)
    release, ours = nb201.release_classes, nb201.classes
    mixed = mixed_classes(release, ours)
    assert len(mixed) > 500
    for number in rng.choice(len(mixed), n, replace=False):
        first, second = rng.choice(mixed[number], 2, replace=False).tolist()
        assert release[first] == release[second]
        assert nearest(nb201, first, second) > 1e-6


def mixed_classes(release: np.ndarray, ours: np.ndarray) -> list[np.ndarray]:
    """For each release class with several of ours in it, one cell of each of those."""
    pairs, first = np.unique(np.stack([release, ours]), axis=1, return_index=True)
    groups = np.split(first, np.flatnonzero(np.diff(pairs[0])) + 1)
    return [group for group in groups if len(group) > 1]


@FEW
def test_a_live_kernel_matters(nb201: CellSpace, n: int) -> None:
    rng = np.random.default_rng(3)
    swap = {2: 3, 3: 2}
    tried = 0
    while tried < n:
        first = nb201.sample(rng)
        ops = nb201.ops(first)
        edges = np.flatnonzero((ops == 2) | (ops == 3))
        if not len(edges):
            continue
        edge = int(rng.choice(edges))
        other = ops.copy()
        other[edge] = swap[int(ops[edge])]
        second = int(nb201.index_of(other))
        differ = nearest(nb201, first, second) > 1e-6
        assert differ == (nb201.canonical(first) != nb201.canonical(second))
        tried += 1


@FEW
def test_neighbours_differ_where_they_are_of_two_classes(nb201: CellSpace, n: int) -> None:
    rng = np.random.default_rng(4)
    verdicts = []
    for architecture in rng.choice(nb201.size, n, replace=False).tolist():
        other = nb201.mutate(architecture, rng)
        same = nb201.canonical(architecture) == nb201.canonical(other)
        assert same == (nearest(nb201, architecture, other) < 1e-9)
        verdicts.append(same)
    assert len(set(verdicts)) == 2


def test_whole_networks_of_two_classes_differ(nb201: CellSpace) -> None:
    """Of cells with one convolution each, so that there is one way to share weights."""
    cells = [cell(letters) for letters in ("3NSNSS", "3NNNSN", "3NPNNS", "1NNNSN", "3NNSSN")]
    x = torch.randn(4, 2, 6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    shown = []
    for architecture in cells:
        net = build(nb201, architecture, live=False)
        shown.append(net(x).detach())
    assert SHIFT not in {e.operation for a in cells for e in nb201.live_graph(a).edges}
    for i, first in enumerate(shown):
        for second in shown[:i]:
            assert (first - second).abs().max() > 1e-6
