"""The project's folder with its MLflow store in it, renamed or copied."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import crown, promote
from pipeline.tracking import runs, store
from pipeline.tracking.runkey import hash_path

REPOSITORY = Path.cwd()
CHAMPION = "models:/inkwell-mnist-sample@champion"


IN_THE_NEW_FOLDER = """
import json, sys
import mlflow
from pipeline.tracking import refill, runs, store
from tests.pipeline.tracking import project
client = store.open_store()
model = mlflow.pyfunc.load_model(sys.argv[1])
refill.main([])
project.train(project.Path(), "convnet", gain=0.3)
runs.publish_export("convnet")
experiments = [one.experiment_id for one in client.search_experiments()]
places = [run.info.artifact_uri for run in client.search_runs(experiments)]
places += [model.artifact_location for model in client.search_logged_models(experiments)]
places += [one.artifact_location for one in client.search_experiments()]
print(json.dumps(places))
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", ["renamed", "copied"])
def test_the_store_goes_with_the_folder(
    how: str, project: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs.publish_audit("convnet")
    promote.main([])
    crown.main([])
    new = tmp_path_factory.mktemp("moved") / "another näme, with % and #"
    if how == "renamed":
        project.rename(new)
    else:
        shutil.copytree(project, new)
    before = hash_path(project) if project.exists() else None

    environment = os.environ | {"MLFLOW_TRACKING_URI": "sqlite:///mlflow.db", "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-c", IN_THE_NEW_FOLDER, CHAMPION]
    done = subprocess.run(command, cwd=new, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "they are looked for at" in done.stderr
    places = json.loads(done.stdout.splitlines()[-1])
    assert len(places) > 5
    assert all(place.startswith((new / "mlartifacts").as_uri() + "/") for place in places)
    assert before == (hash_path(project) if project.exists() else None), "the old folder is as it was, or gone"


def test_artifacts_that_are_kept_in_another_place_stay_there(
    project: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere").as_uri()
    client = store.open_store()
    kept = client.create_experiment("inkwell/kept", elsewhere)
    other = client.create_experiment("somebody's own", f"{elsewhere}/own")
    new = tmp_path_factory.mktemp("moved") / "project"
    project.rename(new)
    monkeypatch.chdir(new)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
    client = store.open_store()
    assert client.get_experiment(kept).artifact_location == elsewhere
    assert client.get_experiment(other).artifact_location == f"{elsewhere}/own"
