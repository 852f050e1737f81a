"""Build recipes: what a TOML file says, and one sentence for what it says wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import nasbench as nb
from nasbench.building import (
    BuildSpec,
    Sampling,
    Shard,
    build,
    build_sample,
    read_spec,
    train_shard,
)
from nasbench.device import DeviceSpec
from nasbench.errors import NasbenchError
from nasbench.space import CellSpace
from nasbench.table import shipped_recipes

RECIPE = """\
space = "nb201-mini"
task = "digits"
seeds = 2

[recipe.short]
epochs = 2
train_images = 100
"""


def _write(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text)
    (folder / "own.toml").write_text('name = "own"\ndecisions = {width = [8, 16]}\n')
    return path


def test_a_recipe_says_what_is_built(tmp_path: Path) -> None:
    text = (
        RECIPE + "[recipe.long]\nepochs = 9\n[[device]]\nbatch_size = 4\n[[device]]\nthreads = 2\n"
    )
    spec = read_spec(_write(tmp_path, text))
    assert (spec.name, spec.seeds) == ("mine", (0, 1))
    assert spec.space is nb.space("nb201-mini")
    assert spec.task is nb.task("digits")
    assert spec.recipes == {
        "short": nb.Recipe(epochs=2, train_images=100),
        "long": nb.Recipe(epochs=9),
    }
    assert spec.devices == (DeviceSpec(batch_size=4), DeviceSpec(threads=2))
    described = spec.describe()
    assert json.loads(json.dumps(described)) == described


@pytest.mark.parametrize(
    ("old", "new", "seeds"), [("seeds = 2\n", "", (0,)), ("seeds = 2", "seeds = [7, 3]", (7, 3))]
)
def test_seeds_are_a_number_or_a_list(
    tmp_path: Path, old: str, new: str, seeds: tuple[int, ...]
) -> None:
    assert read_spec(_write(tmp_path, RECIPE.replace(old, new))).seeds == seeds


def test_a_space_in_a_file_is_found_beside_the_recipe(tmp_path: Path) -> None:
    text = 'name = "mine"\nnodes = 2\noperations = ["none", "skip_connect"]\n'
    (tmp_path / "cell.toml").write_text(text)
    spec = read_spec(_write(tmp_path, RECIPE.replace("nb201-mini", "cell.toml")))
    assert (spec.space.name, spec.space.size) == ("mine", 2)


def test_spaces_and_tasks_of_ones_own(tmp_path: Path) -> None:
    space = '{ name = "mine", nodes = 3, operations = ["none", "nor_conv_3x3"] }'
    spec = read_spec(_write(tmp_path, RECIPE.replace('"nb201-mini"', space)))
    assert spec.space.size == 8
    task = '{ source = "npz", path = "mine.npz" }'  # a relative path starts at the recipe
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "mine.npz", images=images, labels=np.arange(40) % 2)
    text = RECIPE.replace('"digits"', task).replace("= 100", "= 8")
    assert read_spec(_write(tmp_path, text)).task.shape == (1, 8, 8)


YOURS = {"mlp-adult": "adult.npz", "mbv2mini-cifar16": "cifar-10-batches-py"}
"""What shipped recipes of users' own data need beside them."""


@pytest.mark.parametrize("path", shipped_recipes().values(), ids=lambda path: path.stem)
def test_shipped_recipes_can_be_read(path: Path) -> None:
    if path.stem in YOURS:
        with pytest.raises(NasbenchError, match=YOURS[path.stem]):
            read_spec(path)  # all but the data is sound
        return
    spec = read_spec(path)
    assert spec.space.unique * len(spec.seeds) >= 65
    assert path.stem in (spec.name, f"{spec.space.name}-{spec.task.name}")


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("space =", "spaec =", "unknown key 'spaec'; did you mean space"),
        ('space = "nb201-mini"', "", "'space' is missing"),
        ('task = "digits"', "", "'task' is missing"),
        ('"nb201-mini"', '"nb201-mni"', "unknown space 'nb201-mni'; did you mean nb201-mini"),
        ('"nb201-mini"', "7", r"space is a name, a file or a table \[space\], got 7"),
        ('"nb201-mini"', "[1]", r"space is a name, a file or a table \[space\], got \[1\]"),
        ('"nb201-mini"', '"own.toml"', "no network is known for architectures of own"),
        ('"nb201-mini"', '"other.toml"', r"cannot read space .*other\.toml: No such file"),
        ('"nb201-mini"', "{ nodes = 3 }", "not the description of a space"),
        ('"nb201-mini"', "{ node = 3 }", r"unknown key of \[space\] 'node'; did you mean nodes"),
        (
            '"nb201-mini"',
            '{ name = "x", nodes = 3, operations = ["none", "skip"] }',
            "unknown operation 'skip'; did you mean skip_connect",
        ),
        ('"digits"', '"digit"', "unknown task 'digit'; did you mean digits"),
        ('"digits"', "3", r"task is a name or a table \[task\], got 3"),
        ('"digits"', '["digits"]', r"task is a name or a table \[task\], got \['digits'\]"),
        ('"digits"', '{ source = "nzp", path = "x" }', "unknown task source 'nzp'; did you mean"),
        ('"digits"', '{ source = "npz" }', "needs a path"),
        ('"digits"', '{ source = "npz", path = "no.npz" }', "No such file"),
        ("seeds = 2", "seeds = 0", "seeds must be a number of 1 or more, or a list"),
        ("seeds = 2", "seeds = 1.5", "seeds must be a number of 1 or more, or a list"),
        ("seeds = 2", "seeds = true", "seeds must be a number of 1 or more, or a list"),
        ("seeds = 2", 'seeds = "2"', "seeds must be a number of 1 or more, or a list"),
        ("seeds = 2", "seeds = []", "seeds must be a number of 1 or more, or a list"),
        ("seeds = 2", "seeds = [3, -1]", "seeds must be a number of 1 or more, or a list"),
        ("seeds = 2", "seeds = [3, 3]", "a seed is named twice"),
        ("seeds = 2", "seeds = 100000000000", "1,000 at most, .* got 100000000000"),
        ("seeds = 2", "seeds = [4294967296]", "each 0 or more and below 2[*][*]32"),
        ("seeds = 2", f"seeds = {list(range(1001))}", "1,000 at most"),
        ("seeds = 2", f"seeds = {'9' * 5000}", "an integer has more than 64 bits"),
        ("seeds = 2", "name = 3", "name is a text, got 3"),
        ("[recipe.short]", "[recipe]", r"recipes are tables: \[recipe.NAME\], got recipe.epochs"),
        ("[recipe.short]", "[[recipe]]", r"recipes are tables: \[recipe.NAME\]"),
        ("[recipe.short]", '[recipe."a/b"]', "a recipe's name is letters, .* got 'a/b'"),
        ("[recipe.short]", '[recipe.""]', "a recipe's name is letters, .* got ''"),
        ("epochs = 2", "epoch = 2", "unknown key of a recipe 'epoch'; did you mean epochs"),
        ("epochs = 2", "", "recipe: epochs is missing"),
        ("epochs = 2", "epochs = -2", "recipe: epochs must be more than 0, got -2"),
        ("epochs = 2", "epochs = 2.0", "recipe: epochs must be int, got 2.0"),
        ("epochs = 2", "epochs = '2'", "recipe: epochs must be int, got '2'"),
        ("= 100", "= -100", "recipe: train_images must be 0 or more, got -100"),
        ("= 100", "= 1151", "recipe short: train_images is 1151, digits has 1150 train images"),
        ("= 100", "= 1\nvalid_images = 9999", "recipe short: valid_images is 9999, digits has 288"),
        ("= 100", "= 1\ncells = 1001", "recipe: cells must be at most 1,000, got 1001"),
        ("= 100", "= 1\nlearning_rate = 1e300", r"learning_rate must be at most 1e\+30, got 1e"),
        ("= 100", "= 1\ncrop_padding = 9", "recipe short: crop_padding is 9, more than the images"),
        (
            "= 100",
            "= 1\nchannels = 4096",
            "a network of recipe short has some 52,261,027,840 weights, of which 1,000,000,000",
        ),
        ("= 100", "= 1\n[[device]]\nthreads = 257", "threads must be at most 256, got 257"),
        ("= 100", "= 1\nlearning_rate = nan", "learning_rate' must be a finite number, got nan"),
        ("= 100", "= 1\nlaerning_rate = 0.1", "did you mean learning_rate"),
        ("= 100", "= 1\n[[device]]\nbatch = 3", "key of a device 'batch'; did you mean batch_size"),
        (
            "= 100",
            "= 1\n[[device]]\nruntime = 'torhc'",
            "runtime of a device 'torhc'; did you mean",
        ),
        ("= 100", "= 1\n[[device]]\nhardware = 'gpu'", "unknown hardware of a device 'gpu'"),
        ("= 100", "= 1\n[[device]]\nbatch_size = -3", "batch_size must be an integer above 0"),
        ("= 100", "= 1\n[[device]]\n[[device]]", "two devices are called cpu-torch-b1"),
        ("= 100", "= 1\n[device]\nbatch_size = 3", r"devices are a list of tables: \[\[device\]\]"),
        ("seeds = 2", "device = 3", r"devices are a list of tables: \[\[device\]\], got 3"),
        ("seeds = 2", "device = ['cpu']", r"devices are a list of tables: \[\[device\]\]"),
        ("seeds = 2", "seeds = ", "is not TOML"),
    ],
)
def test_what_is_wrong_is_one_sentence_that_names_the_file(
    tmp_path: Path, old: str, new: str, why: str
) -> None:
    assert old in RECIPE
    path = _write(tmp_path, RECIPE.replace(old, new))
    with pytest.raises(NasbenchError, match=why) as told:
        read_spec(path)
    assert "mine.toml" in str(told.value)
    assert "\n" not in str(told.value)


def _spec(**recipe: object) -> BuildSpec:
    space, base = CellSpace("small", 3, ("none", "skip_connect")), nb.Recipe(1, channels=1, cells=1)
    recipes = {"r": replace(base, **recipe)}  # type: ignore[arg-type]
    return BuildSpec("s", space, nb.task("digits"), (0,), recipes, ())


def test_numbers_that_come_to_too_much_together_are_refused() -> None:
    """Digits have 8 x 8 pixels, cells of three nodes three edges."""
    _spec(cells=1_000, batch_size=1_000_000)
    with pytest.raises(NasbenchError, match="some 4,697,620,480 weights, of which 1,000,000,000"):
        _spec(channels=4_096)  # 280 x 4,096**2 between the stages alone
    with pytest.raises(NasbenchError, match=r"some 19,320,000,000 values in the feature maps"):
        _spec(channels=50, cells=1_000, batch_size=1_150)
    wide = CellSpace("wide", 20, ("none",))
    with pytest.raises(NasbenchError, match="some 57,000 operations, of which 20,000"):
        replace(_spec(cells=100), space=wide)
    with pytest.raises(NasbenchError, match="some 2,147,483,648 values in a feature map, of which"):
        replace(_spec(channels=512), devices=(DeviceSpec(batch_size=65_536),))


def test_tables_that_no_memory_holds_are_refused_before_a_folder_is_made(tmp_path: Path) -> None:
    out, spec = tmp_path / "t.h5", _spec(epochs=1_000_000)
    long = replace(spec, seeds=tuple(range(1_000)))
    for begin in (
        lambda: build(long, out),
        lambda: train_shard(long, out, Shard(1, 2)),
        lambda: build_sample(long, out, Sampling(2, "random")),
    ):
        with pytest.raises(
            NasbenchError, match=r"a curve of recipe r has some .* values, of which"
        ):
            begin()
    many = {f"r{i}": spec.recipes["r"] for i in range(10_000)}
    with pytest.raises(
        NasbenchError, match=r"the build has some .* trainings, of which 10,000,000"
    ):
        build(replace(long, recipes=many), out)
    assert not list(tmp_path.iterdir())


def test_files_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    with pytest.raises(NasbenchError, match=r"cannot read recipe .*none\.toml: No such file"):
        read_spec(tmp_path / "none.toml")
    with pytest.raises(NasbenchError, match=r"cannot read recipe .*: it is a folder"):
        read_spec(tmp_path)
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(NasbenchError, match=r"binary\.toml: it is no UTF-8 text"):
        read_spec(tmp_path / "binary.toml")


ANY = """
space = "darts-mini"
task = "digits"
[recipe.short]
epochs = 1
"""


def test_sizes_of_a_family_stand_in_the_recipe_and_in_what_describes_it(tmp_path: Path) -> None:
    spec = read_spec(_write(tmp_path, ANY + "[recipe.short.network]\nchannels = 8\n"))
    said = spec.describe()
    assert said["family"] == {"name": "darts-mini"}
    described = said["recipes"]["short"]
    assert described["network"] == {**spec.family.sizes, "channels": 8}
    assert not {"channels", "cells"} & described.keys()
    assert nb.Recipe.from_dict(described) == spec.recipes["short"]
    left_out = read_spec(_write(tmp_path, ANY))
    assert left_out.describe()["recipes"]["short"]["network"] == dict(spec.family.sizes)


def test_sizes_of_cells_are_described_as_ever(tmp_path: Path) -> None:
    spec = read_spec(_write(tmp_path, RECIPE + "[recipe.short.network]\ncells = 2\n"))
    said = spec.describe()
    assert "family" not in said
    assert said["recipes"]["short"]["cells"] == 2
    assert "network" not in said["recipes"]["short"]


@pytest.mark.parametrize(
    ("sizes", "why"),
    [
        ("dropuot = 1", "recipe short: unknown size .*; did you mean dropout"),
        ("channels = 1.5", "recipe short: size channels .* is a whole number"),
        ("channels = [1]", "is a whole number"),
    ],
)
def test_sizes_that_a_family_does_not_have_are_refused(
    tmp_path: Path, sizes: str, why: str
) -> None:
    with pytest.raises(NasbenchError, match=why):
        read_spec(_write(tmp_path, f"{ANY}[recipe.short.network]\n{sizes}\n"))


def test_a_size_of_cells_that_stands_at_the_top_is_refused_for_others(tmp_path: Path) -> None:
    with pytest.raises(NasbenchError, match=r"channels = 8 .*put it under \[recipe.NAME.network\]"):
        read_spec(_write(tmp_path, ANY + "channels = 8\n"))
