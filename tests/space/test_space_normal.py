"""Which cells are one function: `canonical` against polynomials over a finite field.

`cell_algebra` decides by trying every assignment of weights and knows none of the rules of
`nasbench.space.normal`; networks of PyTorch are compared in tests/train.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from cell_algebra import (
    INPUT,
    OPAQUE_POOL,
    OTHER_INPUT,
    SLOTS,
    all_outputs,
    evaluate,
    fingerprint,
    fingerprints,
)
from numpy.typing import NDArray

from nasbench.space import NB201_OPERATIONS, SHIFT, CellSpace
from nasbench.space.normal import Normalizer

pytestmark = pytest.mark.heavy

SUBSETS = [
    ("none", "skip_connect", "avg_pool_3x3"),
    ("none", "nor_conv_1x1", "avg_pool_3x3"),
    ("none", "nor_conv_1x1", "nor_conv_3x3"),
    ("skip_connect", "nor_conv_3x3", "avg_pool_3x3"),
    ("avg_pool_3x3", "nor_conv_3x3", "none", "skip_connect"),
]


def same_partition(first: NDArray[np.int64], second: NDArray[np.int64]) -> bool:
    """Whether two labellings put the same elements together."""
    pairs = len(set(zip(first.tolist(), second.tolist(), strict=True)))
    return pairs == len(np.unique(first)) == len(np.unique(second))


def lexicographic(space: CellSpace) -> NDArray[np.int64]:
    """The space's architectures in lexicographic order of their operations."""
    choices = range(len(space.operations))
    return space.index_of(list(product(choices, repeat=len(space.pairs))))


def operations_of(space: CellSpace, architecture: int) -> list[str]:
    return [edge.operation for edge in space.graph(architecture).edges]


# The classes.


def test_nb201_has_the_classes_of_the_second_method(nb201: CellSpace) -> None:
    found = fingerprints(NB201_OPERATIONS, 4)
    assert len(np.unique(found)) == 5_234
    assert same_partition(found, nb201.classes[lexicographic(nb201)])
    assert nb201.unique == len(nb201.representatives) == 5_234


def test_the_second_method_gives_the_count_without_what_is_known_of_pooling() -> None:
    operations = [OPAQUE_POOL if "pool" in name else name for name in NB201_OPERATIONS]
    assert len(np.unique(fingerprints(operations, 4))) == 5_485


def test_mini_has_65_classes(mini: CellSpace) -> None:
    assert mini.unique == 65
    assert same_partition(fingerprints(NB201_OPERATIONS, 3), mini.classes[lexicographic(mini)])


@pytest.mark.parametrize("operations", SUBSETS, ids="-".join)
def test_spaces_of_some_operations_have_them_too(operations: tuple[str, ...]) -> None:
    space = CellSpace("some", 4, operations)
    assert same_partition(fingerprints(operations, 4), space.classes)


def test_cells_of_five_nodes_have_them_too() -> None:
    """With two convolutions at most; the algebra tries every way to give them two slots."""
    operations = ("none", "nor_conv_1x1", "avg_pool_3x3")
    space = CellSpace("five", 5, operations)
    everything = space.ops(np.arange(space.size))
    few = np.flatnonzero((everything == 1).sum(1) <= 2)
    few = np.random.default_rng(0).choice(few, 2_500, replace=False)
    found = [fingerprint(operations_of(space, a), 2) for a in few.tolist()]
    keys: dict[object, int] = {}
    normal = [keys.setdefault(space.normal_form(a).key, len(keys)) for a in few.tolist()]
    assert len(keys) > 100
    assert same_partition(np.asarray(found), np.asarray(normal))


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        # A convolution of an always-zero node is its shift, whatever its kernel ...
        ("NN3NNS", "NN1NNS", True),
        # ... which is not nothing, and pooling leaves it as it is.
        ("NN3NNS", "NNNNNS", False),
        ("NN3NNS", "NN3NNP", True),
        # Pooling distributes over sums, and is no projection.
        ("3SSNNP", "3NNPPN", True),
        ("PNNNPN", "PNNNSN", False),
        # A convolution used twice is not two convolutions, nor one used once.
        ("3NSNSS", "3N3NSS", False),
        ("3NSNSS", "33NNSS", False),
        ("3NSNSS", "3NNNSN", False),
        ("33NNSS", "3N3NSN", False),
        # Two convolutions side by side may change places; one after the other may not.
        ("31NNSS", "13NNSS", True),
        ("3N1NNS", "1N3NNS", False),
        ("NSNNN3", "NNNSNN", False),
    ],
)
def test_the_known_traps(first: str, second: str, same: bool) -> None:
    names = dict(zip("NS13P", NB201_OPERATIONS, strict=True))
    cells = [[names[letter] for letter in cell] for cell in (first, second)]
    assert (fingerprint(cells[0], 3) == fingerprint(cells[1], 3)) is same
    normalizer = Normalizer(4)
    assert (normalizer.form(cells[0]).key == normalizer.form(cells[1]).key) is same


def test_pooling_leaves_a_pointwise_convolution_of_constants_as_it_is() -> None:
    """Only cells of five nodes can hold one; a 3 x 3 kernel sees the zeros at the border."""
    names = dict(zip("NS13P", NB201_OPERATIONS, strict=True))
    forms = {
        cell: Normalizer(5).form([names[letter] for letter in cell])
        for cell in ("NN1NN1SNNP", "NN1NN1SNNS", "NN1NN3SNNP", "NN1NN3SNNS")
    }
    pointwise_pool, pointwise_skip, wide_pool, wide_skip = (form.key for form in forms.values())
    assert pointwise_pool == pointwise_skip
    assert wide_pool != wide_skip


# What stands for a class.


def test_the_cheapest_cell_stands_for_its_class(nb201: CellSpace) -> None:
    classes = nb201.classes
    assert (classes[classes] == classes).all()
    live = np.asarray([nb201.normal_form(a).live_edges for a in range(nb201.size)])
    cheapest = np.full(nb201.size, 99)
    np.minimum.at(cheapest, classes, live)
    assert (live[classes] == cheapest[classes]).all()
    # Of equally cheap ones the first.
    for architecture in np.flatnonzero(live == cheapest[classes]).tolist():
        assert classes[architecture] <= architecture


def test_every_order_maps_weights_onto_the_class(nb201: CellSpace) -> None:
    """A cell with the k-th slot on the k-th edge of its order is what its class computes."""
    some = np.random.default_rng(1).choice(nb201.size, 1_500, replace=False)
    moved = 0
    for architecture in some.tolist():
        outputs = []
        for cell in (architecture, nb201.canonical(architecture)):
            slots = np.full((1, 6), SLOTS - 1)  # dead convolutions share the last
            order = nb201.normal_form(cell).order
            slots[0, list(order)] = range(len(order))
            outputs.append(evaluate(operations_of(nb201, cell), slots).tolist())
        assert outputs[0] == outputs[1]
        moved += architecture != nb201.canonical(architecture)
    assert moved > 500


def test_live_edges_are_those_whose_loss_changes_the_output(nb201: CellSpace) -> None:
    slots = np.arange(6)[None]
    for architecture in nb201.representatives[::9].tolist():
        operations = operations_of(nb201, architecture)
        whole = evaluate(operations, slots)
        live = {}
        for edge, pair in enumerate(nb201.pairs):
            without = [*operations[:edge], "none", *operations[edge + 1 :]]
            if (evaluate(without, slots) != whole).any():
                live[pair] = operations[edge]
                kernels = {"nor_conv_1x1": "nor_conv_3x3", "nor_conv_3x3": "nor_conv_1x1"}
                other = kernels.get(operations[edge])
                changed = [*operations[:edge], other or "none", *operations[edge + 1 :]]
                if other and (evaluate(changed, slots) == whole).all():
                    live[pair] = SHIFT
        graph = nb201.live_graph(architecture)
        assert {(e.source, e.target): e.operation for e in graph.edges} == live
        assert len(graph.edges) == nb201.normal_form(architecture).live_edges


def test_341_cells_do_not_see_their_input(nb201: CellSpace) -> None:
    first, second = (all_outputs(NB201_OPERATIONS, 4, range(6), x) for x in (INPUT, OTHER_INPUT))
    blind = lexicographic(nb201)[(first == second).all(1)]
    assert len(blind) == 341
    for architecture in range(0, nb201.size, 5):
        sees = any(edge.source == 0 for edge in nb201.live_graph(architecture).edges)
        assert sees == (architecture not in blind)


# The release's classes, for comparison.


def test_the_release_s_classes_are_6466_and_unsound(nb201: CellSpace) -> None:
    release = nb201.release_classes
    assert len(np.unique(release)) == 6_466
    pairs = np.unique(np.stack([release, nb201.classes]), axis=1)
    ours_in_theirs = np.bincount(pairs[0])
    theirs_in_ours = np.bincount(pairs[1])
    assert (ours_in_theirs > 1).sum() > 500  # mixes different functions
    assert (theirs_in_ours > 1).sum() > 500  # keeps equal ones apart
    # An example: a convolution used twice beside two convolutions.
    twice = nb201.index(
        "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|skip_connect~1|skip_connect~2|"
    )
    two = nb201.index(
        "|nor_conv_3x3~0|+|nor_conv_3x3~0|none~1|+|none~0|skip_connect~1|skip_connect~2|"
    )
    assert release[twice] == release[two]
    assert nb201.canonical(twice) != nb201.canonical(two)
