"""Every answer says the same thing in all its parts, and which model gave it."""

import httpx
import numpy as np
import pytest

from tests.behaviour.asking import Service, encode

pytestmark = pytest.mark.slow

FIELDS = ["digit", "confidence", "probabilities", "prediction_set", "abstained", "reason", "model"]


def test_answers_agree_with_themselves(service, digits):
    model = {"name": service.model["name"], "version": service.model["version"]}
    for image in digits.images[:50]:
        answer = service.answer(encode(image))
        assert list(answer) == FIELDS
        probabilities = np.array(answer["probabilities"])
        assert probabilities.shape == (10,)
        assert np.isfinite(probabilities).all()
        assert probabilities.sum() == pytest.approx(1, abs=1e-5)
        assert answer["confidence"] == probabilities.max()
        assert answer["digit"] == (None if answer["abstained"] else probabilities.argmax())
        assert (answer["reason"] is not None) == answer["abstained"]
        assert answer["model"] == model


def test_the_same_image_gets_the_same_answer_alone_and_in_a_batch(service: Service, digits):
    images = digits.images[:20]
    body = {"batch": images.tolist(), "scale": "0-255"}
    batch = service.client.post("/predict_pixels", json=body).json()["predictions"]
    for image, answer in zip(images, batch, strict=True):
        alone = service.answer(encode(image))
        assert alone["probabilities"] == pytest.approx(answer["probabilities"], abs=1e-5)
        assert (alone["digit"], alone["reason"]) == (answer["digit"], answer["reason"])


@pytest.mark.parametrize("body", [b"", b"no image", encode(np.zeros((28, 28), np.uint8))[:40]])
def test_what_cannot_be_read_is_the_clients_mistake(service: Service, body):
    answer: httpx.Response = service.client.post("/predict", content=body, headers={"Content-Type": "image/png"})
    assert 400 <= answer.status_code < 500
    assert set(answer.json()) == {"error", "request_id"}
