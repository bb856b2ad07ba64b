"""The line between the service and the pipeline: `serving` imports nothing of `pipeline`, which may import of it."""

import ast
import subprocess
import sys
from pathlib import Path

SERVING = Path("serving")
UNPICKLERS = {"pickle", "marshal", "shelve", "copyreg"}
ALLOWED = {
    "serving",
    "bentoml",
    "click",
    "httptools",
    "numpy",
    "onnxruntime",
    "orjson",
    "PIL",
    "prometheus_client",
    "pydantic",
    "python_multipart",
    "scipy",
    "starlette",
    "uvicorn",
}


def imported(path):
    """The top names of the modules that the file at `path` imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module, f"{path} imports relatively"
            yield node.module.partition(".")[0]


def test_serving_imports_only_what_the_bento_brings():
    files = list(SERVING.rglob("*.py"))
    assert files
    for path in files:
        assert set(imported(path)) <= ALLOWED | sys.stdlib_module_names - UNPICKLERS, path


def test_serving_imports_nothing_of_the_pipeline():
    assert any("serving" in imported(path) for path in Path("pipeline").rglob("*.py"))
    assert not [path for path in SERVING.rglob("*.py") if "pipeline" in imported(path)]


def test_the_client_needs_nothing_but_the_standard_library():
    assert set(imported(SERVING / "client.py")) <= sys.stdlib_module_names


def test_the_service_loads_without_what_only_the_pipeline_needs():
    code = (
        "import sys, serving.service;"
        "print([name for name in ('torch', 'lightning', 'mlflow', 'dvc', 'pandas', 'pipeline') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
