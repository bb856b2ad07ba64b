"""The way out: every answer gets its request's id and the security headers, every error the one shape."""

import asyncio
import contextlib
from collections.abc import Iterable

from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from serving.errors import ApiError

Header = tuple[bytes, bytes]

SECURITY: tuple[Header, ...] = (  # of an answer that does not bring its own
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
LINGER_S = 1.0  # how long a refused client is listened to, so that it gets to read the refusal


class Reply:
    """The answer to one request: `status` stays 0 until it is sent; `code` is the error's, if it is one."""

    def __init__(self, scope: Scope, send: Send, request_id: str, leave: bool) -> None:
        """`leave`: ask the client to close the connection."""
        self.status = 0
        self.code: str | None = None
        self._state = scope["state"]
        self._send = send
        self._request_id = request_id
        self._leave = leave

    async def send(self, message: Message) -> None:
        """Send on what an application sends, an error's body excepted, which is written anew."""
        if message["type"] != "http.response.start":
            if self.code is None:
                await self._send(message)
        elif message["status"] < 400:
            await self._start(message["status"], message["headers"])
        else:
            error = self._state.get("error") or ApiError.of_status(message["status"])
            await self.error(error, *(pair for pair in message["headers"] if pair[0].lower() == b"allow"))

    async def error(self, error: ApiError, *headers: Header) -> None:
        """Answer with an error, and with `headers` beside its own."""
        body = await self._start_error(error, headers)
        await self._send({"type": "http.response.body", "body": body})

    async def refuse(self, error: ApiError, receive: Receive, *headers: Header) -> None:
        """Answer with an error before the body was read, then throw away a little more of it: most clients read only
        once they have written, and a connection that is closed on them loses the answer."""
        self._leave = True
        body = await self._start_error(error, headers)
        await self._send({"type": "http.response.body", "body": body, "more_body": True})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER_S):
                while (await receive()).get("more_body"):
                    pass
        await self._send({"type": "http.response.body", "body": b""})

    async def _start_error(self, error: ApiError, headers: Iterable[Header]) -> bytes:
        self.code = error.code
        response = error.response(self._request_id)
        kept = [pair for pair in response.raw_headers if pair[0] != b"x-request-id"]
        await self._start(response.status_code, [*kept, *headers])
        return bytes(response.body)

    async def _start(self, status: int, headers: Iterable[Header]) -> None:
        self.status = status
        own = dict(headers)
        added = [pair for pair in SECURITY if pair[0] not in own]
        all_headers = [*own.items(), *added, (b"x-request-id", self._request_id.encode())]
        if self._leave:
            all_headers.append((b"connection", b"close"))
        await self._send({"type": "http.response.start", "status": status, "headers": all_headers})


def rendered(error: ApiError, request_id: str, *headers: Header) -> bytes:
    """The whole answer to a request that is refused before it is one for an application."""
    response = error.response(request_id)
    lines = [name + b": " + value + b"\r\n" for name, value in (*response.raw_headers, *SECURITY, *headers)]
    return b"".join([STATUS_LINE[error.status], *lines, b"\r\n", response.body])
