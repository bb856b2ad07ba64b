"""Every error, whoever made it, in the one shape of `serving.errors`."""

import asyncio
import contextlib
from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from serving import errors
from serving.errors import ApiError
from serving.web import log
from serving.web.bodies import ClientGoneError
from serving.web.headers import CLOSE, SECURITY, Header

LINGER_S = 1.0  # how long a refused client is listened to, so that it gets to read the refusal


class ErrorShape:
    """Answers with the errors that the inner layers raise, and writes those that they answer with anew.

    Leaves the answer's status in the scope's state, and an error's code.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        reply = Reply(scope, send)
        try:
            await self.app(scope, receive, reply.send)
            return
        except ClientGoneError:
            return
        except ApiError as raised:
            error = ApiError(raised.status, raised.code, raised.message)  # which keeps no half of a body alive
        except Exception:
            log.logger.exception("request %s failed", scope["state"]["request_id"])
            error = errors.INTERNAL()
        if "status" in scope["state"]:
            return
        if "body_read" in scope["state"]:
            await reply.error(error)
        else:
            await reply.refuse(error, receive)


class Reply:
    """The answer to one request."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._is_error = False
        self._method, self._path, self._state = scope["method"], scope["path"], scope["state"]
        self._send = send

    async def send(self, message: Message) -> None:
        """Send on what an application sends, an error's body excepted."""
        if message["type"] != "http.response.start":
            if not self._is_error:
                await self._send(message)
        elif message["status"] < 400:
            self._state["status"] = message["status"]
            await self._send(message)
        else:
            allow = [pair for pair in message["headers"] if pair[0].lower() == b"allow"]
            allowed = ", ".join(value.decode() for _, value in allow)
            await self.error(errors.of_status(message["status"], self._method, self._path, allowed), allow)

    async def error(self, error: ApiError, headers: Iterable[Header] = ()) -> None:
        """Answer with an error, and with `headers` beside its own."""
        body = await self._start(error, headers)
        await self._send({"type": "http.response.body", "body": body})

    async def refuse(self, error: ApiError, receive: Receive) -> None:
        """Answer with an error before the body was read, then throw away a little more of it: most clients read only
        once they have written, and a connection that is closed on them loses the answer."""
        body = await self._start(error, [CLOSE])
        await self._send({"type": "http.response.body", "body": body, "more_body": True})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER_S):
                while (await receive()).get("more_body"):
                    pass
        await self._send({"type": "http.response.body", "body": b""})

    async def _start(self, error: ApiError, headers: Iterable[Header]) -> bytes:
        self._is_error = True
        self._state |= {"status": error.status, "error_code": error.code}
        response = error.response(self._state["request_id"])
        all_headers = [*response.raw_headers, *headers]
        await self._send({"type": "http.response.start", "status": error.status, "headers": all_headers})
        return bytes(response.body)


def rendered(error: ApiError, request_id: str, *headers: Header) -> bytes:
    """The whole answer to a request that is refused before it is one for an application."""
    response = error.response(request_id)
    all_headers = (*response.raw_headers, *SECURITY, (b"x-request-id", request_id.encode()), *headers)
    lines = [name + b": " + value + b"\r\n" for name, value in all_headers]
    return b"".join([STATUS_LINE[error.status], *lines, b"\r\n", response.body])
