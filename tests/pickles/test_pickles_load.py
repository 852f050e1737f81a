"""The allow-list unpickler: everything that data consists of, nothing else, in bounded memory."""

from __future__ import annotations

import bz2
import math
import pickle
import struct
import sys
from collections import OrderedDict, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile_pickles import hostile, places
from hypothesis import given
from hypothesis import strategies as st

from nasbench._pickles import load as loading
from nasbench._pickles import machine
from nasbench._pickles.load import WEIGHTS, Weights, drain_pickle, load_pickle
from nasbench.errors import NasbenchError

pytestmark = pytest.mark.heavy

ARRAYS: dict[str, Any] = {
    "float": np.linspace(0, 1, 12).reshape(3, 4),
    "transposed": np.arange(12.0).reshape(3, 4).T,
    "fortran": np.asfortranarray(np.arange(6, dtype=np.int16).reshape(2, 3)),
    "big-endian": np.array([1, 2, 3], ">i4"),
    "text": np.array(["ab", "c", "é☃"]),
    "bytes": np.array([b"ab", b"c"]),
    "bool": np.array([True, False]),
    "empty": np.zeros((0, 3)),
    "no dimension": np.array(2.5, np.float32),
}
KEYS = st.one_of(
    st.text(max_size=5),
    st.integers(-(2**63), 2**63 - 1),
    st.booleans(),
    st.none(),
    st.binary(max_size=5),
    st.tuples(st.text(max_size=3), st.integers(0, 999)),
)
VALUES = st.recursive(
    st.one_of(KEYS, st.floats(allow_nan=False), st.frozensets(st.text(max_size=3)).map(set)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner, inner),
        st.dictionaries(KEYS, inner, max_size=4),
        st.dictionaries(st.text(max_size=3), inner, max_size=4).map(OrderedDict),
    ),
    max_leaves=25,
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a.pickle"


def load(file: Path, content: bytes) -> Any:
    file.write_bytes(content)
    return load_pickle(file)


def refusal(file: Path, content: bytes) -> str:
    """The sentence with which these bytes are refused."""
    with pytest.raises(NasbenchError) as caught:
        load(file, content)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def in_order(file: Path, content: bytes) -> bool:
    """Whether these bytes are read, or refused in a sentence about the file."""
    try:
        load(file, content)
    except NasbenchError as error:
        return str(file) in str(error) and "\n" not in str(error)
    return True


# What it reads.


@given(VALUES, st.sampled_from(range(6)))
def test_data_is_read_as_python_reads_it(
    tmp_path_factory: pytest.TempPathFactory, data: Any, protocol: int
) -> None:
    file = tmp_path_factory.getbasetemp() / "data.pickle"
    assert load(file, pickle.dumps(data, protocol=protocol)) == data


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_and_numbers_of_numpy(file: Path, name: str, protocol: int) -> None:
    array = ARRAYS[name]
    got = load(file, pickle.dumps([array, array], protocol=protocol))
    for each in got:
        assert each.dtype.newbyteorder("=") == array.dtype.newbyteorder("=")
        np.testing.assert_array_equal(each, array)
    for number in (np.float64(0.1), np.float32(0.1), np.int64(-7), np.uint8(200), np.True_):
        got = load(file, pickle.dumps(number, protocol=protocol))
        assert type(got) in (float, int, bool)
        assert got == number


@pytest.mark.parametrize("protocol", range(6))
def test_special_values(file: Path, protocol: int) -> None:
    got = load(
        file,
        pickle.dumps(
            [math.inf, -0.0, math.nan, 2**64 - 1, "\n'\"\\", b"\n", defaultdict(list, a=[1])],
            protocol=protocol,
        ),
    )
    assert got[0] == math.inf
    assert math.copysign(1, got[1]) == -1
    assert math.isnan(got[2])
    assert got[3:] == [2**64 - 1, "\n'\"\\", b"\n", {"a": [1]}]
    assert type(got[-1]) is dict  # what is missing is missing


@pytest.mark.parametrize(
    "content", [b"U\x03\xe9\x00\xff.", b"T\x03\0\0\0\xe9\x00\xff.", b"S'\\xe9\\x00\\xff'\n."]
)
def test_strings_of_python_2_are_latin_1_as_numpy_advises(file: Path, content: bytes) -> None:
    assert load(file, content) == pickle.loads(content, encoding="latin-1") == "é\0ÿ"


def test_what_is_shared_and_what_holds_itself(file: Path) -> None:
    row = [1.5]
    around: list[Any] = [row, row]
    around.append(around)
    got = load(file, pickle.dumps(around))
    assert got[0] is got[1]
    assert got[2] is got


def test_long_values_cross_the_blocks_that_are_read(file: Path) -> None:
    data = ["x" * n for n in (0, 255, 256, 65_535, 65_536, 200_000)] * 3
    data += [bytes(100_000), list(range(70_000)), "y" * 300]
    for protocol in range(6):
        assert load(file, pickle.dumps(data, protocol=protocol)) == data


def test_compression_is_told_by_content(file: Path) -> None:
    assert load(file, bz2.compress(pickle.dumps({"a": [1.0]}))) == {"a": [1.0]}


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_torch_files_are_read_and_their_weights_passed_over(file: Path, zipped: bool) -> None:
    torch = pytest.importorskip("torch")
    numbers = {"accuracy": OrderedDict(a=1.5), "ids": {1, 2}, "none": None}
    torch.save(numbers, file, _use_new_zipfile_serialization=zipped)
    assert load_pickle(file) == numbers
    net = torch.nn.Linear(3, 2).state_dict()  # with an attribute of its own
    net["half"] = torch.ones(2, dtype=torch.float16)
    torch.save({**numbers, "net": net}, file, _use_new_zipfile_serialization=zipped)
    got = load_pickle(file, allow=WEIGHTS)
    assert got.pop("net").keys() == net.keys()
    assert got == numbers
    with pytest.raises(NasbenchError, match="names torch"):
        load_pickle(file)


def test_a_tensor_in_a_plain_pickle_is_passed_over(file: Path) -> None:
    torch = pytest.importorskip("torch")
    file.write_bytes(pickle.dumps({"net": torch.zeros(2), "a": 1}))
    got = load_pickle(file, allow=WEIGHTS)
    assert isinstance(got["net"], Weights)
    assert got["a"] == 1


def test_an_importer_may_add_names(file: Path) -> None:
    file.write_bytes(pickle.dumps(Point(1, 2)))
    with pytest.raises(NasbenchError, match="Point"):
        load_pickle(file)
    assert load_pickle(file, allow={(__name__, "Point"): lambda x, y: (x, y)}) == (1, 2)


class Point:
    def __init__(self, x: int, y: int) -> None:
        self.x, self.y = x, y

    def __reduce__(self) -> Any:
        return Point, (self.x, self.y)


# What it refuses.


@pytest.mark.parametrize("protocol", range(6))
def test_code_is_refused_wherever_it_is_and_nothing_runs(file: Path, protocol: int) -> None:
    canary = file.with_name("canary")
    before = set(sys.modules)
    for thing in hostile(canary):
        for placed in places(thing):
            assert "refused" in refusal(file, pickle.dumps(placed, protocol=protocol))
    assert not canary.exists()
    assert "antigravity" not in set(sys.modules) - before


def test_the_name_is_told(file: Path) -> None:
    told = refusal(file, b"cos\nsystem\n(S'touch x'\ntR.")
    assert "names os.system" in told
    assert "nothing in it was run" in told
    assert "\x1b" not in refusal(file, pickle.dumps("\x1b[2J")[:-1] + b"\x8c\x01x\x93.")
    # A name is admitted whole: neither a part of a module nor an attribute is.
    for name in (b"cnumpy\ncore.multiarray.scalar\n.", b"ccollections\nOrderedDict.fromkeys\n."):
        assert "names" in refusal(file, name)


SCALAR = b"cnumpy\ndtype\n(S'f8'\nI0\nI1\ntR"


@pytest.mark.parametrize(
    "attack",
    {
        "a state for a class": b"ccollections\nOrderedDict\n}S'evil'\nI1\nsb.",
        "slots for a class": b"ccollections\nOrderedDict\n(N}S'evil'\nI1\nstb.",
        "a state for a function": b"cnumpy.core.multiarray\nscalar\n(N}S'__defaults__'\n)stb.",
        "a state for a list": b"]}S'a'\nI1\nsb.",
        "a class that is never called": b"cnumpy\nndarray\n(I1000000000\ntR.",
        "a type that is never called": b"c__builtin__\nlist\n(I5\ntR.",
        "bytes of a size": b"c__builtin__\nbytes\n(I1000000000000\ntR.",
        "an instance": b"(icollections\nOrderedDict\n.",
        "an extension": b"\x82\x01.",
        "a buffer of someone else's": b"\x97.",
        "an object type": b"cnumpy\ndtype\n(S'O8'\nI0\nI1\ntR.",
        "a structured type": b"cnumpy\ndtype\n(S'V1000000'\nI0\nI1\ntR.",
        "a scalar of too few bytes": b"cnumpy.core.multiarray\nscalar\n(" + SCALAR + b"C\x01atR.",
        "an array of an endless shape": (
            b"cnumpy.core.numeric\n_frombuffer\n(C\x08aaaaaaaa" + SCALAR
            + b"(L4611686018427387904L\nI2\ntS'C'\ntR."
        ),
        "an array of a negative shape": (
            b"cnumpy.core.numeric\n_frombuffer\n(C\x08aaaaaaaa" + SCALAR + b"(I-1\ntS'C'\ntR."
        ),
        "text beyond Unicode": (
            b"cnumpy.core.numeric\n_frombuffer\n(C\x04\xff\xff\xff\xff"
            b"cnumpy\ndtype\n(S'U1'\nI0\nI1\ntR(I1\ntS'C'\ntR."
        ),
        "an endless integer": b"\x8b" + struct.pack("<i", 1 << 20) + bytes(1 << 20) + b".",
        "an endless decimal": b"L" + b"9" * 5000 + b"L\n.",
        "an integer of negative length": b"\x8b\xff\xff\xff\xff.",
        "more text than there is": b"\x8d" + struct.pack("<Q", 1 << 62) + b"abc.",
        "more bytes than there are": b"\x8e" + struct.pack("<Q", 1 << 27) + b"abc.",
        "a line without end": b"S" + b"x" * 200_000,
        "a list as a key": b"}]I1\ns.",
        "a float as a key": b"}F1.5\nI1\ns.",
        "a deep tuple as a key": b"})" + b"\x85" * 200_000 + b"I1\ns.",
        "a tuple of shared tuples as a key": b"})" + b"".join(
            b"q%bh%b\x86" % (bytes([n]), bytes([n])) for n in range(200)
        ) + b"I1\ns.",
        "integers of one hash as a key": b"}(I1\nI2\ntI1\ns.",
        "a key twice": b"}(S'a'\nI1\nS'a'\nI2\nu.",
        "a key twice in turn": b"}S'a'\nI1\nsS'a'\nI2\ns.",
        "a key twice, in an OrderedDict": (
            b"ccollections\nOrderedDict\n((]S'a'\naI1\naS'b'\nt(]S'a'\naI1\nattR."
        ),
        "a list in a set": b"\x8f(]\x90.",
        "items for a number": b"I1\n(I2\ne.",
        "an empty stack": b".",
        "two objects": b"I1\nI2\n.",
        "a mark that stays": b"(I1\n.",
        "a memo that is not there": b"h\x05.",
        "nothing": b"",
        "no end": b"I1\n",
        "another kind of file": b"\x89HDF\r\n\x1a\n" * 100,
        "a zip that is no torch file": b"PK\x03\x04" + bytes(200),
        "a bz2 that is none": b"BZh9" + bytes(100),
        "a bz2 that is cut": bz2.compress(pickle.dumps(list(range(1000))))[:-20],
    }.items(),
    ids=lambda item: item[0],
)  # fmt: skip
def test_attacks_end_in_a_sentence(file: Path, attack: tuple[str, bytes]) -> None:
    state = dict(vars(OrderedDict)), vars(np).keys()
    refusal(file, attack[1])
    assert (dict(vars(OrderedDict)), vars(np).keys()) == state


def test_a_memo_place_takes_no_more_than_an_entry(file: Path) -> None:
    # Python's unpickler makes room for every place below: 32 GiB by these nine bytes.
    assert load(file, b"I7\nr\xff\xff\xff\x7f0j\xff\xff\xff\x7f.") == 7


def test_nothing_is_too_deep(file: Path) -> None:
    deep = load(file, b"]" * 200_000 + b"a" * 199_999 + b".")
    assert len(deep) == 1
    load(file, b")" + b"\x85" * 200_000 + b".")


@pytest.mark.parametrize("grows", [b"]", b"(", b"\x8f", b"I1\n", b"]\x94", b")\x85", b"K\x01\x940"])
def test_what_is_held_in_memory_is_bounded(
    file: Path, monkeypatch: pytest.MonkeyPatch, grows: bytes
) -> None:
    monkeypatch.setattr(machine, "MOST_OBJECTS", 20_000)
    bomb = bz2.compress(grows * 200_000 + b".")
    assert "objects in one piece" in refusal(file, bomb)


def test_what_is_decompressed_is_bounded(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "MOST_BYTES", 1 << 20)
    assert "MiB in one piece" in refusal(file, bz2.compress(b"N0" * (1 << 20) + b"N."))
    text = b"X" + struct.pack("<I", 1 << 21) + bytes(1 << 21) + b"."
    assert "one value" in refusal(file, bz2.compress(text))


def test_how_long_it_takes_is_bounded(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "FREE", 1 << 16)
    bomb = bz2.compress(b"N0" * (1 << 20) + b"N.")
    assert len(bomb) < 1_000
    assert "more than 100 times its size" in refusal(file, bomb)
    with pytest.raises(NasbenchError, match="more than 100 times its size"):
        drain_pickle(file, "rows", lambda key, value: None, lambda n: None)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NasbenchError, match="cannot read"):
        load_pickle(tmp_path / "none")
    with pytest.raises(NasbenchError, match="cannot read"):
        load_pickle(tmp_path)


SOUND = {
    "meta": ["a", "b" * 300],
    "rows": {i: OrderedDict(x=[0.5 * i, None], y=np.float64(i)) for i in range(5)},
    "array": np.arange(6.0).reshape(2, 3),
    "set": {1, 2},
}


@pytest.mark.parametrize("protocol", range(6))
def test_damage_ends_in_a_sentence_or_in_data(file: Path, protocol: int) -> None:
    rng = np.random.default_rng(protocol)
    sound = pickle.dumps(SOUND, protocol=protocol)
    for cut in range(0, len(sound), 7):
        refusal(file, sound[:cut])
    for _ in range(200):
        damaged = np.frombuffer(sound, np.uint8).copy()
        where = rng.integers(len(damaged), size=int(rng.integers(1, 4)))
        damaged[where] ^= (1 << rng.integers(0, 8, size=len(where))).astype(np.uint8)
        assert in_order(file, damaged.tobytes())


@given(st.binary(max_size=60))
def test_any_bytes_end_in_a_sentence_or_in_data(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    file = tmp_path_factory.getbasetemp() / "any.pickle"
    for whole in (content, b"\x80\x04" + content + b".", b"](}" + content + b"e."):
        assert in_order(file, whole)
