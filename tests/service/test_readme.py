"""The README's commands for asking the service, as they stand there, in a clone's folder."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path("README.md").read_text()
DEFAULT = "http://127.0.0.1:3000"
ASKED = [block for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) if "\ncurl " in block]
[PYTHON] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
DIGITS = [[7], [7], [*range(10)], [None]]
"""What each line with curl is answered, in their order; the last asks about no picture."""


@pytest.fixture
def address(champion):
    return str(champion.base_url).rstrip("/")


@pytest.mark.parametrize("place", range(len(DIGITS)))
def test_curl(address, place):
    [block] = ASKED
    beginning, *curls = block.splitlines()
    line = curls[place].replace("curl ", "curl -sS ").replace(DEFAULT, address)
    done = subprocess.run(["bash", "-ec", f"{beginning}\n{line}"], capture_output=True, check=True)
    answer = json.loads(done.stdout)
    assert [one.get("digit") for one in answer.get("predictions", [answer])] == DIGITS[place]
    assert "error" not in answer
    assert len(curls) == len(DIGITS)


def test_python(address, tmp_path):
    (tmp_path / "ask.py").write_text(PYTHON.replace(DEFAULT, address))
    command = [sys.executable, str(tmp_path / "ask.py")]
    path = {"PYTHONPATH": str(Path.cwd())}
    done = subprocess.run(command, env=path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "7"
