"""Building and running an image without an engine: Debian's buildah builds it, and the kernel's namespaces run it."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

RELEASE = "bookworm"
"""The Debian whose Python is 3.11."""
BASE = "docker.io/library/python:3.11-slim"
UNNEEDED = ("var/cache/apt/archives", "var/lib/apt/lists", "usr/share/doc", "usr/share/locale", "usr/share/man")
"""What Debian's slim images lack."""
PATIENCE_S = 60
RUN = """
mount --bind "$ROOT" "$ROOT"
mount -o remount,bind,ro "$ROOT"
mount -t proc proc "$ROOT/proc"
mount --rbind /dev "$ROOT/dev"
mount -t tmpfs tmpfs "$ROOT/tmp"
exec setpriv --no-new-privs chroot --userspec="$WHO" --groups= "$ROOT" env --ignore-environment "$@"
"""
"""What an engine does: a root that is read-only, /proc, /dev, and a /tmp to write to; then the image's user, who can
get no privileges any more, and the image's environment. It is seen in a mount and a process namespace of its own."""


def mirror() -> str:
    """Debian's mirror, as apt is set up here. Skips the test where images cannot be built or run."""
    if missing := [name for name in ("buildah", "debootstrap") if shutil.which(name) is None]:
        pytest.skip(f"there is no {' nor '.join(missing)}: Debian's packages of these names bring them")
    asked = ["apt-get", "indextargets", "--format=$(REPO_URI)", f"Codename: {RELEASE}", "Component: main"]
    known = subprocess.run(asked, check=True, capture_output=True, encoding="utf-8").stdout.split()
    if os.geteuid() or not known:
        pytest.skip("only root, where apt knows of Debian's bookworm, can make the base of an image")
    return known[0]


def buildah(*arguments: str) -> str:
    """What buildah writes. Raises with what it complains of."""
    done = subprocess.run(["buildah", *arguments], capture_output=True, encoding="utf-8", errors="replace", check=False)
    assert done.returncode == 0, f"buildah {' '.join(arguments)}:\n{done.stdout}{done.stderr}"
    return done.stdout.strip()


def make_base(mirror: str) -> None:
    """Make a base of Debian's own Python under the name of the real one, which is out of reach, with what that has of
    an installer."""
    container = buildah("from", "scratch")
    root = Path(buildah("mount", container))
    alone = ["unshare", "--mount"]  # what it mounts is gone with it
    made = [*alone, "debootstrap", "--variant=minbase", "--include=python3,python3-venv", RELEASE, str(root), mirror]
    done = subprocess.run(made, capture_output=True, encoding="utf-8", errors="replace", check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    for folder in UNNEEDED:
        shutil.rmtree(root / folder)
        (root / folder).mkdir()
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n")  # which an engine would write
    installer = root / "usr/local/lib/python3.11/site-packages/pip/__init__.py"
    installer.parent.mkdir(parents=True)
    installer.touch()
    (root / "usr/local/bin/pip3").touch(0o755)
    buildah("umount", container)
    buildah("commit", "--quiet", "--rm", container, BASE)


def wheels(lock: Path, folder: Path) -> subprocess.Popen[bytes]:
    """Begin to fetch what a lock names into `folder`, as pip is set up on this machine."""
    checked = ["--require-hashes", "--only-binary", ":all:", "--requirement", str(lock)]
    fetch = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *checked, "--dest", str(folder)]
    return subprocess.Popen(fetch, stdin=subprocess.DEVNULL)


@dataclass(frozen=True)
class Image:
    """An image whose files lie in the folder `root`."""

    root: Path
    config: dict[str, Any]

    def command(self, *arguments: str, **environ: str) -> list[str]:
        """The command that runs another in a container of the image; by default the one that the image names."""
        set_here = [f"{name}={value}" for name, value in environ.items()]
        inner = [*self.config["Env"], *set_here, *(arguments or self.config["Entrypoint"])]
        settings = [f"ROOT={self.root}", f"WHO={self.config['User']}"]
        alone = ["unshare", "--mount", "--pid", "--fork"]
        return ["env", *settings, *alone, "sh", "-ec", RUN, "sh", *inner]

    def run(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run it, or another command in it, to its end."""
        with self.running(*arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **environ) as process:
            written, complained = process.communicate(timeout=PATIENCE_S)
            return subprocess.CompletedProcess(
                arguments, process.returncode, written.decode(errors="replace"), complained.decode(errors="replace")
            )

    @contextmanager
    def running(self, *arguments: str, stdout: Any, stderr: Any, **environ: str) -> Iterator[psutil.Popen]:
        """Run it, or another command in it. It is gone in the end, with all that it started."""
        command = self.command(*arguments, **environ)
        process = psutil.Popen(command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr)
        try:
            yield process
        finally:
            with contextlib.suppress(psutil.NoSuchProcess):
                for first in process.children():
                    first.kill()  # and the kernel, with the first of a namespace, all others in it
            process.wait(PATIENCE_S)


@contextmanager
def unpacked(name: str) -> Iterator[Image]:
    """The files of an image that was built, as long as the context lasts."""
    container = buildah("from", "--pull-never", name)
    try:
        config = json.loads(buildah("inspect", "--type=image", name))["Docker"]["config"]
        yield Image(Path(buildah("mount", container)), config)
    finally:
        buildah("umount", container)
        buildah("rm", container)
