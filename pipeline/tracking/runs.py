"""A network's run in MLflow: begun by its training, filled by its evaluation and its audit.

Each `publish_...` reads a stage's outputs and makes MLflow agree with them. What is there already is not logged again,
so each may run as often as one likes, and any of them fills in what came before it.
"""

import csv
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import outputs, user
from pipeline.paths import (
    AUDIT,
    BEST,
    CANDIDATES,
    DREAMS,
    EVALUATIONS,
    PROCESSED,
    SHOW,
    TRAINED,
    VALIDATION,
    VERDICTS,
)
from pipeline.tracking import away, claim, dvc_experiment, exports, runkey, shown, store
from pipeline.tracking.git import git
from pipeline.tracking.runkey import read_json

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

Record = dict[str, Any]
"""The content of a run.json."""

MAX_VALUE = 6000  # MLflow's limit on the length of a parameter's value
KIND = "custom_model_development"  # or MLflow's pages are those for language models
MAX_BATCH = 1000  # MLflow's limit on the number of points logged at once


@contextmanager
def training(network: str, source: str, inputs: runkey.Inputs) -> Iterator[str | None]:
    """Hold a network's run open while the body trains, and yield the run's id; None where the store is away.

    A run with the same inputs is gone on with, so that a training that was killed ends in the run in which it began.
    The run ends as FINISHED, as FAILED where the body raises, or as KILLED where it is interrupted. Raises StoreError
    where another living process is training this run.
    """
    run_id = None
    with away.forgiven():
        client, record = store.open_store(), inputs.record(network, source)
        found = claim.take_run(
            client, network, record["run_key"], lambda: find_run(client, record) or create_run(client, record)
        )
        run_id = found.info.run_id
        log_parameters(client, found, record)
    if run_id is None:
        yield None
        return
    with ending(client, run_id):
        yield run_id


@contextmanager
def ending(client: "MlflowClient", run_id: str) -> Iterator[None]:
    """End a run of this process with the body: as FINISHED, as FAILED where it raises, as KILLED if interrupted."""
    status = "KILLED"
    try:
        with claim.beating(client, run_id):
            yield
        status = "FINISHED"
    except Exception:
        status = "FAILED"
        raise
    finally:
        with away.forgiven():
            if claim.is_ours(client.get_run(run_id).data.tags):
                client.set_terminated(run_id, status)


@away.or_later
def publish_training(network: str) -> list[str]:
    """Make MLflow agree with models/trained/NAME: the curve and the weights. Returns what it did not have."""
    outputs.show(TRAINED / network)
    return publish_run(store.open_store(), read_json(TRAINED / network / "run.json"))[1]


@away.or_later
def publish_export(network: str) -> list[str]:
    """Make MLflow agree with models/candidates/NAME too: the ONNX model, a version of its own.

    Returns what it did not have.
    """
    return publish_model(store.open_store(), CANDIDATES / network)[1]


@away.or_later
def publish_evaluation(network: str) -> list[str]:
    """Make MLflow agree with reports/evaluate/NAME, metrics as val/... and test/.... Returns what it did not have."""
    client = store.open_store()
    export, new = publish_model(client, CANDIDATES / network)
    folder = EVALUATIONS / network
    found = {short: read_json(folder / f"{split}.json") for short, split in (("val", "validation"), ("test", "test"))}
    values = {f"{short}/{name}": value for short, summary in found.items() for name, value in summary.items()}
    new += log_metrics(client, export, "evaluation metrics", values)
    new += log_test_set(client, export.run)
    exports.describe(client, export, found["val"]["accuracy"])
    new += log_files(client, export.run, "evaluation", written(folder))
    new += log_files(client, export.run, "validation", list(VALIDATION.glob(f"{network}.parquet")))
    return new


@away.or_later
def publish_audit(network: str) -> list[str]:
    """Make MLflow agree with reports/verdicts/NAME.json, values as gate/... and out_of_fold/..., verdicts as tags, and
    with reports/audit/NAME.

    Verdicts on another model than that in models/candidates/NAME are left out. Returns what MLflow did not have.
    """
    client = store.open_store()
    export, new = publish_model(client, CANDIDATES / network)
    file = VERDICTS / f"{network}.json"
    verdicts = read_json(file)
    if not export.model.tags["model_sha256"].startswith(verdicts["version"]):
        return new
    gates = verdicts["gates"]
    values = {f"gate/{gate['name']}": gate["value"] for gate in gates}
    values |= {
        f"out_of_fold/{name}": number(found) for name, found in verdicts["values"].get("out_of_fold", {}).items()
    }
    new += log_metrics(client, export, "gates", {name: value for name, value in values.items() if value is not None})
    tags = {"gates": outcome(gates)}
    tag(client, export.run.info.run_id, tags | {f"gate.{gate['name']}": gate["status"] for gate in gates})
    exports.tag_version(client, export.version, tags)
    new += log_files(client, export.run, "verdicts", [file])
    new += log_files(client, export.run, "audit", written(AUDIT / network))
    return new


@away.or_later
def publish_show() -> list[str]:
    """Make the champion's run agree with reports/dreams.png and the pictures in show/ that it is made of.

    Pictures of another model than that in models/best are left out. Returns what MLflow did not have.
    """
    if read_json(SHOW / "dreams.json")["version"] != runkey.hash_path(BEST / "model.onnx")[:12]:
        return []
    client = store.open_store()
    export, new = publish_model(client, BEST)
    return new + log_files(client, export.run, "dreams", [DREAMS, *sorted(SHOW.glob("dreams*"))])


def publish_model(client: "MlflowClient", exported: Path) -> tuple[exports.Export, list[str]]:
    """Make MLflow agree with a folder that has an export and the record of its training.

    Returns what MLflow has of it now, and what it did not have before.
    """
    run, new = publish_run(client, read_json(exported / "run.json"))
    export, more = exports.publish(client, run, exported)
    return export, new + more


def publish_run(client: "MlflowClient", record: Record) -> tuple["Run", list[str]]:
    """Make MLflow agree with a training, by its folder where that is at hand.

    Returns the run as it now is, and what it did not have before.
    """
    run, new = find_run(client, record), list[str]()
    if run is None:
        run, new = create_run(client, record), ["run"]
        tag(client, run.info.run_id, {"filled_from": "DVC's outputs: this store did not see the training"})
        client.set_terminated(run.info.run_id, "FINISHED")
    else:
        new += log_parameters(client, run, record)
    folder = TRAINED / record["network"]
    if (folder / "run.json").exists() and read_json(folder / "run.json")["run_key"] == record["run_key"]:
        new += log_curve(client, run, folder / "curve.csv")
        new += log_files(client, run, "training", written(folder))
        if run.info.status in ("FAILED", "KILLED"):  # the store was away when it ended: what it made is here
            client.set_terminated(run.info.run_id, "FINISHED")
    return client.get_run(run.info.run_id), new


def outcome(gates: list[dict[str, Any]]) -> str:
    """All gates' status in words."""
    failed = [gate["name"] for gate in gates if gate["status"] == "failed"]
    return f"failed: {', '.join(failed)}" if failed else "passed"


def number(found: Any) -> float | None:
    """The number that was measured, of an estimate its value; None of what is neither."""
    value = found.get("value") if isinstance(found, dict) else found
    return value if isinstance(value, int | float) else None


def find_run(client: "MlflowClient", record: Record) -> "Run | None":
    """The run with this record's run key, if there is one."""
    filters = f"tags.run_key = '{record['run_key']}' AND tags.network = '{record['network']}'"
    runs = client.search_runs([store.experiment(client, record["source"])], filters)
    return runs[0] if runs else None


def create_run(client: "MlflowClient", record: Record) -> "Run":
    """Begin a run, with its parameters, the tags that lead to commit and hashes, and its data sets."""
    network, source, key, inputs = record["network"], record["source"], record["run_key"], record["inputs"]
    hashes = inputs["data"] | inputs["code"]
    tags = (
        {"stage": "train", "network": network, "source": source, "run_key": key}
        | {f"input.{path}": sha for path, sha in hashes.items()}
        | {f"dvc.{path}": md5 for path, md5 in runkey.dvc_hashes().items() if runkey.covers(path, hashes)}
        | git_tags([*inputs["code"], "params.yaml", "dvc.yaml"])
        | {"mlflow.user": user(), "mlflow.source.name": "pipeline/train.py", "mlflow.source.type": "LOCAL"}
        | store.owner()
        | dvc_experiment.tags()
    )
    tags["mlflow.note.content"] = describe(record, tags)
    experiment = store.experiment(client, source)
    client.set_experiment_tag(experiment, "mlflow.experimentKind", KIND)
    tags |= dvc_experiment.nested(client, experiment, source)
    run = client.create_run(experiment, run_name=f"{network}-{key[:8]}", tags=tags)
    log_parameters(client, run, record)
    client.log_inputs(run.info.run_id, shown.datasets(source, inputs["data"]))
    return client.get_run(run.info.run_id)


def describe(record: Record, tags: dict[str, str]) -> str:
    """The run's description, shown at the top of its page."""
    commit = tags.get("mlflow.source.git.commit", "an unknown commit")[:12]
    changed = " with changes that are not committed" if tags.get("git_dirty") == "true" else ""
    network, files = record["network"], TRAINED / record["network"] / "run.json"
    return (
        f"**{network}**, trained on `{record['source']}` by the stage `train@{network}` at commit `{commit}`{changed}. "
        f"The run key `{record['run_key']}` stands in `{files}` too, which DVC tracks. The tags `input.…` are the "
        "sha256 of everything that the training read, the tags `dvc.…` the hashes under which DVC keeps it."
    )


def log_parameters(client: "MlflowClient", run: "Run", record: Record) -> list[str]:
    """Log the parameters that a run has not: all of a new one, the common names where the last version made it."""
    from mlflow.entities import Param

    named = shown.hyperparameters(record["inputs"]["params"], record["network"])
    new = [Param(name, str(value)[:MAX_VALUE]) for name, value in named.items() if name not in run.data.params]
    client.log_batch(run.info.run_id, params=new)
    return ["parameters"] if new else []


def git_tags(paths: list[str]) -> dict[str, str]:
    """The commit, and whether these paths differ from it; nothing outside a git repository."""
    if not (commit := git("rev-parse", "HEAD").strip()):
        return {}
    dirty = bool(git("status", "--porcelain", "--", *paths))
    return {"mlflow.source.git.commit": commit, "git_commit": commit, "git_dirty": str(dirty).lower()}


def log_curve(client: "MlflowClient", run: "Run", path: Path) -> list[str]:
    """Log a training curve, a point per epoch, where the run has none or only a part."""
    from mlflow.entities import Metric

    content = runkey.hash_path(path)[:16]
    if run.data.tags.get("published.curve") == content:
        return []
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    now = int(time.time() * 1000)
    names = [f"curve/{name}" for name in rows[0] if name != "epoch"]
    have = {name: store.steps(client, run.info.run_id, name) for name in names if name in run.data.metrics}
    points = [
        Metric(name, float(row[name.removeprefix("curve/")]), now, epoch)
        for row in rows
        for name in names
        if (epoch := int(row["epoch"])) not in have.get(name, ())
    ]
    for start in range(0, len(points), MAX_BATCH):
        client.log_batch(run.info.run_id, metrics=points[start : start + MAX_BATCH])
    client.set_tag(run.info.run_id, "published.curve", content)
    return ["curve"] if points else []


def log_metrics(client: "MlflowClient", export: exports.Export, what: str, values: Mapping[str, float]) -> list[str]:
    """Log the values that differ from those that the run or the model has, for both."""
    from mlflow.entities import Metric

    of_model = {metric.key: metric.value for metric in export.model.metrics or []}
    now = int(time.time() * 1000)
    metrics = [
        Metric(name, float(value), now, 0, model_id=export.model.model_id)
        for name, value in values.items()
        if not (export.run.data.metrics.get(name) == of_model.get(name) == value)
    ]
    client.log_batch(export.run.info.run_id, metrics=metrics)
    return [what] if metrics else []


def log_test_set(client: "MlflowClient", run: "Run") -> list[str]:
    """Log the test set among the run's data sets, unless it is there or not at hand."""
    folder, source = PROCESSED / "test", run.data.tags["source"]
    known = run.inputs.dataset_inputs if run.inputs else []
    if not folder.exists() or any(one.dataset.name == f"{source}-test" for one in known):
        return []
    client.log_inputs(run.info.run_id, shown.datasets(source, {str(folder): runkey.hash_path(folder)}))
    return ["test set"]


def written(folder: Path) -> list[Path]:
    """What a stage wrote in a folder, without DVC's .gitignore; nothing where the folder is not at hand."""
    return sorted(path for path in folder.glob("*") if not path.name.startswith("."))


def log_files(client: "MlflowClient", run: "Run", part: str, files: list[Path]) -> list[str]:
    """Log files and folders as artifacts in a folder, unless the same content stands there already."""
    if not files:
        return []
    content = runkey.digest({file.name: runkey.hash_path(file) for file in files})[:16]
    stored = exports.sizes(lambda path: client.list_artifacts(run.info.run_id, path), part)
    if run.data.tags.get(f"published.{part}") == content and stored.items() >= sizes(files, part).items():
        return []
    for file in files:
        client.log_artifact(run.info.run_id, str(file), part)
    client.set_tag(run.info.run_id, f"published.{part}", content)
    return [f"{part} files"]


def sizes(files: list[Path], part: str) -> dict[str, int]:
    """The size in bytes of each of these files, and of those in these folders, by its name in a run's artifacts."""
    inner = [(file, found) for file in files for found in (file, *file.rglob("*")) if found.is_file()]
    return {f"{part}/{found.relative_to(file.parent).as_posix()}": found.stat().st_size for file, found in inner}


def tag(client: "MlflowClient", run_id: str, tags: Mapping[str, str]) -> None:
    """Set several tags at once."""
    from mlflow.entities import RunTag

    client.log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()])
