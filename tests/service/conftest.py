import shutil
from pathlib import Path

import httpx
import pytest

from pipeline import package, serve
from tests import toy_model


@pytest.fixture(scope="session")
def bento(tmp_path_factory):
    """The toy model's Bento, built as the stage builds it."""
    folder = tmp_path_factory.mktemp("bento")
    built = package.build(toy_model.write(folder / "model.onnx"), Path("serving"), folder)
    return Path(shutil.copytree(built, folder / "served"))


@pytest.fixture(scope="session")
def url(bento):
    """Where that Bento is being served."""
    with serve.running(bento) as url:
        yield url


@pytest.fixture(scope="session")
def client(url):
    with httpx.Client(base_url=url, timeout=10) as client:
        yield client
