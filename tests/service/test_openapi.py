"""The OpenAPI document is true: schemathesis asks what it allows and what it does not allow."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema_rs
import pytest

from serving import openapi
from serving.app import ROUTES
from serving.openapi import BENTOMLS, ApiRoute
from serving.web import assets

REDOCLY = Path(__file__).with_name("redocly")
DOCUMENT = openapi.document(ROUTES)
OPERATIONS = [one for methods in DOCUMENT["paths"].values() for one in methods.values()]
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
    for path, operations in DOCUMENT["paths"].items():
        for method, operation in operations.items():
            for status, response in operation["responses"].items():
                yield f"{method} {path} {status}", response["content"]
            yield f"{method} {path} body", operation.get("requestBody", {}).get("content", {})


@pytest.mark.parametrize(("place", "content"), list(bodies()))
def test_every_example_keeps_its_schema(place, content):
    for kind, media in content.items():
        schema = {**media["schema"], "components": DOCUMENT["components"]}
        for example in media.get("examples", {}).values():
            if "externalValue" in example:
                assert 0 < assets.PATHS[example["externalValue"]].stat().st_size <= schema["maxLength"]
            else:
                jsonschema_rs.validate(schema, example["value"])
        assert media.get("examples") or schema.get("examples") or kind not in ("application/json", "text/plain"), place


def test_the_operations_are_the_routes_of_the_service_and_bentomls():
    own = {route.path for route in ROUTES if isinstance(route, ApiRoute)}
    assert set(DOCUMENT["paths"]) == own | set(BENTOMLS)


def test_every_operation_has_a_name_of_its_own_lines_to_copy_examples_and_errors():
    names = [one["operationId"] for one in OPERATIONS]
    assert len(set(names)) == len(names)
    assert all(name.isidentifier() for name in names)
    for one in OPERATIONS:
        assert {sample["lang"] for sample in one["x-codeSamples"]} == {"Shell", "Python", "JavaScript"}
        assert {"400", "503"} <= set(one["responses"])
        taken = one.get("requestBody", {}).get("content", {})
        assert not taken or any(media.get("examples") for media in taken.values())


def test_the_document_says_where_the_service_is_and_its_licence():
    assert [one["url"] for one in DOCUMENT["servers"]] == ["/"]
    assert DOCUMENT["info"]["license"]["identifier"] == "Apache-2.0"


@pytest.fixture(scope="session")
def redocly(tmp_path_factory):
    """Redocly's linter, as its lock has it, by hash."""
    if not shutil.which("npm"):
        pytest.skip("there is no npm: Debian's package npm brings it")
    folder = shutil.copytree(REDOCLY, tmp_path_factory.mktemp("redocly") / "redocly")
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
    linter = folder / "node_modules/.bin/redocly"
    for step in (command, [linter, "--version"]):  # the second fails with a Node that is too old for it
        if subprocess.run(step, cwd=folder, capture_output=True).returncode:
            pytest.skip("npm brings no redocly that runs here")
    return linter


@pytest.mark.slow
def test_the_document_lints_clean_with_redocly(redocly, tmp_path):
    def lint(document):
        (tmp_path / "docs.json").write_text(json.dumps(document))
        command = [redocly, "lint", "--extends", "recommended-strict", "docs.json"]
        environment = {**os.environ, "REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)

    done = lint(DOCUMENT)
    assert done.returncode == 0, done.stdout + done.stderr
    worse = lint({name: value for name, value in DOCUMENT.items() if name != "servers"})
    assert worse.returncode
    assert "no-empty-servers" in worse.stdout + worse.stderr
