"""What `dvc exp run` tells a stage by its environment, and what MLflow has of it."""

import random
from pathlib import Path

import pytest

from pipeline.tracking import dvc_experiment, store


@pytest.fixture
def experiment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[str, Path]:
    """An experiment's baseline, and the folder of the main project."""
    baseline = f"{random.getrandbits(160):040x}"
    root = tmp_path / "main"
    for name, value in (("DVC_EXP_NAME", "odd-axle"), ("DVC_EXP_BASELINE_REV", baseline), ("DVC_ROOT", str(root))):
        monkeypatch.setenv(name, value)
    return baseline, root


def test_outside_an_experiment_nothing_is_told(
    tmp_path: Path, mlflow_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DVC_EXP_NAME", raising=False)
    monkeypatch.chdir(tmp_path)
    client = store.open_store()
    assert dvc_experiment.name() is None
    assert dvc_experiment.tags() == {}
    assert dvc_experiment.nested(client, store.experiment(client, "mnist"), "mnist") == {}
    assert dvc_experiment.project() == tmp_path.resolve()


@pytest.mark.parametrize("inner", ["", "digits"])
def test_the_project_of_an_experiment_is_the_one_that_outlives_its_workspace(
    experiment: tuple[str, Path], inner: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A project that is a folder of its repository is so in the workspace too."""
    workspace = tmp_path / "workspace"
    (workspace / inner).mkdir(parents=True)
    (workspace / ".dvc").mkdir()
    monkeypatch.chdir(workspace / inner)
    assert dvc_experiment.project() == experiment[1] / inner


def test_the_experiments_of_a_baseline_stand_under_one_run_of_their_source(
    experiment: tuple[str, Path], mlflow_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    baseline, _ = experiment
    assert dvc_experiment.tags() == {"dvc_exp_name": "odd-axle", "dvc_exp_baseline": baseline}
    client = store.open_store()
    ids = {source: store.experiment(client, source) for source in ("mnist", "qmnist")}

    def above(source: str) -> str:
        found = dvc_experiment.nested(client, ids[source], source)
        assert found.keys() == {"mlflow.parentRunId"}
        return found["mlflow.parentRunId"]

    first = above("mnist")
    monkeypatch.setenv("DVC_EXP_NAME", "even-axle")
    assert above("mnist") == first
    assert above("qmnist") != first
    monkeypatch.setenv("DVC_EXP_BASELINE_REV", baseline[::-1])
    assert above("mnist") != first
    run = client.get_run(first)
    assert (run.info.run_name, run.info.status) == (f"experiments-{baseline[:7]}", "FINISHED")
    told = {"stage": "experiments", "source": "mnist", "dvc_exp_baseline": baseline}
    assert told.items() <= run.data.tags.items()
    assert client.search_registered_models() == [], "no name is held any more"
