"""The guard: the layers around the service's application, and around the little of BentoML's that is asked."""

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.openapi import BENTOMLS
from serving.web.concurrency import Concurrency
from serving.web.cors import Cors, Origins
from serving.web.deadlines import Deadlines
from serving.web.drain import Drain
from serving.web.error_shape import ErrorShape
from serving.web.headers import Headers
from serving.web.keys import KeyCheck, Keys
from serving.web.record import Record
from serving.web.ways import Ways


def guarded(
    app: Starlette, bentoml: ASGIApp, keys: Keys, origins: Origins | None = None, concurrency: int | None = None
) -> ASGIApp:
    """The service: its own application and BentoML's, inside of the layers, of which the first is the outermost.

    origins: whose pages may ask, None for those of the service alone. concurrency: how many may ask at once, None for
    as many as can be answered.
    """
    dispatch = Dispatch(app, bentoml)
    layers = (
        Middleware(Requests, bentoml, app.state.drain),
        Middleware(Record, app.state.metrics, dispatch.paths),
        Middleware(Headers, app.state.drain),
        *((Middleware(Cors, origins),) if origins and origins.listed else ()),
        Middleware(ErrorShape),
        Middleware(KeyCheck, keys),
        Middleware(Deadlines, app.state.decoders),
        *((Middleware(Concurrency, concurrency),) if concurrency else ()),
    )
    service: ASGIApp = dispatch
    for layer, arguments, _ in reversed(layers):
        service = layer(service, *arguments)
    return service


class Requests:
    """Gives the layers what is HTTP, and BentoML all else: the service's start and its end."""

    def __init__(self, app: ASGIApp, bentoml: ASGIApp, drain: Drain) -> None:
        self.app = app
        self._bentoml = bentoml
        self._drain = drain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self.app(scope, receive, send)
            return
        if scope["type"] == "lifespan":
            self._drain.install()
        await self._bentoml(scope, receive, send)


class Dispatch:
    """Calls the service's endpoints directly, past Starlette's routing; BentoML's middlewares, which cost more than an
    answer does, stand before the probes and the metrics alone. Raises ApiError 404."""

    def __init__(self, app: Starlette, bentoml: ASGIApp) -> None:
        self._app = app
        routes = [route for route in app.routes if isinstance(route, Route)]
        own: dict[str, ASGIApp] = {route.path: app for route in routes}
        self.paths = own | dict.fromkeys(BENTOMLS, bentoml)
        self._endpoints = {(method, route.path): route.app for route in routes for method in route.methods or ()}
        self._ways = Ways({path: "POST" if ("POST", path) in self._endpoints else "GET" for path in self.paths})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self._app
        path = scope["path"]
        endpoint = self._endpoints.get((scope["method"], path)) or self.paths.get(path)
        if endpoint is None:
            raise self._ways.error(path)
        await endpoint(scope, receive, send)
