"""ONNX Runtime reports to nobody and keeps nothing of the device."""

import os
import subprocess
import sys

from tests import toy_model
from tests.pipeline.workspace import ROOT

PREDICTS = """
import sys
from pathlib import Path
import numpy as np
from serving.model.recogniser import Recogniser
Recogniser(Path(sys.argv[1])).predict(np.zeros((1, 28, 28), np.float32))
"""


def test_a_model_that_is_run_leaves_nothing_in_the_users_home(tmp_path):
    model = toy_model.write(tmp_path / "model.onnx")
    home = tmp_path / "home"
    home.mkdir()
    own = {name: value for name, value in os.environ.items() if name not in ("ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME")}
    environment = {**own, "HOME": str(home), "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", PREDICTS, str(model)], check=True, env=environment)
    assert not [path for path in home.rglob("*") if "Microsoft" in path.parts]
