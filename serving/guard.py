"""The guard: the outermost layer, before anything of BentoML's.

It gives each request an id, reads its body up to a limit (a body sent in chunks is counted, not believed) and within
a deadline, and writes every error in the one shape, whoever raised it.
"""

import asyncio
import logging
import uuid

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.errors import ApiError

MAX_BODY_BYTES = 10_000_000
BODY_DEADLINE_S = 20.0
LINGER_S = 1.0  # how long a refused client is listened to, so that it gets to read the refusal

logger = logging.getLogger("inkwell")


class ClientGoneError(Exception):
    """The client hung up before its request was complete."""


class Guard:
    """An ASGI application around another one."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = uuid.uuid4().hex
        state = scope.setdefault("state", {})
        state["request_id"] = request_id

        try:
            async with asyncio.timeout(BODY_DEADLINE_S):
                body = await _read(scope, receive)
        except ClientGoneError:
            return
        except TimeoutError:
            slow = ApiError(408, "body_too_slow", f"The body did not arrive within {BODY_DEADLINE_S:.0f} seconds.")
            await _refuse(slow, request_id, receive, send)
            return
        except ApiError as error:
            await _refuse(error, request_id, receive, send)
            return

        unread = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            # A client's hanging up is kept from the inside, where it could only turn into an error of ours.
            return unread.pop() if unread else await asyncio.Future()

        started = replaced = False

        async def answer(message: Message) -> None:
            nonlocal started, replaced
            if message["type"] == "http.response.start":
                started = True
                if message["status"] >= 400:
                    replaced = True
                    error = state.get("error") or ApiError.of_status(message["status"])
                    response = error.response(request_id)
                    response.raw_headers += [pair for pair in message["headers"] if pair[0].lower() == b"allow"]
                    await response(scope, receive, send)
                    return
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            if not replaced:
                await send(message)

        try:
            await self.app(scope, replay, answer)
        except Exception:
            logger.exception("request %s failed", request_id)
            if not started:
                await ApiError.of_status(500).response(request_id)(scope, receive, send)


async def _read(scope: Scope, receive: Receive) -> bytes:
    """The request's whole body. Raises ApiError 413 as soon as it is known to be too large."""
    too_large = ApiError(413, "body_too_large", f"The body is larger than {MAX_BODY_BYTES:,} bytes.")
    declared = dict(scope["headers"]).get(b"content-length", b"0")
    if int(declared) > MAX_BODY_BYTES:
        raise too_large
    chunks: list[bytes] = []
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > MAX_BODY_BYTES:
            raise too_large
        more = message.get("more_body", False)
    return b"".join(chunks)


async def _refuse(error: ApiError, request_id: str, receive: Receive, send: Send) -> None:
    """Answer before the body was read, then throw away a little more of it: most clients read only once they have
    written, and a connection that is closed on them loses the answer."""
    response = error.response(request_id)
    headers = [*response.raw_headers, (b"connection", b"close")]
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": response.body, "more_body": True})
    try:
        async with asyncio.timeout(LINGER_S):
            while (await receive()).get("more_body"):
                pass
    except TimeoutError:
        pass
    await send({"type": "http.response.body", "body": b""})
