"""The cells of DARTS: how many there are, and genotypes read and written."""

from __future__ import annotations

import ast

import numpy as np
import pytest

import nasbench as nb
from nasbench.errors import BadValue, NasbenchError, UnknownName
from nasbench.space.cells import DARTS_OPERATIONS, NAMED, DartsSpace

DARTS = nb.space("darts")
V2 = NAMED["darts"]["darts-v2"]


def edges(text):
    """What a genotype says, without any order of the two edges of a node."""
    call = ast.parse(text, mode="eval").body
    said = {field.arg: ast.literal_eval(field.value) for field in call.keywords}
    return {
        name: [sorted(value[at : at + 2]) for at in range(0, len(value), 2)]
        if "concat" not in name
        else value
        for name, value in said.items()
    }


def test_there_are_as_many_cells_as_counted_by_hand():
    # 7 operations on 8 edges; the pairs of 2, 3, 4 and 5 states; both cells.
    assert DARTS.size == (7**8 * 1 * 3 * 6 * 10) ** 2
    assert nb.space("darts-mini").size == (4**4 * 1 * 3) ** 2 == 589_824


@pytest.mark.parametrize("name", sorted(NAMED["darts"]))
def test_published_genotypes_are_read_and_written(name):
    text = NAMED["darts"][name]
    architecture = DARTS.index(text)
    assert edges(DARTS.genotype(architecture)) == edges(text)
    assert DARTS.index(DARTS.genotype(architecture)) == architecture
    assert DARTS.parse(DARTS.string(architecture)) == DARTS.parse(text) == architecture


def test_every_genotype_is_read_back():
    for architecture in DARTS.sample(np.random.default_rng(0), 50).tolist():
        assert DARTS.index(DARTS.genotype(architecture)) == architecture


def test_the_order_of_a_nodes_edges_says_nothing_and_a_range_is_a_list():
    swapped = V2.replace(
        "('skip_connect', 0), ('dil_conv_3x3', 2)", "('dil_conv_3x3', 2), ('skip_connect', 0)"
    )
    assert swapped != V2
    ranged = swapped.replace("normal_concat=[2, 3, 4, 5]", "normal_concat=range(2, 6)")
    assert DARTS.index(ranged) == DARTS.index(f"  {V2}\n") == DARTS.index(V2)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ("Genotype(", "not a genotype"),
        ("Genotype()", "not a genotype"),
        ("Genotype(1)", "not a genotype"),
        ("Genotype" + "(" * 5000, "not a genotype"),
        ("Genotype(" + "-" * 9000 + "1)", "not a genotype"),
        ("Genotype(" + "x" * 20_000, "at most 10,000 characters"),
        (V2.replace("Genotype", "Genotypes"), "not a genotype"),
        (V2.replace("Genotype(", "Genotype(*[], "), "not a genotype"),
        (V2.replace("Genotype(", "Genotype(**{}, "), "not a genotype"),
        (V2.replace("normal=", "abnormal="), "not a genotype"),
        (V2.replace("[2, 3, 4, 5]", "__import__('os')", 1), "not a genotype"),
        (V2.replace("[2, 3, 4, 5]", "range(10**12)", 1), "not a genotype"),
        (V2.replace("[2, 3, 4, 5]", "range(0, 9, 0)", 1), "not a genotype"),
        (V2.replace("[2, 3, 4, 5]", "range(stop=6)", 1), "not a genotype"),
        (V2.replace("[2, 3, 4, 5]", "[4, 5]", 1), "normal_concat is"),
        (V2.replace("('skip_connect', 0), ", "", 1), "has 8 pairs"),
        (V2.replace("('sep_conv_3x3', 0)", "0", 1), "has pairs of an operation and a state"),
        (V2.replace("('sep_conv_3x3', 0)", "('sep_conv_3x3', True)", 1), "has pairs"),
        (V2.replace("('sep_conv_3x3', 0)", "('sep_conv_3x3', 1)", 1), "takes state 1 twice"),
        (V2.replace("('sep_conv_3x3', 0)", "('sep_conv_3x3', 2)", 1), "states 0 to 1, got 2"),
        (V2.replace("('sep_conv_3x3', 0)", "('sep_conv_3x3', -1)", 1), "states 0 to 1, got -1"),
    ],
)
def test_what_is_no_genotype_of_the_space_is_refused(wrong, why):
    with pytest.raises(BadValue, match=why):
        DARTS.index(wrong)


def test_operations_that_a_space_does_not_have_are_named():
    with pytest.raises(UnknownName, match="did you mean sep_conv_3x3"):
        DARTS.index(V2.replace("sep_conv_3x3", "sep_conv_3x4", 1))
    with pytest.raises(UnknownName, match="unknown operation of few"):
        DartsSpace("few", 4, DARTS_OPERATIONS[:3]).index(V2)


def test_what_is_neither_string_nor_genotype_is_refused():
    with pytest.raises(NasbenchError, match="not an architecture of darts"):
        DARTS.parse("0+1:sep_conv")
