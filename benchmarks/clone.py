"""A clone of this project to run in: what is committed, and nothing else."""

import subprocess
from pathlib import Path


def last_commit(project: Path, folder: Path) -> None:
    """Make ``folder`` a clone of a project's last commit, or bring it to that."""
    folder.mkdir(parents=True, exist_ok=True)
    for words in (
        ("init", "--quiet"),
        ("fetch", "--quiet", str(project.absolute()), "HEAD"),
        ("checkout", "--quiet", "--force", "--detach", "FETCH_HEAD"),
    ):
        subprocess.run(("git", *words), cwd=folder, check=True, stdout=subprocess.DEVNULL)
