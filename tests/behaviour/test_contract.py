"""Every answer says the same thing in all its parts, and which model gave it."""

import httpx
import numpy as np
import pytest

from pipeline.audits.ask import png

pytestmark = pytest.mark.slow

FIELDS = ["digit", "confidence", "probabilities", "prediction_set", "abstained", "reason", "model"]


def answer(service: httpx.Client, picture: np.ndarray) -> dict:
    response = service.post("/predict", content=png(picture), headers={"Content-Type": "image/png"})
    assert response.status_code == 200, response.text
    return dict(response.json())


def test_answers_agree_with_themselves(service, audited):
    known = service.get("/model").json()
    model = {"name": known["name"], "version": known["version"]}
    for image in audited[0].images[:50]:
        told = answer(service, image)
        assert list(told) == FIELDS
        probabilities = np.array(told["probabilities"])
        assert probabilities.shape == (10,)
        assert np.isfinite(probabilities).all()
        assert probabilities.sum() == pytest.approx(1, abs=1e-5)
        assert told["confidence"] == probabilities.max()
        assert told["digit"] == (None if told["abstained"] else probabilities.argmax())
        assert (told["reason"] is not None) == told["abstained"]
        assert (told["prediction_set"] is None) == (known["conformal_threshold"] is None)
        assert told["model"] == model


def test_the_same_image_gets_the_same_answer_alone_and_in_a_batch(service, audited):
    images = audited[0].images[:20]
    body = {"batch": images.tolist(), "scale": "0-255"}
    batch = service.post("/predict_pixels", json=body).json()["predictions"]
    for image, together in zip(images, batch, strict=True):
        alone = answer(service, image)
        assert alone["probabilities"] == pytest.approx(together["probabilities"], abs=1e-5)
        assert (alone["digit"], alone["reason"]) == (together["digit"], together["reason"])


@pytest.mark.parametrize("side", [28, 64, 300])
@pytest.mark.parametrize("brightness", [0, 128, 255])
def test_an_empty_sheet_is_called_blank(service, side, brightness):
    told = answer(service, np.full((side, side), brightness, np.uint8))
    assert (told["abstained"], told["reason"]) == (True, "blank")


@pytest.mark.parametrize("body", [b"", b"no image", png(np.zeros((28, 28), np.uint8))[:40]])
def test_what_cannot_be_read_is_the_clients_mistake(service, body):
    told: httpx.Response = service.post("/predict", content=body, headers={"Content-Type": "image/png"})
    assert 400 <= told.status_code < 500
    assert set(told.json()) == {"error", "request_id"}
