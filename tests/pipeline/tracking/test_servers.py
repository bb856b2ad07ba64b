"""The pipeline's part of MLflow on PostgreSQL, and through an MLflow server that keeps the artifacts too."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import mlflow
import pytest

from pipeline import crown, promote
from pipeline.tracking import refill, runs, store
from pipeline.tracking.logger import RunLogger
from pipeline.tracking.runkey import inputs
from tests.pipeline.tracking import project as made_up
from tests.pipeline.tracking import servers
from tests.pipeline.tracking.hosts import Hosts

pytestmark = pytest.mark.slow

REPOSITORY = Path.cwd()
OPEN = "from pipeline.tracking import store; client = store.open_store(); print(store.experiment(client, 'uci-digits'))"
KILLED = """
import os
from pipeline.tracking import logger, runkey, runs
with runs.training('convnet', 'mnist-sample', runkey.inputs('train@convnet')) as run_id:
    logger.RunLogger(run_id).log_metrics({"epoch": 0, "train_loss": 0.9, "val_loss": 0.8, "val_accuracy": 0.7})
    print(run_id, flush=True)
    os.kill(os.getpid(), 9)
"""


class Stores(NamedTuple):
    """A database, a server before it, the server's process, and where it keeps artifacts."""

    database: str
    server: str
    process: subprocess.Popen[bytes]
    artifacts: Path


def python(code: str, store: str, folder: Path) -> subprocess.Popen[str]:
    environment = os.environ | {"MLFLOW_TRACKING_URI": store, "PYTHONPATH": str(REPOSITORY)}
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, "-c", code], cwd=folder, env=environment, stdout=pipe, stderr=pipe, text=True
    )


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    """Stores whose tables two processes that met there made."""
    folder = tmp_path_factory.mktemp("stores")
    with servers.postgres() as database:
        both = [python(OPEN, database, folder) for _ in range(2)]
        said = [process.communicate() for process in both]
        assert [process.returncode for process in both] == [0, 0], said
        assert len({out for out, _ in said}) == 1, said
        assert not (folder / "mlruns").exists()
        with servers.mlflow_server(database, folder / "artifacts") as (server, process):
            yield Stores(database, server, process, folder / "artifacts")


@pytest.fixture(params=["database", "server"])
def used(
    request: pytest.FixtureRequest, stores: Stores, project: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """The URI of a store, whose experiment and registered model make room for those of the next test."""
    uri = str(getattr(stores, request.param))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    yield uri
    client = mlflow.MlflowClient(uri)
    if found := client.get_experiment_by_name("inkwell/mnist-sample"):
        client.rename_experiment(found.experiment_id, f"before/{found.experiment_id}")
    for model in client.search_registered_models():
        client.delete_registered_model(model.name)


def test_of_two_hosts_with_the_same_inputs_one_trains(used: str, monkeypatch: pytest.MonkeyPatch) -> None:
    [run_id], [sentence] = Hosts(monkeypatch).train(["alpha", "beta"])
    run = store.open_store().get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.data.tags["owner.host"] in sentence


def test_a_walk_from_a_killed_training_to_the_champion(
    used: str, stores: Stores, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    killed = python(KILLED, used, project)
    out, error = killed.communicate()
    assert killed.returncode == -9, error
    with (
        runs.training("convnet", "mnist-sample", inputs("train@convnet")) as run_id,
        runs.training("perceptron", "mnist-sample", inputs("train@perceptron")) as other,
    ):
        assert (run_id, other != run_id) == (out.strip(), True)
        for network in made_up.NETWORKS:
            runs.publish_training(network)
    client = store.open_store()
    assert [point.step for point in client.get_metric_history(str(run_id), "curve/val_loss")] == [1, 2]
    for network in made_up.NETWORKS:
        runs.publish_evaluation(network)
        runs.publish_audit(network)
    promote.main([])
    crown.main([])
    champion = client.get_model_version_by_alias("inkwell-mnist-sample", "champion")
    assert champion.run_id == run_id
    assert mlflow.pyfunc.load_model("models:/inkwell-mnist-sample@champion").metadata.model_id
    capsys.readouterr()
    refill.main([])
    assert capsys.readouterr().out.count("nothing was missing") == len(made_up.NETWORKS) + 1
    assert not (project / "mlruns").exists()
    kept = stores.artifacts if used == stores.server else project / "mlartifacts"
    assert [path for path in kept.rglob("weights.safetensors") if str(run_id) in path.parts]


def test_a_server_that_stops_answering_in_mid_training_is_told_later(
    stores: Stores, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", stores.server)
    with runs.training("convnet", "mnist-sample", inputs("train@convnet")) as run_id:
        logger = RunLogger(run_id)
        logger.log_metrics({"epoch": 0, "train_loss": 0.9, "val_loss": 0.8, "val_accuracy": 0.7})
        monkeypatch.setattr("pipeline.tracking.away.PATIENCE", 2)
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")
        os.killpg(stores.process.pid, signal.SIGSTOP)
        logger.log_metrics({"epoch": 1, "train_loss": 0.5, "val_loss": 0.4, "val_accuracy": 0.9})
        assert runs.publish_training("convnet") == []
    os.killpg(stores.process.pid, signal.SIGCONT)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
    servers.wait_for(stores.process, lambda: httpx.get(f"{stores.server}/health").raise_for_status())
    assert capsys.readouterr().err.count("does not answer") == 1
    assert store.open_store().get_run(str(run_id)).info.status == "RUNNING"
    code = "from pipeline.tracking import runs; print(runs.publish_training('convnet'))"
    process = python(code, stores.server, project)
    out, error = process.communicate()
    assert "curve" in out, error
    run = store.open_store().get_run(str(run_id))
    assert run.info.status == "RUNNING", "this process lives"
    assert [point.step for point in store.open_store().get_metric_history(str(run_id), "curve/val_loss")] == [1, 2]
