"""A store that does not answer: a sentence within seconds, and the pipeline goes on."""

import json
import shutil
import time
from pathlib import Path

import mlflow
import pytest

from pipeline import crown, promote
from pipeline.tracking import away, refill, runs, store
from pipeline.tracking.logger import RunLogger
from pipeline.tracking.runkey import inputs
from tests.pipeline.tracking import project as made_up
from tests.pipeline.tracking import servers

SECONDS = 10


@pytest.fixture(params=["refuses", "says nothing", "500", "401"])
def ill(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> object:
    """An ill server as the store, with the password that its URI has, and less patience where it would cost time."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    with servers.ill(request.param) as uri:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri.replace("//", "//me:s3cret@"))
        yield uri


def test_a_stage_says_so_once_and_goes_on(project: Path, ill: str, capsys: pytest.CaptureFixture[str]) -> None:
    started = time.monotonic()
    with runs.training("convnet", "mnist-sample", inputs("train@convnet")) as run_id:
        assert run_id is None
        RunLogger(run_id).log_metrics({"epoch": 0, "train_loss": 0.5})
        assert runs.publish_training("convnet") == []
    for publish in (runs.publish_export, runs.publish_evaluation, runs.publish_audit):
        assert publish("convnet") == []
    promote.main([])
    crown.main([])
    assert json.loads((project / "reports/promotion.json").read_text())["champion"]["network"] == "convnet"
    [sentence] = [line for line in capsys.readouterr().err.splitlines() if line]
    assert sentence.startswith(f"MLflow's store {ill.replace('//', '//me:***@')} does not answer as it should (")
    assert sentence.endswith("): the pipeline goes on without it, and `make refill` tells it later.")
    assert time.monotonic() - started < 6 * SECONDS, "six are asked"


def test_refill_says_so_and_ends(project: Path, ill: str) -> None:
    with pytest.raises(SystemExit, match=r"refill: MLflow's store .* does not answer as it should .*Nothing is lost"):
        refill.main([])


def test_mlflow_is_given_seconds_where_it_would_take_minutes() -> None:
    from mlflow import environment_variables as settings

    assert settings.MLFLOW_HTTP_REQUEST_TIMEOUT.get() <= away.PATIENCE < SECONDS
    assert settings.MLFLOW_HTTP_REQUEST_MAX_RETRIES.get() == 0


@pytest.mark.parametrize("how", ["refuses", "says nothing"])
def test_a_database_that_is_away_is_told_too(
    project: Path, how: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("psycopg", reason=servers.NO_DRIVER)
    monkeypatch.setattr("pipeline.tracking.database.PATIENCE", 1)
    with servers.ill(how) as uri:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri.replace("http://", "postgresql://me:s3cret@") + "/runs")
        started = time.monotonic()
        assert runs.publish_training("convnet") == []
        assert time.monotonic() - started < SECONDS
    said = capsys.readouterr().err
    assert "does not answer as it should" in said
    assert "me:***@" in said
    assert "s3cret" not in said


@pytest.mark.parametrize(
    ("uri", "sentence"),
    [
        ("mysql+nodriver://me@db/runs", "MLflow knows no store of this kind"),
        ("mysql+oursql://me@db/runs", "MLflow knows no store of this kind"),
        ("mssql+pymssql://me@db/runs", "needs a driver that is not installed: `pip install 'pymssql'`"),
        ("mysql://me@db/runs", "needs a driver that is not installed: `pip install 'mysqlclient'`"),
        ("carrier-pigeon://loft", "MLflow knows no store of this kind"),
        ("./runs", "sqlite:///mlflow.db"),
    ],
)
def test_a_store_that_cannot_be_used_ends_the_stage_with_a_sentence(
    project: Path, uri: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(away.StoreError, match=r"MLflow|MLFLOW") as raised:
        runs.publish_training("convnet")
    assert sentence in str(raised.value)
    with pytest.raises(SystemExit, match="refill: "):
        refill.main([])


def test_what_a_store_that_was_away_did_not_hear_is_filled_in(project: Path) -> None:
    """As a server leaves it that went away in mid training: a part of the curve, and a run that did not end."""
    with runs.training("convnet", "mnist-sample", inputs("train@convnet")) as run_id:
        RunLogger(run_id).log_metrics({"epoch": 0, "train_loss": 0.9, "val_loss": 0.8, "val_accuracy": 0.7})
    client = store.open_store()
    client.update_run(str(run_id), status="RUNNING")
    client.set_tag(str(run_id), "owner.started", "1")  # its process is gone
    assert "curve" in runs.publish_training("convnet")
    points = client.get_metric_history(str(run_id), "curve/val_accuracy")
    assert [(point.step, point.value) for point in points] == [(1, 0.7), (2, 0.9)]
    assert client.get_run(str(run_id)).info.status == "FINISHED"
    assert runs.publish_training("convnet") == []


@pytest.mark.slow
def test_refill_looks_for_the_artifacts_themselves_and_brings_back_what_is_gone(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def files() -> dict[str, int]:
        found = (path for path in (project / "mlartifacts").rglob("*") if path.is_file())
        return {path.relative_to(project).as_posix(): path.stat().st_size for path in found}

    for network in made_up.NETWORKS:
        runs.publish_evaluation(network)
        runs.publish_audit(network)
    promote.main([])
    crown.main([])
    before = files()
    [onnx] = [name for name in before if name.endswith("model.onnx") and runs_model(name)][:1]
    [table] = [name for name in before if name.endswith("audit/tables/recall.csv")][:1]
    (project / onnx).unlink()
    (project / table).write_text("cut")
    refill.main([])
    assert {name: size for name, size in files().items() if "MLmodel" not in name} == {
        name: size for name, size in before.items() if "MLmodel" not in name
    }
    shutil.rmtree(project / "mlartifacts")
    refill.main([])
    assert files().keys() == before.keys()
    mlflow.pyfunc.load_model("models:/inkwell-mnist-sample@champion")
    capsys.readouterr()
    refill.main([])
    assert capsys.readouterr().out.count("nothing was missing") == len(made_up.NETWORKS) + 1


def runs_model(name: str) -> bool:
    return "/models/" in name
