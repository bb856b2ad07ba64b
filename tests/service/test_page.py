"""The page's files and what it asks for, over real HTTP."""

import io
import posixpath
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from serving import lines
from serving.web import assets
from tests import toy_model

MOST_SCRIPT = 200_000


def png(image):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("path", [*assets.PATHS, "/page/card.json"])
def test_every_file_comes_with_its_type_and_a_strict_policy(client, path):
    response = client.get(path)
    assert response.status_code == 200
    assert response.content
    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    assert response.headers["x-content-type-options"] == "nosniff"


def test_no_file_names_another_host(client):
    for path in assets.PATHS:
        addresses = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"']*", client.get(path).text))
        others = {address for address in addresses if not address.startswith(lines.SERVICE)}
        assert others <= {"http://www.w3.org/2000/svg"}, path


def test_all_script_together_is_small(client):
    scripts = [path for path in assets.PATHS if path.endswith(".js")]
    assert 0 < sum(len(client.get(path).content) for path in scripts) < MOST_SCRIPT


def test_no_script_imports_what_is_not_there(client):
    for path in assets.PATHS:
        imported = re.findall(r'from "(\..*?)"', client.get(path).text)
        assert {posixpath.normpath(f"{path}/../{name}") for name in imported} <= {*assets.PATHS}, path
    assert client.get("/page/nothing.js").status_code == 404
    assert client.get("/page/../model.onnx").status_code == 404


def test_explain_answers_as_predict_does_and_says_why(client):
    for data in (png(toy_model.image(7)), png(np.full((50, 50), 255, np.uint8))):
        told = client.post("/explain", content=data, headers={"Content-Type": "image/png"}).json()
        assert told["answer"] == client.post("/predict", content=data).json()
        parts = {"answer", "novelty", "reading", "layers", "points", "columns", "first_weights", "saliency"}
        assert set(told) == parts
    form = client.post("/explain", files={"image": ("7.png", png(toy_model.image(7)), "image/png")})
    assert form.json()["saliency"]["digit"] == 7


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        ({"content": b""}, 400, "empty_image"),
        ({"content": b"hello"}, 415, "unsupported_media_type"),
        ({"content": b"\x89PNG\r\n\x1a\n"}, 400, "unreadable_image"),
        ({"json": {"pixels": []}}, 415, "unsupported_media_type"),
        ({"files": {"picture": b"x"}}, 400, "malformed_form"),
        ({"content": bytes(10_000_001)}, 413, "body_too_large"),
    ],
)
def test_explain_refuses_as_predict_does(client, request_, status, code):
    response = client.post("/explain", **request_)
    assert response.status_code == status
    assert response.json()["error"]["code"] == code
    assert response.json()["error"] == client.post("/predict", **request_).json()["error"]


def test_explain_takes_no_other_method(client):
    assert client.get("/explain").status_code == 405


def test_explanations_at_once_do_not_hold_up_answers(client):
    data = png(toy_model.image(7))
    with ThreadPoolExecutor(8) as pool:
        told = [pool.submit(client.post, "/explain", content=data) for _ in range(40)]
        assert client.post("/predict", content=data).elapsed.total_seconds() < 1
        assert {one.result().status_code for one in told} == {200}
