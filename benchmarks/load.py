"""A generator of load: one HTTP request, over and over, on connections that are kept open, in this process.

It writes and counts bytes and nothing else, so that it asks several times more often than any of the services answers.
"""

import asyncio
import re
import time
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

import numpy as np
import uvloop

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Measured:
    """seconds: float [N], how long each answer took; rate: answers per second; total: of them, with the warm-up's;
    failed: those that were not 200."""

    seconds: np.ndarray
    rate: float
    total: int
    failed: int

    def percentile(self, share: float) -> float:
        return float(np.percentile(self.seconds, share) * 1000)


def request(url: str, path: str, body: bytes = b"", kind: str = "") -> bytes:
    """The bytes of a request; a POST where there is a body."""
    lines = [f"{'POST' if body else 'GET'} {path} HTTP/1.1", f"Host: {urlsplit(url).netloc}"]
    lines += [f"Content-Type: {kind}", f"Content-Length: {len(body)}"] if body else []
    return "\r\n".join([*lines, "", ""]).encode() + body


class Connection(asyncio.Protocol):
    """Sends the request and, as soon as it is answered, sends it again, until it is told to stop."""

    def __init__(self, message: bytes) -> None:
        self.seconds: list[float] = []
        self.total = 0
        self.failed = 0
        self.stopping = False
        self.closed = asyncio.get_running_loop().create_future()
        self._message = message
        self._answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is not one by inheritance
        self._send()

    def data_received(self, data: bytes) -> None:
        self._answer += data
        end = self._answer.find(b"\r\n\r\n")
        if end < 0:
            return
        length = LENGTH.search(self._answer, 0, end)
        if len(self._answer) < end + 4 + (int(length[1]) if length else 0):
            return
        self.seconds.append(time.perf_counter() - self._sent)
        self.total += 1
        self.failed += self._answer[9:12] != b"200"
        if self.stopping:
            self._transport.close()
        else:
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        self.failed += not self.stopping
        self.closed.set_result(None)

    def _send(self) -> None:
        self._answer = b""
        self._sent = time.perf_counter()
        self._transport.write(self._message)


def measure(url: str, message: bytes, concurrency: int, seconds: float, warm_up: float = 1.0) -> Measured:
    """Ask `concurrency` at a time for so many seconds, after a warm-up that does not count."""

    async def run() -> Measured:
        loop = asyncio.get_running_loop()
        place = urlsplit(url)
        made = [
            await loop.create_connection(lambda: Connection(message), place.hostname or "", place.port or 80)
            for _ in range(concurrency)
        ]
        connections = [connection for _, connection in made]
        await asyncio.sleep(warm_up)
        for connection in connections:
            connection.seconds.clear()
        began = time.perf_counter()
        await asyncio.sleep(seconds)
        took = time.perf_counter() - began
        answered = np.concatenate([connection.seconds for connection in connections])
        for connection in connections:
            connection.stopping = True
        await asyncio.wait([connection.closed for connection in connections], timeout=10)
        total, failed = (sum(getattr(one, name) for one in connections) for name in ("total", "failed"))
        return Measured(answered, len(answered) / took, total, failed)

    return uvloop.run(run())
