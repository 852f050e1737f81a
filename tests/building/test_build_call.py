"""`nb.build` and `nb.export`: the same tables as recipe files make, and what sessions define."""

from __future__ import annotations

import importlib
import logging
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from torch import nn
from typer.testing import CliRunner
from user_space import MY_SPACE, written

import nasbench as nb
from nasbench.building import spec_from
from nasbench.cli import app
from nasbench.device import DeviceSpec
from nasbench.errors import BadValue, NasbenchError, Unsupported
from nasbench.proxy.scoring import names_for
from nasbench.space import ChoiceSpace
from nasbench.table import Table

SMALL = nb.Recipe(epochs=2, train_images=60, valid_images=50, test_images=40)


@pytest.fixture(scope="module")
def by_file(tmp_path_factory: pytest.TempPathFactory) -> Table:
    recipe = written(tmp_path_factory.mktemp("file"))
    return nb.build(recipe, out=recipe.with_name("T.h5"), workers=1)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The user's file, imported as a module."""
    (tmp_path / "widths_here.py").write_text(MY_SPACE)
    monkeypatch.syspath_prepend(tmp_path)
    return importlib.import_module("widths_here")


def content(table: Table) -> Any:
    return table.manifest["content_sha256"]


def space_of_session() -> tuple[ChoiceSpace, Any]:
    """As a notebook defines them: nobody else can import this function."""
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(MY_SPACE, names)
    return names["space"], names["build"]


def test_a_module_is_as_good_as_its_file(
    by_file: Table, module: ModuleType, tmp_path: Path
) -> None:
    built = nb.build({"r": SMALL}, tmp_path / "T.h5", space=module, task="digits", workers=1)
    for metric in ("valid_accuracy", "test_accuracy", "parameters"):
        assert np.array_equal(
            built.values(metric, built.rows), by_file.values(metric, by_file.rows)
        )
    assert built.manifest["family"]["sha256"] == by_file.manifest["family"]["sha256"]
    spaced = nb.build(
        {"r": SMALL},
        tmp_path / "S.h5",
        space=module.space,
        network=module.build,
        task="digits",
        workers=1,
    )
    assert content(spaced) == content(built)


def test_what_a_session_defines_is_trained_by_it_alone(
    by_file: Table, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    space, build = space_of_session()
    given = SimpleNamespace(space=space, build=build)
    with caplog.at_level(logging.WARNING, "nasbench"):
        built = nb.build({"r": SMALL}, tmp_path / "T.h5", space=given, task="digits", workers=2)
    assert "no other process can import build, which this program defines" in caplog.text
    assert built.manifest["family"]["name"] == "__main__"
    values = [one.values("valid_accuracy", one.rows) for one in (built, by_file)]
    assert np.array_equal(*values)
    with pytest.raises(Unsupported, match="write it into a module to train on ray"):
        nb.build(SMALL, tmp_path / "R.h5", space=given, task="digits", executor="ray")


def test_a_space_is_bound_to_its_networks(module: ModuleType, by_file: Table) -> None:
    space, build = space_of_session()
    bound = nb.space(space, build)
    assert bound.describe() == space.describe()
    assert space.source is None
    made = [
        nb.network(of, 3, "digits", {"width": 2})
        for of in (bound, nb.space(module), nb.space(SimpleNamespace(space=space, build=build)))
    ]
    assert len({tuple(p.shape for p in net.parameters()) for net in made}) == 1
    with pytest.raises(Unsupported, match="no network is known"):
        nb.network(space, 3, "digits", {})


def test_the_network_of_a_session_is_exported_with_it(by_file: Table, tmp_path: Path) -> None:
    space, build = space_of_session()
    common: dict[str, Any] = {"space": space, "network": build, "task": "digits", "sample": 2}
    built = nb.build(SMALL, tmp_path / "T.h5", **common)
    row = int(built.rows[0])
    with pytest.raises(Unsupported, match=r"hand it over again, as in nb\.export"):
        nb.export(built, row, tmp_path / "net.onnx")
    made = nb.export(built, row, tmp_path / "net.onnx", network=build, train=True)
    assert made.valid == built.values("valid_accuracy", row)
    assert made.test is not None
    (known,) = made.frame().to_dict("records")
    assert (known["valid_accuracy"], known["test/accuracy"]) == (made.valid, made.test.value)
    assert f"<td>test/accuracy</td><td>{made.test.value:.6g}</td>" in made._repr_html_()
    with pytest.raises(NasbenchError, match=r"is not what .* was built with"):
        nb.export(built, row, tmp_path / "no.onnx", network=lambda choices, inputs, outputs: None)
    said = CliRunner().invoke(app, ["info", str(built.path)], catch_exceptions=False).stdout
    assert "of the program that trained them alone" in said


def test_a_loop_and_an_evaluation_of_the_session(tmp_path: Path) -> None:
    def train(network: nn.Module, task: Any, recipe: Any, rng: Any) -> Any:
        for epoch in range(recipe.epochs):
            yield {"valid_accuracy": 50.0 + epoch, **({"test_accuracy": 9.0} if epoch else {})}

    common: dict[str, Any] = {"space": "nb201-mini", "task": "digits", "sample": 3}
    small = nb.Recipe(epochs=2, channels=2, cells=1)
    built = nb.build(
        small,
        tmp_path / "T.h5",
        train=train,
        evaluate=lambda network, task, rng: {"size": 1.0 * len(list(network.parameters()))},
        **common,
    )
    assert built.recipes == ("2ep",)
    assert built.values("valid_accuracy", built.rows).tolist() == [51.0] * 3
    assert (built.values("size", built.rows) > 0).all()
    trained = built.manifest["recipes"]["2ep"]["trained"]
    assert trained["train"]["function"] == "train"
    assert "50.0 + epoch" in trained["train"]["text"]
    run = nb.search("random_search", built, budget_evaluations=2, among_rows=True)
    assert run.best in built.rows


def test_arguments_say_what_files_say(tmp_path: Path) -> None:
    small = nb.Recipe(epochs=1, train_images=40, valid_images=20, channels=2, cells=1)
    given: dict[str, Any] = {"space": "nb201-mini", "task": "digits", "sample": 2, "workers": 1}
    built = nb.build(small, tmp_path / "mine.h5", seeds=[3, 5], seed=1, **given)
    assert (built.name, built.recipes, built.seeds["1ep"]) == ("mine-sample", ("1ep",), (3, 5))
    twice = [DeviceSpec(runtime="torch"), {"runtime": "torch"}]
    with pytest.raises(BadValue, match="two devices are called cpu-torch-b1"):
        nb.build(small, tmp_path / "no.h5", devices=twice, **given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"recipe": "nb201-mini-fashion16", "seeds": 3}, "seeds stands in the recipe's file"),
        ({"recipe": SMALL, "space": "nb201-mini"}, r"needs space=\.\.\. and task=\.\.\."),
        ({"recipe": SMALL, "space": 3, "task": "digits"}, "a space is a name, a file"),
        ({"recipe": SMALL, "space": "nb201-mini", "task": "digits", "seed": 1}, "are of a sample"),
        (
            {"recipe": SMALL, "space": "mlp", "task": "digits", "network": int},
            "calls its space mlp",
        ),
    ],
)
def test_what_cannot_be_built_is_one_sentence(
    given: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(NasbenchError, match=said):
        nb.build(out=tmp_path / "T.h5", **given)
    assert not list(tmp_path.iterdir())


def test_an_export_says_what_it_is(by_file: Table, tmp_path: Path) -> None:
    (recipe,) = by_file.path.parent.glob("*.toml")
    made = nb.export(by_file, int(by_file.rows[0]), tmp_path / "net.onnx", recipe=recipe)
    assert made.path.exists()
    assert made.describe()["architecture"] == by_file.rows[0]
    assert "untrained" in repr(made)
    page = made.report(tmp_path / "page").read_text(encoding="utf-8")
    assert "net.onnx" in page
    assert str(tmp_path) not in page
    assert "net.onnx" in made.to_latex()
    alone = nb.export(None, "1:-:0.0", tmp_path / "alone.onnx", recipe=spec_from(recipe))
    assert alone.describe()["table"] is None
    with pytest.raises(BadValue, match="of a table or of a build recipe"):
        nb.export(None, 3, tmp_path / "no.onnx")


SCORED: dict[str, Any] = {"sample": 4, "batch_size": 8, "seed": 2}


def count(network: nn.Module, images: Any, labels: Any) -> float:
    return float(sum(p.numel() for p in network.parameters()))


def test_functions_are_proxies_and_others_of_their_names_are_others(
    tmp_path: Path, by_file: Table, forked: None
) -> None:
    (recipe,) = by_file.path.parent.glob("*.toml")
    scored = nb.score_proxies(recipe, tmp_path / "S.h5", ["params", count], workers=2, **SCORED)
    assert np.array_equal(scored.column("proxy/count"), scored.column("proxy/params"))
    local = nb.score_proxies(
        recipe, tmp_path / "L.h5", [lambda network, images, labels: 1.0], workers=2, **SCORED
    )
    assert local.column("proxy/lambda").tolist() == [1.0] * 4
    with pytest.raises(BadValue, match="a proxy is a name or a function"):
        nb.score_proxies(recipe, tmp_path / "N.h5", [3], **SCORED)  # type: ignore[list-item]


def test_without_names_all_are_computed_that_networks_of_the_space_have(
    tmp_path: Path, by_file: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    (recipe,) = by_file.path.parent.glob("*.toml")
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(
        "nasbench.building.call.score_table",
        lambda spec, out, scoring, **rest: asked.append(scoring.proxies),
    )
    nb.score_proxies(recipe, tmp_path / "S.h5")
    assert asked == [names_for(spec_from(recipe).space)]
    assert "snip" in asked[0]
    assert "zen" not in asked[0]


@pytest.mark.parametrize("only", ["3", 3, [], [3.5], [True]])
def test_only_is_a_list_of_architectures(only: Any, tmp_path: Path) -> None:
    with pytest.raises(NasbenchError, match=r"only|not a cell"):
        nb.build("nb201-mini-fashion16", out=tmp_path / "T.h5", only=only)
    assert not any(tmp_path.iterdir())
