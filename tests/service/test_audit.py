"""The tests of behaviour, asking a service that is running already and wants a key."""

import os
import subprocess
import sys

import pytest

from tests.service.server import serving

KEY = "correct-horse-battery"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def guarded(bento, tmp_path_factory):
    """The URL of a service with a key."""
    with serving(bento, tmp_path_factory.mktemp("guarded"), INKWELL_API_KEYS=KEY) as server:
        yield server.url


def audit(url, key):
    command = [sys.executable, "-m", "pytest", "tests/behaviour", "-k", "what_cannot_be_read", "--url", url]
    environ = {**os.environ, "INKWELL_API_KEY": key}
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)


def test_with_the_key_it_is_tried(guarded):
    done = audit(guarded, KEY)
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout


@pytest.mark.parametrize("key", ["", "another-key-of-another"])
def test_without_the_key_it_says_where_to_give_it(guarded, key):
    done = audit(guarded, key)
    assert done.returncode == 1
    assert "INKWELL_API_KEY" in done.stdout + done.stderr
