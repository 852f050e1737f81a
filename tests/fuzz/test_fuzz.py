"""Thousands of foreign inputs: each is answered or refused in one sentence, none falls.

`NASBENCH_FUZZ=50 pytest -m slow tests/fuzz` tries fewer of each kind, `NASBENCH_FUZZ_SEED=1`
others.
"""

from __future__ import annotations

import os
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from random import Random

import forked
import good
import kinds
import mutations
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.process]

INPUTS = int(os.environ.get("NASBENCH_FUZZ", "2000"))
BY_COMMAND = min(INPUTS, 100)
ENOUGH = 100
"""So many inputs of a kind, or more, are refused and pass checksums in shares that say something.

A mutation can meet a hash itself: of six inputs one or two then fail it, and all is well.
"""
SEED = os.environ.get("NASBENCH_FUZZ_SEED", "0")


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> good.Seeds:
    forked.warm()
    return good.Seeds(tmp_path_factory.mktemp("seeds"))


@pytest.mark.parametrize("kind", kinds.KINDS)
def test_without_a_mutation_inputs_are_answered(
    kind: str, seeds: good.Seeds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("mutate", "text", "data", "png"):
        monkeypatch.setattr(mutations, name, lambda given, rng, **options: given)
    make = kinds.KINDS[kind](seeds)
    tallies: defaultdict[object, forked.Tally] = defaultdict(forked.Tally)
    for number in range(40):
        folder = tmp_path / str(number)
        folder.mkdir()
        given = make(Random(number), folder)
        forked.attempt(given, str(number), tallies[given.words[0]])
    for command, tally in tallies.items():
        assert tally.answered, (command, tally.sentences)
        assert not tally.fell, tally.fell


@pytest.mark.parametrize("kind", kinds.KINDS)
def test_no_input_falls(kind: str, seeds: good.Seeds, capsys: pytest.CaptureFixture[str]) -> None:
    tally = take(INPUTS, kind, kinds.KINDS[kind](seeds), forked.attempt)
    with capsys.disabled():
        print(f"\n{kind}: {INPUTS:,} inputs of seed {SEED}: {tally}")
    assert not tally.fell, "\n".join([f"{len(tally.fell)} fell", *tally.fell[:20]])
    if INPUTS >= ENOUGH:
        assert tally.refused > INPUTS / 20  # the mutations reach what is checked
        assert tally.passed >= 0.9 * tally.sealed  # and what is behind the checksums


@pytest.mark.parametrize("kind", kinds.BY_COMMAND)
def test_no_input_falls_by_the_real_command(
    kind: str, seeds: good.Seeds, capsys: pytest.CaptureFixture[str]
) -> None:
    made = take(BY_COMMAND, f"{kind} by command", kinds.BY_COMMAND[kind](seeds), forked.by_command)
    with capsys.disabled():
        print(f"\n{kind}: {BY_COMMAND} inputs of seed {SEED} by the command: {made}")
    assert not made.fell, "\n".join([f"{len(made.fell)} fell", *made.fell[:20]])


def take(
    inputs: int,
    about: str,
    make: kinds.Make,
    attempt: Callable[[forked.Input, str, forked.Tally], None],
) -> forked.Tally:
    """What becomes of so many inputs, each in a folder of its own."""
    tally = forked.Tally()
    for number in range(inputs):
        with tempfile.TemporaryDirectory() as folder:
            given = make(Random(f"{about} {SEED} {number}"), Path(folder))
            attempt(given, f"{about} {number}", tally)
    return tally
