"""The service that behaves, or does not: at --url, else the champion's, served for as long as the tests last.

    INKWELL_API_KEY=KEY python -m pytest tests/behaviour --url http://127.0.0.1:3000

The key is for a service that asks for one.
"""

import warnings
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import httpx
import pytest
from rich.console import Console

from pipeline import audit_service, download, params, paths, preprocess, serve
from pipeline.audit_service import ServiceError
from pipeline.audits.results import Results
from pipeline.data.errors import DataError
from pipeline.judge import Judged
from tests.pipeline.workspace import prepare


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--url", help="a running service; without it the champion is served")


@pytest.fixture(scope="session")
def bento() -> Path:
    """The champion's Bento, packaged here or released."""
    try:
        return serve.find(params.load("data.source"))
    except serve.ServeError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def service(request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    url: str | None = request.config.getoption("--url", default=None)  # unknown where all tests are run
    if not url:
        request.getfixturevalue("bento")
    with audit_service.at(url) as client:
        try:
            audit_service.model_of(client)
        except ServiceError as error:
            pytest.exit(str(error), returncode=1)
        yield client


@pytest.fixture(scope="session")
def audited(service: httpx.Client, tmp_path_factory: pytest.TempPathFactory) -> tuple[Results, Judged]:
    """What the service answered, and what the judge says of it.

    Where the test images of the champion's source are not here it is asked about those of the sample, and this is said.
    """
    quiet, source = Console(quiet=True), params.load("data.source")
    if paths.SAMPLES.exists() or audit_service.model_of(service)["source"] != source:
        try:
            return audit_service.audit(service, quiet)
        except (ServiceError, DataError) as error:
            pytest.skip(str(error))
    warnings.warn(
        f"the test images of {source} are not here, so that the champion was asked about mnist-sample's: "
        "`dvc repro preprocess` makes its own",
        stacklevel=1,
    )
    with chdir(folder := tmp_path_factory.mktemp("sample")):
        prepare(folder, "mnist-sample")
        download.main([])
        preprocess.main([])
        return audit_service.ask(service, quiet)
