"""A generator of load: HTTP requests on connections that are kept open, in this process.

It writes and counts bytes and nothing else, so that it asks several times more often than any of the services answers.
"""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

import numpy as np
import uvloop

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
CLOSE = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)


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


def request(url: str, path: str, body: bytes = b"", kind: str = "", method: str = "") -> bytes:
    """The bytes of a request; a POST where there is a body, unless `method` says otherwise."""
    lines = [f"{method or ('POST' if body else 'GET')} {path} HTTP/1.1", f"Host: {urlsplit(url).netloc}"]
    lines += [f"Content-Type: {kind}"] if kind else []
    lines += [f"Content-Length: {len(body)}"] if body else []
    return "\r\n".join([*lines, "", ""]).encode() + body


class Connection(asyncio.Protocol):
    """A client's connection: asks one thing at a time, and tells `answered` the status and the seconds of each answer.

    The status is 0 where the connection was lost before the answer was complete. An answer must say how long it is.
    """

    def __init__(self, answered: "Answered") -> None:
        self.is_open = False
        self.closed = asyncio.get_running_loop().create_future()
        self._answered = answered
        self._answer = b""
        self._asked: float | None = None

    def ask(self, message: bytes, since: float | None = None) -> None:
        """`since`: the moment from which the seconds count, where that was before this one."""
        self._answer = b""
        self._asked = since or time.perf_counter()
        self._transport.write(message)

    def close(self) -> None:
        """Hang up, whatever is still to be written."""
        self.is_open = False
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is not one by inheritance
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        self._answer += data
        end = self._answer.find(b"\r\n\r\n")
        if end < 0:
            return
        length = LENGTH.search(self._answer, 0, end)
        if len(self._answer) < end + 4 + (int(length[1]) if length else 0):
            return
        if CLOSE.search(self._answer, 0, end):
            self.close()
        self._tell(int(self._answer[9:12]))

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        self._tell(0)
        self.closed.set_result(None)

    def _tell(self, status: int) -> None:
        if self._asked is not None:
            seconds = time.perf_counter() - self._asked
            self._asked = None
            self._answered(self, status, seconds)


Answered = Callable[[Connection, int, float], None]


async def connect(url: str, answered: Answered) -> Connection:
    """Raises OSError where nobody answers at `url`."""
    place = urlsplit(url)
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(lambda: Connection(answered), place.hostname or "", place.port or 80)
    return connection


def measure(url: str, message: bytes, concurrency: int, seconds: float, warm_up: float = 1.0) -> Measured:
    """Ask `concurrency` at a time, over and over, for so many seconds, after a warm-up that does not count."""

    async def run() -> Measured:
        took: list[float] = []
        statuses: Counter[int] = Counter()
        stopping = False

        def answered(connection: Connection, status: int, seconds: float) -> None:
            took.append(seconds)
            statuses[status] += 1
            if stopping:
                connection.close()
            elif connection.is_open:
                connection.ask(message)

        connections = [await connect(url, answered) for _ in range(concurrency)]
        for connection in connections:
            connection.ask(message)
        await asyncio.sleep(warm_up)
        took.clear()
        began = time.perf_counter()
        await asyncio.sleep(seconds)
        measured = np.array(took)
        rate = len(measured) / (time.perf_counter() - began)
        stopping = True
        await asyncio.wait([connection.closed for connection in connections], timeout=10)
        return Measured(measured, rate, statuses.total(), statuses.total() - statuses[200])

    return uvloop.run(run())
