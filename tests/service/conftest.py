import json
import shutil
from pathlib import Path

import httpx
import pytest

from pipeline import package, release, serve
from tests import toy_model
from tests.service.server import serving


@pytest.fixture(scope="session")
def bento(tmp_path_factory):
    """The toy model's Bento, built as the stage builds it."""
    folder = tmp_path_factory.mktemp("bento")
    built = package.build(toy_model.write(folder / "model.onnx"), Path("serving"), folder)
    return Path(shutil.copytree(built, folder / "served"))


@pytest.fixture(scope="session")
def server(bento, tmp_path_factory):
    """That Bento, being served."""
    with serving(bento, tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="session")
def url(server):
    return server.url


@pytest.fixture(scope="session")
def client(url):
    with httpx.Client(base_url=url, timeout=10) as client:
        yield client


@pytest.fixture(scope="session")
def champions_bento(tmp_path_factory):
    """The Bento of the released champion of MNIST with this code."""
    released = serve.released(release.champions()["mnist"]) / "src"
    card = json.loads((released / "card.json").read_text())
    folder = tmp_path_factory.mktemp("champion")
    built = package.build(released / "model.onnx", package.SERVING, folder, card)
    return Path(shutil.copytree(built, folder / "served"))


@pytest.fixture(scope="session")
def champion(champions_bento, tmp_path_factory):
    """A client of that Bento, being served."""
    with (
        serving(champions_bento, tmp_path_factory.mktemp("champions_server")) as server,
        httpx.Client(base_url=server.url, timeout=10) as client,
    ):
        yield client
