"""`make texts` in a checkout of its own makes the images, trains, prints its table and leaves the main graph be."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.pipeline.workspace import ROOT, prepare

pytestmark = pytest.mark.slow
KEPT = {"linear": 4, "perceptron": 2, "zero_or_one": 8}
"""Networks and their epochs."""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code and both graphs as a commit, on the UCI digits, with few networks, in batches that fit so few images."""
    folder = tmp_path_factory.mktemp("texts")
    others = shutil.ignore_patterns("__pycache__", "cache", "tmp", "trained", "reports", "dvc.lock")
    for name in ("pipeline", "serving", "texts"):
        shutil.copytree(ROOT / name, folder / name, ignore=None if name != "texts" else others)
    for name in (".dvc/config", ".dvc/.gitignore", ".dvcignore", ".gitignore", "dvc.yaml"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    prepare(folder, "uci-digits")
    path = folder / "texts/params.yaml"
    params = yaml.safe_load(path.read_text(encoding="utf-8"))
    networks = {name: params["networks"][name] | {"epochs": epochs, "batch_size": 32} for name, epochs in KEPT.items()}
    path.write_text(yaml.safe_dump(params | {"networks": networks, "compared": ["perceptron"]}))
    output(folder, "git", "init", "--quiet")
    output(folder, "git", "add", ".")
    output(folder, "git", "-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "--quiet", "-m", "checkout")
    return folder


def output(folder: Path, *command: str) -> str:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW", "GIT_"))}
    path = f"{Path(sys.executable).parent}:{own['PATH']}"
    done = subprocess.run(
        command, cwd=folder, env={**own, "PATH": path, "COLUMNS": "160"}, capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_makes_the_images_trains_and_prints_a_table(checkout):
    told = output(checkout, sys.executable, "-m", "pipeline.texts")
    accuracy = json.loads((checkout / "texts/reports/accuracy.json").read_text(encoding="utf-8"))
    assert accuracy.keys() == KEPT.keys()
    rows = {line.split()[0]: line for line in told.partition("seconds")[2].splitlines() if line.strip()}
    for name, measured in accuracy.items():
        assert f"{measured['validation']:.2%}" in rows[name]
        assert f"{measured['test']:.2%}" in rows[name]
    assert "784-16-16-10" in rows["perceptron"]
    assert "13,002" in rows["perceptron"]
    assert "about 92 %" in rows["linear"]
    assert "set by a person" in rows["by_hand"]
    assert accuracy["zero_or_one"]["test"] > 0.95
    assert accuracy["linear"]["test"] > 0.8
    for figure in ("gradients", "learning", "weights"):
        assert (checkout / f"texts/reports/{figure}.png").read_bytes().startswith(b"\x89PNG")

    again = output(checkout, sys.executable, "-m", "pipeline.texts")
    assert "Running stage" not in again
    assert rows["perceptron"] in again

    assert set(yaml.safe_load((checkout / "dvc.lock").read_text(encoding="utf-8"))["stages"]) == {
        "download",
        "preprocess",
    }
    main = output(checkout, "dvc", "status", "preprocess")
    assert "up to date" in main
    changed = {line[3:] for line in output(checkout, "git", "status", "--porcelain").splitlines()}
    assert changed == {"dvc.lock", "texts/dvc.lock", "texts/reports/"}
