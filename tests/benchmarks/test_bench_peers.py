"""The comparison with peers is fair: each of them gives the same numbers from its own layout."""

from __future__ import annotations

import bz2
import json
import pickle
from pathlib import Path

import numpy as np
import peer_layouts
import peers
import pytest

CELLS = 12


@pytest.mark.parametrize("peer", peers.PEERS, ids=lambda peer: peer.label)
def test_every_peer_gives_the_numbers_that_were_made_up(
    peer: type[peers.Peer], tmp_path: Path
) -> None:
    pytest.importorskip(peer.module, reason=f"{peer.distribution} is not installed")
    peer.write(tmp_path, CELLS)
    opened = peer(tmp_path, CELLS)
    curves = peer_layouts.made_up(CELLS)
    accuracy = curves["valid_accuracy"][:, :, -1].mean(1, dtype=np.float64)
    seconds = curves["train_seconds"][:, :, -1].mean(1, dtype=np.float64)
    np.testing.assert_array_equal(opened.every(), accuracy)
    for cell in range(CELLS):
        assert opened.one(cell) == accuracy[cell]
        assert opened.cost(cell) == seconds[cell]
        curve = opened.curve(cell)
        if curve is None:
            assert peer is peers.PandasLast
        else:
            np.testing.assert_array_equal(curve, curves["valid_accuracy"][cell])


def test_a_made_up_record_has_the_fields_of_a_real_one(
    published_data: Path, tmp_path: Path
) -> None:
    def kinds(path: Path) -> list[dict[str, set[str]]]:
        with bz2.open(path) as file:
            record = pickle.load(file)["200"]
        training = record["all_results"][peer_layouts.DATASET, 777]
        return [
            {key: type(value).__name__ for key, value in fields.items()}
            for fields in (record, training)
        ]

    name = "000000.pickle.pbz2"
    real = kinds(published_data / "natsbench_sample" / "NATS-tss-v1_0-3ffb9-simple" / name)
    peer_layouts.write_nats_folder(tmp_path, 1)
    for ours, theirs in zip(kinds(tmp_path / name), real, strict=True):
        assert ours.keys() == theirs.keys()
        differ = {key for key in ours if ours[key] != theirs[key]}
        # An OrderedDict and a numpy number of constants there; we measure no latency.
        assert differ <= {"train_times", "params", "latency"}


class Absent(peers.Peer):
    label = "absent"
    distribution = "never-heard-of"
    module = "never_heard_of"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_the_script_measures_everything_and_names_who_is_absent(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(peers, "PEERS", (peers.Ours, Absent, peers.PandasLast))
    monkeypatch.setattr(peers, "_fresh", lambda function, *arguments: function(*arguments))
    monkeypatch.setattr(peers, "_repeated", lambda call: peers._timed(call)[1])
    peers.main(["--cells", "3", "--rounds", "2", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert told["not_installed"] == ["never-heard-of"]
    assert list(told["peers"]) == ["ours", "pandas, last epochs only"]
    assert told["peers"]["ours"].keys() == peers.QUANTITIES.keys()
    of_pandas = told["peers"]["pandas, last epochs only"]
    assert of_pandas.keys() < peers.QUANTITIES.keys()
    for spread in (told["peers"]["ours"][q] for q in peers.QUANTITIES if q.endswith("_s")):
        assert 0 < spread["low"] <= spread["median"] <= spread["high"]


def test_the_table_shows_medians_ranges_and_multiples() -> None:
    ours = {q: peers.Spread(2e-6, 1e-6, 4e-6) for q in peers.QUANTITIES}
    theirs = {"one_s": peers.Spread(3e-3, 3e-3, 3e-3), "open_mb": peers.Spread(31e-6, 0, 40e-6)}
    rows = peers.markdown({"ours": ours, "theirs": theirs}).splitlines()
    assert rows[0] == "| | ours | theirs |"
    assert "| accuracy of one cell | 2 [1, 4] µs | 3 ms, **1,500×** |" in rows
    assert any(row.endswith("| no curves |") for row in rows)
