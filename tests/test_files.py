"""Files by hand and from elsewhere: within bounds, in UTF-8, one sentence for what is wrong."""

from __future__ import annotations

import ast
import os
import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nasbench
import strategies
from nasbench._files import read_json, read_text
from nasbench._toml import MOST_TOML, read_toml
from nasbench.errors import NasbenchError

PARTS = ".".join("a" * 20_000)
TOO_DEEP = {
    "brackets": "x = " + "[" * 50_000,
    "closed brackets": "x = " + "[" * 5_000 + "]" * 5_000,
    "inline tables": "x = " + "{a = " * 5_000 + "1" + "}" * 5_000,
    "a dotted key": f"{PARTS} = 1",
    "a quoted dotted key": '"a" . ' * 20_000 + "a = 1",
    "a dotted header": f"[{PARTS}]",
    "a dotted header of a list": f"[[{PARTS}]]",
    "a dotted key in an inline table": f"x = {{{PARTS} = 1}}",
    "dotted keys in lists in dotted keys": "x = " + "{a.a.a.a.a.a = [" * 15 + "]}" * 15,
    "behind a text that ends in a quote": f"x = ['''a'''', {{{PARTS} = 1}}, 'b']",
    "behind a text that ends in two": f'x = ["""a""""", {{{PARTS} = 1}}, "b"]',
    "behind an escaped backslash": f'x = ["\\\\", {{{PARTS} = 1}}, "\\\\"]',
    "behind an escaped quote": f'x = ["\\"", {{{PARTS} = 1}}, "\\""]',
    "behind a quote in a comment": f"# don't\n{PARTS} = 1 # don't",
    "behind a quote in a key": f'"don\'t" = 1\n{PARTS} = 1\n"won\'t" = 1',
}


def _toml(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "text", TOO_DEEP.values(), ids=[name.replace(" ", "-") for name in TOO_DEEP]
)
def test_deep_toml_is_refused_before_it_is_parsed(tmp_path: Path, text: str) -> None:
    with pytest.raises(NasbenchError, match=r"mine\.toml is nested more than 32 deep: no recipe"):
        read_toml(_toml(tmp_path, text), "recipe")


@pytest.mark.parametrize(
    "text",
    [
        'x = """a"""""\ny = [[[1]]]',
        "x = '''a.b.c'''''",
        f'x = "{PARTS}"',
        f"x = '{'[' * 5_000}' # {'[' * 5_000}",
        f'x = """\n{PARTS}\n{"[" * 5_000}\\""""',
        f'"{PARTS}" = 1',
        "x = [" + "[1.5, 2.5]," * 5_000 + "]",
        "[a.b]\nc.d = {e.f = [{g = 1979-05-27T07:32:00.5Z}]}",
        "[[a]]\nb = 1\n[[a]]\nb = 2",
        "".join(f"k{i}.a = 1.5\n" for i in range(5_000)),
        'x = "\\u00e9"\r\ny = "\u00e9"\r\n',
    ],
)
def test_what_only_looks_deep_is_read_as_the_standard_library_does(
    tmp_path: Path, text: str
) -> None:
    assert read_toml(_toml(tmp_path, text), "recipe") == tomllib.loads(text.replace("\r\n", "\n"))


@given(st.text(alphabet="\"'\\#.=[]{},\n ab1", max_size=60))
def test_any_text_is_read_as_the_standard_library_does_or_refused(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = _toml(tmp_path_factory.getbasetemp(), text)
    try:
        expected = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        with pytest.raises(NasbenchError):
            read_toml(path, "recipe")
    else:
        assert read_toml(path, "recipe") == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x = " + "9" * 5_000, "is not TOML: an integer has more than 64 bits"),
        ("x = 0x" + "f" * 5_000, "an integer has more than 64 bits"),
        ("x = [1, {y = 9223372036854775808}]", "an integer has more than 64 bits"),
        ("x = 1\nx = 2", "is not TOML"),
        ("[recipe.a]\nrate = inf", "'recipe.a.rate' must be a finite number, got inf"),
        ("x = [1, {y = -nan}]", "'x.y' must be a finite number, got nan"),
        ('x = "\0"', "is not TOML"),
        ("#" * (MOST_TOML + 1), r"it has more than 1,048,576 bytes"),
    ],
)
def test_what_toml_does_not_have_is_refused(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(NasbenchError, match=why) as told:
        read_toml(_toml(tmp_path, text), "recipe")
    assert len(str(told.value)) < 300


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte order mark"])
@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"], ids=["unix", "windows", "old mac"])
def test_editors_of_any_system_are_read_alike(tmp_path: Path, mark: bytes, newline: bytes) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(mark + newline.join([b'name = "\xc3\xa9"', b"seeds = 2", b""]))
    assert read_toml(path, "recipe") == {"name": "é", "seeds": 2}
    assert read_text(path, "start").splitlines() == ['name = "é"', "seeds = 2"]


def test_what_is_no_text_file_is_refused_without_waiting(tmp_path: Path) -> None:
    pipe, folder, latin, wide = (tmp_path / name for name in ("pipe", "folder", "latin", "wide"))
    os.mkfifo(pipe)
    folder.mkdir()
    latin.write_bytes("é".encode("latin-1"))
    wide.write_text("x = 1", encoding="utf-16")
    told = {
        pipe: "cannot read recipe .*pipe: it is no regular file",
        folder: "cannot read recipe .*folder: it is a folder",
        Path(os.devnull): "it is no regular file",
        latin: r"it is no UTF-8 text \(unexpected end of data at byte 0\); save it as UTF-8",
        wide: "it is no UTF-8 text",
        tmp_path / "none": "No such file",
        latin / "inside": "Not a directory",
        tmp_path / "a\0b": "null byte",
        tmp_path / ("a" * 300): "File name too long",
    }
    before = len(os.listdir("/proc/self/fd"))
    for path, why in told.items():
        with pytest.raises(NasbenchError, match=why) as caught:
            read_text(path, "recipe")
        assert "\0" not in str(caught.value)
    assert len(os.listdir("/proc/self/fd")) == before, "none stays open"


@pytest.mark.parametrize("text", ["[" * 100_000, "NaN", "[Infinity]", "9" * 5_000, "{", ""])
def test_json_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(NasbenchError, match=r"mine\.json is damaged: it is not JSON"):
        read_json(path, "description")


def _texts_without_encoding(path: Path) -> list[str]:
    """Calls that read or write text as the locale has it, also where ruff sees no path."""
    found = []
    for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(call, ast.Call) or any(k.arg == "encoding" for k in call.keywords):
            continue
        name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        if name == "open":  # of a path, and not of an archive, where a name comes first
            first = call.args[0] if call.args else ast.Constant("r")
            text = isinstance(first, ast.Constant) and re.fullmatch(
                r"[rwax]\+?t?", str(first.value)
            )
        else:
            text = name in ("read_text", "write_text")
        if text:
            found.append(f"{path.name}:{call.lineno} {name}")
    return found


def test_no_text_is_read_or_written_in_the_encoding_of_the_locale() -> None:
    packages = [Path(package.__file__).parent for package in (nasbench, strategies)]
    files = [path for package in packages for path in sorted(package.rglob("*.py"))]
    assert len(files) > 200
    assert [line for path in files for line in _texts_without_encoding(path)] == []
