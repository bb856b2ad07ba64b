"""An MLflow store for each test, and a small project around it."""

import shutil
from pathlib import Path

import pytest

from pipeline.tracking import store
from tests.pipeline.tracking import project as made_up


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database without runs; making one takes seconds, copying it does not."""
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    store.ensure_database(path)
    return path


@pytest.fixture
def mlflow_store(tmp_path: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty store in the test's own folder; MLflow keeps its address in the environment, so it is put back after."""
    path = tmp_path / "mlflow.db"
    shutil.copyfile(empty_database, path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small project with the outputs of every stage but `promote`."""
    return made_up.build(tmp_path_factory.mktemp("built"))


@pytest.fixture
def project(built: Path, tmp_path: Path, mlflow_store: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the small project, in which the test runs."""
    shutil.copytree(built, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path
