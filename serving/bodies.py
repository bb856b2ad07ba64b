"""Requests' bodies: read up to a limit, counted and not believed, and bounded together as well as each."""

from collections.abc import Iterator
from contextlib import contextmanager

from starlette.types import Receive, Scope

from serving.errors import ApiError

MAX_BODY_BYTES = 10_000_000
MAX_HELD_BYTES = 20_000_000  # of all bodies at the same time
SMALL_BODY_BYTES = 65_536  # up to here a body is taken in however much is held: it costs little to read


class ClientGoneError(Exception):
    """The client hung up before its request was complete."""


class Bodies:
    """The bodies that are in memory, or that have begun to come: `held` bytes."""

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
        """Raises ApiError: 413 as soon as it is known to be too large, 503 if there are too many; ClientGoneError.

        What a body declares is set aside before it is read: were it counted as it comes, many bodies at once would
        each be let in and all be turned away halfway.
        """
        self._set_aside(declared(scope))
        chunks: list[bytes] = []
        size = 0
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
            if size > self.size:
                self._set_aside(size)
            more = message.get("more_body", False)
        self.content = b"".join(chunks)
        return self.content

    def _set_aside(self, size: int) -> None:
        if size > MAX_BODY_BYTES:
            raise ApiError(413, "body_too_large", f"The body is larger than {MAX_BODY_BYTES:,} bytes.")
        held = self._bodies.held - self.size + size
        if size > SMALL_BODY_BYTES and held > MAX_HELD_BYTES:
            raise ApiError.of_status(503)
        self._bodies.held, self.size = held, size


def declared(scope: Scope) -> int:
    """The size that a request's headers promise, 0 where they promise none."""
    return next((int(value) for name, value in scope["headers"] if name == b"content-length"), 0)
