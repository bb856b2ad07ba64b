"""What the last version, of commit 984e652, left behind: its champion's folder, and its MLflow store."""

import json
from pathlib import Path
from typing import Any

import mlflow
import mlflow.onnx
import onnx
from mlflow.models import Model

from pipeline.tracking import runkey, store

SOURCE, NETWORK, RUN_KEY = "mnist-sample", "convnet", "0123456789abcdef"
NAME = f"inkwell-{SOURCE}"
KEPT = ("value", "interval", "limit", "threshold", "sentence", "anchor")


def take_back(best: Path) -> None:
    """Make of models/best what the last version had there: audit.json for verdicts.json, and no export.json."""
    verdicts = json.loads((best / "verdicts.json").read_text())
    gates = [audited(gate) for gate in verdicts["gates"]]
    audit = {"network": verdicts["network"], "source": verdicts["source"], "values": {}, "gates": gates}
    audit["findings"] = {"accuracy": ["Of accuracy."], "recipe": ["What the folds found."]}
    (best / "audit.json").write_text(json.dumps(audit))
    (best / "verdicts.json").unlink()
    (best / "export.json").unlink()
    (best / "weights.safetensors").write_text("weights")
    run = json.loads((best / "run.json").read_text())
    (best / "run.json").write_text(json.dumps(run | {"run_key": RUN_KEY}))


def audited(gate: dict[str, Any]) -> dict[str, Any]:
    """A gate as it stood in audit.json."""
    passed = None if gate["value"] is None else gate["status"] != "failed"
    told = {"name": gate["name"], "section": gate["section"], "figures": [], "passed": passed}
    return told | {key: gate[key] for key in KEPT} | {"measurable": passed is not None}


def fill_store(best: Path) -> None:
    """Publish a champion's folder as the last version did."""
    client = store.open_store()
    experiment = store.experiment(client, SOURCE)
    tags = {"stage": "train", "network": NETWORK, "source": SOURCE, "run_key": RUN_KEY}
    run = client.create_run(experiment, run_name=f"{NETWORK}-old", tags=tags | store.owner())
    client.log_metric(run.info.run_id, "recipe/error", 0.004)
    client.set_terminated(run.info.run_id, "FINISHED")
    of_model = {"model_sha256": runkey.hash_path(best / "model.onnx"), "run_key": RUN_KEY}
    logged = client.create_logged_model(experiment, NETWORK, run.info.run_id, of_model)
    graph = onnx.load(best / "model.onnx")
    Model.log(None, mlflow.onnx, run_id=run.info.run_id, model_id=logged.model_id, onnx_model=graph)
    client.create_registered_model(NAME, {"source": SOURCE})
    since = "2026-01-02 03:04:05 UTC"
    made = client.create_model_version(
        NAME,
        f"models:/{logged.model_id}",
        run.info.run_id,
        of_model | {"network": NETWORK, "gates": "passed", "champion_since": since},
        model_id=logged.model_id,
    )
    client.set_registered_model_tag(NAME, "champion 001", f"{NETWORK} (version 1) since {since}. First.")
    client.set_registered_model_alias(NAME, "champion", made.version)
