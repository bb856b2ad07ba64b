"""A fresh clone, and somebody who types there what a page of docs/ or the README has."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import httpx
from dvc.repo import Repo

from pipeline import serve
from tests import commands

ROOT = Path(__file__).parents[2]
PATIENCE_S = 300
FOREIGN = ("MLFLOW", "MNIST", "DVC_", "GIT_", "MAKE", "MFLAGS", "BENTO", "INKWELL")
SETTING = re.compile(r"^(?:\. |export )")
"""A line that changes the shell, and so counts for all that are typed after it."""


class Walk:
    """A clone of this project's last commit with an environment, and a shell in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._settings: list[str] = []

    @classmethod
    def cloned(cls, folder: Path) -> Self:
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
        for name, value in (("user.name", "t"), ("user.email", "t@localhost")):
            subprocess.run(["git", "config", name, value], cwd=folder, check=True)
        (folder / ".venv").symlink_to(sys.prefix)
        for lock in folder.glob("requirements*.lock"):
            os.utime(lock, (0, 0))  # make takes the environment for one that is older than these
        with Repo(str(ROOT)) as repo:
            cache = Path(repo.cache.local.path).parents[1]
        if cache.exists():  # what ran here need not run again in the clone
            shutil.copytree(cache, folder / ".dvc/cache", copy_function=link)
        return cls(folder)

    def copied(self, folder: Path) -> Self:
        """Another folder with all that is in this one."""
        return type(self)(Path(shutil.copytree(self.folder, folder, symlinks=True)))

    def type(self, lines: str) -> str:
        """What a terminal shows of lines that are typed, which must all succeed."""
        done = commands.run(self._shell(lines), cwd=self.folder, env=self._environment())
        assert done.returncode == 0, done.stdout + done.stderr
        self._settings += [line for line in lines.splitlines() if SETTING.match(line)]
        return done.stdout + done.stderr

    @contextmanager
    def serving(self, line: str, port: int, path: str, **environ: str) -> Iterator[str]:
        """A line that serves until it is ended: the address of what it serves, once a path there answers."""
        with (self.folder.parent / "served.log").open("w+") as log:
            server = subprocess.Popen(
                self._shell(f"exec {line}"),
                cwd=self.folder,
                env=self._environment() | environ,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            try:
                url = f"http://127.0.0.1:{port}"
                deadline = time.monotonic() + PATIENCE_S
                while not answers(f"{url}{path}"):
                    assert server.poll() is None, Path(log.name).read_text()
                    assert time.monotonic() < deadline, Path(log.name).read_text()
                    time.sleep(0.1)
                yield url
            finally:
                os.killpg(server.pid, signal.SIGTERM)
                server.wait(PATIENCE_S)

    def _shell(self, lines: str) -> list[str]:
        return ["bash", "-c", "\n".join(["set -eu", *self._settings, lines])]

    def _environment(self) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "BENTOML_DO_NOT_TRACK": "true"}
        return own | quiet | {"COLUMNS": "120"}


def link(source: str, target: str) -> None:
    """A file of the cache in another: nobody writes to it."""
    try:
        os.link(source, target)
    except OSError:  # another disk
        shutil.copy2(source, target)


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def blocks(page: str, language: str = "sh") -> list[str]:
    """What a page has to type, block by block."""
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)


def elsewhere(line: str, port: int) -> str:
    """A line of a page with a port that is free."""
    return re.sub(r"\b(?:3000|5000|5001)\b", str(port), line)


def free_port() -> int:
    return serve.free_port("127.0.0.1")
