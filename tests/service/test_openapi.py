"""The OpenAPI document is true: schemathesis asks what it allows and what it does not allow."""

import subprocess
import sys

import jsonschema_rs
import pytest
from starlette.routing import Route

from serving import openapi
from serving.app import ROUTES

EXAMPLES = "60"
NOT_IN_A_SCHEMA = "positive_data_acceptance"  # which bytes are an image, and that values below 1 need a scale


@pytest.mark.slow
def test_schemathesis_finds_nothing_that_the_document_does_not_say(url, tmp_path):
    limits = ["--max-examples", EXAMPLES, "--generation-deterministic"]
    schemathesis = [sys.executable, "-m", "schemathesis.cli", "run", f"{url}/docs.json", "--no-color"]
    command = [*schemathesis, "--exclude-checks", NOT_IN_A_SCHEMA, *limits]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]


def bodies():
    """Every body that the document gives as an example: its place and the value, with the schema it should keep."""
    for path, operations in openapi.document(ROUTES)["paths"].items():
        for method, operation in operations.items():
            for status, response in operation["responses"].items():
                yield f"{method} {path} {status}", response["content"]
            yield f"{method} {path} body", operation.get("requestBody", {}).get("content", {})


@pytest.mark.parametrize(("place", "content"), list(bodies()))
def test_every_example_keeps_its_schema(place, content):
    components = openapi.document(ROUTES)["components"]
    for kind, media in content.items():
        schema = {**media["schema"], "components": components}
        for example in media.get("examples", {}).values():
            jsonschema_rs.validate(schema, example["value"])
        assert media.get("examples") or kind != "application/json" or "docs.json" in place


def test_every_route_of_the_service_is_in_the_document():
    paths = {route.path for route in ROUTES if isinstance(route, Route)}
    assert paths <= set(openapi.document(ROUTES)["paths"])
