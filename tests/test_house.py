"""What holds over all of the code."""

import ast
from collections import defaultdict
from pathlib import Path

import nasbench
import strategies

PACKAGES = [Path(package.__file__).parent for package in (nasbench, strategies)]


def test_a_class_name_means_one_thing() -> None:
    places = defaultdict(list)
    for path in (path for package in PACKAGES for path in sorted(package.rglob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(f"{path.parent.name}/{path.name}:{node.lineno}")
    assert len(places) > 250
    assert {name: at for name, at in places.items() if len(at) > 1} == {}
