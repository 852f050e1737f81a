"""Every number that an option takes has a bound, and what is beyond it is one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer

from nasbench._limits import LARGEST_SEED, MOST_COUNTED, MOST_EVALUATIONS, MOST_PROCESSES
from nasbench.building import Sampling
from nasbench.building.crew import Crew
from nasbench.cli import app
from nasbench.errors import NasbenchError
from nasbench.search import Budget, Goal, RunSpec, SearchProtocol
from nasbench.space.base import LISTABLE

COMMANDS = typer.main.get_command(app)
JUDGED_LATER = {
    "--budget-seconds",
    "--budget-evaluations",
    "--budget-epochs",
    "--budget-mean-trainings",
    "--failures",
    "--seconds-per-epoch",
}
"""By what takes them, in the same words from Python."""
JUDGED_LATER |= {"--keep"}
WITHOUT_END = {"--hours"}


def _numbers(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _numbers(command, (*path, name))
            continue
        for parameter in command.params:
            if parameter.type_descriptor.annotation in (int, float):
                yield (*path, name, parameter.opts[0]), parameter


NUMBERS = dict(_numbers(COMMANDS))


def test_the_numbers_of_the_command_line_are_found() -> None:
    assert len(NUMBERS) >= 40
    assert ("build", "--workers") in NUMBERS
    assert ("search", "--budget-seconds") in NUMBERS
    assert MOST_COUNTED == LISTABLE


@pytest.mark.parametrize(
    "words", [w for w in NUMBERS if w[-1] not in JUDGED_LATER | WITHOUT_END], ids=" ".join
)
def test_every_number_is_refused_beyond_its_bounds(words: tuple[str, ...]) -> None:
    for value in ("1" + "0" * 30, "9" * 5_000, "-7", "nan", "inf", "-inf", "1e300", "two", ""):
        with pytest.raises(typer.BadParameter) as refused:
            COMMANDS.main([*words, value], standalone_mode=False)
        assert f"'{words[-1]}'" in refused.value.format_message()
        assert "\n" not in refused.value.format_message()


@pytest.mark.parametrize(
    "given",
    [10**30, 10**5000, MOST_EVALUATIONS + 1, 0, -1, float("nan")],
    ids=["large", "huge", "one more", "none", "negative", "nan"],
)
def test_a_budget_has_a_bound(given: Any) -> None:
    with pytest.raises(NasbenchError, match="a budget in evaluations must be more than 0") as told:
        Budget(evaluations=given)
    assert len(str(told.value)) < 200
    with pytest.raises(NasbenchError, match="a budget in seconds must be more than 0"):
        Budget(seconds=given if given == 0 or not given > 0 else 1e300)
    with pytest.raises(NasbenchError, match="a budget in mean trainings must be more than 0") as of:
        SearchProtocol(budget_mean_trainings=given)
    assert len(str(of.value)) < 200


def test_seeds_workers_and_processes_have_bounds() -> None:
    goal = Goal("valid_accuracy", Budget(3), ())
    assert RunSpec("random_search", goal, LARGEST_SEED, workers=10_000).seed == LARGEST_SEED
    for seed in (LARGEST_SEED + 1, 10**5000, -1):
        with pytest.raises(NasbenchError, match=r"a seed is 0 or more and below 2\*\*32"):
            RunSpec("random_search", goal, seed)
    with pytest.raises(NasbenchError, match="below 2"):
        Sampling(3, "random", 10**5000)
    for workers in (0, 10_001, 10**30):
        with pytest.raises(NasbenchError, match="simulated workers are 1 to 10,000"):
            RunSpec("random_search", goal, 0, workers=workers)
    with pytest.raises(NasbenchError, match="1 process or more, got 1025; 1,024 are the most"):
        Crew.of(None, MOST_PROCESSES + 1, "auto", "auto", "local")  # type: ignore[arg-type]


def test_long_and_strange_sentences_are_one_line_of_bounded_length(cli, tmp_path) -> None:
    done = cli("space", "x\n\x1b[31m" + "y" * 50_000)
    assert (done.status, done.err.count("\n")) == (2, 1)
    assert "\x1b" not in done.err
    start = tmp_path / "start.txt"
    start.write_text("z" * 200_000, encoding="utf-8")
    done = cli("search", "random_search", "--table", "nb201-fashion16", "--start", start)
    assert done.status == 2
    assert len(done.err) < 4_100


def test_output_that_cannot_be_written_is_one_sentence(cli, monkeypatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nasbench.cli.common.typer.echo", full)
    monkeypatch.setattr("os.dup2", lambda *_: None)
    done = cli("space", "nb201-mini")
    said = "nasbench: cannot read or write the output: No space left on device\n"
    assert (done.status, done.err) == (2, said)


@pytest.mark.parametrize("words", [(), ("surrogate",), ("proxies",), ("transfer",)])
def test_without_arguments_there_is_help_and_no_word_on_stderr(cli, words) -> None:
    done = cli(*words)
    assert (done.status, done.err) == (2, "")
    assert "Usage" in done.out
