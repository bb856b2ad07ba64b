"""The headers of every answer: its request's id, what keeps a browser safe, and while the service leaves, farewell."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.web.drain import Drain

Header = tuple[bytes, bytes]

SECURITY: tuple[Header, ...] = (  # of an answer that does not bring its own
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
CLOSE: Header = (b"connection", b"close")


class Headers:
    """Adds them to what the inner layers answer."""

    def __init__(self, app: ASGIApp, drain: Drain) -> None:
        self.app = app
        self._drain = drain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = (b"x-request-id", scope["state"]["request_id"].encode())
        added = dict((request_id, CLOSE) if self._drain.begun else (request_id,))

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = dict(message["headers"])
                security = [pair for pair in SECURITY if pair[0] not in own]
                message = {**message, "headers": [*(own | added).items(), *security]}
            await send(message)

        await self.app(scope, receive, send_with_headers)
