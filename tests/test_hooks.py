"""What make does with git, in a repository of its own and in a folder of one that has more, and with an environment."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "MAKE"))}


@pytest.fixture(params=["", "digits"])
def folder(request, tmp_path):
    """The project's folder, at a repository's root or below it."""
    folder = tmp_path / request.param
    shutil.copytree(ROOT / ".ci", folder / ".ci")
    for name in ("Makefile", ".gitignore"):
        shutil.copy(ROOT / name, folder)
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    return folder


def test_what_is_cleaned_away_is_the_project_s_own_but_never_dvc_s_cache(folder):
    kept = [".dvc/cache/files/md5/01/23", ".dvc/config.local"]
    made = [".dvc/tmp/lock", "data/raw/images.npy", "mlflow.db"]
    for name in (*kept, *made):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    (folder / ".dvc/.gitignore").write_text("/config.local\n/tmp\n/cache\n")
    subprocess.run(["make", "clean"], cwd=folder, env=ENVIRONMENT, check=True)
    assert all((folder / name).exists() for name in kept)
    assert not any((folder / name).exists() for name in made)


def test_an_environment_that_is_a_link_is_not_cleared(folder):
    for name in ("requirements.lock", "requirements-torch.lock", "requirements-torch-cpu.lock"):
        (folder / name).touch()
    shared = folder / "shared"
    shared.mkdir()
    (shared / "somebody's").touch()
    (folder / ".venv").symlink_to(shared)
    done = subprocess.run(["make", "setup"], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert ".venv is a link" in done.stdout
    assert list(shared.iterdir()) == [shared / "somebody's"]


def test_what_lint_refuses_is_not_committed(folder):
    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False)

    def commit() -> subprocess.CompletedProcess[str]:
        return run(
            "git", "-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "--allow-empty", "-m", "change"
        )

    makefile = folder / "Makefile"
    assert run("make", "hooks").returncode == 0
    makefile.write_text("lint:\n\t@echo badly formatted; exit 1\n")
    refused = commit()
    assert refused.returncode != 0
    assert "badly formatted" in refused.stdout + refused.stderr
    makefile.write_text("lint:\n")
    assert commit().returncode == 0
