"""A clone in which the sample was run, for what begins with it."""

from dataclasses import dataclass

import pytest

from tests.walks.walk import Walk


@dataclass(frozen=True)
class Ran:
    walk: Walk
    said: str


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    walk = Walk.cloned(tmp_path_factory.mktemp("ran") / "inkwell")
    return Ran(walk, walk.type("make run"))
