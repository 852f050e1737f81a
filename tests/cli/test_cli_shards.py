"""Many machines from the command line: shards, their assembly, and what is told on the way."""

from __future__ import annotations

import json

import nasbench as nb


def test_shards_are_assembled_to_what_a_plain_build_writes(cli, recipe, table, tmp_path):
    out = tmp_path / "t.h5"
    words = ("build", recipe, "--out", out, "--workers", 1, "--hardware", "cpu", "--shard")
    first = cli(*words, "1/2")
    assert f"12 trainings done. When all shards are: nasbench assemble {recipe}" in first.out
    early = cli("assemble", recipe, "--out", out)
    assert (early.status, early.out) == (2, "")
    assert early.err.endswith("build again with --shard 2/2 (0 of 12 trained)\n")
    second = json.loads(cli(*words, "2/2", "--json").out)
    assert second == {"table": str(out), "shard": "2/2", "trainings": 12}
    made = json.loads(cli("assemble", recipe, "--out", out, "--json").out)
    assert made["rows"] == len(nb.load(table).rows)
    content = [nb.load(path).manifest["content_sha256"] for path in (out, table)]
    assert content[0] == content[1]
    assert [path.name for path in tmp_path.iterdir()] == ["t.h5"]
    for late in (cli(*words, "1/2"), cli("assemble", recipe, "--out", out)):
        assert late.status == 2
        assert "is there already" in late.err


def test_info_shows_the_content_hash_and_a_line_for_each_kind_of_processor(cli, table):
    text = cli("info", table).out
    manifest = nb.load(table).manifest
    assert manifest["content_sha256"] in text
    [built] = [line for line in text.splitlines() if line.startswith("built ")]
    assert built.endswith(f"{manifest['history'][0]['hardware']['processor']}, sessions: 1")
