"""What the Containerfiles say, in the eyes of a linter of theirs, and what is left out of their contexts."""

import subprocess
import sys
from pathlib import Path

import pytest

HADOLINT = Path(sys.executable).with_name("hadolint")


@pytest.mark.parametrize("file", sorted(Path("deploy").glob("Containerfile*")), ids=lambda file: file.name)
def test_the_linter_finds_nothing(file):
    if not HADOLINT.exists():
        pytest.skip("hadolint is not installed: make setup")
    done = subprocess.run([HADOLINT, file], capture_output=True, encoding="utf-8", check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_nothing_that_git_keeps_is_left_out_of_an_image_of_the_repository():
    ignored = ["git", "ls-files", "--cached", "--ignored", "--exclude-from=.dockerignore"]
    assert subprocess.run(ignored, check=True, capture_output=True, encoding="utf-8").stdout == ""
