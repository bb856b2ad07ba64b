"""The service's contract, over real HTTP against a served Bento."""

import hashlib
import io
import json
import zlib

import numpy as np
import pytest
from PIL import Image

from serving.app import ROUTES
from serving.contract import MAX_BATCH
from serving.images import normalise, normalise_all
from serving.model.recogniser import Recogniser
from serving.openapi import document
from tests import toy_model

OCTETS = {"Content-Type": "application/octet-stream"}
JSON = {"Content-Type": "application/json"}


def encode(image, kind="PNG", **options):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind, **options)
    return buffer.getvalue()


def error_of(response, status, code):
    """The error's message, once its status, code and shape are as the contract says."""
    assert response.status_code == status, response.text
    body = response.json()
    assert set(body) == {"error", "request_id"}
    assert set(body["error"]) == {"code", "message"}
    assert body["error"]["code"] == code
    assert body["request_id"] == response.headers["x-request-id"]
    operation = document(ROUTES)["paths"].get(response.request.url.path, {}).get(response.request.method.lower())
    if operation:
        documented = operation["responses"][str(status)]["content"]["application/json"]["examples"]
        assert code in documented, f"{code} is not in the OpenAPI document"
    return body["error"]["message"]


@pytest.fixture(scope="module")
def recogniser(bento):
    return Recogniser(bento / "src" / "model.onnx")


def test_an_answer_has_the_shape_of_the_contract(client, recogniser):
    response = client.post("/predict", content=encode(toy_model.image(7)), headers={"Content-Type": "image/png"})
    answer = response.json()
    assert response.status_code == 200
    assert list(answer) == ["digit", "confidence", "probabilities", "prediction_set", "abstained", "reason", "model"]
    assert answer["digit"] == 7
    assert answer["prediction_set"] == [7]
    assert answer["abstained"] is False
    assert answer["reason"] is None
    assert len(answer["probabilities"]) == 10
    assert sum(answer["probabilities"]) == pytest.approx(1, abs=1e-5)
    assert answer["confidence"] == max(answer["probabilities"]) == answer["probabilities"][7]
    assert answer["model"] == {"name": "toy", "version": recogniser.version}
    assert response.headers["x-request-id"]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF"])
def test_every_kind_of_image_is_read_raw_and_from_a_form(client, kind):
    data = encode(toy_model.image(4), kind)
    raw = client.post("/predict", content=data, headers={"Content-Type": f"image/{kind.lower()}"})
    form = client.post("/predict", files={"image": ("../../etc/passwd\0", data, "image/png")})
    assert raw.json()["digit"] == form.json()["digit"] == 4


def test_the_images_own_bytes_say_what_it_is_not_its_content_type(client):
    data = encode(toy_model.image(4))
    for kind in ("image/jpeg", "image/jpg", "image/png; charset=utf-8", "application/octet-stream"):
        assert client.post("/predict", content=data, headers={"Content-Type": kind}).json()["digit"] == 4


def test_all_the_ways_of_asking_give_the_offline_answer(client, recogniser):
    images = np.stack([toy_model.image(row % 10, 40 + row) for row in range(150)])
    expected = recogniser.predict(normalise_all(images.astype(np.float32)))
    bulk = client.post("/predict_pixels", content=images.tobytes(), headers=OCTETS).json()["predictions"]
    batch = client.post("/predict_pixels", json={"batch": images.tolist(), "scale": "0-255"}).json()["predictions"]
    assert bulk == batch
    np.testing.assert_allclose([answer["probabilities"] for answer in bulk], expected.probabilities, atol=1e-5)
    for row in (0, 149):
        single = client.post("/predict_pixels", json={"pixels": images[row].tolist()}).json()
        scaled = client.post("/predict_pixels", json={"pixels": (images[row] / 255).tolist(), "scale": "0-1"}).json()
        for answer in (single, scaled):
            assert answer["digit"] == bulk[row]["digit"]
            assert answer["probabilities"] == pytest.approx(bulk[row]["probabilities"], abs=1e-5)
        png = client.post("/predict", content=encode(images[row])).json()
        offline = recogniser.predict(normalise(images[row].astype(np.float32))[None])
        assert png["probabilities"] == pytest.approx(offline.probabilities[0].tolist(), abs=1e-5)


@pytest.mark.parametrize("count", [1, 40])
def test_prepared_pixels_are_answered_as_they_are_whatever_they_look_like(client, recogniser, count):
    pixels = np.random.default_rng().integers(0, 256, (count, 28, 28)).astype(np.uint8)
    pixels[:, :, 8:] = 0  # off centre
    expected = recogniser.predict(pixels.astype(np.float32)).probabilities
    bulk = client.post("/predict_prepared", content=pixels.tobytes(), headers=OCTETS).json()["predictions"]
    batch = client.post("/predict_prepared", json={"batch": pixels.tolist()}).json()["predictions"]
    single = client.post("/predict_prepared", json={"pixels": (pixels[0] / 255).tolist(), "scale": "0-1"}).json()
    for found in (bulk, batch, [single]):
        probabilities = [answer["probabilities"] for answer in found]
        np.testing.assert_allclose(probabilities, expected[: len(found)], atol=1e-5)
    prepared = client.post("/predict_pixels", content=pixels.tobytes(), headers=OCTETS).json()["predictions"]
    assert [one["probabilities"] for one in prepared] != [one["probabilities"] for one in bulk]


@pytest.mark.parametrize("count", [1, 40])
def test_pixels_that_break_mnists_convention_are_prepared_as_a_picture_is(client, recogniser, count):
    drawn = np.zeros((count, 28, 28), np.uint8)
    drawn[:, 1:27, 2:6] = drawn[:, 22:27, 2:20] = 255
    answers = client.post("/predict_pixels", content=drawn.tobytes(), headers=OCTETS).json()["predictions"]
    as_picture = client.post("/predict", content=encode(drawn[0])).json()
    untouched = recogniser.predict(drawn[:1].astype(np.float32)).probabilities[0]
    for answer in answers:
        assert answer["probabilities"] == pytest.approx(as_picture["probabilities"], abs=1e-5)
    assert np.abs(np.array(as_picture["probabilities"]) - untouched).max() > 0.01


def test_it_abstains_with_a_reason(client):
    blank = client.post("/predict_pixels", content=bytes(784), headers=OCTETS).json()["predictions"][0]
    assert (blank["digit"], blank["abstained"], blank["reason"], blank["prediction_set"]) == (None, True, "blank", [])
    two = np.maximum(toy_model.image(3), toy_model.image(4)).tobytes()
    uncertain = client.post("/predict_pixels", content=two, headers=OCTETS).json()["predictions"][0]
    assert (uncertain["digit"], uncertain["abstained"], uncertain["reason"]) == (None, True, "uncertain")
    assert uncertain["prediction_set"] == [3, 4]


def test_model_says_what_is_served_and_where_it_came_from(client, bento):
    sha256 = hashlib.sha256((bento / "src" / "model.onnx").read_bytes()).hexdigest()
    assert client.get("/model").json() == {
        "name": "toy",
        "version": sha256[:12],
        "sha256": sha256,
        "source": "toy-bands",
        "run_key": "0123456789abcdef",
        "confidence_threshold": 0.6,
        "novelty_threshold": 6.5,
        "conformal_threshold": 0.05,
    }


def test_the_page_needs_no_other_host(client):
    response = client.get("/")
    assert response.headers["content-type"].startswith("text/html")
    assert "<canvas" in response.text
    assert "//" not in response.text.replace("// ", "")
    assert "default-src 'none'" in response.headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz", "/metrics", "/docs.json"])
def test_probes_metrics_and_openapi_are_bentomls(client, path):
    assert client.get(path).status_code == 200


@pytest.mark.parametrize("path", ["/nope", "/predict/x", "/%0aforged", "/" + "a" * 5000])
def test_an_unknown_path_is_404(client, path):
    error_of(client.get(path), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/predict"), ("PUT", "/predict_pixels"), ("DELETE", "/predict"), ("OPTIONS", "/predict"), ("TRACE", "/")]
    + [("POST", path) for path in ("/", "/model", "/livez", "/metrics")],
)
def test_a_wrong_method_is_405_and_says_which_is_right(client, method, path):
    response = client.request(method, path)
    error_of(response, 405, "method_not_allowed")
    assert response.headers["allow"]


def pixels_with(value):
    return {"pixels": [[0] * 28] * 27 + [[0] * 27 + [value]]}


@pytest.mark.parametrize(
    "body",
    [
        *map(pixels_with, (True, None, "1", "abc", -1, 256, 10**400, {}, [1])),
        *map(pixels_with, map(float, ("nan", "inf", "-inf"))),
        {"pixels": [[0] * 28] * 27},
        {"pixels": [[0] * 28] * 29},
        {"pixels": [[0] * 56] * 14},
        {"pixels": [0] * 784},
        {"pixels": [[[0]] * 28] * 28},
        {"pixels": [[[0] * 28] * 28]},
        {"pixels": [[0] * 28] * 27 + [[0] * 27]},
        {"pixels": [], "scale": "0-1"},
        {"pixels": [[0] * 28] * 28, "scale": "0-2"},
        {"pixels": [[0] * 28] * 28, "more": 1},
        {"pixels": [[0] * 28] * 28, "batch": [[[0] * 28] * 28]},
        {"batch": []},
        {"batch": [[[0] * 28] * 28, [[0] * 28] * 27]},
        {},
        [],
        7,
        {**pixels_with(2), "scale": "0-1"},
        pixels_with(0.5),
    ],
    ids=lambda body: json.dumps(body)[-30:],
)
def test_json_of_the_wrong_shape_range_or_type_is_422(client, body):
    error_of(client.post("/predict_pixels", content=json.dumps(body), headers=JSON), 422, "invalid_pixels")


def test_a_422_names_the_place(client):
    body = json.dumps({"batch": [[[0] * 28] * 28, [[0] * 28] * 27 + [[0] * 27 + [300]]]})
    message = error_of(client.post("/predict_pixels", content=body, headers=JSON), 422, "invalid_pixels")
    assert "batch[1][27][27]" in message


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b'{"pixels": [[0],]}', b"\xef\xbb\xbf{}", '{"pixels": 1}'.encode("utf-16"), b"[" * 3000, b"\xff"],
)
def test_what_is_not_json_is_400(client, body):
    error_of(client.post("/predict_pixels", content=body, headers=JSON), 400, "malformed_json")


def test_bytes_that_are_no_whole_images_are_422(client):
    for size in (0, 783, 785):
        error_of(client.post("/predict_pixels", content=bytes(size), headers=OCTETS), 422, "invalid_pixels")


def test_a_batch_has_a_limit(client):
    full = client.post("/predict_pixels", content=bytes(784 * MAX_BATCH), headers=OCTETS)
    assert len(full.json()["predictions"]) == MAX_BATCH
    over = client.post("/predict_pixels", content=bytes(784 * (MAX_BATCH + 1)), headers=OCTETS)
    error_of(over, 413, "batch_too_large")
    body = json.dumps({"batch": [[[0] * 28] * 28] * (MAX_BATCH + 1)})
    error_of(client.post("/predict_pixels", content=body, headers=JSON), 413, "batch_too_large")


@pytest.mark.parametrize("path", ["/predict", "/predict_pixels"])
@pytest.mark.parametrize("kind", ["text/plain", "application/vnd.bentoml+pickle", "application/xml", "nonsense"])
def test_other_content_types_are_415(client, path, kind):
    error_of(client.post(path, content=b"\x80\x04N.", headers={"Content-Type": kind}), 415, "unsupported_media_type")


def test_a_body_without_a_type_is_415_for_arrays_and_sniffed_for_images(client):
    error_of(client.post("/predict_pixels", content=bytes(784)), 415, "unsupported_media_type")
    assert client.post("/predict", content=encode(toy_model.image(1))).json()["digit"] == 1


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"", 400, "empty_image"),
        (b"x", 415, "unsupported_media_type"),
        (b"hello", 415, "unsupported_media_type"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "unsupported_media_type"),
        (b"%PDF-1.7\n", 415, "unsupported_media_type"),
        (b"PK\x03\x04" + bytes(40), 415, "unsupported_media_type"),
        (b"\x7fELF" + bytes(40), 415, "unsupported_media_type"),
        (b"\x89PNG\r\n\x1a\n", 400, "unreadable_image"),
        (b"\xff\xd8\xff\xe0" + bytes(40), 400, "unreadable_image"),
        (b"BM" + bytes(60), 400, "unreadable_image"),
        (b"GIF89a" + bytes(10), 400, "unreadable_image"),
        (b"II*\0" + b"\xff" * 40, 400, "unreadable_image"),
        (b"RIFF\x10\0\0\0WAVEfmt ", 400, "unreadable_image"),
    ],
)
def test_bad_images(client, data, status, code):
    error_of(client.post("/predict", content=data, headers={"Content-Type": "image/png"}), status, code)
    error_of(client.post("/predict", files={"image": data}), status, code)


def test_a_truncated_image_is_400(client):
    noise = np.random.default_rng(0).integers(0, 256, (100, 100), np.uint8)
    for kind in ("PNG", "JPEG", "WEBP", "BMP", "TIFF"):
        data = encode(noise, kind)
        for tenth in range(1, 10):
            cut = data[: len(data) * tenth // 10]
            error_of(client.post("/predict", content=cut, headers={"Content-Type": "image/*"}), 400, "unreadable_image")


def test_mutated_images_are_never_our_mistake(client):
    random = np.random.default_rng(0)
    for kind in ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF"):
        data = np.frombuffer(encode(toy_model.image(5), kind), np.uint8)
        for _ in range(50):
            mutated = data.copy()
            mutated[random.integers(0, len(data), 4)] = random.integers(0, 256, 4)
            response = client.post("/predict", content=mutated.tobytes())
            assert response.status_code in (200, 400, 413, 415), (kind, response.text)


def test_an_image_of_too_many_pixels_is_413_before_it_is_decoded(client):
    header = encode(np.zeros((1, 1), np.uint8))
    for side in (5001, 30_000):
        large = header[:16] + side.to_bytes(4, "big") * 2 + header[24:29]
        large += zlib.crc32(large[12:29]).to_bytes(4, "big") + header[33:]
        error_of(client.post("/predict", content=large), 413, "image_too_large")


@pytest.mark.parametrize(
    ("path", "megabytes"), [("/predict", 100), ("/predict_pixels", 11), ("/nope", 11), ("/model", 11)]
)
def test_a_huge_body_is_413_with_and_without_a_length(client, path, megabytes):
    block = bytes(1_000_000)
    error_of(client.post(path, content=block * megabytes, headers=OCTETS), 413, "body_too_large")
    chunked = client.post(path, content=(block for _ in range(megabytes)), headers=OCTETS)
    error_of(chunked, 413, "body_too_large")


@pytest.mark.parametrize(
    "form",
    [
        {"files": {"image": (None, "text")}},
        {"files": {"picture": b"x"}},
        {"files": [("image", b"x"), ("image", b"y")]},
        {"files": {"image": b"x"}, "data": {"more": "1"}},
        {"files": [(f"field{number}", b"x") for number in range(100)]},
        {"content": b"--b\r\nnonsense", "headers": {"Content-Type": "multipart/form-data; boundary=b"}},
        {"content": b"--b\r\n", "headers": {"Content-Type": "multipart/form-data"}},
        {"content": b"", "headers": {"Content-Type": "multipart/form-data; boundary=b"}},
        {"content": b"\xff" * 99, "headers": {"Content-Type": b"multipart/form-data; boundary=\xff"}},
    ],
)
def test_a_form_that_is_not_one_image_is_400(client, form):
    error_of(client.post("/predict", **form), 400, "malformed_form")
