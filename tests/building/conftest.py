"""A small build that nothing disturbed."""

from __future__ import annotations

import pytest
from small_builds import ENGINES, small_spec

from nasbench.building import BuildSpec, build
from nasbench.table import Table


@pytest.fixture(scope="session")
def spec() -> BuildSpec:
    """Six distinct cells, two seeds: twelve trainings."""
    return small_spec()


@pytest.fixture(scope="session", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """Every engine that is here."""
    return str(request.param)


@pytest.fixture(scope="session")
def undisturbed(spec: BuildSpec, engine: str, tmp_path_factory: pytest.TempPathFactory) -> Table:
    """What `spec` builds."""
    out = tmp_path_factory.mktemp("undisturbed") / "small.h5"
    return build(spec, out, processes=1, engine=engine)
