"""A run that is ended five times, somewhere in three of its stages, comes to what one that is not ended comes to."""

import random
import sys
from pathlib import Path

import pytest
import yaml

from benchmarks import chaos
from benchmarks.chaos import Blow
from tests.pipeline.small import Checkout

STAGES = ["download", "preprocess", "train@perceptron"]
MAKEFILE = "run:\n\t@python run.py\n"
RUN = """
import subprocess, sys
from pipeline import checkout, ending

ending.watch("run", ending.RUN_S, polite=True)
with checkout.held():
    checkout.mend_lock()
    sys.exit(subprocess.run([sys.executable, "-m", "pipeline.ending", "dvc", "repro"]).returncode)
"""
"""What `python -m pipeline` does, but for its table of networks, of which there are none."""


def checkout(folder: Path) -> Path:
    """A checkout with three stages, the last of which trains for some seconds."""
    folder.mkdir()
    Checkout(folder)
    graph = yaml.safe_load((folder / "dvc.yaml").read_text())["stages"]
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": {name: graph[name] for name in map(part, STAGES)}}))
    params = yaml.safe_load((folder / "params.yaml").read_text())
    params["candidates"] = ["perceptron"]
    params["networks"]["perceptron"]["epochs"] = 20
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    (folder / "Makefile").write_text(MAKEFILE)
    (folder / "run.py").write_text(RUN)
    return folder


def part(stage: str) -> str:
    return stage.partition("@")[0]


@pytest.mark.slow
def test_a_run_that_is_ended_five_times_comes_to_the_same_bytes(tmp_path):
    calm, struck = checkout(tmp_path / "calm"), checkout(tmp_path / "struck")
    assert chaos.stages_of(calm) == STAGES
    seconds = chaos.Trial(calm, STAGES, ["make", "run"], tmp_path / "calm.log").calm()
    assert list(seconds) == STAGES
    seed = random.randrange(1000)
    blows = chaos.plan(STAGES, 5, seed)
    # in the first part of each stage, or a blow comes too late for one that is quicker than in the calm run
    early = {name: 0.3 * time for name, time in seconds.items()}
    dealt = chaos.Trial(struck, STAGES, ["make", "run"], tmp_path / "struck.log").struck(blows, early)
    assert [one.blow for one in dealt] == blows, seed
    assert all(one.gone_s is not None for one in dealt), (seed, dealt)
    assert chaos.differences(calm, struck) == [], (seed, dealt)
    assert chaos.mlflow_runs(struck) == {"FINISHED": 1}

    (struck / "models/trained/perceptron/curve.csv").unlink()
    assert chaos.differences(calm, struck) == ["models/trained/perceptron/curve.csv differs"]


def test_blows_are_spread_over_all_stages_and_kinds_and_are_the_same_again():
    stages = [f"stage-{number}" for number in range(7)]
    blows = chaos.plan(stages, 50, 3)
    for found in ([blow.stage for blow in blows], [blow.how for blow in blows]):
        counts = [found.count(name) for name in set(found)]
        assert max(counts) - min(counts) <= 1
    assert {blow.stage for blow in blows} == set(stages)
    assert {blow.how for blow in blows} == set(chaos.KINDS)
    assert [blow.stage for blow in blows] == sorted(blow.stage for blow in blows)
    assert blows == chaos.plan(stages, 50, 3) != chaos.plan(stages, 50, 4)


def test_what_stays_is_seen_and_ended(tmp_path, monkeypatch):
    """A run that leaves an orphan behind, a process of a session of its own, which nothing ends."""
    monkeypatch.setattr(chaos, "GONE_S", 1.0)
    (tmp_path / "pipeline").mkdir()
    (tmp_path / "pipeline/a.py").write_text(
        "import subprocess, sys, time\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], start_new_session=True)\n"
        "time.sleep(60 if not __import__('os').path.exists('again') else 0)\n"
    )
    trial = chaos.Trial(tmp_path, ["a"], [sys.executable, "-m", "pipeline.a"], tmp_path / "log")
    monkeypatch.setattr(trial, "_check", lambda run: run.kill())
    dealt = trial.struck([Blow("a", 1.0, "SIGKILL of the stage")], {"a": 1.0})
    assert [(one.fell_in, one.gone_s) for one in dealt] == [("a", None)]
