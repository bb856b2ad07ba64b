"""Connections: what uvicorn leaves open or unbounded is closed and refused, in the one shape of errors.

BentoML starts uvicorn without a place for options, so that its protocol is replaced before it is loaded.
"""

import asyncio
import math
import uuid
from collections.abc import Callable
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.config import HTTP_PROTOCOLS
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving import errors
from serving.contract import MAX_HEADER_BYTES
from serving.errors import ApiError
from serving.web.error_shape import rendered

HEADERS_DEADLINE_S = 5.0  # for a connection's first byte as for the last of a request's headers
UNREAD_DEADLINE_S = 10.0  # for a client that does not read what it was answered
MAX_CONNECTIONS = 512  # each may hold a request, so that this also bounds how long one waits for its turn


class Connection(HttpToolsProtocol):
    """A client's connection. shed: the answer to the bytes of a request that is refused unread, None for others'."""

    shed: Callable[[bytes], bytes | None]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._header_bytes = 0
        self._patience: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._in_headers = True
        self._between_requests = True
        self._heard_all = False
        self._refused_at = -math.inf

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            self._refuse(errors.OVERLOADED())
        else:
            self._wait()

    def data_received(self, data: bytes) -> None:
        if self._is_idle and (refusal := self.shed(data)):
            self.transport.write(refusal)
            self._stay()
            return
        self._unset_keepalive_if_required()
        try:
            self._parse(data)
        except HttpParserError:
            self._refuse(errors.MALFORMED_HTTP())
        if not self._in_headers or self.transport.is_closing():
            return
        self._header_bytes += len(data)
        if self._header_bytes > MAX_HEADER_BYTES:
            self._refuse(errors.HEADERS_TOO_LARGE())
        elif self._patience is None:
            self._wait()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_headers = True
        self._between_requests = False
        self._header_bytes = 0

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        self._in_headers = False
        self._stop_waiting()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        super().on_message_complete()
        self._between_requests = True

    def eof_received(self) -> bool:  # type: ignore[override]
        """Who says no more may still listen: what was wholly asked is answered before the connection ends."""
        self._heard_all = True
        return self._between_requests and not self._has_answered

    def pause_writing(self) -> None:
        super().pause_writing()
        self._await_reader()

    def resume_writing(self) -> None:
        super().resume_writing()
        if not self.transport.is_closing():
            self._stop_awaiting_reader()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._heard_all and self._has_answered:
            self.transport.close()
        if self.transport.is_closing():  # once all is written
            self._await_reader()

    def timeout_keep_alive_handler(self) -> None:
        rest = self._refused_at + self.timeout_keep_alive - self.loop.time()
        if rest > 0:
            self.timeout_keep_alive_task = self.loop.call_later(rest, self.timeout_keep_alive_handler)
        else:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self._stop_awaiting_reader()
        super().connection_lost(exc)

    def _parse(self, data: bytes) -> None:
        """Have the parser call what is overridden above. Raises HttpParserError.

        A client may offer another protocol with its request, and goes on in HTTP/1.1 where nobody takes it up. The
        parser cannot be told that nobody does: it takes such a request for one without a body, and what follows for
        the other protocol. So the request's head is told again, without the offer, to a new one.
        """
        rest: bytes | memoryview = data
        while True:
            try:
                self.parser.feed_data(rest)
                return
            except HttpParserUpgrade as offer:
                rest = memoryview(rest)[offer.args[0] :]
            method = self.parser.get_method()
            if method == b"CONNECT":  # which has no body in HTTP/1.1
                raise HttpParserError
            head = [b"%s %s HTTP/%s\r\n" % (method, self.url, self.parser.get_http_version().encode())]
            head += [b"%s: %s\r\n" % header for header in self.headers if header[0] != b"upgrade"]
            self.parser = HttpRequestParser(self)
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
            self.parser.feed_data(b"".join(head) + b"\r\n")

    @property
    def _is_idle(self) -> bool:
        """Whether all that was asked has been answered, and the next byte is a request's first."""
        ready = not self.flow.write_paused and not self.transport.is_closing()
        return self._has_answered and self._between_requests and ready

    @property
    def _has_answered(self) -> bool:
        return self.cycle is None or bool(self.cycle.response_complete)

    def _stay(self) -> None:
        """Keep the connection, from a refusal on, as long as after an answer: without a timer of its own, which would
        cost as much as the refusal does."""
        self._refused_at = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._stop_waiting()
            self.timeout_keep_alive_handler()

    def _wait(self) -> None:
        self._patience = self.loop.call_later(HEADERS_DEADLINE_S, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _await_reader(self) -> None:
        """Closing a connection waits until all is written: to hang up on who does not read it must be aborted."""
        self._stop_awaiting_reader()
        self._unread = self.loop.call_later(UNREAD_DEADLINE_S, self.transport.abort)

    def _stop_awaiting_reader(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _refuse(self, error: ApiError) -> None:
        self.transport.write(rendered(error, uuid.uuid4().hex, (b"connection", b"close")))
        self.transport.close()
        self._await_reader()


def install(shed: Callable[[bytes], bytes | None]) -> None:
    """Have uvicorn, where it is left to choose, take this protocol, with its `shed`."""
    Connection.shed = staticmethod(shed)
    HTTP_PROTOCOLS["auto"] = f"{__name__}:{Connection.__name__}"
