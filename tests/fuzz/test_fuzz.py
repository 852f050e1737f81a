"""Thousands of foreign inputs: each is answered or refused in one sentence, none falls.

`NASBENCH_FUZZ=50 pytest -m slow tests/fuzz` tries fewer of each kind.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path
from random import Random

import forked
import kinds
import mutations
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.process]

INPUTS = int(os.environ.get("NASBENCH_FUZZ", "2000"))
BY_COMMAND = min(INPUTS, 100)


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> kinds.Seeds:
    return kinds.Seeds(tmp_path_factory.mktemp("seeds"))


@pytest.mark.parametrize("kind", kinds.KINDS)
def test_without_a_mutation_inputs_are_answered(
    kind: str, seeds: kinds.Seeds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("mutate", "text", "data"):
        monkeypatch.setattr(mutations, name, lambda given, rng, **options: given)
    make = kinds.KINDS[kind](seeds)
    tally = forked.Tally()
    for number in range(8):
        folder = tmp_path / str(number)
        folder.mkdir()
        forked.attempt(make(Random(number), folder), str(number), tally)
    assert tally.answered, tally.sentences
    assert not tally.fell, tally.fell


@pytest.mark.parametrize("kind", kinds.KINDS)
def test_no_input_falls(kind: str, seeds: kinds.Seeds, capsys: pytest.CaptureFixture[str]) -> None:
    make = kinds.KINDS[kind](seeds)
    tally = forked.Tally()
    for number in range(INPUTS):
        with tempfile.TemporaryDirectory() as folder:
            what = make(Random(f"{kind} {number}"), Path(folder))
            forked.attempt(what, f"{kind} {number}", tally)
    with capsys.disabled():
        print(f"\n{kind}: {INPUTS} inputs: {tally}")
    assert not tally.fell, "\n".join([f"{len(tally.fell)} fell", *tally.fell[:20]])
    assert tally.refused > INPUTS / 20  # the mutations reach what is checked


COMMANDS = ("csv", "recipes", "surrogates", "tables", "search journals", "build journals")


def words_of(kind: str, what: forked.Attempt, folder: Path, seeds: kinds.Seeds) -> forked.Attempt:
    """The words of the command line that take an input which a function takes above."""
    if not callable(what):
        return what
    if kind == "recipes":
        return ("build", folder / "r.toml", "--out", folder / "out.h5", "--dry-run")
    return ()


@pytest.mark.parametrize("kind", COMMANDS)
def test_no_input_falls_by_the_real_command(kind: str, seeds: kinds.Seeds) -> None:
    make = kinds.KINDS[kind](seeds)
    tally = forked.Tally()
    for number in range(BY_COMMAND):
        with tempfile.TemporaryDirectory() as folder:
            seed = zlib.crc32(f"{kind} by command {number}".encode())
            what = make(Random(seed), Path(folder))
            words = words_of(kind, what, Path(folder), seeds)
            if not words:
                continue
            done = subprocess.run(
                [sys.executable, "-m", "nasbench", *map(str, words)],
                capture_output=True,
                text=True,
                errors="replace",
                timeout=120,
                check=False,
            )
            status = done.returncode << 8 if done.returncode >= 0 else -done.returncode
            tally.take(f"{kind} {number}", status, done.stderr)
    assert not tally.fell, "\n".join([f"{len(tally.fell)} fell", *tally.fell[:20]])
