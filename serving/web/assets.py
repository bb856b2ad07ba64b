"""The pages' files, from memory: the pages themselves at / and /docs, what they load or offer under /page/."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serving import guide
from serving.schema import Json

FOLDER = Path(__file__).parent.parent / "page"
PAGES = {"index.html": "/", "docs.html": "/docs"}
CARD = "card.json"  # lies beside the model, since it tells of it
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".bin": "application/octet-stream",
}
HEADERS = {  # beside those of every answer
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-cache",
}


def _path(file: Path) -> str:
    """Where a file of the page is found."""
    return PAGES.get(file.name) or f"/page/{file.relative_to(FOLDER).as_posix()}"


PATHS = {_path(file): file for file in sorted(FOLDER.rglob("*")) if file.is_file()}


def load(beside_model: Path, document: Json) -> dict[str, bytes]:
    """The content for each path. `document` is what /docs is made of. The card is empty where none was packaged."""
    card = beside_model / CARD
    made = {
        f"/page/{CARD}": card.read_bytes() if card.exists() else b"{}",
        "/docs": guide.page(PATHS["/docs"].read_text(encoding="utf-8"), document),
    }
    return {path: file.read_bytes() for path, file in PATHS.items()} | made


def _route(path: str) -> Route:
    kind = TYPES[Path(path).suffix or ".html"]

    async def asset(request: Request) -> Response:
        return Response(request.app.state.assets[path], headers=HEADERS, media_type=kind)

    return Route(path, asset)


routes = [_route(path) for path in (*PATHS, f"/page/{CARD}")]
