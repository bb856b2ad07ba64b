"""The recipe with several seeds: what is kept of each, what is shown, and that a run that was killed goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import yaml

from benchmarks import seeds
from benchmarks.seeds import FLOAT32, Job
from pipeline.audits.gates import GATES
from tests.pipeline.workspace import ROOT, dvc_repo, environment, output

SOME = ("error", "population_gap", "coverage")
TWO = f"""
from benchmarks import seeds
seeds.JOBS[:] = [seeds.Job(3), seeds.Job(5, {FLOAT32!r})]
seeds.main("uci-digits")
"""
STAND_IN = """
import json, os, sys, time
from pathlib import Path

import yaml


def write(path, content):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(json.dumps(content))


def train():
    assert not any(name.startswith("MLFLOW_") for name in os.environ), "each workplace has a store of its own"
    if (mark := Path(".resume/begun")).exists():
        print("going on")
    write(mark, {})
    time.sleep(60 if "STAY" in os.environ else 0)
    write("models/trained.json", yaml.safe_load(Path("params.yaml").read_text()))


def evaluate():
    seed = json.loads(Path("models/trained.json").read_text())["train"]["seed"]
    write("reports/evaluate/convnet/test.json", {"errors": seed})


def judge():
    write("reports/verdicts/convnet.json", {"gates": [{"name": "error", "value": 0.1, "status": "passed"}]})


globals()[sys.argv[1]]()
"""


def stage(name: str, **more: Any) -> dict[str, Any]:
    return {"matrix": {"network": ["convnet"]}, "cmd": f"python stand_in.py {name}", **more}


def report(path: str) -> list[dict[str, Any]]:
    return [{path: {"cache": False}}]


TRAINED = "models/trained.json"
STAGES = {
    "train": stage("train", params=["data", "train"], outs=[TRAINED]),
    "evaluate": stage("evaluate", deps=[TRAINED], metrics=report("reports/evaluate/convnet/test.json")),
    "judge": stage("judge", deps=[TRAINED], metrics=report("reports/verdicts/convnet.json")),
}


@pytest.fixture
def entries(tmp_path) -> list[seeds.Entry]:
    """What four workplaces say, of values drawn anew; one has failed a gate, and one gate is measurable nowhere."""
    rng = np.random.default_rng(15)
    found = []
    for number, job in enumerate([Job(0), Job(1), Job(2), Job(0, FLOAT32)]):
        folder = tmp_path / str(number)
        values = {"error": rng.random(), "population_gap": None, "coverage": rng.random()}
        status = dict.fromkeys(SOME, "passed") | {"population_gap": "not measurable"}
        status |= {"coverage": "failed"} if number == 1 else {"coverage": "close"}
        gates = [{"name": name, "value": values[name], "status": status[name]} for name in SOME]
        for path, content in (
            ("reports/verdicts/convnet.json", {"gates": gates}),
            ("reports/evaluate/convnet/test.json", {"errors": int(rng.integers(10, 99)), "accuracy": 0.9}),
        ):
            (folder / path).parent.mkdir(parents=True)
            (folder / path).write_text(json.dumps(content))
        found.append(seeds.entry(job, folder))
    return found


def shown(entries: list[seeds.Entry]) -> dict[str, list[str]]:
    """The rows of the table, by their first cell."""
    rows = zip(*(column.cells for column in seeds.table(entries).columns), strict=True)
    return {str(row[0]): [str(cell) for cell in row[1:]] for row in rows}


def test_an_entry_has_the_values_of_all_gates_and_names_those_that_failed(entries):
    assert [list(one) for one in entries] == [["seed", "processor", "isa", "errors", "failed", "values"]] * 4
    assert [(one["seed"], one["isa"], one["failed"]) for one in entries] == [
        (0, None, []),
        (1, None, ["coverage"]),
        (2, None, []),
        (0, FLOAT32, []),
    ]
    assert all(tuple(one["values"]) == SOME for one in entries)
    assert all(one["processor"] for one in entries)


def test_gates_are_rows_and_other_arithmetic_is_not_in_the_mean(entries):
    rows = shown(entries)
    errors = [one["errors"] for one in entries[:3]]
    deviation, ends = f"{np.std(errors, ddof=1):.4g}", f"{min(errors)} to {max(errors)}"
    assert rows["errors"][-3:] == [f"{np.mean(errors):.4g}", deviation, ends]
    assert [cell.endswith("*") for cell in rows["coverage"][:4]] == [False, True, False, False]
    assert rows["population_gap"][:4] == ["-"] * 4
    assert rows["population_gap"][4:] == [""] * 3
    assert rows["failed"][:4] == ["0", "1", "0", "0"]


@pytest.fixture
def instead_of_dvc(tmp_path, monkeypatch):
    """Has each job run a shell script in its workplace, and judges that one error was made."""
    monkeypatch.chdir(tmp_path)

    def prepare(job: Job, source: str) -> Path:
        folder = seeds.workplace(job)
        for path, content in (
            ("reports/verdicts/convnet.json", {"gates": [{"name": "error", "value": 0.1, "status": "passed"}]}),
            ("reports/evaluate/convnet/test.json", {"errors": 1}),
        ):
            (folder / path).parent.mkdir(parents=True)
            (folder / path).write_text(json.dumps(content))
        return folder

    def runs(script: str) -> None:
        path = tmp_path / "python"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(path))

    monkeypatch.setattr(seeds, "prepare", prepare)
    return runs


def test_each_seed_is_written_as_it_ends_and_one_that_fails_is_named(instead_of_dvc, tmp_path, monkeypatch, capsys):
    instead_of_dvc("echo working; case $PWD in */2) exit 1;; esac")
    kept: list[str] = []
    write = seeds.write

    def write_and_keep(path, found):
        write(path, found)
        kept.append(path.read_text())

    monkeypatch.setattr(seeds, "write", write_and_keep)
    assert seeds.Trials("mnist", [Job(1, FLOAT32), Job(3), Job(2), Job(1)]).run(tmp_path / "seeds.json") == [Job(2)]
    assert [len(json.loads(text)["seeds"]) for text in kept] == [1, 2, 3]
    assert [(one["seed"], one["isa"]) for one in json.loads(kept[-1])["seeds"]] == [(1, None), (3, None), (1, FLOAT32)]
    assert "seed 1 32-true: working" in capsys.readouterr().out


def test_what_runs_is_ended_and_what_waits_is_not_begun(instead_of_dvc, tmp_path):
    instead_of_dvc("touch begun; sleep 60")
    jobs = [Job(seed) for seed in range(50)]
    trials = seeds.Trials("mnist", jobs)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(trials.run, tmp_path / "seeds.json")
        while not list(tmp_path.glob(".resume/seeds/*/begun")):
            time.sleep(0.01)
        trials.stop()
        assert set(running.result(timeout=20)) == set(jobs)
    assert len(list(tmp_path.glob(".resume/seeds/*/begun"))) <= len(os.sched_getaffinity(0))
    assert not (tmp_path / "seeds.json").exists()


def test_what_a_run_of_the_pipeline_leaves_is_an_entry():
    """In the form of the reports that are committed."""
    found = seeds.entry(Job(0), ROOT)
    assert list(found["values"]) == list(GATES)
    assert isinstance(found["errors"], int)


@pytest.fixture
def standing_in(tmp_path) -> Path:
    """A project in git and DVC with stages of the pipeline's names, which take no time but the training: while STAY is
    set it goes on until it is ended."""
    output(tmp_path, "git", "init", "--quiet")
    dvc_repo(tmp_path).close()
    (tmp_path / "stand_in.py").write_text(STAND_IN)
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": STAGES}))
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"data": {}, "train": {"seed": 0, "trainer": {}}}))
    output(tmp_path, "git", "add", ".")
    output(tmp_path, "git", "-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "--quiet", "-m", "stand-in")
    return tmp_path


@pytest.mark.slow
def test_a_run_that_was_killed_goes_on_and_what_is_done_is_not_done_again(standing_in):
    command = [sys.executable, "-c", TWO]
    own = environment()
    foreign = own | {"MLFLOW_TRACKING_URI": "sqlite:///another.db"}
    begun = subprocess.Popen(command, cwd=standing_in, env=foreign | {"STAY": "1"}, stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 300
    while not (marks := list(standing_in.glob(".resume/seeds/*/.resume/begun"))):
        assert begun.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    begun.send_signal(signal.SIGTERM)
    assert begun.communicate()[0]
    assert begun.returncode == 128 + signal.SIGTERM
    left = [one.info["cwd"] for one in psutil.process_iter(["cwd"])]
    assert not [folder for folder in left if folder and Path(folder).is_relative_to(standing_in)]

    name = marks[0].parts[-3].replace("-", " ", 1)
    results = standing_in / ".resume/seeds/uci-digits.json"
    said = subprocess.run(command, cwd=standing_in, env=foreign, capture_output=True, text=True)
    assert said.returncode == 0, said.stdout + said.stderr
    assert f"seed {name}: going on" in said.stdout
    found = json.loads(results.read_text())["seeds"]
    assert [(one["seed"], one["isa"], one["errors"]) for one in found] == [(3, None, 3), (5, FLOAT32, 5)]
    places = [standing_in / ".resume/seeds" / name for name in ("3", "5-32-true")]
    learnt = [json.loads((place / TRAINED).read_text()) for place in places]
    assert [one["data"] for one in learnt] == [{"source": "uci-digits"}] * 2
    assert [one["train"] for one in learnt] == [
        {"seed": 3, "trainer": {}},
        {"seed": 5, "trainer": {"precision": FLOAT32}},
    ]

    assert not list(standing_in.glob(".resume/seeds/*/.dvc/cache/files")), "what is cached is the project's"

    results.unlink()
    again = output(standing_in, *command)
    assert "Running stage" not in again
    assert json.loads(results.read_text())["seeds"] == found
