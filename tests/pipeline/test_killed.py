"""A training that is killed and taken up again."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from typing import Any

import pytest
import yaml

from tests.pipeline.small import SMALL, Checkout

COUNTS = """
import json
from pipeline.tracking.store import open_store

client = open_store()
runs = client.search_runs([one.experiment_id for one in client.search_experiments()])
print(json.dumps([
    [run.info.run_id, run.info.status, [m.step for m in client.get_metric_history(run.info.run_id, "curve/val_loss")]]
    for run in runs
]))
"""


def mlflow_runs(checkout: Checkout) -> list[Any]:
    """The runs in the store, as a separate process sees them: id, status and the epochs whose loss is there."""
    return list(json.loads(checkout.output(sys.executable, "-c", COUNTS)))


def borrow(checkout: Checkout, other: Checkout) -> None:
    """Have another one's DVC cache, in which only the trainings do not count as run."""
    cache = checkout.folder / ".dvc/cache"
    shutil.copytree(other.folder / ".dvc/cache", cache, copy_function=os.link)
    for run in list((cache / "runs").glob("*/*/*")):
        if yaml.safe_load(run.read_text())["cmd"].startswith("python -m pipeline.train "):
            shutil.rmtree(run.parent)


def kill_in_mid_training(checkout: Checkout) -> None:
    """Start the ConvNet's training and kill all its processes once the first epoch's checkpoint is there."""
    process = subprocess.Popen(
        ["dvc", "repro", "train@convnet"],
        cwd=checkout.folder,
        env=checkout.environment,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not list(checkout.folder.glob(".resume/*/last.ckpt")):
        assert process.poll() is None, "the training ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.slow
def test_it_ends_with_the_same_bytes_in_the_same_mlflow_run(tmp_path):
    unbroken, killed = Checkout(tmp_path / "unbroken"), Checkout(tmp_path / "killed")
    unbroken.output("dvc", "repro", "train@convnet")
    borrow(killed, unbroken)
    kill_in_mid_training(killed)
    [[begun, status, _]] = mlflow_runs(killed)
    assert status == "KILLED"
    killed.output("dvc", "repro", "train@convnet")
    assert mlflow_runs(killed) == [[begun, "FINISHED", list(range(1, SMALL["convnet"]["epochs"] + 1))]]
    assert killed.lock()["train@convnet"] == unbroken.lock()["train@convnet"]
