"""The guard: the outermost layer, before anything of BentoML's.

It gives each request an id, asks for a key, sends what is not a path of the service away, reads the body within a
deadline, waits for the answer no longer than another one, writes every error in the one shape, whoever raised it, and
notes what happened.

The service's own routes are called directly, past Starlette's routing as well: BentoML's middlewares, which cost more
than an answer does, stand before the probes and the metrics alone.
"""

import asyncio
import secrets
import time

from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.errors import ApiError
from serving.web import log
from serving.web.bodies import MAX_BODY_BYTES, SMALL_BODY_BYTES, Bodies, Body, ClientGoneError, declared
from serving.web.drain import Drain
from serving.web.keys import Keys
from serving.web.limits import Line
from serving.web.metrics import Metrics
from serving.web.reply import Reply

PROBES = ("/livez", "/readyz", "/healthz")
METRICS = "/metrics"
BENTOMLS = ("/livez", "/healthz", METRICS)
BODY_DEADLINE_S = 20.0
ANSWER_DEADLINE_S = 2.0
CHALLENGE = (b"www-authenticate", b'Basic realm="Inkwell: any name, and a key as the password", charset="UTF-8"')


class Guard:
    """An ASGI application around the service's own, `app`, and around BentoML's."""

    def __init__(self, app: Starlette, bentoml: ASGIApp, keys: Keys) -> None:
        self.app = app
        self.bentoml = bentoml
        self.keys = keys
        self.bodies = Bodies()
        self.drain: Drain = app.state.drain
        self.metrics: Metrics = app.state.metrics
        self.decoders: Line = app.state.decoders
        routes = [route for route in app.routes if isinstance(route, Route)]
        own: dict[str, ASGIApp] = {route.path: app for route in routes}
        self._paths = own | dict.fromkeys(BENTOMLS, bentoml)
        self._short_cuts = {(method, route.path): route.app for route in routes for method in route.methods or ()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                self.drain.install()
            await self.bentoml(scope, receive, send)
            return
        began = time.perf_counter()
        request_id = secrets.token_hex(16)
        scope.setdefault("state", {})["request_id"] = request_id
        scope["app"] = self.app
        reply = Reply(scope, send, request_id, leave=self.drain.begun)
        endpoint = scope["path"] if scope["path"] in self._paths else None
        try:
            with self.bodies.hold() as body:
                await self._answer(endpoint, scope, receive, reply, body)
        except ClientGoneError:
            pass
        except Exception:
            log.logger.exception("request %s failed", request_id)
            if not reply.status:
                await reply.error(ApiError.of_status(500))
        finally:
            self._note(endpoint or "other", scope, reply, request_id, time.perf_counter() - began)

    async def _answer(self, endpoint: str | None, scope: Scope, receive: Receive, reply: Reply, body: Body) -> None:
        arrived_at = (scope.get("server") or (None,))[0]
        if endpoint not in PROBES and not self.keys.admit(_header(scope, b"authorization"), arrived_at):
            await reply.refuse(ApiError.of_status(401), receive, CHALLENGE)
            return
        try:
            async with asyncio.timeout(BODY_DEADLINE_S) as deadline:
                if self.decoders.full and SMALL_BODY_BYTES < declared(scope) <= MAX_BODY_BYTES:
                    raise ApiError.of_status(503)  # before the body, whose reading would hold up the decoders
                again = _replay(await body.read(scope, receive))  # which lets go of it once it is read
                deadline.reschedule(asyncio.get_running_loop().time() + ANSWER_DEADLINE_S)
                if endpoint is None:
                    raise ApiError.of_status(404)
                if endpoint == METRICS:
                    self.metrics.publish()
                application = self._short_cuts.get((scope["method"], endpoint)) or self._paths[endpoint]
                await application(scope, again, reply.send)
        except TimeoutError:
            if not body.complete:
                message = f"The body did not arrive within {BODY_DEADLINE_S:.0f} seconds."
                await reply.refuse(ApiError(408, "body_too_slow", message), receive)
            elif not reply.status:
                await reply.error(ApiError.of_status(503))
        except ApiError as error:
            if not body.complete:
                await reply.refuse(error, receive)
            else:
                await reply.error(error)

    def _note(self, endpoint: str, scope: Scope, reply: Reply, request_id: str, seconds: float) -> None:
        self.metrics.request(endpoint, reply.status, reply.code, seconds)
        if endpoint in PROBES and not reply.code:
            return
        log.request(request_id, scope["method"], scope["path"], reply.status, reply.code, seconds)


def _header(scope: Scope, name: bytes) -> bytes:
    return next((value for key, value in scope["headers"] if key == name), b"")


def _replay(body: bytes) -> Receive:
    """Gives the body once. A client's hanging up is kept from the inside, where it could only become an error."""
    unread: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return unread.pop() if unread else await asyncio.Future()

    return receive
