"""dvc.yaml says of each stage what it really reads, and nothing is chosen by looking at the test set."""

import ast
import importlib
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline import params

STAGES: dict[str, Any] = yaml.safe_load(Path("dvc.yaml").read_text())["stages"]
UNTOLD = {"pipeline/params.py", "pipeline/stage.py", "pipeline/tracking"}
"""What makes no number: the reading of arguments and parameters, the wording of errors, the reporting to MLflow."""


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


def test_nothing_that_trains_or_selects_reads_the_test_set():
    from_test = {"data/processed/test", "data/processed", "data", "reports/evaluate/perceptron/test.json"}
    from_test |= {"data/processed/samples.parquet", "reports/evaluate/perceptron/test.parquet"}
    for stage in ("train", "promote"):
        assert not read_by(stage) & from_test, stage
    assert {"data/processed/train", "data/processed/val"} <= read_by("train")
    gates = {"reports/audit/perceptron/audit.json"}
    assert {dep for dep in read_by("promote") if dep.startswith("reports/")} >= gates
    sources = Path("pipeline/train.py").read_text(), Path("pipeline/promote.py").read_text()
    assert not any('"test"' in source or "test.json" in source or "test.parquet" in source for source in sources)


def test_a_stage_depends_on_whole_outputs():
    """DVC cannot restore a stage that reads part of an output, where dvc.lock names data that its cache never held."""
    made: set[str] = set()
    for stage in STAGES.values():
        for entry in stage.get("outs", []) + stage.get("metrics", []):
            path = entry if isinstance(entry, str) else next(iter(entry))
            names = stage["matrix"]["network"] if "matrix" in stage else [""]
            made |= {path.replace("${item.network}", name) for name in names}
    for stage in STAGES:
        for dep in read_by(stage):
            assert not any(dep.startswith(f"{output}/") for output in made), f"{stage} reads a part: {dep}"


def test_the_matrix_of_every_stage_names_the_same_networks():
    matrices = [stage["matrix"]["network"] for stage in STAGES.values() if "matrix" in stage]
    assert len(matrices) == 4
    assert all(matrix == matrices[0] for matrix in matrices)
    for network in matrices[0]:
        assert f"models/{network}" in STAGES["promote"]["deps"]
        for gates in params.load("audit.gates").values():
            assert network in gates


def test_stages_are_run_as_modules_from_the_root():
    for stage, description in STAGES.items():
        assert description["cmd"].startswith(f"python -m pipeline.{stage}")
        assert f"pipeline/{stage}.py" in description["deps"]
    assert sys.version_info[:2] == (3, 11)
