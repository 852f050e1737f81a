"""Whatever a command writes names neither the host nor a folder of whoever ran it."""

from __future__ import annotations

import platform

import numpy as np

HOST = "lab-3.example.org"


def test_what_commands_write_names_no_host_and_no_folder(cli, recipe, tmp_path, monkeypatch):
    """Given by absolute paths: the recipe, the task's images, the tables, the space."""
    monkeypatch.setattr(platform, "node", lambda: HOST)
    rng = np.random.default_rng(0)
    images = tmp_path / "images.npz"
    labels = np.arange(900) % 3
    np.savez(
        images,
        images=rng.integers(0, 256, (900, 6, 6), dtype=np.uint8),
        labels=labels,
        masks=labels,
    )
    here = tmp_path / "mine.toml"
    text = recipe.read_text(encoding="utf-8").replace("seeds = 2", "seeds = 1")
    text = text.replace('task = "digits"', f'task = {{source = "npz", path = "{images}"}}')
    here.write_text(text[: text.index("[[device]]")], encoding="utf-8")
    space = tmp_path / "choices.toml"
    space.write_text('name = "choices"\n[decisions]\na = ["x", "y"]\n', encoding="utf-8")
    sheet = tmp_path / "sheet.csv"
    sheet.write_text("architecture,valid_accuracy\n0,50\n1,60\n", encoding="utf-8")
    t, s, both = (tmp_path / name for name in ("t.h5", "s.h5", "both.h5"))
    of = ("--recipe", "r", "--epochs", 1)
    for words in (
        ("build", here, "--out", t, "--workers", 1, "--hardware", "cpu"),
        ("proxies", "score", here, "--out", s, "--proxies", "synflow", "--workers", 1),
        ("merge", t, s, "--out", both),
        ("dump", both, "--out", tmp_path / "both.csv", "--to", "csv"),
        ("import", "csv", sheet, "--space", space, *of, "--out", tmp_path / "i.h5"),
        ("export", t, 3, "--recipe", here, "--train", "--onnx", tmp_path / "n.onnx"),
    ):
        done = cli(*words)
        assert done.status == 0, done.err
    written = [path for path in tmp_path.iterdir() if path not in (images, here, space, sheet)]
    assert len(written) == 7
    for path in written:
        for secret in (HOST, str(tmp_path)):
            assert secret.encode() not in path.read_bytes(), (path.name, secret)
