"""What the guide says of shipped spaces is so, and its files can be built and trained."""

from __future__ import annotations

import re
from importlib import resources

import pytest
from shipped import IMAGES, check_network

import nasbench as nb
from nasbench.network import family_of, names
from nasbench.space import CellSpace
from nasbench.space.published import PublishedSpace

GUIDE = (resources.files("nasbench") / "guide" / "shipped-spaces.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.split("|")] for line in GUIDE.splitlines() if "| `" in line]
FILES = re.findall(r"```python [\w.]+\n(.*?)```", GUIDE, flags=re.DOTALL)


def test_all_spaces_are_listed_with_what_they_take():
    listed = {name: row[3] for row in ROWS for name in re.findall(r"`([^`]+)`", row[1])}
    shipped = {name for name in names() if family_of(nb.space(name)).name in (name, "cell")}
    assert listed.keys() == shipped
    words = {"audio": "sound", "tokens": "tokens", "features": "features", "image": "images"}
    for name, takes in listed.items():
        space = nb.space(name)
        for signal in family_of(space).signals:
            assert words[signal] in takes, name


def test_published_networks_are_listed():
    said = " ".join(row[4] for row in ROWS)
    for name in names():
        space = nb.space(name)
        if isinstance(space, PublishedSpace):
            for known in space.named:
                assert f"`{known}`" in said or known.startswith("efficientnet-b")


def test_sizes_are_listed():
    said = set(re.findall(r"`([a-z_]+)`", GUIDE))
    for name in names():
        space = nb.space(name)
        assert isinstance(space, CellSpace) or family_of(space).sizes.keys() <= said


@pytest.mark.parametrize("text", FILES, ids=["squeezed", "six-places"])
def test_the_files_make_spaces_whose_networks_learn(text, tmp_path):
    (tmp_path / "my_space.py").write_text(text, encoding="utf-8")
    space = nb.space(tmp_path / "my_space.py")
    architecture = space.size // 2
    family = family_of(space)
    network = family.build(space, architecture, IMAGES, 5, family.sizes)
    check_network(network, IMAGES, 5)
