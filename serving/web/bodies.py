"""Requests' bodies: read up to a limit, counted and not believed, and bounded together as well as each."""

import asyncio
import io
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.types import Receive, Scope

from serving import errors
from serving.contract import MAX_BODY_BYTES
from serving.web.limits import LONGEST_WAIT_S

MAX_HELD_BYTES = 16_000_000  # of all bodies at the same time
SMALL_BODY_BYTES = 65_536  # up to here a body is taken in however much is held: it costs little to read


class ClientGoneError(Exception):
    """The client hung up before its request was complete."""


class Bodies:
    """The bodies that are in memory, or that have begun to come: `held` bytes."""

    def __init__(self) -> None:
        self.held = 0
        self._released = asyncio.Event()

    @contextmanager
    def hold(self) -> Iterator["Body"]:
        """A new body, which counts as long as the context lasts."""
        body = Body(self)
        try:
            yield body
        finally:
            self.release(body.size)

    def release(self, size: int) -> None:
        """`size` bytes are held no more."""
        self.held -= size
        self._released.set()  # which wakes all who wait now
        self._released.clear()

    async def wait_for(self, size: int) -> None:
        """Wait until `size` bytes more may be held. Raises ApiError 503 where that takes too long."""
        try:
            async with asyncio.timeout(LONGEST_WAIT_S):
                while self.held + size > MAX_HELD_BYTES:
                    await self._released.wait()
        except TimeoutError:
            raise errors.OVERLOADED() from None


class Body:
    """One request's body. Whoever is given it may be the only one who keeps it."""

    def __init__(self, bodies: Bodies) -> None:
        self.size = 0
        self._bodies = bodies

    async def read(self, scope: Scope, receive: Receive) -> bytes:
        """Raises ApiError: 413 as soon as it is known to be too large, 503 if there is no room; ClientGoneError.

        What a body declares is reserved before it is read: were it counted as it comes, many bodies at once would
        each be let in and all be turned away halfway. For one that declares nothing and is not small, the most that a
        body may have is reserved until it is complete.
        """
        await self._reserve(declared(scope))
        content = io.BytesIO()  # which joins without a second copy
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            content.write(message.get("body", b""))
            more = message.get("more_body", False)
            come = content.tell()
            if come > self.size:
                await self._reserve(max(come, MAX_BODY_BYTES) if more and come > SMALL_BODY_BYTES else come)
        self._bodies.release(self.size - content.tell())
        self.size = content.tell()
        return content.getvalue()

    async def _reserve(self, size: int) -> None:
        if size > MAX_BODY_BYTES:
            raise errors.BODY_TOO_LARGE()
        more = size - self.size
        if size > SMALL_BODY_BYTES:
            await self._bodies.wait_for(more)
        self._bodies.held += more
        self.size = size


def declared(scope: Scope) -> int:
    """The size that a request's headers promise, 0 where they promise none."""
    return next((int(value) for name, value in scope["headers"] if name == b"content-length"), 0)
