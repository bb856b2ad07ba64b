"""The pages' files, from memory: the pages themselves at / and /docs, what they load or offer under /page/.

They are sent by gzip to whoever takes it, and not at all to a browser that has them as they are now.
"""

import gzip
import hashlib
import re
from pathlib import Path
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serving import guide
from serving.schema import Json

FOLDER = Path(__file__).parent.parent / "page"
PAGES = {"index.html": "/", "docs.html": "/docs"}
CARD = "card.json"  # lies beside the model, since it tells of it
SHOW = "show"  # so do the files that views load when they are opened
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
    "Vary": "Accept-Encoding",
}
TAKES_GZIP = re.compile(r"(?:^|,)\s*gzip\s*(?:,|$|;\s*q=(?!0(?:\.0*)?\s*(?:,|$)))", re.IGNORECASE)


class Asset(NamedTuple):
    """A file as it is, by gzip or None where that is no smaller, and the tag that both have."""

    plain: bytes
    small: bytes | None
    tag: str

    @classmethod
    def of(cls, content: bytes) -> "Asset":
        small = gzip.compress(content, mtime=0)
        tag = f'W/"{hashlib.sha256(content).hexdigest()[:32]}"'
        return cls(content, small if len(small) < len(content) else None, tag)


def _path(file: Path) -> str:
    """Where a file of the page is found."""
    return PAGES.get(file.name) or f"/page/{file.relative_to(FOLDER).as_posix()}"


PATHS = {_path(file): file for file in sorted(FOLDER.rglob("*")) if file.is_file()}


def load(beside_model: Path, document: Json) -> dict[str, Asset]:
    """The file for each path. `document` is what /docs is made of. The card is empty where none was packaged."""
    card = beside_model / CARD
    made = {
        **{path: file.read_bytes() for path, file in _shown(beside_model).items()},
        f"/page/{CARD}": card.read_bytes() if card.exists() else b"{}",
        "/docs": guide.page(PATHS["/docs"].read_text(encoding="utf-8"), document),
    }
    contents = {path: file.read_bytes() for path, file in PATHS.items()} | made
    return {path: Asset.of(content) for path, content in contents.items()}


def _shown(beside_model: Path) -> dict[str, Path]:
    files = sorted((beside_model / SHOW).glob("*"))
    return {f"/page/{SHOW}/{file.name}": file for file in files if file.suffix in TYPES}


def routes_of(beside_model: Path) -> list[Route]:
    """The routes of the files that were packaged with the model."""
    return [_route(path) for path in _shown(beside_model)]


def _route(path: str) -> Route:
    kind = TYPES[Path(path).suffix or ".html"]

    async def asset(request: Request) -> Response:
        plain, small, tag = request.app.state.assets[path]
        headers = {**HEADERS, "ETag": tag}
        if _has(request.headers.get("if-none-match", ""), tag):
            return Response(status_code=304, headers=headers)
        if small and TAKES_GZIP.search(request.headers.get("accept-encoding", "")):
            return Response(small, headers={**headers, "Content-Encoding": "gzip"}, media_type=kind)
        return Response(plain, headers=headers, media_type=kind)

    return Route(path, asset)


def _has(tags: str, tag: str) -> bool:
    """Whether a header If-None-Match names a tag, weak or not, or with * any."""
    return bool({"*", tag.removeprefix("W/")} & {one.strip().removeprefix("W/") for one in tags.split(",")})


routes = [_route(path) for path in (*PATHS, f"/page/{CARD}")]
