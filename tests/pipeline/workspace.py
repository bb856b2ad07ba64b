"""A folder to run a stage in, with a params.yaml of its own; and where the real MNIST is, for tests that need it."""

import hashlib
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.repo import Repo

from pipeline import release
from tests import commands

ROOT = Path(__file__).parents[2]
REAL_MNIST = ROOT / os.environ.get("MNIST_MIRROR", "").removeprefix("file://")
needs_mnist = pytest.mark.skipif(
    not (REAL_MNIST / "train-images-idx3-ubyte.gz").exists(), reason="MNIST_MIRROR names no folder with the real MNIST"
)


def prepare(folder: Path, source: str, mirrors: Sequence[str] = ()) -> None:
    """Write the repository's params.yaml to ``folder`` with another source, and other mirrors for all its files."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["data"]["source"] = source
    params["data"]["mirrors"] = {"mnist": list(mirrors), "qmnist": list(mirrors)}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))


@contextmanager
def edited(path: Path) -> Iterator[dict[str, Any]]:
    """What is in a YAML file, written there again as the body leaves it."""
    content = yaml.safe_load(path.read_text())
    yield content
    path.write_text(yaml.safe_dump(content))


def project(folder: Path, source: str, database: Path) -> None:
    """Make of ``folder`` a project with this one's graph and code, and a copy of an MLflow store."""
    prepare(folder, source)
    for name in ("dvc.yaml", "pipeline", "serving"):
        (folder / name).symlink_to(ROOT / name)
    shutil.copyfile(database, folder / "mlflow.db")


def environment() -> dict[str, str]:
    """Of a command in a project of its own: nothing of MLflow's, git's, DVC's or Ray's around this test."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW", "GIT_", "DVC_", "RAY_"))}
    path = f"{Path(sys.executable).parent}:{own['PATH']}"
    return own | {"PATH": path, "PYTHONPATH": str(ROOT), "MLFLOW_DISABLE_TELEMETRY": "true"}


def output(folder: Path, *command: str) -> str:
    """Run a command in a project and return what it printed."""
    done = commands.run(command, cwd=folder, env=environment())
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def contents(folder: Path) -> dict[str, bytes]:
    """Return the bytes of every file under ``folder`` by its path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def put(content: bytes, suffix: str = "") -> str:
    """Write content among the released files, and return its hash."""
    md5 = hashlib.md5(content).hexdigest() + suffix
    path = release.at(release.OBJECTS, md5)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return md5


def dvc_repo(folder: Path, scm: bool = True) -> Repo:
    """Make a DVC repository of ``folder``, with this one's configuration, in git or not."""
    Repo.init(str(folder), no_scm=not scm)
    config = (ROOT / ".dvc/config").read_text()
    (folder / ".dvc/config").write_text(config if scm else config.replace("[core]", "[core]\n    no_scm = true"))
    return Repo(str(folder))
