"""A table is written whole or not at all, and says the same to any HDF5 reader."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from made_up_table import RECIPES, made_up, write

from nasbench._files import atomic_path
from nasbench.errors import NasbenchError
from nasbench.space import CellSpace
from nasbench.table import Dataset, Table, content_hash, write_table


def test_any_hdf5_reader_sees_the_same_arrays(tmp_path: Path) -> None:
    table = write(tmp_path / "t.h5")
    put = made_up(65)
    with h5py.File(table.path) as file:
        assert file.userblock_size == 512
        for name, dataset in put.items():
            np.testing.assert_array_equal(file[name][()], dataset.values)
            assert file[name].dtype == dataset.values.dtype
            about = {key: json.loads(value) for key, value in file[name].attrs.items()}
            assert about == dict(dataset.about)
            entry = table.manifest["datasets"][name]
            assert entry["offset"] == file[name].id.get_offset()
            assert entry["sha256"] == hashlib.sha256(dataset.values.tobytes()).hexdigest()
        np.testing.assert_array_equal(file["ops"][()], table.space.ops(table.rows))
        others = table.space.index_of(file["others"][()])
        np.testing.assert_array_equal(file["others_row"][()], table.row(others))
        both = np.concatenate([table.rows, others])
        np.testing.assert_array_equal(np.sort(both), np.arange(table.space.size))
        assert json.loads(file["manifest"][()].tobytes()) == table.manifest
    table.verify()


def test_the_manifest_says_what_architectures_are_judged_by(tmp_path: Path) -> None:
    assert write(tmp_path / "t.h5").manifest["primary"] == "valid_accuracy"
    curves = made_up(65)
    named = {name.replace("valid_accuracy", "return"): of for name, of in curves.items()}
    own = write(tmp_path / "own.h5", datasets=named, about={"primary": "return"})
    assert own.primary("short") == own.primary("long") == "return"
    assert own.top(1, recipe="short").columns[-1] == "return"
    plain = write(tmp_path / "plain.h5", datasets=named)
    assert plain.manifest["primary"] == plain.primary("short") == "return"
    assert own.manifest["content_sha256"] == plain.manifest["content_sha256"]
    for wrong in ("test_accuracy", "valid_acuracy"):
        with pytest.raises(NasbenchError, match=f"cannot be judged by {wrong}: primary is a"):
            write(tmp_path / "no.h5", about={"primary": wrong})


def test_rows_stand_for_their_class_where_the_table_shares(tmp_path: Path, mini: CellSpace) -> None:
    shared = write(tmp_path / "shared.h5")
    assert shared.rows[shared.row_of].tolist() == mini.classes.tolist()
    # What says so is as long as what the table answers for, not as its space.
    three = write_table(
        tmp_path / "three.h5",
        name="three",
        space=mini,
        rows=mini.representatives[-3:],
        sharing="canonical",
        recipes={},
        datasets={},
    )
    members = np.flatnonzero(np.isin(mini.classes, mini.representatives[-3:]))
    assert three.architectures.tolist() == members.tolist()
    assert three.manifest["datasets"]["others_row"]["shape"] == [len(members) - 3]
    single = write(tmp_path / "single.h5", sharing="none")
    assert single.row_of[1::2].tolist() == [-1] * 62
    assert single.rows[single.row_of[::2]].tolist() == list(range(0, 125, 2))


@given(
    arrays(
        st.sampled_from(["<f4", "<f8", ">f4", ">f8", "<i4", ">i4", "<i8", ">i8", "|u1"]),
        st.sampled_from([(65,), (65, 2, 1), (65, 1, 3)]),
    ),
    st.booleans(),
)
def test_every_number_comes_back(
    tmp_path_factory: pytest.TempPathFactory, values: np.ndarray, transposed: bool
) -> None:
    """Whatever the order of bytes or axes in which it was given."""
    given_ = np.asfortranarray(values) if transposed else values
    path = tmp_path_factory.mktemp("tables") / "t.h5"
    write(path, datasets={"network/x": Dataset(given_)})
    with h5py.File(path) as file:
        back = file["network/x"][()]
    assert back.tobytes() == values.astype(values.dtype.newbyteorder("<")).tobytes()
    again = Table(path)._file.array("network/x")
    assert again.dtype == values.dtype.newbyteorder("=")
    assert again.tobytes() == back.tobytes()


def test_the_same_content_is_the_same_file(tmp_path: Path) -> None:
    files = [write(tmp_path / f"{i}.h5").path.read_bytes() for i in range(2)]
    assert files[0] == files[1]


def test_the_content_hash_leaves_out_what_was_clocked(tmp_path: Path) -> None:
    rows = np.arange(65)
    base = content_hash(rows, made_up(65))
    table = write(tmp_path / "t.h5", sharing="none", rows=rows, datasets=made_up(65))
    assert table.manifest["content_sha256"] == base

    def changed(name: str) -> str:
        datasets = made_up(65)
        datasets[name].values.reshape(-1)[0] += 1
        return content_hash(rows, datasets)

    covered = {name for name in made_up(65) if changed(name) != base}
    assert covered == {name for name in made_up(65) if not name.startswith("device/")}
    assert content_hash(rows[::-1], made_up(65)) != base


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"rows": [0, 0]}, "must be distinct"),
        ({"rows": [[0, 1]]}, "must be distinct"),
        ({"rows": [125]}, "has architectures 0 to 124, got 125"),
        ({"rows": []}, "has no rows"),
        ({"rows": range(64)}, "has 65 rows, the table has 64"),
    ],
)
def test_rows_that_fit_nothing_are_refused(
    tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(NasbenchError, match=told):
        write(tmp_path / "t.h5", sharing="none", datasets=made_up(65), **changes)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("names", [("a", "a"), ("proxy", "b"), ("a", "proxy")])
def test_recipe_device_and_proxy_of_one_name_are_refused(
    tmp_path: Path, mini: CellSpace, names: tuple[str, str]
) -> None:
    """`a/latency_ms` and `a/valid_accuracy` would not say what they are of."""
    recipe, device = names
    values = np.zeros(2)
    with pytest.raises(NasbenchError, match=r"are called (a|proxy): a metric is named by its"):
        write_table(
            tmp_path / "t.h5",
            name="t",
            space=mini,
            rows=[0, 1],
            sharing="none",
            recipes={recipe: {"epochs": 1, "seeds": [0]}},
            devices={device: {}},
            datasets={f"device/{device}/latency_ms": Dataset(values, {"kind": "measured"})},
        )
    assert not list(tmp_path.iterdir())


def test_a_table_of_objects_is_not_written(tmp_path: Path) -> None:
    strings = Dataset(np.asarray(["x"] * 65))
    with pytest.raises(TypeError, match="proxy/name: <U1 has no place in a table"):
        write(tmp_path / "t.h5", datasets={"proxy/name": strings})
    assert os.listdir(tmp_path) == []


def test_a_failed_write_leaves_the_old_table(tmp_path: Path) -> None:
    path = tmp_path / "t.h5"
    write(path)
    before = path.read_bytes()
    with pytest.raises(TypeError):
        write(path, about={"when": object()})  # no JSON
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["t.h5"]
    write(path, name="newer")
    assert Table(path).name == "newer"


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("nowhere/t.h5", "cannot write .*nowhere/t.h5: No such file or directory"),
        ("file/t.h5", "cannot write .*file/t.h5: Not a directory"),
        ("folder", "cannot write .*folder: Is a directory"),
        ("x" * 300, "cannot write .*x: File name too long"),
    ],
)
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, place: str, told: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(NasbenchError, match=told):
        write(tmp_path / place)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]
    assert os.listdir(tmp_path / "folder") == []


def test_an_atomic_path_is_there_only_after_the_end(tmp_path: Path) -> None:
    path = tmp_path / "t"
    with atomic_path(path) as partial:
        partial.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"

    def fail() -> None:
        with atomic_path(path) as partial:
            partial.write_text("half")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert path.read_text() == "whole"
    assert os.listdir(tmp_path) == ["t"]


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from made_up_table import write
from nasbench.errors import NasbenchError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # writing fails, as on a full disk
for limit in map(int, sys.argv[2].split(",")):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        write(Path(sys.argv[1]) / "t.h5")
    except NasbenchError as error:
        assert str(error).startswith("cannot write "), error
        print("refused", limit, flush=True)
"""


@pytest.mark.process
@pytest.mark.skipif(sys.platform == "win32", reason="the limit on file sizes is POSIX")
def test_a_full_disk_leaves_nothing_and_does_not_crash(tmp_path: Path) -> None:
    """In a process of its own: the limit cannot be taken back."""
    length = len(write(tmp_path / "whole.h5").path.read_bytes())
    (tmp_path / "whole.h5").unlink()
    limits = [0, 100, 512, 3_000, length // 2, length - 1]
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path), ",".join(map(str, limits))]
    done = subprocess.run(
        [*command, str(Path(__file__).parent)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:-1] == [f"refused {limit}" for limit in limits]
    assert os.listdir(tmp_path) == []


def test_a_table_of_all_of_nb201_is_written_and_read(tmp_path: Path, nb201: CellSpace) -> None:
    rng = np.random.default_rng(0)
    values = rng.random((5_234, 3, 2), dtype=np.float32)
    table = write_table(
        tmp_path / "t.h5",
        name="large",
        space=nb201,
        rows=nb201.representatives,
        sharing="canonical",
        recipes={"short": {**RECIPES["short"], "epochs": 2}},
        datasets={"recipe/short/valid_accuracy": Dataset(values, {"epochs": [1, 2]})},
    )
    got = table.values("valid_accuracy", np.arange(nb201.size), epoch=1, seed=2)
    place = {architecture: row for row, architecture in enumerate(nb201.representatives.tolist())}
    expected = [values[place[nb201.canonical(a)], 1, 0] for a in range(0, nb201.size, 50)]
    assert got[::50].tolist() == [float(value) for value in expected]
