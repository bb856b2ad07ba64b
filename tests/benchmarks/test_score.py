"""Scoring under blows comes to the same rows; a billion images are reckoned from what was measured."""

import json
import random

import numpy as np
import psutil
import pytest

from benchmarks import billion, score, score_chaos
from benchmarks.score import Reference
from tests import toy_model


@pytest.mark.slow
def test_workers_that_are_killed_and_a_node_that_goes_away_change_no_row(tmp_path):
    seed = random.randrange(1000)
    images = np.random.default_rng(seed).integers(0, 256, (97, 28, 28), np.uint8)
    model = toy_model.write(tmp_path / "model.onnx")
    found = score_chaos.trial(images, 6_000, model, 4, seed, tmp_path)
    assert found["same"], (seed, found)
    assert "the second node" in [blow["killed"] for blow in found["blows"]], (seed, found)
    assert len(found["blows"]) > 2, (seed, found)
    assert not [one for one in psutil.Process().children(recursive=True) if one.name() in ("raylet", "gcs_server")]


@pytest.fixture
def measured():
    run = {"images": 10**6, "wall_us_per_core": 72.0, "start_up_s": 36.0}
    return {"runs": {"1000000": run}}


@pytest.mark.parametrize(
    ("options", "decides", "hours"),
    [
        ("--cores 20 --read-mb-s 1000", "scoring", 20 / 20 + 784 / 3600 / 20),
        ("--cores 10 --read-mb-s 2", "reading", 2 + 784_000 / 2 / 3600 / 10),
        ("--cores 1000 --node-cores 1000 --network-gbit 1 --read-mb-s 1000", "network", 834 * 8 / 3600),
    ],
)
def test_what_takes_longest_decides(measured, options, decides, hours):
    found = billion.estimate(measured, billion.arguments([*options.split(), "--written", "50"]))
    assert (found.read_gb, found.written_gb) == (784, 50)
    assert found.scoring_core_hours == pytest.approx(20)
    assert found.decides == decides
    assert found.hours == pytest.approx(hours + 0.01)


def test_the_reckoning_is_printed(tmp_path, measured, capsys):
    (tmp_path / "score.json").write_text(json.dumps(measured))
    billion.main(["--results", str(tmp_path / "score.json"), "--cores", "16", "--price", "0.1"])
    printed = capsys.readouterr().out
    assert "20.0 core-hours" in printed
    assert "scoring decides" in printed


def test_speed_is_held_to_the_reference_of_the_same_run(tmp_path, monkeypatch):
    monkeypatch.setattr(score, "reference", lambda *given: Reference(50.0, 60.0))
    images = np.stack([toy_model.image(digit) for digit in range(10)])
    found = score.measured(images, toy_model.write(tmp_path / "model.onnx"), 30, 70, 0, tmp_path)
    assert [run["images"] for run in found["runs"].values()] == [30, 70]
    assert found["ONNX Runtime"]["cpu_us"] == 50
    quick = {"cpu_us": 55.0, "wall_us_per_core": 66.0, "memory_mb": 100, "start_up_s": 1.0}
    found["runs"] = {"30": quick, "70": quick}
    assert score.report(found)
    found["runs"]["70"] = quick | {"cpu_us": 61.0}
    assert not score.report(found)
