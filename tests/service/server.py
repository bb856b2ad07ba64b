"""A service of a test's own: its process, its environment and what it wrote."""

import http.client
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from pipeline import serve

PATIENCE_S = 60


@dataclass(frozen=True)
class Server:
    process: subprocess.Popen[bytes]
    host: str
    port: int
    log: Path

    @property
    def url(self) -> str:
        return serve.url_of(self.host, self.port)

    def worker(self) -> psutil.Process:
        """The process that answers."""
        [worker] = psutil.Process(self.process.pid).children()
        return worker

    def connect(self) -> socket.socket:
        return socket.create_connection((self.host, self.port), timeout=20)

    def exchange(self, request: bytes) -> tuple[int, dict[str, str], bytes]:
        """What is answered to the bytes of a request: status, headers and body."""
        with self.connect() as connection:
            connection.sendall(request)
            response = http.client.HTTPResponse(connection)
            response.begin()
            return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=1).status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def start(bento: Path, home: Path, host: str = "127.0.0.1", **environ: str) -> Iterator[Server]:
    """Start serving `bento`, whatever comes of it, and stop it in the end."""
    port = serve.free_port(host)
    home.mkdir(exist_ok=True)
    log = home / "log"
    with log.open("wb") as stream:
        process = serve.begin(bento, host, port, home, stream, **environ)
    try:
        yield Server(process, "127.0.0.1" if host == "0.0.0.0" else host, port, log)
    finally:
        serve.stop(process)


@contextmanager
def serving(bento: Path, home: Path, host: str = "127.0.0.1", **environ: str) -> Iterator[Server]:
    """Serve `bento`, once it is ready."""
    with start(bento, home, host, **environ) as server:
        wait_until(lambda: server.is_ready() or server.process.poll() is not None)
        assert server.process.poll() is None, server.log.read_text()
        yield server


def wait_until(condition, seconds: float = PATIENCE_S) -> float:
    """Wait until `condition()` holds, and say how long that took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"not within {seconds} seconds"
        time.sleep(0.02)
    return time.monotonic() - began


class Memory:
    """A worker's resident bytes: `idle` before, `most` while it was watched, `last` after."""

    def __init__(self, idle: int) -> None:
        self.idle = self.most = self.last = idle


@contextmanager
def watched_memory(server: Server) -> Iterator[Memory]:
    """Watch the memory of a server's worker as long as the context lasts."""
    worker = server.worker()
    memory = Memory(worker.memory_info().rss)
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            memory.most = max(memory.most, worker.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield memory
    finally:
        done.set()
        watcher.join()
        memory.last = worker.memory_info().rss
