"""Inherited scores as columns: what they are, and that a killed scoring goes on to the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nasbench as nb
from nasbench.errors import BadValue, NasbenchError
from nasbench.search import inherited
from nasbench.search.inherited import Inheriting, TrainedSupernet, inherited_table, parse_supernets
from nasbench.search.share_setting import ShareSetting
from nasbench.search.step import Step

MINI = nb.space("nb201-mini")
RECIPE = nb.Recipe(epochs=1, train_images=64, valid_images=40, channels=4, cells=1, batch_size=32)
SETTING = ShareSetting("fairnas", MINI, nb.task("digits"), "r", RECIPE)


def asked(**changed: Any) -> Inheriting:
    fields: dict[str, Any] = {"images": 30, "seeds": (0, 1), **changed}
    return Inheriting(SETTING, (TrainedSupernet("fairnas", 1),), **fields)


def test_columns_are_the_scores_of_a_supernet_that_its_strategy_trained(tmp_path: Path) -> None:
    table = inherited_table(asked(), tmp_path / "t.h5", name="t", about={})
    assert (table.rows == MINI.representatives).all()
    setting = asked().of(TrainedSupernet("fairnas", 1))
    oracle = setting.supernet(1)
    strategy = setting.begin(1, oracle, setting.goal(oracle))
    while isinstance(request := strategy.ask(), Step) and request.rates is not None:
        strategy.tell(request, oracle.run(request))
    paths = MINI.ops(table.rows).astype(np.int64)
    loss, accuracy = oracle.shared.judge(paths, 30)
    np.testing.assert_array_equal(table.column("proxy/fairnas1_loss_s1").astype(np.float32), loss)
    np.testing.assert_array_equal(
        table.column("proxy/fairnas1_accuracy_s1").astype(np.float32), accuracy
    )
    about = table.manifest["datasets"]
    assert about["proxy/fairnas1_loss_s0"]["better"] == "low"
    assert about["proxy/fairnas1_accuracy_s0"]["better"] == "high"
    assert not (tmp_path / "t.h5.build").exists()
    with pytest.raises(NasbenchError, match="exists already"):
        inherited_table(asked(), tmp_path / "t.h5", name="t", about={})


class StoppedError(Exception):
    pass


def test_a_scoring_that_was_killed_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inherited, "TOGETHER", 20)
    whole = inherited_table(asked(), tmp_path / "whole.h5", name="t", about={})

    def stop(what: str, done: int, total: int) -> None:
        if done > 90:  # in the second supernet
            raise StoppedError

    with pytest.raises(StoppedError):
        inherited_table(asked(), tmp_path / "t.h5", name="t", about={}, progress=stop)
    kept = sorted(path.name for path in (tmp_path / "t.h5.build").iterdir())
    assert kept == ["fairnas1_s0.jsonl", "fairnas1_s1.jsonl"]
    with pytest.raises(NasbenchError, match="scores of another supernet"):
        inherited_table(asked(images=20), tmp_path / "t.h5", name="t", about={})
    again = inherited_table(asked(), tmp_path / "t.h5", name="t", about={})
    assert again.manifest["content_sha256"] == whole.manifest["content_sha256"]


@pytest.mark.process
@pytest.mark.usefixtures("forked")
def test_supernets_side_by_side_have_the_same_columns(tmp_path: Path) -> None:
    said: list[tuple[str, int, int]] = []
    alone = inherited_table(asked(), tmp_path / "alone.h5", name="t", about={})
    beside = inherited_table(
        asked(),
        tmp_path / "beside.h5",
        name="t",
        about={},
        processes=2,
        progress=lambda *of: said.append(of),
    )
    assert beside.manifest["content_sha256"] == alone.manifest["content_sha256"]
    n = len(MINI.representatives)
    assert said == [("scoring", n, 2 * n), ("scoring", 2 * n, 2 * n)]


def test_supernets_by_name() -> None:
    assert parse_supernets("fairnas10, spos50") == [
        TrainedSupernet("fairnas", 10),
        TrainedSupernet("spos", 50),
    ]
    assert parse_supernets("fairnas,fairnas10") == [TrainedSupernet("fairnas", 10)]
    for text in ("", "10", " , "):
        with pytest.raises(BadValue, match="supernet"):
            parse_supernets(text)


@pytest.mark.parametrize(
    ("supernet", "said"),
    [
        (TrainedSupernet("random_search", 3), "random_search shares no weights"),
        (TrainedSupernet("fairnas", 0), "1 to 100,000 epochs"),
    ],
)
def test_what_trains_no_supernet(supernet: TrainedSupernet, said: str) -> None:
    with pytest.raises(BadValue, match=said):
        Inheriting(SETTING, (supernet,), (0,))


@pytest.mark.parametrize("strategy", ["darts", "gdas"])
def test_weights_that_are_not_trained_first_have_no_columns(strategy: str, tmp_path: Path) -> None:
    """The first slope ended their training, and the scores were of what had come of it."""
    given = Inheriting(SETTING, (TrainedSupernet(strategy, 2),), (0,), images=30)
    with pytest.raises(BadValue, match="between its steps"):
        inherited_table(given, tmp_path / "t.h5", name="t", about={})
    assert not (tmp_path / "t.h5").exists()
