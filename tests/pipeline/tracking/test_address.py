from pathlib import Path

import pytest

from pipeline.tracking import address


@pytest.mark.parametrize(
    ("uri", "absolute"),
    [
        ("sqlite:///mlflow.db", "sqlite:////projects/a b/mlflow.db"),
        ("sqlite:///../other/runs.db?timeout=5", "sqlite:////projects/other/runs.db?timeout=5"),
        ("sqlite:///100 %25/mlflow.db", "sqlite:////projects/a b/100 %25/mlflow.db"),
        ("sqlite:////elsewhere/mlflow.db", "sqlite:////elsewhere/mlflow.db"),
        ("./runs", "file:///projects/a%20b/runs"),
        ("file:///elsewhere/runs", "file:///elsewhere/runs"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("https://tracking.example/mlflow", "https://tracking.example/mlflow"),
        ("postgresql+psycopg2://me:secret@db/runs", "postgresql+psycopg2://me:secret@db/runs"),
        ("mysql://me@db/runs", "mysql://me@db/runs"),
        ("databricks", "databricks"),
    ],
)
def test_a_path_in_a_uri_is_one_in_the_project_and_nothing_else_changes(uri: str, absolute: str) -> None:
    assert address.absolute(uri, Path("/projects/a b")) == absolute


def test_a_password_is_not_shown() -> None:
    for scheme in ("http", "postgresql", "mysql+pymysql"):
        assert address.shown(f"{scheme}://me:s3cret@host:80/db") == f"{scheme}://me:***@host:80/db"


def test_artifacts_have_a_place_of_their_own_unless_the_store_settles_it(monkeypatch: pytest.MonkeyPatch) -> None:
    here = Path("/projects/a")
    assert address.artifacts("sqlite:////stores/b/mlflow.db", here, "mnist") == "file:///stores/b/mlartifacts/mnist"
    assert address.artifacts("postgresql://db/runs", here, "mnist") == "file:///projects/a/mlartifacts/mnist"
    assert address.artifacts("http://127.0.0.1:5000", here, "mnist") is None
    monkeypatch.setenv("MLFLOW_DEFAULT_ARTIFACT_ROOT", "s3://bucket/runs/")
    assert address.artifacts("postgresql://db/runs", here, "mnist") == "s3://bucket/runs/mnist"
