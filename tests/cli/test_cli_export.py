"""A trained ONNX file takes what the user has, says what it is, and is as good as it says."""

from __future__ import annotations

import json
import sys

import numpy as np
import onnx
import pytest
from typer.testing import CliRunner

import nasbench as nb
from nasbench._quiet import import_onnxruntime
from nasbench.building import read_spec
from nasbench.cli import app
from nasbench.device.onnx_graph import to_onnx
from nasbench.network import network
from nasbench.network.start import initialize
from nasbench.task.base import Task

pytestmark = pytest.mark.heavy

ARCHITECTURE = 26


def props(path):
    return {entry.key: entry.value for entry in onnx.load(path).metadata_props}


def logits_of(path, images):
    session = import_onnxruntime().InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(["logits"], {"images": images})[0]


@pytest.fixture(scope="module")
def exported(table, tmp_path_factory):
    """The file and what the command said, of a table's network."""
    path = tmp_path_factory.mktemp("exported") / "net work ü.onnx"
    words = ["export", str(table), str(ARCHITECTURE), "--train", "--onnx", str(path), "--json"]
    return path, json.loads(CliRunner().invoke(app, words).stdout)


def test_the_training_is_that_of_the_table_bit_for_bit(exported, table):
    _, said = exported
    opened = nb.load(table)
    assert said["identical"] is True
    assert said["engine"] == opened.manifest["engine"]
    assert said["seed"] == opened.seeds["2ep"][0]
    [stored] = opened.values("valid_accuracy", [ARCHITECTURE], seed=said["seed"])
    assert said["valid_accuracy"] == stored


def test_raw_pixels_go_in_and_the_accuracy_is_the_one_that_is_said(exported):
    """Measured here by hand, on the task's images as they are."""
    path, said = exported
    test = nb.task("digits").test
    assert test.images.dtype == np.uint8
    answers = logits_of(path, test.images).argmax(1)
    accuracy = 100 * float((answers == test.labels).mean())
    assert said["test"]["accuracy"] == pytest.approx(accuracy, abs=1e-9)
    assert said["test"]["n"] == len(test)
    assert said["test"]["low"] < accuracy < said["test"]["high"]


def test_the_file_standardises_as_the_training_did(exported, recipe, table):
    """The network by hand: PyTorch on pixels less mean by deviation of the images in use."""
    path, _ = exported
    found = onnx.load(path)
    weights = {w.name: onnx.numpy_helper.to_array(w) for w in found.graph.initializer}
    used = nb.task("digits").train.images[:100].astype(np.float64)
    np.testing.assert_allclose(weights["raw.mean"].ravel(), [used.mean()], rtol=1e-5)
    np.testing.assert_allclose(weights["raw.deviation"].ravel(), [used.std()], rtol=1e-5)


def test_any_batch_gives_what_single_images_give(exported):
    path, _ = exported
    images = nb.task("digits").test.images[:7]
    alone = np.concatenate([logits_of(path, images[i : i + 1]) for i in range(7)])
    np.testing.assert_allclose(logits_of(path, images), alone, atol=1e-5)


def test_the_file_says_what_its_user_needs(exported, table):
    path, _ = exported
    told, opened, task = props(path), nb.load(table), nb.task("digits")
    assert json.loads(told["classes"]) == list(task.classes)
    assert json.loads(told["input_shape"]) == list(task.shape)
    assert told["input_range"] == "0 to 255"
    assert told["input_layout"] == "NCHW"
    assert (told["task"], told["task_hash"]) == ("digits", task.hash)
    assert told["architecture"] == str(ARCHITECTURE)
    assert told["architecture_string"] == opened.space.string(ARCHITECTURE)
    assert json.loads(told["recipe"]) == opened.manifest["recipes"]["2ep"]["trained"]
    assert told["table_content_sha256"] == opened.manifest["content_sha256"]
    assert "torch" in json.loads(told["versions"])
    [given] = onnx.load(path).graph.input
    assert given.type.tensor_type.elem_type == onnx.TensorProto.UINT8


def test_a_file_that_is_only_timed_stays_as_it_is(cli, recipe, tmp_path):
    """Untrained: float32 in, no metadata, the bytes that devices measure."""
    path = tmp_path / "n.onnx"
    assert cli("export", ARCHITECTURE, "--recipe", recipe, "--onnx", path).status == 0
    spec = read_spec(recipe)
    net = network(spec.space, ARCHITECTURE, spec.task, spec.recipes["2ep"])
    initialize(net, 0, ARCHITECTURE)
    assert path.read_bytes() == to_onnx(net, spec.task.signal).SerializeToString()


def test_a_recipe_is_exported_without_a_table(cli, recipe, tmp_path):
    path = tmp_path / "n.onnx"
    words = ("--recipe", recipe, "--train", "--hardware", "cpu", "--onnx", path)
    done = cli("export", ARCHITECTURE, *words)
    assert done.status == 0
    assert "of 359 images, by the file in ONNX Runtime" in done.out
    assert "reference engine" in done.out
    assert "table" not in props(path)


def test_another_seed_is_not_compared(cli, table, tmp_path):
    words = ("--seed", 9, "--train", "--json", "--onnx", tmp_path / "n.onnx")
    said = json.loads(cli("export", table, ARCHITECTURE, *words).out)
    assert said["identical"] is None
    assert said["beside"] == "tiny has no training of it with seed 9 to compare with"


def test_another_engine_is_said(cli, table, tmp_path):
    words = ("--hardware", "cpu", "--train", "--json", "--onnx", tmp_path / "n.onnx")
    said = json.loads(cli("export", table, ARCHITECTURE, *words).out)
    built_with = nb.load(table).manifest["engine"]
    assert said["engine"] == "reference"
    if built_with != "reference" and not said["identical"]:
        assert f"the {built_with} engine trained it then, reference now" in said["beside"]


# Refused, before anything is trained or written.


@pytest.fixture
def refused(cli, tmp_path, monkeypatch):
    def forbidden(*_, **__):
        raise AssertionError("it was trained")

    monkeypatch.setattr("nasbench.building.exporting._train", forbidden)

    def run(*words):
        done = cli("export", *words, "--train", "--onnx", tmp_path / "n.onnx")
        assert (done.status, done.out) == (2, "")
        assert done.err.count("\n") == 1
        assert not (tmp_path / "n.onnx").exists()
        return done.err

    return run


def test_there_is_no_silent_recipe(refused):
    said = refused(ARCHITECTURE)
    assert "nasbench export TABLE ARCHITECTURE --onnx F" in said
    assert "nasbench export ARCHITECTURE --recipe R --onnx F" in said


def test_a_table_is_no_recipe_and_a_recipe_is_no_table(refused, table, recipe):
    assert "is a table, and --recipe names a build recipe" in refused(5, "--recipe", table)
    assert "is a build recipe, not a table" in refused(recipe, 5)
    assert "takes one of two forms" in refused(table, 5, 6)


def test_of_several_recipes_one_is_named(refused, recipe, tmp_path):
    text = recipe.read_text(encoding="utf-8")
    two = tmp_path / "two.toml"
    one = text[text.index("[recipe.2ep]") : text.index("[[device]]")]
    two.write_text(text + one.replace("2ep", "3ep"), encoding="utf-8")
    assert "has the recipes 2ep, 3ep: name one with --recipe-name" in refused(5, "--recipe", two)
    assert "unknown recipe '4ep'" in refused(5, "--recipe", two, "--recipe-name", "4ep")


def test_images_that_are_not_those_of_the_table_are_refused(refused, table, recipe, tmp_path):
    other = tmp_path / "other.toml"
    text = recipe.read_text(encoding="utf-8")
    other.write_text(text.replace('"digits"', '"fashion16"'), encoding="utf-8")
    said = refused(table, 5, "--recipe", other)
    assert "task fashion16 is not what tiny was trained on" in said


def test_an_imported_table_does_not_say_how_it_was_trained(refused, cli, tmp_path):
    sheet = tmp_path / "s.csv"
    sheet.write_text("architecture,valid_accuracy\n0,50\n1,60\n", encoding="utf-8")
    words = ("--space", "nb201-mini", "--recipe", "r", "--epochs", 1, "--out", tmp_path / "i.h5")
    assert cli("import", "csv", sheet, *words).status == 0
    assert "was imported: it does not say how its rows were trained" in refused(
        tmp_path / "i.h5", 1
    )


def test_a_table_without_trainings_says_so(refused):
    assert "holds no trainings" in refused("nb201-fashion16-proxies", 5)


def test_a_missing_runtime_is_said_before_the_training(refused, table, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert "pip install 'nasbench-harness[onnx]'" in refused(table, 5)


def test_ones_own_task_is_named_by_its_recipe(cli, refused, recipe, tmp_path, monkeypatch):
    """The table knows the task's hash, the recipe where its images are."""
    task: Task = nb.task("digits")
    every = {f"x_{name}": split.images[:, 0] for name, split in task.splits.items()}
    every |= {f"y_{name}": split.labels for name, split in task.splits.items()}
    np.savez(tmp_path / "mine.npz", **every)
    own = tmp_path / "own.toml"
    text = recipe.read_text(encoding="utf-8").replace("seeds = 2", "seeds = 1")
    text = text[: text.index("[[device]]")]
    text = text.replace('task = "digits"', 'task = {source = "npz", path = "mine.npz"}')
    own.write_text(text, encoding="utf-8")
    out = tmp_path / "own.h5"
    assert cli("build", own, "--out", out, "--workers", 1, "--hardware", "cpu").status == 0
    assert "with --recipe" in refused(out, 5)
    monkeypatch.undo()
    words = ("--recipe", own, "--train", "--json", "--onnx", tmp_path / "n.onnx")
    said = json.loads(cli("export", out, 5, *words).out)
    assert (said["identical"], said["task"]) == (True, "mine")


def test_columns_and_a_number_go_in_and_out_as_they_are_stored(tmp_path):
    """Missing numbers and categories go in as in the user's file; the answer has its unit."""
    rng = np.random.default_rng(0)
    lines = ["size,age,kind,price"]
    for row in range(240):
        size, age, kind = rng.normal(80, 20), rng.normal(30, 9), "uvw"[rng.integers(3)]
        missing = "" if row % 17 == 0 else f"{age:.2f}"
        lines.append(f"{size:.2f},{missing},{kind},{1000 + 30 * size - 4 * age:.2f}")
    (tmp_path / "homes.csv").write_text("\n".join(lines), encoding="utf-8")
    recipe = tmp_path / "homes.toml"
    recipe.write_text(
        'name = "homes"\nspace = "mlp"\n[task]\nsource = "table"\npath = "homes.csv"\n'
        'target = "price"\n[recipe.r]\nepochs = 12\noptimizer = "adamw"\nlearning_rate = 0.01\n',
        encoding="utf-8",
    )
    file = tmp_path / "homes.onnx"
    words = ["export", "106", "--recipe", str(recipe), "--onnx", str(file), "--train", "--json"]
    said = json.loads(CliRunner().invoke(app, words).stdout)
    test = read_spec(recipe).task.test
    errors = np.abs(logits_of(file, test.inputs)[:, 0] - test.targets)
    assert np.isnan(test.inputs).any()
    assert said["test"]["mae"] == pytest.approx(errors.mean(), rel=1e-5)
    assert said["test"]["mae"] < np.abs(test.targets - test.targets.mean()).mean()
    assert json.loads(props(file)["columns"]) == ["size", "age", "kind"]
    assert props(file)["output"].endswith("in the unit of the target")


def test_a_text_goes_in_as_ids_whose_words_the_file_holds(tmp_path):
    texts = [("good day to you", "hello"), ("see you soon", "bye")] * 20
    lines = ["text,label", *(f"{text} {n},{label}" for n, (text, label) in enumerate(texts))]
    (tmp_path / "said.csv").write_text("\n".join(lines), encoding="utf-8")
    recipe = tmp_path / "said.toml"
    recipe.write_text(
        'name = "said"\nspace = "transformer"\n[task]\nsource = "text"\npath = "said.csv"\n'
        "length = 6\n[recipe.r]\nepochs = 4\nlearning_rate = 0.01\n" + 'optimizer = "adamw"\n',
        encoding="utf-8",
    )
    file = tmp_path / "said.onnx"
    words = ["export", "17", "--recipe", str(recipe), "--onnx", str(file), "--train", "--json"]
    told = json.loads(CliRunner().invoke(app, words).stdout)
    known = json.loads(props(file)["tokens"])
    ids = [[known.index(word) for word in ("see", "you", "soon")] + [0] * 3]
    answer = logits_of(file, np.asarray(ids, np.int64))
    assert json.loads(props(file)["classes"])[int(answer.argmax())] == "bye"
    assert told["test"]["accuracy"] == 100


def test_an_int8_file_is_verified_beside_float32(exported, table, tmp_path):
    """The answers counted here by hand, on files of the same training."""
    path = tmp_path / "int8.onnx"
    words = ["export", str(table), str(ARCHITECTURE), "--train", "--int8", "--onnx", str(path)]
    said = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)
    kinds = [node.op_type for node in onnx.load(path).graph.node]
    assert kinds.count("QuantizeLinear") >= kinds.count("Conv") > 0
    assert props(path)["precision"].startswith("int8")
    assert props(path)["classes"] == props(exported[0])["classes"]
    test = nb.task("digits").test
    right, wrong = (logits_of(one, test.images).argmax(1) for one in (path, exported[0]))
    [verified] = said["verified"]
    assert (verified["runtime"], verified["unlike"]) == ("onnxruntime", {})
    assert verified["changed"] == (right != wrong).sum()
    assert said["test"]["accuracy"] == pytest.approx(100 * (right == test.labels).mean())
    lost = 100 * ((wrong == test.labels).mean() - (right == test.labels).mean())
    assert verified["lost"]["value"] == pytest.approx(lost)


def test_what_cannot_be_verified_is_said_before_the_training(refused, cli, table, tmp_path):
    assert "onnxruntime, openvino" in refused(table, "5", "--verify", "tensorrt")
    done = cli("export", table, "5", "--int8", "--onnx", tmp_path / "n.onnx")
    assert done.status == 2
    assert "add --train" in done.err
