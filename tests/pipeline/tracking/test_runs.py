import getpass
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest

from pipeline import user
from pipeline.tracking import exports, pyfunc, runs, shown, store
from pipeline.tracking.runkey import hash_path, inputs
from tests.pipeline.tracking import project as made_up

REPOSITORY = Path.cwd()


def the_run(network: str = "convnet") -> Any:
    client = store.open_store()
    [run] = client.search_runs([store.experiment(client, "mnist-sample")], f"tags.network = '{network}'")
    return run


def everything(root: Path) -> dict[str, Any]:
    """How much there is in the store: points of every metric, files, models."""
    client, run = store.open_store(), the_run()
    points = {name: len(client.get_metric_history(run.info.run_id, name)) for name in run.data.metrics}
    files = sorted(str(path) for path in root.joinpath("mlartifacts").rglob("*") if path.is_file())
    return {"points": points, "files": files, "outputs": run.outputs.model_outputs}


def test_a_run_bears_what_leads_back_to_its_inputs(project: Path) -> None:
    read = inputs("train@convnet")
    with runs.training("convnet", "mnist-sample", read) as run_id:
        assert the_run().info.status == "RUNNING"
    run = the_run()
    assert run.info.run_id == run_id
    assert run.info.status == "FINISHED"
    assert run.info.run_name == f"convnet-{read.key[:8]}"
    assert (run.data.params["width"], run.data.params["augment.rotate"]) == ("32", "15.0")
    tags = run.data.tags
    assert (tags["stage"], tags["network"], tags["source"], tags["run_key"]) == (
        "train",
        "convnet",
        "mnist-sample",
        read.key,
    )
    assert tags["input.data/processed/train"] == read.data["data/processed/train"]
    assert tags["input.pipeline/train.py"] == read.code["pipeline/train.py"]
    assert tags["dvc.data/processed"] == "0123456789abcdef0123456789abcdef.dir"
    sets = {one.tags[0].value: (one.dataset.name, one.dataset.digest) for one in run.inputs.dataset_inputs}
    assert sets == {
        "training": ("mnist-sample-train", read.data["data/processed/train"][:32]),
        "validation": ("mnist-sample-val", read.data["data/processed/val"][:32]),
    }


def test_the_commit_stands_on_the_run_and_whether_its_code_is_in_it(project: Path) -> None:
    def git(*arguments: str) -> str:
        who = ["-c", "user.name=a", "-c", "user.email=a@b"]
        return subprocess.run(["git", *who, *arguments], check=True, capture_output=True, text=True).stdout.strip()

    git("init", "--quiet")
    git("add", "dvc.yaml", "params.yaml", "pipeline")
    git("commit", "--quiet", "--message", "all")
    runs.publish_training("convnet")
    made_up.write(project / "pipeline/train.py", "print('not committed')\n")
    made_up.train(project, "perceptron")
    runs.publish_training("perceptron")
    clean, dirty = the_run("convnet").data.tags, the_run("perceptron").data.tags
    assert clean["git_commit"] == clean["mlflow.source.git.commit"] == git("rev-parse", "HEAD")
    assert (clean["git_dirty"], dirty["git_dirty"]) == ("false", "true")


def test_networks_are_compared_by_hyperparameters_of_one_name(project: Path) -> None:
    for network in made_up.NETWORKS:
        runs.publish_training(network)
    one, other = (the_run(network).data for network in made_up.NETWORKS)
    shared = one.params.keys() & other.params.keys()
    assert {"kind", "epochs", "batch_size", "learning_rate", "weight_decay", "train.seed"} <= shared
    assert not any(name.startswith("networks.") for name in one.params | other.params)
    assert (one.tags["network"], other.tags["network"]) == tuple(made_up.NETWORKS)
    key = json.loads(Path("models/trained/convnet/run.json").read_text())["run_key"]
    assert key == other.tags["run_key"] == inputs("train@convnet").key, "the names in run.json are what they were"


def test_a_run_of_the_last_version_gets_the_common_names_too(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as before:
        before.setattr(shown, "hyperparameters", lambda params, _network: params)
        runs.publish_training("convnet")
    assert runs.publish_training("convnet") == ["parameters"]
    assert runs.publish_training("convnet") == []
    assert the_run().data.params["width"] == the_run().data.params["networks.convnet.width"] == "32"


def test_each_data_set_has_schema_digest_and_profile_the_test_set_among_them(project: Path) -> None:
    digits = np.random.default_rng().integers(0, 10, 8, dtype=np.uint8)
    np.save(project / "data/processed/test/labels.npy", digits)
    runs.publish_evaluation("convnet")
    sets = {one.dataset.name: one for one in the_run().inputs.dataset_inputs}
    assert set(sets) == {f"mnist-sample-{split}" for split in ("train", "val", "test")}
    test = sets["mnist-sample-test"]
    assert test.tags[0].value == "testing"
    assert test.dataset.digest == hash_path(project / "data/processed/test")[:32]
    schema = json.loads(test.dataset.schema)["mlflow_tensorspec"]
    assert '"shape": [-1, 28, 28]' in schema["features"]
    profile = json.loads(test.dataset.profile)
    assert profile["num_rows"] == 8
    assert [profile[f"of digit {digit}"] for digit in range(10)] == np.bincount(digits, minlength=10).tolist()
    assert runs.publish_evaluation("convnet") == []


def test_a_user_without_a_name_is_told_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> str:
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.setattr(getpass, "getuser", unknown)
    assert user() == str(os.getuid())


def test_a_training_that_was_killed_goes_on_in_its_run(project: Path) -> None:
    code = (
        "import os; from pipeline.tracking import runs, runkey\n"
        "with runs.training('convnet', 'mnist-sample', runkey.inputs('train@convnet')) as run_id:\n"
        "    print(run_id, flush=True); os.kill(os.getpid(), 9)"
    )
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == -9
    assert mlflow.MlflowClient(store.tracking_uri()).get_run(done.stdout.strip()).info.status == "RUNNING"
    with runs.training("convnet", "mnist-sample", inputs("train@convnet")) as run_id:
        assert run_id == done.stdout.strip()
        assert the_run().data.tags["owner.pid"] == str(os.getpid())
        assert the_run().info.status == "RUNNING"
    assert the_run().info.status == "FINISHED"


def test_a_run_that_another_living_process_trains_is_not_taken_from_it(project: Path) -> None:
    client = store.open_store()
    with runs.training("convnet", "mnist-sample", inputs("train@convnet")) as run_id:
        assert run_id
        client.set_tag(run_id, "owner.pid", str(os.getppid()))
        started = store.psutil.Process(os.getppid()).create_time()
        client.set_tag(run_id, "owner.started", str(started))
        with (
            pytest.raises(RuntimeError, match=str(os.getppid())),
            runs.training("convnet", "mnist-sample", inputs("train@convnet")),
        ):
            pass


@pytest.mark.parametrize(("error", "status"), [(ValueError, "FAILED"), (KeyboardInterrupt, "KILLED")])
def test_a_training_that_breaks_off_says_how(project: Path, error: type[BaseException], status: str) -> None:
    with pytest.raises(error), runs.training("convnet", "mnist-sample", inputs("train@convnet")):
        raise error
    assert the_run().info.status == status


def test_publishing_shows_curves_metrics_gates_files_and_the_model(project: Path) -> None:
    runs.publish_training("convnet")
    runs.publish_export("convnet")
    runs.publish_evaluation("convnet")
    runs.publish_audit("convnet")
    client, run = store.open_store(), the_run()
    assert run.info.status == "FINISHED"
    curve = [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, "curve/val_accuracy")]
    assert curve == [(1, 0.7), (2, 0.9)]
    assert run.data.metrics["val/accuracy"] == run.data.metrics["test/accuracy"] == 0.98
    assert run.data.metrics["gate/error"] == 0.01
    assert run.data.metrics["out_of_fold/error"] == 0.004
    assert run.data.metrics["out_of_fold/images"] == 60_000
    assert run.data.tags["gates"] == "passed"
    assert run.data.tags["gate.error"] == "passed"
    assert run.data.tags["gate.population_gap"] == "not measurable"
    files = {
        file.path
        for part in ("training", "evaluation", "validation", "verdicts", "audit", "audit/tables")
        for file in client.list_artifacts(run.info.run_id, part)
    }
    assert {
        "training/weights.safetensors",
        "training/run.json",
        "evaluation/confusion.png",
        "validation/convnet.parquet",
        "verdicts/convnet.json",
        "audit/index.html",
        "audit/tables/recall.csv",
    } <= files
    assert not any(".gitignore" in file for file in files)

    model: Any = client.get_logged_model(run.outputs.model_outputs[0].model_id)
    info = mlflow.models.get_model_info(model.model_uri)
    assert info.signature.inputs is None
    assert [one.name for one in info.signature.outputs] == list(pyfunc.COLUMNS)
    answer = mlflow.pyfunc.load_model(model.model_uri).predict(example(model))
    assert list(answer) == list(pyfunc.COLUMNS)
    assert "digits_alone" not in run.data.params
    metrics = {one.key: one.value for one in model.metrics}
    assert (metrics["val/accuracy"], metrics["gate/error"]) == (0.98, 0.01)


def example(model: Any) -> np.ndarray:
    """The logged input example."""
    folder = Path(mlflow.artifacts.download_artifacts(model.model_uri))
    return np.array(json.loads((folder / "input_example.json").read_text()), np.uint8)


@pytest.mark.parametrize(
    "publish", [runs.publish_training, runs.publish_export, runs.publish_evaluation, runs.publish_audit]
)
def test_what_is_there_is_not_published_again(project: Path, publish: Callable[[str], list[str]]) -> None:
    assert publish("convnet")
    before = everything(project)
    assert publish("convnet") == []
    assert everything(project) == before


def test_what_changed_is_published_anew_in_the_same_run(project: Path) -> None:
    for publish in (runs.publish_evaluation, runs.publish_audit):
        publish("convnet")
    made_up.train(project, "convnet", gain=0.3)
    made_up.evaluate(project, "convnet", 2)
    made_up.audit(project, "convnet", 0.2)
    for publish in (runs.publish_evaluation, runs.publish_audit):
        assert publish("convnet")
        assert publish("convnet") == []
    run = the_run()
    assert run.data.metrics["val/accuracy"] == 0.99
    assert run.data.tags["gates"] == "failed: error"
    assert len(run.outputs.model_outputs) == 2
    assert len(store.open_store().get_metric_history(run.info.run_id, "val/accuracy")) == 2


def versions() -> list[Any]:
    found = store.open_store().search_model_versions("name = 'inkwell-mnist-sample'")
    return sorted(found, key=lambda one: int(one.version))


@pytest.mark.slow
def test_each_export_of_a_training_is_a_version_with_a_key_of_its_own(project: Path) -> None:
    keys, hashes = [], []
    for gain, abstention in ((0.2, 0.014), (0.3, 0.02)):
        made_up.calibrate(project, abstention)
        made_up.export(project, "convnet", gain)
        made_up.audit(project, "convnet")
        folder = project / "models/candidates/convnet"
        keys.append(json.loads((folder / "export.json").read_text())["export_key"])
        hashes.append(hash_path(folder / "model.onnx"))
        for publish in (runs.publish_export, runs.publish_evaluation, runs.publish_audit):
            publish("convnet")
            assert publish("convnet") == []
    run, found = the_run(), versions()
    assert keys[0] != keys[1]
    assert [one.tags["export_key"] for one in found] == keys
    assert [one.tags["model_sha256"] for one in found] == hashes
    for version, abstained in zip(found, ("0.014", "0.02"), strict=True):
        assert (version.tags["network"], version.tags["run_key"]) == ("convnet", run.data.tags["run_key"])
        assert (version.run_id, version.tags["gates"]) == (run.info.run_id, "passed")
        assert version.description.startswith("convnet: 98.00% on validation. Takes images")
        model = exports.find_model(store.open_store(), run, version.tags["model_sha256"])
        assert model is not None
        assert version.tags["owner"] == model.tags["owner"] == run.data.tags["mlflow.user"]
        assert model.params["calibration.abstention"] == abstained
        assert model.params["width"] == "32"
        metrics = {metric.key: metric.value for metric in model.metrics or []}
        assert (metrics["val/accuracy"], metrics["gate/error"]) == (0.98, 0.01), "of each model, though it is the same"


def test_an_export_that_makes_the_same_bytes_is_the_same_version_under_its_new_key(project: Path) -> None:
    runs.publish_export("convnet")
    made_up.calibrate(project, 0.02)
    made_up.export(project, "convnet", 0.2)
    assert runs.publish_export("convnet") == []
    [found] = versions()
    told = json.loads((project / "models/candidates/convnet/export.json").read_text())
    assert found.tags["export_key"] == told["export_key"]


def test_the_champions_run_has_its_dreams_and_not_those_of_another(project: Path) -> None:
    shutil.copytree("models/candidates/convnet", "models/best")
    made_up.write(Path("reports/dreams.png"), "a figure")
    told = {"version": hash_path(Path("models/best/model.onnx"))[:12]}
    made_up.write(Path("show/dreams.json"), json.dumps(told))
    assert "dreams files" in runs.publish_show()
    assert runs.publish_show() == []
    kept = {file.path for file in store.open_store().list_artifacts(the_run().info.run_id, "dreams")}
    assert kept == {"dreams/dreams.png", "dreams/dreams.json"}
    made_up.write(Path("show/dreams.json"), json.dumps({"version": "0" * 12, "more": 1}))
    assert runs.publish_show() == []


def test_verdicts_on_a_model_that_is_there_no_more_are_not_published(project: Path) -> None:
    made_up.train(project, "convnet", gain=0.3)
    runs.publish_audit("convnet")
    assert "gate/error" not in the_run().data.metrics
    assert "gates" not in the_run().data.tags
