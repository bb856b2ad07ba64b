"""The catalogue of errors is the one place where they are worded."""

import ast
import re
from pathlib import Path

import pytest

from serving import errors
from serving.app import ROUTES
from serving.errors import ApiError, Entry
from serving.openapi import document

ENTRIES = {name: entry for name, entry in vars(errors).items() if isinstance(entry, Entry)}
NOT_OF_A_PATH = {"NOT_FOUND", "ELSEWHERE", "METHOD_NOT_ALLOWED", "BAD_REQUEST", "TOO_MANY_REQUESTS", "INTERNAL"}


@pytest.mark.parametrize("name", ENTRIES)
def test_the_example_fills_the_gaps_of_its_message(name):
    error = ENTRIES[name](*ENTRIES[name].example)
    assert error.status == ENTRIES[name].status
    assert not re.search(r"{[:,]*}|{{|}}", error.message)
    assert error.message.endswith(".")


def test_no_message_is_there_twice():
    messages = [entry.message for entry in ENTRIES.values()]
    assert len(set(messages)) == len(messages)


def test_what_fills_a_gap_is_no_template():
    assert errors.MALFORMED_JSON("{0}").message == "The body is not JSON: {0}."


@pytest.mark.parametrize(
    ("status", "code"),
    [(404, "not_found"), (405, "method_not_allowed"), (418, "bad_request"), (502, "internal"), (504, "overloaded")],
)
def test_a_frameworks_bare_status_finds_its_error(status, code):
    assert errors.of_status(status, "GET", "/predict", "POST").code == code


def test_every_error_of_the_catalogue_is_in_the_document():
    documented = str(document(ROUTES))
    for name in ENTRIES.keys() - NOT_OF_A_PATH:
        assert ENTRIES[name](*ENTRIES[name].example).message in documented.replace("\\'", "'"), name


@pytest.mark.parametrize("path", sorted(Path("serving").rglob("*.py")), ids=str)
def test_no_error_is_worded_elsewhere(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == ApiError.__name__:
            worded = [text for text in node.args if not isinstance(text, ast.Attribute)]
            assert path == Path("serving/errors.py") or not worded, f"{path}:{node.lineno}"
