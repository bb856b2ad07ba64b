"""The service that behaves, or does not: at --url, else the Bento in dist/bento, served for as long as the tests last.

    INKWELL_API_KEY=KEY python -m pytest tests/behaviour --url http://127.0.0.1:3000

The key is for a service that asks for one.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from pipeline import params, serve
from pipeline.data.errors import DataError
from pipeline.data.store import load_split
from serving.model.recogniser import Recogniser
from tests.behaviour.asking import Digits, Service

SAMPLE = 500
SEED = 0


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--url", help="a running service; without it dist/bento is served")


@pytest.fixture(scope="session")
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    given: str | None = request.config.getoption("--url", default=None)  # unknown where all tests are run
    if given:
        yield given.rstrip("/")
    elif (serve.BENTO / "bento.yaml").is_file():
        with serve.running(serve.BENTO) as local:
            yield local
    else:
        pytest.skip(f"there is no Bento in {serve.BENTO} (`make run` makes one), and no --url was given")


@pytest.fixture(scope="session")
def service(url: str) -> Iterator[Service]:
    key = os.environ.get("INKWELL_API_KEY")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with httpx.Client(base_url=url, headers=headers, timeout=30) as client:
        try:
            model = client.get("/model")
            if model.status_code == 401:
                pytest.exit(f"{url} asks for a key: give one of its own in INKWELL_API_KEY", returncode=1)
            model.raise_for_status()
        except httpx.HTTPError as error:
            pytest.exit(f"no digit recogniser answers at {url}: {error}", returncode=1)
        yield Service(client, model.json())


@pytest.fixture(scope="session")
def limits(service: Service) -> params.Gates:
    """The gates of the network that is served."""
    source, name = service.model["source"], service.model["name"]
    gates = params.load("audit.gates")
    if name not in gates.get(source, {}):
        pytest.exit(f"params.yaml has no gates for {name} on {source}, which {service.url} serves", returncode=1)
    return gates[source][name]


@pytest.fixture(scope="session")
def offline(service: Service) -> Recogniser:
    """The recogniser that is served, without the service around it."""
    model = serve.BENTO / "src" / "model.onnx"
    if not model.is_file() or (recogniser := Recogniser(model)).sha256 != service.model["sha256"]:
        pytest.skip(f"{service.url} serves another model than {serve.BENTO}")
    return recogniser


@pytest.fixture(scope="session")
def digits(service: Service) -> Digits:
    """Test images, the same ones each time."""
    source, learnt = params.load("data.source"), service.model["source"]
    if source != learnt:
        pytest.skip(f"params.yaml is about {source}, but {service.url} learnt from {learnt}: `make run DATA={learnt}`")
    try:
        images, labels = load_split(Path("data/processed"), "test")
    except DataError as error:
        pytest.skip(f"no test images: {error}")
    rows = np.random.default_rng(SEED).choice(len(images), min(SAMPLE, len(images)), replace=False)
    return Digits(images[rows], labels[rows])
