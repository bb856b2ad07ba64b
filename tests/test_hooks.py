"""After `make hooks`, git asks `make lint` before each commit."""

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_what_lint_refuses_is_not_committed(tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "MAKE"))}

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    def commit() -> subprocess.CompletedProcess[str]:
        return run(
            "git", "-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "--allow-empty", "-m", "change"
        )

    shutil.copytree(ROOT / ".ci", tmp_path / ".ci")
    makefile = Path(shutil.copy(ROOT / "Makefile", tmp_path))
    run("git", "init")
    assert run("make", "hooks").returncode == 0
    makefile.write_text("lint:\n\t@echo badly formatted; exit 1\n")
    refused = commit()
    assert refused.returncode != 0
    assert "badly formatted" in refused.stdout + refused.stderr
    makefile.write_text("lint:\n")
    assert commit().returncode == 0
