"""The service that behaves, or does not: at --url, else the Bento in dist/bento, served for as long as the tests last.

    INKWELL_API_KEY=KEY python -m pytest tests/behaviour --url http://127.0.0.1:3000

The key is for a service that asks for one.
"""

from collections.abc import Iterator

import httpx
import pytest
from rich.console import Console

from pipeline import audit_service, serve
from pipeline.audit_service import ServiceError
from pipeline.audits.results import Results
from pipeline.data.errors import DataError
from pipeline.judge import Judged


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--url", help="a running service; without it dist/bento is served")


@pytest.fixture(scope="session")
def service(request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    url: str | None = request.config.getoption("--url", default=None)  # unknown where all tests are run
    if not url and not (serve.BENTO / "bento.yaml").is_file():
        pytest.skip(f"there is no Bento in {serve.BENTO} (`make run` makes one), and no --url was given")
    with audit_service.at(url) as client:
        try:
            audit_service.model_of(client)
        except ServiceError as error:
            pytest.exit(str(error), returncode=1)
        yield client


@pytest.fixture(scope="session")
def audited(service: httpx.Client) -> tuple[Results, Judged]:
    """What the service answered, and what the judge says of it."""
    try:
        return audit_service.audit(service, Console(quiet=True))
    except (ServiceError, DataError) as error:
        pytest.skip(str(error))
