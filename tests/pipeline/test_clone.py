"""A clone of the committed state, with DVC's cache at hand, has nothing to run again but what tells its MLflow."""

import shutil
import subprocess
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path

import pytest
from dvc.repo import Repo

from pipeline import params, promote
from pipeline.tracking import registry
from tests.pipeline.workspace import ROOT, dvc_repo

COPIED = (
    *("dvc.yaml", "params.yaml", "requirements.lock", "requirements-serve.lock"),
    *("pipeline", "serving", "texts/params.yaml", ".dvcignore", ".gitignore"),
)
FOLDERS = (promote.CANDIDATES, promote.VALIDATION, promote.VERDICTS)


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=t", "-c", "user.email=t@localhost"]
    subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True)


@pytest.fixture
def committed(tmp_path: Path) -> Path:
    """A copy of the project, committed, in which every stage has just run: its outputs are made up."""
    folder = tmp_path / "committed"
    for name in COPIED:
        source = ROOT / name
        copy: Callable[..., object] = shutil.copytree if source.is_dir() else shutil.copy2
        (folder / name).parent.mkdir(exist_ok=True)
        copy(source, folder / name, **({"ignore": shutil.ignore_patterns("__pycache__")} if source.is_dir() else {}))
    git(folder.parent, "init", "--quiet", str(folder))
    repo = dvc_repo(folder)
    for path in (Path(out.fs_path) for stage in repo.index.stages for out in stage.outs):
        place = path if path.suffix else path / "made-up"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(path.name)
    with chdir(folder):
        for place in FOLDERS:
            (place / "gone").write_text("of a network that was a candidate")
        promote.forget(params.load("candidates"))
        repo.commit(force=True)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "all")
    return folder


@pytest.mark.slow
def test_a_clone_has_nothing_to_run_again_but_to_tell_mlflow_who_is_champion(committed: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(committed), str(clone))
    assert not (clone / promote.CANDIDATES / "convnet").exists()
    assert (clone / promote.VERDICTS / "convnet.json").exists(), "verdicts are committed"
    repo = Repo(str(clone), config={"cache": {"dir": str(committed / ".dvc/cache")}})
    with chdir(clone):
        repo.checkout()
        assert repo.status() == {"crown": [{"changed outs": {str(registry.TOLD): "deleted"}}]}
        (clone / promote.VERDICTS / "convnet.json").write_text("{}")
        assert {"promote"} <= set(repo.status())
