"""The page's files, from memory: the page itself at /, what it loads under /page/."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

FOLDER = Path(__file__).parent / "page"
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


def kind(path: str) -> str:
    """The media type of what lies at a path."""
    return TYPES[Path(path).suffix or ".html"]


def _route(path: str) -> Route:
    async def asset(request: Request) -> Response:
        return Response(request.app.state.assets[path], headers=HEADERS, media_type=kind(path))

    return Route(path, asset, methods=["GET"])


routes = [_route(path) for path in (*PATHS, f"/page/{CARD}")]
