"""How long `import nasbench` takes in a fresh interpreter, beside numpy and an empty program."""

import subprocess
import sys

import pytest


@pytest.mark.benchmark(group="start")
@pytest.mark.parametrize(
    "code", ["pass", "import nasbench", "import numpy", "import nasbench.table"]
)
def test_import(benchmark, code):
    run = benchmark.pedantic(
        subprocess.run, ([sys.executable, "-c", code],), {"check": True}, rounds=10, warmup_rounds=1
    )
    assert run.returncode == 0
