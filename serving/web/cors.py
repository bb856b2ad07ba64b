"""Which pages elsewhere may ask from a browser: CORS, off unless the environment lists their origins.

INKWELL_CORS_ORIGINS="https://ours.example,http://localhost:8000"   or * for any page
Where it is not set, what BentoML's own setting http.cors.access_control_allow_origins lists while it is enabled.

No cookies are asked for, so that a page elsewhere sends a key as a program does, if it has one.
"""

import os
import re
from collections.abc import Iterable, Mapping
from typing import Self

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.web.headers import Header

ANY = "*"
SHAPE = re.compile(r"https?://[^/?#@\s]+", re.IGNORECASE)
VARY: Header = (b"vary", b"Origin")
EXPOSED: Header = (b"access-control-expose-headers", b"X-Request-ID, Retry-After")
PREFLIGHT: tuple[Header, ...] = (
    (b"access-control-allow-methods", b"GET, POST"),
    (b"access-control-allow-headers", b"Authorization, Content-Type"),
    (b"access-control-max-age", b"600"),
)


class OriginsError(Exception):
    """What is given for origins is none."""


class Origins:
    """The origins whose pages may ask."""

    def __init__(self, listed: Iterable[str] = ()) -> None:
        self.listed = frozenset(origin.lower().encode() for origin in listed)
        self._any = ANY.encode() in self.listed

    @classmethod
    def from_environment(cls, otherwise: Iterable[str] = (), environ: Mapping[str, str] = os.environ) -> Self:
        """Those of INKWELL_CORS_ORIGINS, or `otherwise` where it is not set. Raises OriginsError for what is none."""
        given = environ.get("INKWELL_CORS_ORIGINS")
        if given is None:
            return cls(otherwise)
        listed = [entry.strip() for entry in given.split(",") if entry.strip()]
        for origin in listed:
            if origin != ANY and not SHAPE.fullmatch(origin):
                raise OriginsError(
                    f"INKWELL_CORS_ORIGINS: {origin!r} is no origin; expected a scheme, a host and a port where it has"
                    " one, with nothing behind, as in https://ours.example or http://localhost:8000; or * for any page"
                )
        return cls(listed)

    def headers(self, origin: bytes) -> tuple[Header, ...]:
        """The headers of an answer to a page of `origin`, b"" for who is no page elsewhere."""
        if self._any:
            return ((b"access-control-allow-origin", b"*"), EXPOSED)
        if origin.lower() in self.listed:
            return ((b"access-control-allow-origin", origin), EXPOSED, VARY)
        return (VARY,) if self.listed else ()


class Cors:
    """Answers whether a page may ask, and tells the browser of every answer, errors too, whose it may be."""

    def __init__(self, app: ASGIApp, origins: Origins) -> None:
        self.app = app
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = dict(scope["headers"])
        origin = asked.get(b"origin", b"")
        headers = self._origins.headers(origin)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *headers]}
            await send(message)

        if scope["method"] == "OPTIONS" and b"access-control-request-method" in asked and EXPOSED in headers:
            scope["state"]["status"] = 204
            await send_with_headers({"type": "http.response.start", "status": 204, "headers": [*PREFLIGHT]})
            await send({"type": "http.response.body"})
        else:
            await self.app(scope, receive, send_with_headers)
