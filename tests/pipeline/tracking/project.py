"""A small project, made up: what every stage writes, for networks that were never trained."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.tracking import runkey
from tests import toy_model

NETWORKS = ["perceptron", "convnet"]
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
stages:
  preprocess:
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
    """Write models/trained/NETWORK and models/candidates/NETWORK; another `gain` gives another model."""
    record = runkey.inputs(f"train@{network}", root).record(network, "mnist-sample")
    folder, exported = root / "models/trained" / network, root / "models/candidates" / network
    write(folder / "run.json", json.dumps(record))
    write(folder / "curve.csv", "epoch,train_loss,val_loss,val_accuracy\n1,0.9,0.8,0.7\n2,0.5,0.4,0.9\n")
    write(folder / "weights.safetensors", f"weights of {network}, {gain}")
    write(exported / "export.json", json.dumps(record | {"export_key": f"{gain}"}))
    toy_model.write(exported / "model.onnx", {**toy_model.METADATA, "name": network}, gain)


def evaluate(root: Path, network: str, errors: int, first: int = 0) -> None:
    """Write reports/evaluate/NETWORK: the `errors` images from `first` on are answered wrongly."""
    labels = np.arange(IMAGES) % 10
    wrong = np.isin(np.arange(IMAGES), np.arange(first, first + errors))
    answers = pd.DataFrame({"row": np.arange(IMAGES), "label": labels, "digit": (labels + wrong) % 10})
    folder = root / "reports/evaluate" / network
    summary = {"images": IMAGES, "errors": errors, "accuracy": 1 - errors / IMAGES, "nll": 0.1}
    for split, short in (("validation", "val"), ("test", "test")):
        write(folder / f"{split}.json", json.dumps(summary))
        answers.to_parquet(folder / f"{short}.parquet")
    write(folder / "confusion.png", "a picture")


def audit(root: Path, network: str, error: float = 0.01) -> None:
    """Write reports/audit/NETWORK: the error must be at most 0.05, the gap cannot be measured."""
    gate = {"limit": "at most", "threshold": 0.05, "interval": None, "anchor": "", "section": "accuracy", "figures": []}
    gates = [
        gate | {"name": "error", "value": error, "passed": error <= 0.05, "measurable": True, "sentence": "Some err."},
        gate | {"name": "gap", "value": None, "passed": None, "measurable": False, "sentence": "No writers known."},
    ]
    values = {"error": error, "recipe": {"error": 0.004}}
    report = {"network": network, "source": "mnist-sample", "values": values, "gates": gates}
    folder = root / "reports/audit" / network
    write(folder / "audit.json", json.dumps(report))
    write(folder / "index.html", "<!doctype html>")
    write(folder / "tables/recall.csv", "digit,recall\n0,1\n")
    write(folder / ".gitignore", "/index.html\n")
