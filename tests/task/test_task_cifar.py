"""CIFAR-10's published batches are read, python and binary; what only looks like one is refused."""

from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path
from struct import pack
from typing import Any

import numpy as np
import pytest

from nasbench.errors import NasbenchError
from nasbench.task.cifar import CIFAR10_CLASSES, cifar10


def batch(seed: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(256, size=(n, 3, 32, 32), dtype=np.uint8), rng.permutation(n) % 10


def write_python(path: Path, images: np.ndarray, labels: np.ndarray, protocol: int = 2) -> None:
    content = {
        b"batch_label": b"made up", b"labels": labels.tolist(), b"data": images.reshape(-1, 3_072),
        b"filenames": [b"x.png"] * len(labels),
    }  # fmt: skip
    path.write_bytes(pickle.dumps(content, protocol=protocol))


NAMES = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]


@pytest.fixture
def python_layout(tmp_path: Path) -> Path:
    inner = tmp_path / "cifar-10-batches-py"
    inner.mkdir()
    for i, name in enumerate(NAMES):
        write_python(inner / name, *batch(i, 40))
    return tmp_path


def pairs(images: np.ndarray, labels: np.ndarray) -> set[tuple[bytes, int]]:
    return {(image.tobytes(), int(k)) for image, k in zip(images, labels, strict=True)}


@pytest.mark.parametrize("inside", [False, True])
def test_cifar10_is_read_from_the_python_layout(python_layout: Path, inside: bool) -> None:
    path = python_layout / "cifar-10-batches-py" if inside else python_layout
    task = cifar10(path, valid=50, seed=2)
    assert task.classes == CIFAR10_CLASSES
    assert (len(task.train), len(task.valid), len(task.test)) == (150, 50, 40)
    everything = set().union(*(pairs(*batch(i, 40)) for i in range(5)))
    held = [pairs(s.images, s.labels) for s in (task.train, task.valid)]
    assert held[0] | held[1] == everything
    assert pairs(task.test.images, task.test.labels) == pairs(*batch(5, 40))
    pooled = cifar10(path, valid=50, seed=2, size=16)
    assert pooled.shape == (3, 16, 16)


def test_cifar10_is_read_from_the_binary_layout(tmp_path: Path) -> None:
    for i, name in enumerate(NAMES):
        if 0 < i < 5:  # 30 MB each: the training batches are one
            os.link(tmp_path / "data_batch_1.bin", tmp_path / f"{name}.bin")
            continue
        images, labels = batch(i, 10_000)
        rows = np.concatenate([labels[:, None].astype(np.uint8), images.reshape(-1, 3_072)], 1)
        rows.tofile(tmp_path / f"{name}.bin")
    (tmp_path / "batches.meta.txt").write_text("airplane\n")
    task = cifar10(tmp_path, train=1_000, valid=500, size=32)
    assert (len(task.train), len(task.valid), len(task.test)) == (1_000, 500, 10_000)
    assert pairs(task.test.images, task.test.labels) == pairs(*batch(5, 10_000))
    last = tmp_path / "test_batch.bin"
    last.write_bytes(last.read_bytes()[:-1])
    with pytest.raises(NasbenchError, match=r"test_batch\.bin has 30,729,999 bytes"):
        cifar10(tmp_path)


def test_cifar10_is_read_from_an_npz(tmp_path: Path) -> None:
    images, labels = batch(0, 100)
    np.savez(tmp_path / "c.npz", images=images, labels=labels)
    task = cifar10(tmp_path / "c.npz", size=8)
    assert (task.name, task.classes, task.shape) == ("cifar10", CIFAR10_CLASSES, (3, 8, 8))


def test_a_batch_too_few_is_refused(python_layout: Path) -> None:
    (python_layout / "cifar-10-batches-py" / "data_batch_3").unlink()
    with pytest.raises(NasbenchError, match="holds 4 of CIFAR-10's 5 training batches and 1 of"):
        cifar10(python_layout)


def test_what_lies_beside_the_batches_is_named(python_layout: Path) -> None:
    inner = python_layout / "cifar-10-batches-py"
    for name in ("batches.meta", "readme.html"):  # published with them
        (inner / name).write_bytes(b"")
    plain = cifar10(python_layout)
    assert plain.notes == ()
    (inner / "data_patch.npy").write_bytes(b"")
    task = cifar10(python_layout)
    assert task.notes == ("not read: 1 file (data_patch.npy) beside CIFAR-10's batches",)
    assert task.hash == plain.hash


def test_a_path_that_no_file_can_have_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    monkeypatch.setitem(sys.modules, "torchvision.datasets", None)
    with pytest.raises(NasbenchError, match="no CIFAR-10 batch in n"):
        cifar10("n" * 300)


def test_without_batches_and_torchvision_the_error_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    monkeypatch.setitem(sys.modules, "torchvision.datasets", None)
    with pytest.raises(NasbenchError, match=r"no CIFAR-10 batch in .* or install torchvision"):
        cifar10(tmp_path)


class Hostile:
    """Runs a program when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.target,)


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_hostile_pickle_is_refused_by_name_and_does_nothing(
    python_layout: Path, protocol: int
) -> None:
    proof = python_layout / "executed"
    victim = python_layout / "cifar-10-batches-py" / "data_batch_2"
    victim.write_bytes(pickle.dumps({b"data": Hostile(proof)}, protocol=protocol))
    with pytest.raises(NasbenchError, match=r"data_batch_2 names \w+\S*, .* nothing in it was run"):
        cifar10(python_layout)
    assert not proof.exists()
    pickle.loads(victim.read_bytes())  # it would have
    assert proof.exists()


@pytest.mark.parametrize(
    ("module", "name"), [("os", "system"), ("builtins", "eval"), ("numpy", "load")]
)
def test_the_refusal_names_what_the_file_asked_for(
    python_layout: Path, module: str, name: str
) -> None:
    victim = python_layout / "cifar-10-batches-py" / "test_batch"
    victim.write_bytes(f"c{module}\n{name}\n(S'x'\ntR.".encode())
    with pytest.raises(NasbenchError, match=f"test_batch names {module}.{name}, which no"):
        cifar10(python_layout)


# Pickles written by hand: what Python 2 wrote, and what no pickler writes.


def name(module: str, of: str) -> bytes:
    return f"c{module}\n{of}\n".encode()


def text2(content: bytes) -> bytes:
    """A string as Python 2 wrote it, short or long."""
    short = len(content) < 256
    return (b"U" + pack("B", len(content)) if short else b"T" + pack("<i", len(content))) + content


def integer(n: int) -> bytes:
    return b"J" + pack("<i", n)


def entries(**content: bytes) -> bytes:
    """A dict, its values in pickle's own words."""
    items = b"".join(text2(key.encode()) + value for key, value in content.items())
    return b"\x80\x02}(" + items + b"u."


EMPTY = name("numpy.core.multiarray", "_reconstruct") + (
    name("numpy", "ndarray") + integer(0) + b"\x85" + text2(b"b") + b"\x87R"
)
BYTE = name("numpy", "dtype") + text2(b"u1") + integer(0) + integer(1) + b"\x87R"
BYTE += b"(" + integer(3) + text2(b"|") + b"NNN" + 2 * integer(-1) + integer(0) + b"tb"


def array(shape: tuple[int, ...], dtype: bytes, raw: bytes) -> bytes:
    sides = b"(" + b"".join(map(integer, shape)) + b"t"
    return EMPTY + b"(" + integer(1) + sides + dtype + b"\x89" + text2(raw) + b"tb"


def listed(labels: np.ndarray) -> bytes:
    return b"](" + b"".join(integer(k) for k in labels.tolist()) + b"e"


def test_batches_are_read_as_python_2_wrote_the_published_ones(tmp_path: Path) -> None:
    for i, batch_name in enumerate(NAMES):
        images, labels = batch(i, 40)
        content = entries(
            batch_label=text2(b"testing batch"),
            labels=listed(labels),
            data=array((40, 3_072), BYTE, images.tobytes()),
            filenames=b"](" + 40 * text2(b"x.png") + b"e",
        )
        (tmp_path / batch_name).write_bytes(content)
        theirs = pickle.loads(content, encoding="bytes")  # as the authors say to read them
        assert (theirs[b"data"] == images.reshape(40, 3_072)).all()
        assert theirs[b"labels"] == labels.tolist()
    task = cifar10(tmp_path, valid=50)
    everything = set().union(*(pairs(*batch(i, 40)) for i in range(5)))
    assert pairs(task.train.images, task.train.labels) < everything
    assert pairs(task.test.images, task.test.labels) == pairs(*batch(5, 40))


VOID = name("numpy", "dtype") + text2(b"V8") + integer(0) + integer(1) + b"\x87R"
OBJECT = name("numpy", "dtype") + text2(b"O8") + integer(0) + integer(1) + b"\x87R"
POINTERS = b"(" + integer(3) + text2(b"|") + b"N" + text2(b"f") + b"\x85"
POINTERS += b"}" + text2(b"f") + OBJECT + integer(0) + b"\x86s"
POINTERS += integer(8) + integer(1) + integer(63) + b"tb"
LARGER = (
    b"(" + integer(3) + text2(b"|") + b"NNN" + integer(1 << 30) + integer(1) + integer(0) + b"tb"
)


@pytest.mark.parametrize("state", [POINTERS, LARGER], ids=["pointers", "larger"])
@pytest.mark.parametrize("kind", [VOID, BYTE], ids=["void", "byte"])
def test_a_type_that_changes_under_its_array_is_refused(
    python_layout: Path, kind: bytes, state: bytes
) -> None:
    """Python's own unpickler takes the array's bytes for pointers then, or reads beyond them."""
    filled = array((384,), kind + b"q\x07", b"A" * 3_072 if kind == VOID else b"A" * 384)
    hostile = entries(data=filled, changed=b"h\x07" + state, labels=listed(np.zeros(1, int)))
    (python_layout / "cifar-10-batches-py" / "data_batch_4").write_bytes(hostile)
    with pytest.raises(NasbenchError, match="data_batch_4 ") as refused:
        cifar10(python_layout)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"not a pickle", pickle.dumps([1, 2])),
        *(pickle.dumps(c) for c in (
            {b"data": np.arange(5)},
            {b"data": np.zeros((2, 3_072), np.uint8)},
            {b"data": np.zeros((2, 3_072), np.uint8), b"labels": [1]},
            {b"data": np.zeros((2, 3_072), np.uint8), b"labels": [1, 10]},
            {b"data": np.zeros((2, 3_072), np.uint8), b"labels": [1, True]},
            {b"data": np.zeros((2, 3_072), np.uint8), b"labels": ["1", "2"]},
            {b"data": np.zeros((2, 3_071), np.uint8), b"labels": [1, 2]},
            {b"data": np.zeros((2, 3_072), np.int8), b"labels": [1, 2]},
            {b"data": [[0] * 3_072] * 2, b"labels": [1, 2]},
        )),
    ],
)  # fmt: skip
def test_what_is_no_batch_is_refused(python_layout: Path, content: bytes) -> None:
    (python_layout / "cifar-10-batches-py" / "data_batch_5").write_bytes(content)
    told = (
        "data_batch_5 (is not a CIFAR-10 python batch|is damaged, or no|ends too|has an operation)"
    )
    with pytest.raises(NasbenchError, match=told):
        cifar10(python_layout)


@pytest.mark.parametrize("name", ["data_batch_1", "data_batch_1.bin"])
def test_a_pipe_is_no_batch_and_not_waited_for(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(NasbenchError, match=f"{name}: it is no regular file"):
        cifar10(tmp_path)


def test_labels_of_a_batch_must_be_classes(python_layout: Path) -> None:
    images, labels = batch(0, 40)
    write_python(python_layout / "cifar-10-batches-py" / "data_batch_1", images, labels + 1)
    with pytest.raises(NasbenchError, match=r"data_batch_1 is not .* whole numbers from 0 to 9"):
        cifar10(python_layout)
