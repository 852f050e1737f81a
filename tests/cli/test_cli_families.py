"""`nasbench families`, and `nasbench space FILE --check`."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from nasbench.cli import app
from nasbench.network import names

MINE = """\
from torch import nn

from nasbench.space import ChoiceSpace

space = ChoiceSpace("mine", {"depth": [1, 2], "kernel2": [1, 3]})


def build(choices, inputs, outputs, *, width=4):
    layers, channels = [], inputs.shape[0]
    for place in range(choices["depth"]):
        kernel = choices["kernel2"] if place else 3
        layers += [nn.Conv2d(channels, width, kernel, padding=kernel // 2), nn.ReLU()]
        channels = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, outputs))
"""


def say(*command: object, status: int = 0) -> str:
    done = CliRunner().invoke(app, [str(word) for word in command])
    if status == 2:
        assert done.exception is not None
        return str(done.exception)
    assert done.exit_code == status, done.output
    return done.stdout


def test_families_are_listed_with_their_sizes() -> None:
    said = {one["space"]: one for one in json.loads(say("families", "--json"))["families"]}
    assert said.keys() == set(names())
    assert said["nb201"]["sizes"] == {"channels": 16, "cells": 5}
    assert "image, audio" in say("families") or "audio, image" in say("families")


def test_a_check_names_the_rule_that_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(MINE)
    said = say("space", path, "--check", "--task", "digits")
    assert (
        'kernel2 changes no network where depth is 1: only_if = {"kernel2": {"depth": [2]}}' in said
    )
    assert "on images 1 x 8 x 8" in said
    recipe = tmp_path / "mine.toml"
    recipe.write_text('task = "digits"', encoding="utf-8")
    assert say("space", path, "--check", "--task", recipe) == said
    path.write_text(MINE.replace("]})", ']}, only_if={"kernel2": {"depth": [2]}})'))
    document = json.loads(say("space", path, "--check", "--json"))
    assert document["check"]["findings"] == []
    assert document["check"]["networks"] == 3


def test_what_cannot_be_built_is_an_error_and_a_task_needs_the_check(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(MINE.replace("outputs))", "3))"))
    assert "gives [4, 3] for 4 examples" in say("space", path, "--check", status=2)
    assert "give both" in say("space", path, "--task", "digits", status=2)
