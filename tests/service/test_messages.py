"""What a stranger does wrong is answered with what to do instead: the field, the path, the shape or the header."""

import base64
import gzip
import json
import zlib

import psutil
import pytest

from tests import toy_model
from tests.service.test_contract import encode, error_of

SEVEN = encode(toy_model.image(7))
BASE64 = base64.b64encode(SEVEN).decode()
ROWS = [[0] * 28] * 28
FORM, BODY = "curl -F image=@seven.png", 'curl --data-binary @seven.png -H "Content-Type: image/png"'
BY_CURL = {"Content-Type": "application/x-www-form-urlencoded"}
OCTETS = {"Content-Type": "application/octet-stream"}


def typed(kind, content):
    return {"content": content, "headers": {"Content-Type": kind}}


@pytest.mark.parametrize("path", ["/predict", "/explain"])
@pytest.mark.parametrize(
    ("request_", "status", "code", "says"),
    [
        ({"content": SEVEN, "headers": BY_CURL}, 415, "unsupported_media_type", [BY_CURL["Content-Type"], BODY, FORM]),
        ({"json": {"image": BASE64}}, 415, "unsupported_media_type", ["JSON", BODY, "/predict_pixels"]),
        ({"json": {"pixels": ROWS}}, 415, "unsupported_media_type", ["JSON", "arrays", "POST /predict_pixels"]),
        (typed("text/plain", BASE64), 415, "unsupported_media_type", ["base64", BODY, FORM]),
        (typed("image/png", BASE64), 415, "unsupported_media_type", ["base64"]),
        (typed("image/png", f"data:image/png;base64,{BASE64}"), 415, "unsupported_media_type", ["data URL"]),
        (typed("image/png", "http://127.0.0.1/7.png"), 415, "unsupported_media_type", ["never fetched", BODY]),
        (typed("image/png", "<!DOCTYPE html><p>"), 415, "unsupported_media_type", ["HTML"]),
        ({"content": b""}, 400, "empty_image", ["no bytes"]),
        ({"files": {"file": SEVEN}}, 400, "malformed_form", ['"file"', "field image", FORM]),
        ({"files": {"image": (None, "seven.png")}}, 400, "malformed_form", ["not a file", "@", "Blob"]),
        (
            {"files": {"image": SEVEN}, "data": {"user": "me"}},
            *(400, "malformed_form", ['"user"', '"image"', "nothing else"]),
        ),
        (typed("multipart/form-data", SEVEN), 400, "malformed_form", ["boundary", "leave that header to the client"]),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_sent_for_an_image(client, path, request_, status, code, says):
    message = error_of(client.post(path, **request_), status, code)
    assert [part for part in says if part.lower() not in message.lower()] == [], message


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"instances": [ROWS]}, ['"instances"', '"pixels"', '"batch"']),
        ({"image": ROWS}, ['"image"', '"pixels"']),
        (ROWS, ['{"pixels": 28 rows of 28 numbers}']),
        ({"pixels": [0] * 784}, ["pixels[0]", "28 rows of 28", "flat list of 784"]),
        ({"batch": [[0] * 784]}, ["batch[0][0]", "28 rows of 28", "flat list of 784"]),
        ({"batch": ROWS}, ["batch[0][0]", "28 rows of 28"]),
        ({"pixels": [ROWS]}, ["pixels[0][0]", "number", "axis"]),
        ({"pixels": [[[0]] * 28] * 28}, ["pixels[0][0]", "number", "axis"]),
        ({"pixels": [[0] * 56] * 14}, ["pixels[0]", "56 numbers", "28 rows of 28"]),
        ({"pixels": ROWS[1:]}, ["pixels", "27 rows", "28 rows of 28"]),
        ({"batch": [ROWS, ROWS[1:]]}, ["batch[1]", "27 rows"]),
        ({"batch": []}, ["batch is empty"]),
        ({"pixels": BASE64}, ["pixels", "a list of rows"]),
        ({"pixels": [["0"] * 28] * 28}, ["quotation marks"]),
        ({"pixels": [[-0.42] * 28] * 28}, ["pixels[0][0]", "0..255", "normalisation"]),
        ({"pixels": [[0.5] * 28] * 28}, ['"scale": "0-1"']),
        ({"pixels": ROWS, "scale": 255}, ['"0-255"', '"0-1"']),
        ({}, ["pixels", "batch"]),
    ],
    ids=lambda value: json.dumps(value)[:40],
)
def test_what_is_sent_for_pixels_as_json(client, body, says):
    message = error_of(client.post("/predict_pixels", json=body), 422, "invalid_pixels")
    assert [part for part in says if part not in message] == [], message


@pytest.mark.parametrize("kind", [None, "image/png", "text/plain", BY_CURL["Content-Type"], "multipart/form-data"])
def test_what_is_sent_for_pixels_of_another_type(client, kind):
    headers = {"Content-Type": kind} if kind else {}
    response = client.post("/predict_pixels", content=SEVEN, headers=headers)
    message = error_of(response, 415, "unsupported_media_type")
    for part in (kind or "without a Content-Type", "application/json", "784 bytes", "POST /predict."):
        assert part in message, message


def test_an_image_file_that_is_sent_as_pixels_is_led_to_its_path(client):
    message = error_of(client.post("/predict_pixels", content=SEVEN, headers=OCTETS), 422, "invalid_pixels")
    assert "784" in message
    assert "POST /predict." in message


POSTS = ("/predict", "/explain", "/predict_pixels", "/predict_prepared", "/unit", "/without", "/compare")


@pytest.mark.parametrize("path", POSTS)
def test_a_get_where_a_body_is_wanted_says_so(client, path):
    message = error_of(client.get(path), 405, "method_not_allowed")
    assert f"{path} takes POST, not GET" in message
    assert FORM in message


@pytest.mark.parametrize(
    ("path", "right"),
    [
        ("/predict/", "POST /predict"),
        ("/openapi.json", "GET /docs.json"),
        ("/health", "GET /healthz"),
        ("/v1/predict", "POST /predict"),
        ("/invocations", "POST /predict_pixels"),
    ],
)
def test_a_path_that_others_have_leads_to_ours(client, path, right):
    assert f"may be {right}." in error_of(client.post(path, content=SEVEN), 404, "not_found")


def deflated(data, wbits):
    compressor = zlib.compressobj(wbits=wbits)
    return compressor.compress(data) + compressor.flush()


ENCODINGS = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "DEFLATE": lambda data: deflated(data, -15),
    "br": lambda data: data,
    "zstd": lambda data: data,
    "gzip, identity": gzip.compress,
    "aws-chunked": lambda data: data,
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(
    ("path", "content", "kind"),
    [
        ("/predict", SEVEN, "image/png"),
        ("/explain", SEVEN, "image/png"),
        ("/predict_pixels", bytes(784), OCTETS["Content-Type"]),
        ("/predict_pixels", json.dumps({"pixels": ROWS}).encode(), "application/json"),
        ("/predict", b"--b--\r\n", "multipart/form-data; boundary=b"),
    ],
)
def test_an_encoded_body_is_415_and_the_encoding_is_named(client, path, content, kind, encoding):
    headers = {"Content-Type": kind, "Content-Encoding": encoding}
    response = client.post(path, content=ENCODINGS[encoding](content), headers=headers)
    assert f"Content-Encoding: {encoding}" in error_of(response, 415, "unsupported_encoding")


@pytest.mark.parametrize(
    "header", ["Content-Encoding: gzip\r\nContent-Length: 784", "Transfer-Encoding: gzip, chunked"]
)
def test_compressed_bytes_are_never_answered_as_pixels(server, header):
    body = bytes(784) if "Length" in header else b"310\r\n" + bytes(784) + b"\r\n0\r\n\r\n"
    head = f"POST /predict_pixels HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n{header}\r\n\r\n"
    status, _, answer = server.exchange(head.encode() + body)
    error = json.loads(answer)["error"]
    assert (status, error["code"]) == (415, "unsupported_encoding")
    assert header.partition("\r")[0] in error["message"]


def test_identity_is_no_encoding(client):
    for encoding in ("identity", "Identity", ""):
        headers = {"Content-Type": "image/png", "Content-Encoding": encoding}
        assert client.post("/predict", content=SEVEN, headers=headers).json()["digit"] == 7


def test_a_large_photo_in_a_form_is_answered_where_no_file_can_be_written(server, client):
    photo = encode(toy_model.image(7).repeat(40, 0).repeat(40, 1), "BMP")
    assert len(photo) > 1_200_000
    expected = client.post("/predict", content=photo).json()
    worker = server.worker()
    free = worker.rlimit(psutil.RLIMIT_FSIZE)
    worker.rlimit(psutil.RLIMIT_FSIZE, (0, free[1]))  # as on a full disk: no file may grow
    try:
        response = client.post("/predict", files={"image": ("photo.bmp", photo, "image/bmp")})
    finally:
        worker.rlimit(psutil.RLIMIT_FSIZE, free)
    assert response.json() == expected
    assert expected["digit"] is not None
