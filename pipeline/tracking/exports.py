"""An export in MLflow: a logged model of the training's run, and a version of the data source's registered model.

A model is known by its bytes, and its export key, over weights and calibration, leads back to what made it. A training
that is exported again, calibrated otherwise, has another model and another version in the same run.
"""

import json
import logging
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pipeline import user
from pipeline.tracking import dvc_experiment
from pipeline.tracking.runkey import digest, hash_path, read_json
from pipeline.tracking.shown import hyperparameters

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import FileInfo, LoggedModel, Run
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.models import Model

EXAMPLE = Path("data/processed/val/images.npy")
"""Whose first image is shown beside a model."""
ABOUT = (
    "Takes images, bright ink on a dark ground, n×28×28 or n×784, bytes or numbers, and answers as the service does: "
    "digit, confidence, prediction set, whether it abstained and why."
)
CODE = Path(__file__).parents[2]
REQUIREMENTS = ("mlflow", "numpy", "onnxruntime", "pandas", "pillow", "pydantic", "scipy", "starlette")
"""What the registered model needs to be loaded."""


class Export(NamedTuple):
    """What MLflow has of an export."""

    run: "Run"
    model: "LoggedModel"
    version: "ModelVersion"


def publish(client: "MlflowClient", run: "Run", folder: Path) -> tuple[Export, list[str]]:
    """Make MLflow agree with a folder's model.onnx and export.json, of which the last version knew only the first.

    Returns what MLflow has now, and what it did not have before.
    """
    told = folder / "export.json"
    record = read_json(told) if told.exists() else {}
    sha256 = hash_path(folder / "model.onnx")
    tags = {
        "run_key": run.data.tags["run_key"],
        "model_sha256": sha256,
        "owner": run.data.tags.get("mlflow.user", user()),
    }
    if record:
        tags["export_key"] = record["export_key"]
    new: list[str] = []

    model = find_model(client, run, sha256)
    if model is None or not is_whole(client, model):
        read = hyperparameters(record.get("inputs", {}).get("params", {}), run.data.tags["network"])
        params = {name: str(value) for name, value in read.items()}
        model = log_pyfunc(client, run, folder / "model.onnx", tags, run.data.params | params, model)
        new.append("model")
    elif not tags.items() <= model.tags.items():
        client.set_logged_model_tags(model.model_id, tags)

    name = registered_model(client, run.data.tags["source"])
    found = find_version(client, name, sha256)
    if found is None:
        found = register(client, name, run, model, tags)
        new.append(f"version {found.version} of {name}")
    tag_version(client, found, tags)
    return Export(client.get_run(run.info.run_id), model, found), new


def registered_model(client: "MlflowClient", source: str) -> str:
    """The name of a data source's registered model, which is created where there is none, its owner who does so."""
    from mlflow import MlflowException

    name = f"inkwell-{source}"
    if not client.search_registered_models(f"name = '{name}'"):
        try:
            client.create_registered_model(
                name, {"source": source, "owner": user()}, "No model has become champion yet."
            )
        except MlflowException:  # another process was first
            client.get_registered_model(name)
    return name


def register(
    client: "MlflowClient", name: str, run: "Run", model: "LoggedModel", tags: dict[str, str]
) -> "ModelVersion":
    """Make a logged model a version of a registered one."""
    from mlflow.utils.mlflow_tags import MLFLOW_MODEL_VERSIONS

    told = {key: run.data.tags[key] for key in ("network", "git_commit") if key in run.data.tags}
    made = client.create_model_version(
        name, f"models:/{model.model_id}", run.info.run_id, told | tags | dvc_experiment.tags(), model_id=model.model_id
    )
    link = json.dumps([{"name": name, "version": made.version}])
    client.set_logged_model_tags(model.model_id, {MLFLOW_MODEL_VERSIONS: link})
    return made


def find_version(client: "MlflowClient", name: str, sha256: str) -> "ModelVersion | None":
    """The version with these bytes, if there is one."""
    found = client.search_model_versions(f"name = '{name}' AND tags.model_sha256 = '{sha256}'")
    return found[0] if found else None


def tag_version(client: "MlflowClient", found: "ModelVersion", tags: dict[str, str]) -> None:
    """Set those of these tags that a version has not."""
    for key, value in tags.items():
        if found.tags.get(key) != value:
            client.set_model_version_tag(found.name, found.version, key, value)


def describe(client: "MlflowClient", export: Export, accuracy: float) -> None:
    """Say of a version how accurate it is on validation, what it takes and what it gives."""
    text = f"{export.run.data.tags['network']}: {accuracy:.2%} on validation. {ABOUT}"
    if export.version.description != text:
        client.update_model_version(export.version.name, export.version.version, text)


def find_model(client: "MlflowClient", run: "Run", sha256: str) -> "LoggedModel | None":
    """The run's logged model with these bytes, if there is one that is complete."""
    filters = f"source_run_id = '{run.info.run_id}' AND tags.model_sha256 = '{sha256}'"
    found = client.search_logged_models([run.info.experiment_id], filter_string=filters)
    return next((model for model in found if model.status == "READY"), None)


def log_pyfunc(
    client: "MlflowClient",
    run: "Run",
    path: Path,
    tags: dict[str, str],
    params: dict[str, str],
    lost: "LoggedModel | None",
) -> "LoggedModel":
    """Log an ONNX model with the service's rules around it, in the place of one that lost its files."""
    from mlflow.entities import LoggedModelOutput
    from mlflow.models import Model

    run_id = run.info.run_id
    logged = lost
    if logged is None:
        logged = client.create_logged_model(run.info.experiment_id, run.data.tags["network"], run_id, tags, params)
        client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
    with tempfile.TemporaryDirectory() as folder:  # `log_model` would show its settings as the run's parameters
        place = Path(folder) / "model"
        save(place, path, Model(logged.artifact_location, run_id, model_uuid=logged.model_id, model_id=logged.model_id))
        client.log_model_artifacts(logged.model_id, str(place))
    client.finalize_logged_model(logged.model_id, "READY")
    client.set_logged_model_tags(logged.model_id, tags | {"files": files(client, logged)})
    return client.get_logged_model(logged.model_id)


def save(place: Path, onnx: Path, model: "Model | None" = None) -> None:
    """Write the registered model of an ONNX file, with all that loading it takes, to a folder that is not there yet."""
    import mlflow.pyfunc
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec
    from mlflow.types.schema import Array

    logging.getLogger("mlflow.pyfunc").setLevel(logging.WARNING)
    answer: list[ColSpec | TensorSpec] = [
        ColSpec(DataType.double, "digit", required=False),  # Spark's whole numbers have no null
        ColSpec(DataType.double, "confidence"),
        ColSpec(Array(DataType.long), "prediction_set", required=False),
        ColSpec(DataType.boolean, "abstained"),
        ColSpec(DataType.string, "reason", required=False),
    ]
    mlflow.pyfunc.save_model(
        place,
        mlflow_model=model,
        python_model=str(CODE / "pipeline/tracking/pyfunc.py"),
        artifacts={"model": str(onnx)},
        code_paths=[str(CODE / "serving")],
        model_config={"digits_alone": False},
        # without a schema of its input, which would refuse all types and shapes but one
        signature=ModelSignature(
            outputs=Schema(answer), params=ParamSchema([ParamSpec("scale", DataType.string, None)])
        ),
        input_example=np.load(EXAMPLE, mmap_mode="r")[:1] if EXAMPLE.exists() else np.zeros((1, 28, 28), np.uint8),
        pip_requirements=[f"{package}=={version(package)}" for package in REQUIREMENTS],
    )


def is_whole(client: "MlflowClient", model: "LoggedModel") -> bool:
    """Whether a logged model still has the files that it was logged with."""
    return model.tags.get("files") == files(client, model)


def files(client: "MlflowClient", model: "LoggedModel") -> str:
    """A digest of the names and sizes of a logged model's files, without those that MLflow adds when it is loaded."""
    found = sizes(lambda path: client.list_logged_model_artifacts(model.model_id, path), None)
    added = {"registered_model_meta", "__pycache__"}
    return digest({path: size for path, size in found.items() if not added & set(Path(path).parts)})[:16]


def sizes(listed: "Callable[[str | None], list[FileInfo]]", folder: str | None) -> dict[str, int]:
    """The size in bytes of each artifact in a folder, by its path, of which ``listed`` lists one level."""
    found: dict[str, int] = {}
    for one in listed(folder):
        found |= sizes(listed, one.path) if one.is_dir else {one.path: one.file_size or 0}
    return found
