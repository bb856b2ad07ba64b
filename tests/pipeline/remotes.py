"""Remotes to push to, each with a server of its own on this machine: a folder, read-only HTTP, S3 and SSH."""

import functools
import getpass
import http.server
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from pipeline import serve
from tests.service.server import wait_until

SSHD = Path("/usr/sbin/sshd")


@dataclass(frozen=True)
class Remote:
    """Where one pushes to and pulls from, what is set of it for all and for oneself alone, and the environment.

    folder: where one pushes to instead, since the URL can only be read.
    """

    url: str
    folder: str = ""
    shared: dict[str, str] = field(default_factory=dict)
    own: dict[str, str] = field(default_factory=dict)
    environ: dict[str, str] = field(default_factory=dict)


@contextmanager
def folder(place: Path) -> Iterator[Remote]:
    yield Remote(str(place / "store"))


@contextmanager
def web(place: Path) -> Iterator[Remote]:
    """A folder that others read over HTTP."""
    quiet = functools.partial(Quiet, directory=str(place / "store"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Remote(f"http://127.0.0.1:{server.server_port}", folder=str(place / "store"))
        server.shutdown()
        thread.join()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def s3(place: Path) -> Iterator[Remote]:
    for package in ("dvc_s3", "moto"):
        pytest.importorskip(package, reason=f"{package} is not installed: make setup")
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    endpoint = "http://{}:{}".format(*server.get_host_and_port())
    httpx.put(f"{endpoint}/bucket", trust_env=False).raise_for_status()
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}
    yield Remote("s3://bucket/digits", shared={"endpointurl": endpoint}, environ=keys)
    server.stop()


@contextmanager
def ssh(place: Path) -> Iterator[Remote]:
    pytest.importorskip("dvc_ssh", reason="dvc_ssh is not installed: make setup")
    if not SSHD.exists():
        pytest.skip(f"there is no {SSHD}: Debian's openssh-server has it")
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # which it wants where it is not started as a service
    place.mkdir()
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", place / name], check=True)
    shutil.copy(place / "user.pub", place / "authorized")
    port = serve.free_port("127.0.0.1")
    options = {
        "HostKey": place / "host",
        "AuthorizedKeysFile": place / "authorized",
        "ListenAddress": f"127.0.0.1:{port}",
        "PidFile": "none",
        "UsePAM": "no",
        "StrictModes": "no",
        "PasswordAuthentication": "no",
        "Subsystem": "sftp internal-sftp",
    }
    (place / "config").write_text("".join(f"{name} {value}\n" for name, value in options.items()))
    log = place / "log"
    process = subprocess.Popen([SSHD, "-D", "-f", place / "config", "-E", log])
    try:
        wait_until(lambda: process.poll() is not None or listens(port), seconds=20)
        assert process.poll() is None, log.read_text()
        url = f"ssh://{getpass.getuser()}@127.0.0.1:{port}{place / 'store'}"
        yield Remote(url, own={"keyfile": str(place / "user")})
    finally:
        process.terminate()
        process.wait()


def listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
