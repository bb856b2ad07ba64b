"""The pages' files travel small, and once."""

import gzip

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from serving import openapi
from serving.app import ROUTES
from serving.web import assets

PATHS = [*assets.PATHS, "/page/card.json", "/page/show/strokes.json"]


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    (folder / assets.CARD).write_text('{"kind": "' + "toy " * 200 + '"}')
    (folder / assets.SHOW).mkdir()
    (folder / assets.SHOW / "strokes.json").write_text(str([0.5] * 200))
    app = Starlette(routes=[*assets.routes, *assets.routes_of(folder)])
    app.state.assets = assets.load(folder, openapi.document(ROUTES))
    with TestClient(app) as client:
        yield client


def get(client, path, **headers):
    """The answer, its body as it travelled."""
    asked = {"accept-encoding": "identity", **{name.replace("_", "-"): value for name, value in headers.items()}}
    with client.stream("GET", path, headers=asked) as response:
        return response, b"".join(response.iter_raw())


@pytest.mark.parametrize("path", PATHS)
def test_a_file_is_the_same_by_gzip_and_never_larger(client, path):
    plain, whole = get(client, path)
    response, body = get(client, path, accept_encoding="br, gzip;q=0.5")
    assert "content-encoding" not in plain.headers
    assert response.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
    assert response.headers["etag"] == plain.headers["etag"]
    if response.headers.get("content-encoding") == "gzip":
        assert len(body) < len(whole)
        body = gzip.decompress(body)
    else:
        assert not path.endswith((".js", ".css")), "text gets smaller"
    assert body == whole


def test_the_page_and_all_that_it_loads_is_small_on_the_wire(client):
    loaded = [path for path in assets.PATHS if path == "/" or path.endswith((".js", "style.css", ".svg"))]
    plain, small = (
        sum(len(get(client, path, accept_encoding=encoding)[1]) for path in loaded) for encoding in ("identity", "gzip")
    )
    assert small < plain / 2


@pytest.mark.parametrize("encodings", ["", "identity", "br", "gzip;q=0", "gzip;q=0.000, br", "x-gzipped"])
def test_who_does_not_take_gzip_gets_none(client, encodings):
    response, _ = get(client, "/", accept_encoding=encodings)
    assert "content-encoding" not in response.headers


@pytest.mark.parametrize("path", PATHS)
def test_who_has_a_file_gets_nothing_and_who_has_an_older_one_gets_it(client, path):
    tag = get(client, path)[0].headers["etag"]
    for known in (tag, tag.removeprefix("W/"), f'"older", {tag}', "*"):
        response, body = get(client, path, if_none_match=known)
        assert (response.status_code, body) == (304, b"")
        assert response.headers["etag"] == tag
        assert response.headers["cache-control"] == "no-cache"
    response, body = get(client, path, if_none_match='"older"')
    assert response.status_code == 200
    assert body


def test_different_files_have_different_tags(client):
    tags = [get(client, path)[0].headers["etag"] for path in PATHS]
    assert len(set(tags)) == len(tags)
