"""How many requests are answered at the same time, where BentoML's setting traffic.max_concurrency says."""

from starlette.types import ASGIApp, Receive, Scope, Send

from serving import errors


class Concurrency:
    """Lets `most` requests through at once. Who only looks, with GET, does not count. Raises ApiError 429."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self.app = app
        self._room = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        if not self._room:
            raise errors.TOO_MANY_REQUESTS()
        self._room -= 1
        try:
            await self.app(scope, receive, send)
        finally:
            self._room += 1
