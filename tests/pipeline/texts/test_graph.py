"""The texts' graph says of each stage what it reads, and is no part of the main one."""

import ast
import importlib.util
from pathlib import Path

import pytest
import yaml
from dvc.repo import Repo

from tests.pipeline.test_graph import UNTOLD, imported

GRAPH = Path("texts/dvc.yaml")
STAGES = yaml.safe_load(GRAPH.read_text(encoding="utf-8"))["stages"]
OWN_UNTOLD = {
    "pipeline/texts/params.py",
    "pipeline/texts/paths.py",
    *(f"pipeline/data/{name}.py" for name in ("enlarge", "files", "idx", "mnist")),
}
"""As UNTOLD, and how the main pipeline reads and makes the images of its sources."""


def deps(stage: str) -> set[str]:
    entry = STAGES[stage]
    return {dep.removeprefix("../") for dep in entry.get("do", entry)["deps"]}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_declares_the_code_that_it_imports(stage):
    seen: set[str] = set()
    waiting = [f"pipeline.texts.{stage}"]
    while waiting:
        spec = importlib.util.find_spec(waiting.pop())
        assert spec is not None
        assert spec.origin is not None
        path = Path(spec.origin).relative_to(Path.cwd())
        if str(path) not in seen and not any(path.is_relative_to(told) for told in UNTOLD):
            seen.add(str(path))
            waiting += imported(ast.parse(path.read_text(encoding="utf-8")))
    assert not {path for path in seen - deps(stage) - OWN_UNTOLD if "__init__" not in path}


def test_the_test_set_is_evaluates_alone():
    assert [stage for stage in STAGES if "data/processed/test" in deps(stage)] == ["evaluate"]


def test_the_main_graph_knows_nothing_of_it():
    paths = {Path(stage.path).relative_to(Path.cwd()) for stage in Repo().index.stages}
    assert paths == {Path("dvc.yaml")}
    with Repo("texts") as own:
        assert {str(Path(stage.path).relative_to(Path.cwd())) for stage in own.index.stages} == {str(GRAPH)}
        assert {"evaluate", "figures", "train@perceptron"} <= {stage.name for stage in own.index.stages}
