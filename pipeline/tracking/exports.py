"""An export in MLflow: a logged model of the training's run, and a version of the data source's registered model.

A model is known by its bytes, and its export key, over weights and calibration, leads back to what made it. A training
that is exported again, calibrated otherwise, has another model and another version in the same run.
"""

import json
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pipeline.tracking import dvc_experiment
from pipeline.tracking.runkey import digest, hash_path, read_json

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import FileInfo, LoggedModel, Run
    from mlflow.entities.model_registry import ModelVersion

EXAMPLE = Path("data/processed/val/images.npy")
"""Whose first image is shown beside a model."""


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
    tags = {"run_key": run.data.tags["run_key"], "model_sha256": sha256}
    if record:
        tags["export_key"] = record["export_key"]
    new: list[str] = []

    model = find_model(client, run, sha256)
    if model is None or not is_whole(client, model):
        params = {name: str(value) for name, value in record.get("inputs", {}).get("params", {}).items()}
        model = log_onnx(client, run, folder / "model.onnx", tags, run.data.params | params, model)
        new.append("ONNX model")
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
    """The name of a data source's registered model, which is created where there is none."""
    from mlflow import MlflowException

    name = f"inkwell-{source}"
    if not client.search_registered_models(f"name = '{name}'"):
        try:
            client.create_registered_model(name, {"source": source}, "No model has become champion yet.")
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
    """Say of a version how accurate it is on validation."""
    text = f"{export.run.data.tags['network']}: {accuracy:.2%} on validation"
    if export.version.description != text:
        client.update_model_version(export.version.name, export.version.version, text)


def find_model(client: "MlflowClient", run: "Run", sha256: str) -> "LoggedModel | None":
    """The run's logged model with these bytes, if there is one that is complete."""
    filters = f"source_run_id = '{run.info.run_id}' AND tags.model_sha256 = '{sha256}'"
    found = client.search_logged_models([run.info.experiment_id], filter_string=filters)
    return next((model for model in found if model.status == "READY"), None)


def log_onnx(
    client: "MlflowClient",
    run: "Run",
    path: Path,
    tags: dict[str, str],
    params: dict[str, str],
    lost: "LoggedModel | None",
) -> "LoggedModel":
    """Log an ONNX model with signature, input example and requirements, in the place of one that lost its files."""
    import mlflow
    import mlflow.onnx
    import onnx
    from mlflow.models import Model, ModelSignature
    from mlflow.types import Schema, TensorSpec

    def schema(values: Iterable[Any]) -> Schema:
        return Schema([TensorSpec(np.dtype(np.float32), shape(value), value.name) for value in values])

    graph = onnx.load(path)
    image = np.load(EXAMPLE, mmap_mode="r")[:1] if EXAMPLE.exists() else np.zeros((1, 28, 28))
    logged = lost or client.create_logged_model(
        run.info.experiment_id, run.data.tags["network"], run.info.run_id, tags, params
    )
    Model.log(
        None,
        mlflow.onnx,
        run_id=None if lost else run.info.run_id,  # whose output it is already
        model_id=logged.model_id,
        onnx_model=graph,
        save_as_external_data=False,
        onnx_execution_providers=["CPUExecutionProvider"],
        signature=ModelSignature(schema(graph.graph.input), schema(graph.graph.output)),
        input_example={graph.graph.input[0].name: np.asarray(image, np.float32)},
        pip_requirements=[f"{package}=={version(package)}" for package in ("numpy", "onnx", "onnxruntime")],
    )
    client.set_logged_model_tags(logged.model_id, tags | {"files": files(client, logged)})
    return client.get_logged_model(logged.model_id)


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


def shape(value: Any) -> tuple[int, ...]:
    """The shape of an ONNX input or output, with -1 for a dimension that is free."""
    return tuple(dim.dim_value if dim.HasField("dim_value") else -1 for dim in value.type.tensor_type.shape.dim)
