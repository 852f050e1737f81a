"""What a space says of its networks' pictures is what its networks are."""

from __future__ import annotations

import re

import numpy as np
import pytest

import nasbench as nb
from nasbench.report.explore_data import explored
from nasbench.report.judged import Judged
from nasbench.report.pictures import best_networks
from nasbench.space import ChoiceSpace, names
from nasbench.space.drawing import DrawnBlock, DrawnStage, drawn_in_words, drawn_stages
from nasbench.table import Dataset, write_table

DRAWN = [name for name in names() if nb.space(name).stages]


def small(path, space):
    """A table of numbers that rise."""
    rows = np.arange(space.size)
    about = {"kind": "trained", "epochs": [1]}
    return write_table(
        path,
        name="t",
        space=space,
        rows=rows,
        recipes={"r": {"epochs": 1, "seeds": [0]}},
        datasets={"recipe/r/valid_accuracy": Dataset(1.0 + rows[:, None, None], about)},
        sharing="none",
    )


LISTED = {"nb201", "nb201-mini", "efficientnet"}
"""Cells, which are drawn as graphs, and a space of one decision, which says all."""


def test_all_that_ship_are_drawn():
    assert set(names()) - set(DRAWN) <= LISTED | {n for n in names() if "." in n}


@pytest.mark.parametrize("name", DRAWN)
def test_every_decision_that_counts_is_seen_and_no_other(name):
    """Another choice of it changes the picture; one of a decision that does not count, nothing."""
    space, rng = nb.space(name), np.random.default_rng(0)
    for architecture in space.sample(rng, 3).tolist():
        ops = space.ops(architecture)
        counts = space.active(space.normal(ops))
        picture = drawn_stages(space, architecture)
        for place, count in enumerate(space.choices):
            other = ops.copy()
            other[place] = (other[place] + 1) % count
            changed = drawn_stages(space, int(space.index_of(other)))
            shown = bool(counts[place]) and count > 1
            assert (changed != picture) == shown, list(space.decisions)[place]


def test_blocks_are_as_many_as_the_network_has():
    space = nb.space("proxyless")
    drawn = drawn_stages(space, space.named["proxyless-mobile"])
    assert [len(boxes) for _, boxes in drawn] == [1, 1, 2, 4, 4, 4, 4, 1, 1]
    assert drawn[4][1][0] == ("7×7\nexpand 6", 2)


def test_a_stranger_s_words_stay_words(tmp_path):
    """Braces, markup and formulas in a choice are drawn as they are written."""
    space = ChoiceSpace("odd", {"op": ["{op}", "<b>$x^2$"]})
    space.stages = (DrawnStage("only\n{op}", (DrawnBlock("{op}", "op"),)),)
    assert drawn_stages(space, 0) == [("only\n{op}", [("{op}", 0)])]
    table = small(tmp_path / "t.h5", space)
    table.space.stages = space.stages
    drawing = best_networks(Judged.of(table, "r"))
    texts = [text.get_text() for text in drawing.figure.axes[0].texts]
    assert "<b>$x^2$" in texts
    assert next(text for text in texts if re.match(r"\d\. ", text)).startswith("1. 2")


def test_a_page_to_look_around_in_draws_the_same(tmp_path):
    """Its data, filled in with the choices of a row as its script does."""
    space = nb.space("policy-mlp")
    table = small(tmp_path / "t.h5", space)
    data = explored(table, "r")

    def written(pieces, architecture):
        ops = space.ops(architecture)
        chosen = [choices[op] for (_, choices), op in zip(data["decisions"], ops, strict=True)]
        return "".join(chosen[one] if isinstance(one, int) else one for one in pieces)

    for architecture in (0, 100):
        drawn = drawn_stages(space, architecture)
        for stage, (title, boxes) in zip(data["stages"], drawn, strict=True):
            assert written(stage["title"], architecture) == title
            texts = [written(block["text"], architecture) for block in stage["blocks"]]
            times = int(written([stage["times"]], architecture)) if stage["times"] == 0 else 1
            assert texts * times == [text for text, _ in boxes]


def test_words_are_the_picture():
    space = nb.space("transformer")
    layers = dict(drawn_in_words(space, space.size - 1))["layers, post-norm"]
    assert layers.count("attention heads 4, feed-forward 4 × 64 silu") == 3
