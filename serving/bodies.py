"""Requests' bodies: read up to a limit, counted and not believed, and bounded together as well as each."""

from collections.abc import Iterator
from contextlib import contextmanager

from starlette.types import Receive, Scope

from serving.errors import ApiError

MAX_BODY_BYTES = 10_000_000
MAX_HELD_BYTES = 40_000_000  # of all bodies at the same time


class ClientGoneError(Exception):
    """The client hung up before its request was complete."""


class Bodies:
    """The bodies that are in memory: `held` bytes."""

    def __init__(self) -> None:
        self.held = 0

    @contextmanager
    def hold(self) -> Iterator["Body"]:
        """A new body, which counts as long as the context lasts."""
        body = Body(self)
        try:
            yield body
        finally:
            self.held -= body.size


class Body:
    """One request's body: `content` is None until it has been read."""

    def __init__(self, bodies: Bodies) -> None:
        self.size = 0
        self.content: bytes | None = None
        self._bodies = bodies

    async def read(self, scope: Scope, receive: Receive) -> bytes:
        """Raises ApiError: 413 as soon as it is known to be too large, 503 if there are too many; ClientGoneError."""
        declared = next((int(value) for name, value in scope["headers"] if name == b"content-length"), 0)
        self._check(declared)
        chunks: list[bytes] = []
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            chunks.append(message.get("body", b""))
            self.size += len(chunks[-1])
            self._bodies.held += len(chunks[-1])
            self._check(self.size)
            more = message.get("more_body", False)
        self.content = b"".join(chunks)
        return self.content

    def _check(self, size: int) -> None:
        if size > MAX_BODY_BYTES:
            raise ApiError(413, "body_too_large", f"The body is larger than {MAX_BODY_BYTES:,} bytes.")
        if self._bodies.held > MAX_HELD_BYTES:
            raise ApiError.of_status(503)
