"""The deadlines: for a request's body to arrive, and then for its answer."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving import errors
from serving.contract import BODY_DEADLINE_S, MAX_BODY_BYTES
from serving.web.bodies import SMALL_BODY_BYTES, Bodies, declared
from serving.web.limits import BoundedPool

ANSWER_DEADLINE_S = 2.0


class Deadlines:
    """Reads a body, gives the inner layers the whole of it at once, and waits for what they answer.

    Raises ApiError: 408 and 503 after the deadlines, and as `Body.read`; and 503 where a large body is to come while
    many images wait to be decoded, which its reading would hold up. Leaves `body_read` in the scope's state.
    """

    def __init__(self, app: ASGIApp, decoders: BoundedPool) -> None:
        self.app = app
        self._decoders = decoders
        self._bodies = Bodies()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._decoders.full and SMALL_BODY_BYTES < declared(scope) <= MAX_BODY_BYTES:
            raise errors.OVERLOADED()
        try:
            with self._bodies.hold() as body:
                async with asyncio.timeout(
                    BODY_DEADLINE_S
                ) as deadline:  # a second one would cost as much as all the layers
                    again = _replay(await body.read(scope, receive))  # which lets go of it once it is read
                    scope["state"]["body_read"] = True
                    deadline.reschedule(asyncio.get_running_loop().time() + ANSWER_DEADLINE_S)
                    await self.app(scope, again, send)
        except TimeoutError:
            raise (errors.OVERLOADED if "body_read" in scope["state"] else errors.BODY_TOO_SLOW)() from None


def _replay(body: bytes) -> Receive:
    """Gives the body once. A client's hanging up is kept from the inside, where it could only become an error."""
    unread: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return unread.pop() if unread else await asyncio.Future()

    return receive
