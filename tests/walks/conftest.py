"""A clone in which the sample was run, for the walks that begin with it."""

import pytest

from tests.walks.walk import Walk


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Walk:
    walk = Walk.cloned(tmp_path_factory.mktemp("ran") / "inkwell")
    walk.type("make run")
    return walk
