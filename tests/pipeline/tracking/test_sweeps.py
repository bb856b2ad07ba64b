"""What MLflow is told of a sweep and its trials, though it is killed, gone on with, or the store is away meanwhile."""

import os
import pickle
import random
from pathlib import Path
from typing import Any

import psutil
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from ray.tune.experiment import Trial

from pipeline.tracking import away, store, sweeps
from pipeline.tracking.away import StoreError
from tests.pipeline.sweeps.in_process import trial
from tests.pipeline.tracking import servers

NETWORK, SOURCE, KEY = "mlp", "mnist-sample", "0123456789abcdef"
SETTINGS = {"trials": 3, "space": {"dropout": {"uniform": [0.0, 0.5]}}}
CONFIG = {"dropout": 0.123456, "hidden": "[16, 8]"}
DRAWN = {"dropout": "0.1235", "hidden": "[16, 8]"}


def hold(key: str = KEY) -> Any:
    return sweeps.sweep(NETWORK, SOURCE, key, SETTINGS)


def the_run(run_id: str | None) -> Run:
    return store.open_store().get_run(str(run_id))


def report(epoch: int, epochs: int = 3) -> dict[str, Any]:
    return {"epoch": epoch, "epochs": epochs, "kept": 0.5} | {
        name: random.random() for name in ("train_loss", "val_loss", "val_accuracy")
    }


def below(parent: str) -> list[Run]:
    """The runs of a sweep's trials."""
    client = store.open_store()
    return list(client.search_runs([store.experiment(client, SOURCE)], f"tags.`mlflow.parentRunId` = '{parent}'"))


def tell(trials: sweeps.Trials, one: Trial, *reports: dict[str, Any]) -> None:
    """Tell of a trial that begins, or goes on, and of its epochs."""
    trials.on_trial_start(0, [one], one)
    for found in reports:
        one.update_last_result(found)
        trials.on_trial_result(0, [one], one, found)


@pytest.fixture
def parent(mlflow_store: Path) -> str:
    with hold() as run_id:
        return str(run_id)


def test_a_sweeps_run_has_its_section_and_says_whose_it_is(mlflow_store: Path) -> None:
    with hold() as run_id:
        assert the_run(run_id).info.status == "RUNNING"
    run = the_run(run_id)
    assert (run.info.status, run.info.run_name) == ("FINISHED", "sweep-mlp-01234567")
    assert run.data.params == {name: str(value) for name, value in SETTINGS.items()}
    told = {"stage": "sweep", "network": NETWORK, "source": SOURCE, "sweep_key": KEY, "owner.pid": str(os.getpid())}
    assert told.items() <= run.data.tags.items()


@pytest.mark.parametrize(("error", "status"), [(ValueError, "FAILED"), (KeyboardInterrupt, "KILLED")])
def test_a_sweep_that_did_not_come_to_its_end_goes_on_in_its_run(
    mlflow_store: Path, error: type[BaseException], status: str
) -> None:
    with pytest.raises(error), hold() as first:
        raise error
    assert the_run(first).info.status == status
    with hold("fedcba9876543210") as other, hold() as again:
        assert (again, the_run(again).info.status) == (first, "RUNNING")
    assert other != first
    assert the_run(first).info.status == "FINISHED"


def test_a_sweep_that_another_process_runs_is_left_to_it(parent: str) -> None:
    client, living = store.open_store(), psutil.Process(os.getppid())
    for name, value in {"owner.pid": living.pid, "owner.started": living.create_time()}.items():
        client.set_tag(parent, name, str(value))
    client.update_run(parent, status="RUNNING")
    with pytest.raises(StoreError, match=f"by process {living.pid} on .*: wait for it, or stop it"), hold():
        pytest.fail("it is not held")
    assert the_run(parent).info.status == "RUNNING"


def test_a_sweep_goes_on_without_a_store_that_is_away(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    with servers.ill("refuses") as uri:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        with hold() as run_id:
            assert run_id is None
        assert sweeps.publish_best("0", "val_loss", 0.5, "a line") == []
    assert capsys.readouterr().err.count("does not answer as it should") == 1


def test_the_best_trial_stands_on_the_sweeps_run(parent: str) -> None:
    value, line = random.random(), "dvc exp run -S networks.mlp.dropout=0.1 train@mlp"
    assert sweeps.publish_best(parent, "val_loss", value, line) == ["best"]
    run = the_run(parent)
    assert run.data.metrics == {"best/val_loss": value}
    assert run.data.tags["reproduce"] == line
    assert line in run.data.tags["mlflow.note.content"]


@pytest.mark.parametrize(
    ("epochs", "fails", "state", "status"),
    [(3, False, "complete", "FINISHED"), (1, False, "pruned", "FINISHED"), (2, True, "failed", "FAILED")],
)
def test_a_trial_has_its_values_its_epochs_and_how_it_ended(
    parent: str, tmp_path: Path, epochs: int, fails: bool, state: str, status: str
) -> None:
    number = random.randrange(1, 99)
    one, trials = trial(tmp_path, number, CONFIG), sweeps.Trials(parent, NETWORK, SOURCE)
    told = [report(epoch) for epoch in range(1, epochs + 1)]
    tell(trials, one, *told)
    assert [run.info.status for run in below(parent)] == ["RUNNING"]
    (trials.on_trial_error if fails else trials.on_trial_complete)(0, [one], one)
    [run] = below(parent)
    assert (run.info.run_name, run.info.status, run.data.tags["state"]) == (f"trial-{number}", status, state)
    assert run.data.params == DRAWN
    assert (run.data.tags["trial"], run.data.tags["network"]) == (one.trial_id, NETWORK)
    for name in ("train_loss", "val_loss", "val_accuracy"):
        points = MlflowClient().get_metric_history(run.info.run_id, f"curve/{name}")
        assert [(point.step, point.value) for point in points] == [(row["epoch"], row[name]) for row in told]


def test_a_trial_that_is_gone_on_with_keeps_its_run_and_tells_no_epoch_twice(parent: str, tmp_path: Path) -> None:
    """In another process, which has what tells of trials by pickle: Ray keeps it with the sweep."""
    one, other = (trial(tmp_path, number, CONFIG) for number in (1, 2))
    trials = sweeps.Trials(parent, NETWORK, SOURCE)
    kept, first = pickle.dumps(trials), report(1)
    tell(trials, one, first)
    trials.on_trial_error(0, [one], one)
    again = pickle.loads(kept)
    tell(again, one, report(1), report(2), report(3))
    again.on_trial_complete(0, [one], one)
    tell(again, other)
    found = {run.data.tags["trial"]: run for run in below(parent)}
    assert found.keys() == {one.trial_id, other.trial_id}
    run = found[one.trial_id]
    assert (run.info.status, run.data.tags["state"]) == ("FINISHED", "complete")
    points = MlflowClient().get_metric_history(run.info.run_id, "curve/val_loss")
    assert [point.step for point in points] == [1, 2, 3]
    assert points[0].value == first["val_loss"]


def test_a_trial_that_began_while_the_store_was_away_has_a_run_when_it_is_back(
    parent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, one = (trial(tmp_path, number, CONFIG) for number in (1, 2))
    trials = sweeps.Trials(parent, NETWORK, SOURCE)
    tell(trials, before, report(1))

    def lost(*_: object, **__: object) -> None:
        raise away.AwayError("http://mlflow", ConnectionError("refused"))

    with monkeypatch.context() as broken:
        broken.setattr(trials.client, "get_run", lost)
        broken.setattr(trials.client, "log_batch", lost)
        tell(trials, one, report(1))
    tell_on = report(2)
    trials.on_trial_result(0, [one], one, tell_on)
    one.update_last_result(report(3))
    trials.on_trial_complete(0, [one], one)
    [run] = [run for run in below(parent) if run.data.tags["trial"] == one.trial_id]
    assert (run.info.status, run.data.params) == ("FINISHED", DRAWN)
    [point] = MlflowClient().get_metric_history(run.info.run_id, "curve/val_loss")
    assert (point.step, point.value) == (2, tell_on["val_loss"])
