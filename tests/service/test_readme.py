"""The README's commands for asking the service, as they stand there."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.toy_model import image

README = Path("README.md").read_text()
DEFAULT = "http://127.0.0.1:3000"
CURLS = re.findall(r"^curl .*$", README, re.MULTILINE)
[PYTHON] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.fixture
def folder(tmp_path):
    Image.fromarray(image(7)).save(tmp_path / "seven.png")
    (tmp_path / "images.bin").write_bytes(np.stack([image(7)] * 3).tobytes())
    return tmp_path


@pytest.mark.parametrize("line", CURLS)
def test_curl(url, folder, line):
    command = ["curl", "-sS", *shlex.split(line.replace(DEFAULT, url))[1:]]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=True)
    answer = json.loads(done.stdout)
    for prediction in answer.get("predictions", [answer]):
        assert prediction.get("digit", 7) == 7
        assert "error" not in prediction


def test_python(url, folder):
    (folder / "ask.py").write_text(PYTHON.replace(DEFAULT, url))
    command = [sys.executable, str(folder / "ask.py")]
    path = {"PYTHONPATH": str(Path.cwd())}
    done = subprocess.run(command, cwd=folder, env=path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "7"


def test_all_of_them_were_found():
    assert len(CURLS) == 4
