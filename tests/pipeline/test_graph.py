"""dvc.yaml says of each stage what it really reads, and nothing is chosen by looking at the test set."""

import ast
import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from pipeline import params
from tests.pipeline.processed import process
from tests.pipeline.workspace import ROOT, edited, project

CANDIDATES: list[str] = params.load("candidates")
STAGES: dict[str, Any] = yaml.safe_load(Path("dvc.yaml").read_text())["stages"]
LEARNING = ("train", "export", "cross_validate", "cross_predict")
UNTOLD = {
    "pipeline/ending.py",
    "pipeline/guard.py",
    "pipeline/outputs.py",
    "pipeline/params.py",
    "pipeline/paths.py",
    "pipeline/stage.py",
    "pipeline/strict.py",
    "pipeline/tracking",
}
"""What makes no number: arguments and parameters, where files lie, errors' words, how processes end, MLflow's runs."""


def read_by(stage: str) -> set[str]:
    """The dependencies of a stage, those of the first network where it has a matrix."""
    return {dep.replace("${item.network}", "perceptron") for dep in STAGES[stage].get("deps", [])}


class AskedError(Exception):
    """The stage has asked for its parameters."""


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_loads_the_parameters_that_it_declares(stage, monkeypatch):
    declared = {key.replace("${item.network}", "perceptron") for key in STAGES[stage].get("params", [])}
    if not declared:
        assert "params" not in dir(importlib.import_module(f"pipeline.{stage}"))
        return
    loaded: set[str] = set()

    def spy(*keys: str, **_: Any) -> None:
        loaded.update(keys)
        raise AskedError

    monkeypatch.setattr(params, "load", spy)
    module = importlib.import_module(f"pipeline.{stage}")
    if hasattr(module, "load"):
        monkeypatch.setattr(module, "load", spy)
    with pytest.raises(AskedError):
        module.main(["perceptron"] if "matrix" in STAGES[stage] else [])
    assert loaded == declared


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_declares_the_code_that_it_imports(stage):
    declared = read_by(stage) | UNTOLD
    seen: set[str] = set()
    waiting = [f"pipeline.{stage}"]
    while waiting:
        name = waiting.pop()
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        path = Path(spec.origin).relative_to(Path.cwd())
        if str(path) in seen or any(path.is_relative_to(told) for told in UNTOLD):
            continue
        seen.add(str(path))
        waiting += imported(ast.parse(path.read_text()))
    undeclared = {
        path for path in seen if not any(Path(path).is_relative_to(dep) for dep in declared) and "__init__" not in path
    }
    assert not undeclared


def imported(tree: ast.AST) -> list[str]:
    """The project's own modules that a module imports."""
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
    return [name for name in names if name.split(".")[0] in ("pipeline", "serving") and is_module(name)]


def is_module(name: str) -> bool:
    path = Path(name.replace(".", "/"))
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def test_nothing_that_trains_or_selects_declares_the_test_set():
    from_test = {"data/processed/test", "data/processed", "data", "reports/evaluate/perceptron/test.json"}
    from_test |= {"reports/evaluate/perceptron/test.parquet"}
    for stage in (*LEARNING, "promote"):
        assert not read_by(stage) & from_test, stage
    assert {"data/processed/train", "data/processed/val"} <= read_by("train")
    folders = {"models/candidates", "reports/validation", "reports/verdicts"}
    assert {dep for dep in read_by("promote") if dep.startswith(("data/", "models/", "reports/"))} == folders


SCRIPT = """
import importlib, sys

def watch(event, arguments):
    if event == "open" and "processed/test" in str(arguments[0]):
        print(f"opened {arguments[0]}", file=sys.stderr)
        sys.exit("a stage opened the test set")

sys.addaudithook(watch)
importlib.import_module(f"pipeline.{sys.argv[1]}").main(sys.argv[2:])
print("loaded:", *(name for name in ("torch", "mlflow") if name in sys.modules))
"""


def run_stage(folder: Path, stage: str, *arguments: str) -> str:
    """Run a stage in a project of its own, with one core; return what it printed. It dies if it opens test data."""
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}",
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, stage, *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def tiny(tmp_path: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of made-up digits, with two folds of a perceptron, none of an MLP, and a poisoned test set."""
    project(tmp_path, "mnist", empty_database)
    with edited(tmp_path / "params.yaml") as changed:
        changed["networks"]["perceptron"] |= {"epochs": 2, "batch_size": 64}
        changed["folds"] = {"perceptron": 2}
    monkeypatch.chdir(tmp_path)
    process(known=True)
    poisoned = tmp_path / "data/processed/test"
    poisoned.mkdir()
    for name in ("images.npy", "labels.npy"):
        (poisoned / name).write_text("nothing that learns may open this")
    return tmp_path


@pytest.mark.slow
def test_nothing_that_learns_or_calibrates_opens_the_test_set(tiny: Path):
    for stage in LEARNING:
        run_stage(tiny, stage, "perceptron")
    assert (tiny / "models/candidates/perceptron/model.onnx").exists()
    predicted = pd.read_parquet(tiny / "reports/out_of_fold/perceptron.parquet")
    dealt = pd.read_parquet(tiny / "models/folds/perceptron/folds.parquet")
    pd.testing.assert_frame_equal(
        predicted[["split", "row", "fold", "label"]], dealt[["split", "row", "fold", "label"]]
    )
    probabilities = predicted[[f"p{digit}" for digit in range(10)]].to_numpy()
    np.testing.assert_array_equal(probabilities.argmax(1), predicted["digit"])
    np.testing.assert_allclose(probabilities.max(1), predicted["confidence"])
    assert predicted["abstained"].dtype == bool


@pytest.mark.slow
def test_the_choice_of_a_champion_opens_no_test_set(project: Path):
    run_stage(project, "promote")
    assert (project / "models/best/model.onnx").exists()


@pytest.mark.parametrize("stage", ["cross_validate", "cross_predict"])
def test_a_stage_without_folds_ends_without_torch_or_mlflow(tiny: Path, stage: str):
    empty = tiny / "models/folds/mlp"
    empty.mkdir(parents=True)
    pd.DataFrame(columns=["split", "row", "label", "fold"]).to_parquet(empty / "folds.parquet")
    assert run_stage(tiny, stage, "mlp").endswith("loaded:\n")


def test_a_stage_depends_on_whole_outputs():
    """DVC cannot restore a stage that reads part of an output, where dvc.lock names data that its cache never held."""
    made: set[str] = set()
    for stage in STAGES.values():
        for entry in stage.get("outs", []) + stage.get("metrics", []):
            path = entry if isinstance(entry, str) else next(iter(entry))
            names = CANDIDATES if "matrix" in stage else [""]
            made |= {path.replace("${item.network}", name) for name in names}
    for stage in STAGES:
        for dep in read_by(stage):
            assert not any(dep.startswith(f"{output}/") for output in made), f"{stage} reads a part: {dep}"


def test_the_matrix_of_every_stage_names_the_same_networks():
    matrices = [stage["matrix"]["network"] for stage in STAGES.values() if "matrix" in stage]
    assert matrices == ["${candidates}"] * 7


def test_stages_are_run_as_modules_from_the_root():
    for stage, description in STAGES.items():
        assert description["cmd"].startswith(f"python -m pipeline.{stage}")
        assert f"pipeline/{stage}.py" in description["deps"]
    assert sys.version_info[:2] == (3, 11)
