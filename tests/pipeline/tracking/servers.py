"""A PostgreSQL and an MLflow server of the tests' own, on free ports of 127.0.0.1, and servers that are ill."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest

PATIENCE_S = 120
NO_DRIVER = "PostgreSQL's driver psycopg is not installed"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def postgres() -> Iterator[str]:
    """A PostgreSQL with an empty database, as a URI. Its programs refuse to run as root, so root runs them as another.

    Its folder is none of pytest's, which are closed to other users.
    """
    pytest.importorskip("psycopg", reason=NO_DRIVER)
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not programs:
        pytest.skip("Debian's package postgresql is not installed")
    binaries, folder, port = programs[-1].parent, Path(tempfile.mkdtemp(prefix="inkwell-postgres-")), free_port()
    who: dict[str, Any] = {}
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
        who = {"user": "postgres", "group": "postgres", "extra_groups": []}
    log = (folder / "log").open("w")
    made = [binaries / "initdb", "-D", folder / "data", "-A", "trust", "-U", "inkwell", "--no-sync", "--no-locale"]
    subprocess.run([*map(str, made), "-E", "UTF8"], check=True, cwd=folder, stdout=log, stderr=log, **who)
    started = [binaries / "postgres", "-D", folder / "data", "-p", port, "-k", folder, "-F"]
    process = subprocess.Popen(
        [*map(str, started), "-c", "listen_addresses=127.0.0.1"], cwd=folder, stdout=log, stderr=log, **who
    )
    try:
        wait_for(process, lambda: socket.create_connection(("127.0.0.1", port), 1).close())
        ready = [str(binaries / "pg_isready"), "-h", "127.0.0.1", "-p", str(port)]
        wait_for(process, lambda: subprocess.run(ready, check=True, capture_output=True))
        yield f"postgresql://inkwell@127.0.0.1:{port}/postgres"
    finally:
        process.send_signal(2)  # a fast shutdown, which waits for no client
        process.wait(PATIENCE_S)
        log.close()
        shutil.rmtree(folder)


@contextmanager
def mlflow_server(store: str, artifacts: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """An MLflow server before a store, through which artifacts go too: its URI, and its process and its children."""
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    with (artifacts.parent / "server.log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--backend-store-uri", store, "--artifacts-destination", str(artifacts)],
            env=os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
            stdout=log,
            stderr=log,
            cwd=artifacts.parent,
            start_new_session=True,
        )
        try:
            wait_for(process, lambda: httpx.get(f"http://127.0.0.1:{port}/health").raise_for_status())
            yield f"http://127.0.0.1:{port}", process
        finally:
            os.killpg(process.pid, 9)
            process.wait()


def wait_for(process: subprocess.Popen[bytes], attempt: Any) -> None:
    """Try until it raises nothing, while the process lives."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            attempt()
            return
        except (OSError, httpx.HTTPError, subprocess.CalledProcessError):
            if time.monotonic() > deadline or process.poll() is not None:
                raise
            time.sleep(0.1)


@contextmanager
def ill(how: str) -> Iterator[str]:
    """The URI of a server that refuses, says nothing, or answers every request with a status."""
    with closing(socket.socket()) as held:
        held.bind(("127.0.0.1", 0))
        if how == "refuses":
            yield f"http://127.0.0.1:{held.getsockname()[1]}"
        elif how == "says nothing":
            held.listen()
            yield f"http://127.0.0.1:{held.getsockname()[1]}"
        else:
            with HTTPServer(("127.0.0.1", 0), answering(int(how))) as server:
                Thread(target=server.serve_forever, daemon=True).start()
                yield f"http://127.0.0.1:{server.server_port}"
                server.shutdown()


def answering(status: int) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    return Handler
