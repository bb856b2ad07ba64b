"""A mirror on 127.0.0.1 that misbehaves to order, and remembers what it was asked for."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Mirror(ThreadingHTTPServer):
    """``files`` are its bodies by name; ``behaviour`` has a list for a name: one for each request, the last one for all
    further ones. Without any it answers as it should, Range included."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.behaviour: dict[str, list[Callable[[Handler, bytes], None]]] = {}
        self.requests: list[tuple[str, str | None]] = []
        self.sent = 0
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class Handler(BaseHTTPRequestHandler):
    server: Mirror

    def do_GET(self) -> None:
        name = self.path.lstrip("/")
        self.server.requests.append((name, self.headers["Range"]))
        queue = self.server.behaviour.get(name, [honest])
        behave = queue.pop(0) if len(queue) > 1 else queue[0]
        if name in self.server.files:
            behave(self, self.server.files[name])
        else:
            self.send_error(404)

    def start(self, length: int, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def write(self, data: bytes) -> None:
        self.wfile.write(data)
        self.wfile.flush()
        self.server.sent += len(data)

    def log_message(self, *args: object) -> None:
        pass


def honest(handler: Handler, body: bytes) -> None:
    asked = handler.headers["Range"]
    if asked is None:
        whole(handler, body)
        return
    first = int(asked.removeprefix("bytes=").removesuffix("-"))
    if first >= len(body):
        handler.start(0, 416)
        return
    handler.send_response(206)
    handler.send_header("Content-Range", f"bytes {first}-{len(body) - 1}/{len(body)}")
    handler.send_header("Content-Length", str(len(body) - first))
    handler.end_headers()
    handler.write(body[first:])


def whole(handler: Handler, body: bytes) -> None:
    """The whole body, whatever range was asked for."""
    handler.start(len(body))
    handler.write(body)


def answers(status: int) -> Callable[[Handler, bytes], None]:
    return lambda handler, body: handler.send_error(status)


def cut_at(count: int) -> Callable[[Handler, bytes], None]:
    """Promise the whole body, send ``count`` bytes and hang up."""

    def behave(handler: Handler, body: bytes) -> None:
        handler.start(len(body))
        handler.write(body[:count])

    return behave


def stalls_at(count: int) -> Callable[[Handler, bytes], None]:
    """Send ``count`` bytes and then nothing, with the connection open."""

    def behave(handler: Handler, body: bytes) -> None:
        handler.start(len(body))
        handler.write(body[:count])
        handler.server.closing.wait(60)

    return behave


def drips(count: int, pause: float) -> Callable[[Handler, bytes], None]:
    """Send ``count`` bytes at a time, ``pause`` seconds apart."""

    def behave(handler: Handler, body: bytes) -> None:
        handler.start(len(body))
        for start in range(0, len(body), count):
            if handler.server.closing.wait(pause):
                return
            handler.write(body[start : start + count])

    return behave


@contextmanager
def serving() -> Iterator[Mirror]:
    mirror = Mirror()
    thread = threading.Thread(target=mirror.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield mirror
    finally:
        mirror.closing.set()
        mirror.shutdown()
        thread.join()
        mirror.server_close()
