"""A small project in git and DVC with a stage `train` that trains for real, and a sweep over a small network."""

import shlex
from pathlib import Path
from typing import Any

import yaml

from tests.pipeline.processed import process
from tests.pipeline.workspace import ROOT, output

NETWORK = "mlp"
EPOCHS = 5
DVC = """
stages:
  train:
    matrix:
      network: ${candidates}
    cmd: python -m pipeline.train ${item.network}
    deps: [data/processed/train, data/processed/val]
    params: [data.source, train, "networks.${item.network}"]
    outs:
    - models/trained/${item.network}
"""


def write(folder: Path, sweep: dict[str, Any]) -> None:
    """Write its files to ``folder``, which is the working directory, with made-up digits."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["data"]["source"] = "mnist-sample"
    params["candidates"] = [NETWORK]
    params["networks"][NETWORK] |= {"hidden": [32], "batch_size": 64, "epochs": EPOCHS, "augment": None}
    params["sweep"] |= {"network": NETWORK} | sweep
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    (folder / "dvc.yaml").write_text(DVC)
    (folder / ".gitignore").write_text((ROOT / ".gitignore").read_text())
    process(known=True)


def build(folder: Path, sweep: dict[str, Any]) -> None:
    """Make it in ``folder``, which is the working directory, in git and DVC."""
    write(folder, sweep)
    for command in (
        "git init --quiet --initial-branch=main",
        "git config user.name t",
        "git config user.email t@localhost",
        "dvc init --quiet",
        "git add --all",
        "git commit --quiet --message first",
    ):
        output(folder, *shlex.split(command))
