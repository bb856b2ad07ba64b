import os
from pathlib import Path

import pytest

from pipeline import ui
from pipeline.tracking import runs, store


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that would have taken this process's place."""
    commands: list[list[str]] = []
    monkeypatch.setattr(os, "execvpe", lambda _file, command, _environment: commands.append(command))
    return commands


def test_the_training_runs_of_the_store_in_use_are_opened(
    project: Path, mlflow_store: Path, started: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    runs.publish_training("convnet")
    client = store.open_store()
    experiment = client.get_experiment_by_name("inkwell/mnist-sample")
    assert experiment is not None
    ui.main([])
    [command] = started
    assert command[command.index("--backend-store-uri") + 1] == f"sqlite:///{mlflow_store}"
    said = capsys.readouterr().out
    place = f"/#/experiments/{experiment.experiment_id}/runs?workflowType=machine_learning"
    assert f"http://127.0.0.1:5000{place}" in said
    assert "no run" not in said
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development", "the same after any click"


def test_of_a_tracking_server_only_the_address_is_told(
    project: Path, started: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    client = store.open_store()
    monkeypatch.setattr(store, "open_store", lambda: client)
    monkeypatch.setattr(store, "tracking_uri", lambda: "https://tracking.example/")
    ui.main([])
    said = capsys.readouterr().out
    assert "https://tracking.example/#/experiments/1/runs?workflowType=machine_learning" in said
    assert "no run yet: make refill" in said
    assert not started
