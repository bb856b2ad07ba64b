"""A sweep, killed in the middle and run again: what MLflow has of it, and that the stage trains its best the same."""

import contextlib
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import psutil
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from tests.pipeline.sweeps import project
from tests.pipeline.workspace import environment, output

pytestmark = pytest.mark.slow
TRIALS = 4
SWEEP: dict[str, Any] = {
    "space": {
        "learning_rate": {"loguniform": [0.001, 0.05]},
        "hidden": {"choice": [[16], [48]]},
        "outlier_fraction": {"choice": [0.0]},  # which params.yaml does not name
    },
    "trials": TRIALS,
    "concurrent": 2,
    "metric": "val_loss",
    "early_stopping": {"grace_period": 1, "reduction_factor": 2},
}
IDLE = ("ray::DashboardAgent", "ray::RuntimeEnvAgent")
"""Ray's own processes that wait a minute for the others before they end."""
COMMAND = (sys.executable, "-m", "pipeline.sweep")


class Swept(NamedTuple):
    """MLflow's runs after the kill and at the end, what was left running after the kill, and what was printed."""

    folder: Path
    killed: list[Run]
    left: list[psutil.Process]
    runs: list[Run]
    printed: str


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Swept:
    folder = tmp_path_factory.mktemp("sweep")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        project.build(folder, SWEEP)
    shutil.copyfile(empty_database, folder / "mlflow.db")
    begun = subprocess.Popen(COMMAND, cwd=folder, env=environment(), stdout=subprocess.PIPE, text=True)
    try:
        assert begun.stdout is not None
        assert begun.stdout.readline().startswith("trial "), "one of them has ended"
        begun_by_it = psutil.Process(begun.pid).children(recursive=True)
        idle = [one for one in begun_by_it if one.cmdline()[0] in IDLE]
    finally:
        begun.send_signal(signal.SIGKILL)
        begun.wait()
    _, left = psutil.wait_procs([one for one in begun_by_it if one not in idle], timeout=50)
    for process in (*left, *idle):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    killed = runs(folder)
    printed = output(folder, *COMMAND)
    return Swept(folder, killed, left, runs(folder), printed)


def runs(folder: Path) -> list[Run]:
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    return list(client.search_runs([one.experiment_id for one in client.search_experiments()]))


def of(found: list[Run], stage: str) -> dict[str, Run]:
    return {run.info.run_id: run for run in found if run.data.tags["stage"] == stage}


def test_no_trial_outlives_a_sweep_that_is_killed(swept: Swept) -> None:
    assert not swept.left


def test_a_sweep_that_was_killed_goes_on_in_its_run_and_in_those_of_its_trials(swept: Swept) -> None:
    [parent] = of(swept.runs, "sweep").values()
    assert parent.info.run_id in of(swept.killed, "sweep")
    assert parent.info.status == "FINISHED"
    before, trials = of(swept.killed, "trial"), of(swept.runs, "trial")
    assert len(trials) == TRIALS
    assert before.keys() <= trials.keys()
    assert {run.data.tags["mlflow.parentRunId"] for run in trials.values()} == {parent.info.run_id}
    assert {run.info.status for run in trials.values()} == {"FINISHED"}


def test_a_trial_has_its_values_a_point_for_each_epoch_and_how_it_ended(swept: Swept) -> None:
    client = MlflowClient(f"sqlite:///{swept.folder}/mlflow.db")
    states = set()
    for run_id, run in of(swept.runs, "trial").items():
        assert run.data.params.keys() == SWEEP["space"].keys()
        steps = [point.step for point in client.get_metric_history(run_id, "curve/val_loss")]
        states.add(run.data.tags["state"])
        assert steps == list(range(1, len(steps) + 1))
        assert (len(steps) == project.EPOCHS) is (run.data.tags["state"] == "complete")
    assert "complete" in states


def test_the_line_that_is_printed_trains_the_best_trial_again_to_the_bit(swept: Swept) -> None:
    line = swept.printed.splitlines()[-1]
    assert line.startswith("OMP_NUM_THREADS=1 dvc exp run -S ")
    output(swept.folder, "bash", "-c", line)
    trained = pd.read_csv(swept.folder / f"models/trained/{project.NETWORK}/curve.csv")
    [parent] = of(swept.runs, "sweep").values()
    assert parent.data.tags["reproduce"] == line
    complete = [run for run in of(swept.runs, "trial").values() if run.data.tags["state"] == "complete"]
    best = min(complete, key=lambda run: run.data.metrics["curve/val_loss"])
    client = MlflowClient(f"sqlite:///{swept.folder}/mlflow.db")
    for name in ("train_loss", "val_loss", "val_accuracy"):
        points = client.get_metric_history(best.info.run_id, f"curve/{name}")
        assert [point.value for point in points] == trained[name].tolist()
    assert parent.data.metrics["best/val_loss"] in trained["val_loss"].tolist()
