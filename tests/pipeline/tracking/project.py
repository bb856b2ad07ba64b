"""A small project, made up: what every stage writes, for networks that were never trained."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.audits.gates import GATES, Estimate, Verdict
from pipeline.report import scorecard
from pipeline.report.sections import Section
from pipeline.tracking import runkey
from tests import toy_model

NETWORKS = ["perceptron", "convnet"]
SOURCE = "mnist-sample"
IMAGES = 200
DVC = """
stages:
  preprocess:
    cmd: python -m pipeline.preprocess
    deps: [data/raw]
    params: [data.source]
    outs: [data/processed]
  train:
    matrix:
      network: ${candidates}
    cmd: python -m pipeline.train ${item.network}
    deps: [data/processed/train, data/processed/val, pipeline/train.py]
    params: [train, "networks.${item.network}"]
    outs:
      - models/trained/${item.network}
  export:
    matrix:
      network: ${candidates}
    cmd: python -m pipeline.export ${item.network}
    deps: ["models/trained/${item.network}"]
    params: [calibration]
    outs:
      - models/candidates/${item.network}
  promote:
    cmd: python -m pipeline.promote
    outs:
      - models/best: {persist: true}
"""
LOCK = """
schema: '2.0'
stages:
  preprocess:
    cmd: python -m pipeline.preprocess
    outs:
    - {path: data/processed, md5: 0123456789abcdef0123456789abcdef.dir}
"""


def build(root: Path) -> Path:
    """Write the project's outputs, two networks of which the second is the better one."""
    params = Path("params.yaml").read_text().replace("source: mnist ", "source: mnist-sample ")
    params = params.replace("- mlp\n", "")
    write(root / "params.yaml", params)
    write(root / "dvc.yaml", DVC)
    write(root / "dvc.lock", LOCK)
    write(root / "pipeline/train.py", "print('train')\n")
    rng = np.random.default_rng(0)
    for split in ("train", "val", "test"):
        images = rng.integers(0, 256, (8, 28, 28), dtype=np.uint8)
        (root / "data/processed" / split).mkdir(parents=True)
        np.save(root / "data/processed" / split / "images.npy", images)
    for network, errors in zip(NETWORKS, (40, 4), strict=True):
        train(root, network)
        evaluate(root, network, errors)
        audit(root, network)
    return root


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def train(root: Path, network: str, gain: float = 0.2) -> None:
    """Write models/trained/NETWORK, and models/candidates/NETWORK too; another `gain` gives another model."""
    record = runkey.inputs(f"train@{network}", root).record(network, SOURCE)
    folder = root / "models/trained" / network
    write(folder / "run.json", json.dumps(record))
    write(folder / "curve.csv", "epoch,train_loss,val_loss,val_accuracy\n1,0.9,0.8,0.7\n2,0.5,0.4,0.9\n")
    write(folder / "weights.safetensors", f"weights of {network}, {gain}")
    export(root, network, gain)


def export(root: Path, network: str, gain: float) -> None:
    """Write models/candidates/NETWORK, of the training that is there and the calibration in params.yaml."""
    run = json.loads((root / "models/trained" / network / "run.json").read_text())
    read = runkey.inputs(f"export@{network}", root)
    folder = root / "models/candidates" / network
    write(folder / "run.json", json.dumps(run))
    record = {**read.record(network, SOURCE), "run_key": run["run_key"], "export_key": read.key}
    write(folder / "export.json", json.dumps(record))
    toy_model.write(folder / "model.onnx", {**toy_model.METADATA, "name": network}, gain)


def calibrate(root: Path, abstention: float) -> None:
    """Change params.yaml's calibration."""
    params = (root / "params.yaml").read_text()
    write(root / "params.yaml", re.sub(r"(?m)^(  abstention:) \S+", rf"\1 {abstention}", params))


def evaluate(root: Path, network: str, errors: int, first: int = 0) -> None:
    """Write what evaluation does: the `errors` images from `first` on are answered wrongly."""
    labels = np.arange(IMAGES) % 10
    wrong = np.isin(np.arange(IMAGES), np.arange(first, first + errors))
    answers = pd.DataFrame({"row": np.arange(IMAGES), "label": labels, "digit": (labels + wrong) % 10})
    folder = root / "reports/evaluate" / network
    summary = {"images": IMAGES, "errors": errors, "accuracy": 1 - errors / IMAGES, "nll": 0.1}
    for split in ("validation", "test"):
        write(folder / f"{split}.json", json.dumps(summary))
    for place in (folder / "test.parquet", root / "reports/validation" / f"{network}.parquet"):
        place.parent.mkdir(parents=True, exist_ok=True)
        answers.to_parquet(place)
    write(folder / "confusion.png", "a picture")


def audit(root: Path, network: str, error: float = 0.01) -> None:
    """Write what the judge does: the error must be at most 0.05, the gap between populations cannot be measured."""
    verdicts = [
        Verdict(GATES["error"], Estimate(error), 0.05),
        Verdict(GATES["population_gap"], Estimate(None), 0.05),
    ]
    sentences = {"error": "Some err.", "population_gap": "No writers known."}
    sections = {one.gate.section: Section(one.gate.section, "", "", sentences) for one in verdicts}
    found = {
        "network": network,
        "source": SOURCE,
        "version": runkey.hash_path(root / "models/candidates" / network / "model.onnx")[:12],
        "gates": scorecard.records(verdicts, sections),
        "values": {"out_of_fold": {"error": {"value": 0.004, "interval": [0.003, 0.005]}, "images": 60_000}},
        "findings": {},
    }
    write(root / "reports/verdicts" / f"{network}.json", json.dumps(found))
    folder = root / "reports/audit" / network
    write(folder / "index.html", "<!doctype html>")
    write(folder / "tables/recall.csv", "digit,recall\n0,1\n")
    write(folder / ".gitignore", "/index.html\n")
