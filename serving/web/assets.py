"""The page's files, from memory: the page itself at /, what it loads under /page/."""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from pydantic import ConfigDict
from starlette.requests import Request
from starlette.responses import Response

from serving.openapi import TEXT, ApiRoute
from serving.schema import Json, Strict

FOLDER = Path(__file__).parent.parent / "page"
CARD = "card.json"  # lies beside the model, since it tells of it
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
}
HEADERS = {  # beside those of every answer
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-cache",
}

PATHS = {"/" if path.name == "index.html" else f"/page/{path.name}": path for path in sorted(FOLDER.iterdir())}


def load(beside_model: Path) -> dict[str, bytes]:
    """The content for each path. The card is empty where none was packaged."""
    card = beside_model / CARD
    files = {path: file.read_bytes() for path, file in PATHS.items()}
    return {**files, f"/page/{CARD}": card.read_bytes() if card.exists() else b"{}"}


class Card(Strict):
    """The model's card, as the page shows it."""

    model_config = ConfigDict(extra="allow")
    examples: ClassVar[Mapping[str, Json]] = {"none": {}}


def _route(path: str) -> ApiRoute:
    kind = TYPES[Path(path).suffix or ".html"]

    async def asset(request: Request) -> Response:
        """A file of the page at /."""
        return Response(request.app.state.assets[path], headers=HEADERS, media_type=kind)

    return ApiRoute(path, asset, Card if path.endswith(CARD) else {kind.partition(";")[0]: TEXT})


routes = [_route(path) for path in (*PATHS, f"/page/{CARD}")]
