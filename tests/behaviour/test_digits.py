"""Digits are read right, and what leaves a digit the same leaves the answer the same. Over HTTP, held to the gates."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from pipeline.audits.inputs import canvas
from tests.behaviour.asking import Answers, Digits, Service, at_least, at_most, encode

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def plain(service: Service, digits: Digits) -> Answers:
    return service.read(digits.images)


def test_digits_are_read_right(plain, digits, limits):
    at_most(plain.digit != digits.labels, limits.error)


def test_digits_are_read_as_the_network_reads_them_offline(plain, digits, offline):
    predictions = offline.predict(digits.images.astype(np.float32))
    assert (plain.digit == predictions.digit).all()
    assert (plain.abstained == predictions.abstained).all()


def test_digits_are_answered_and_the_answers_are_right(plain, digits, limits):
    at_least(~plain.abstained, limits.coverage)
    at_most((plain.digit != digits.labels)[~plain.abstained], limits.answered_error)


LOSSLESS: dict[str, Callable[[np.ndarray], bytes]] = {
    "dark ink on white paper": lambda image: encode(255 - image),
    "BMP": lambda image: encode(image, "BMP"),
    "GIF": lambda image: encode(image, "GIF"),
    "TIFF": lambda image: encode(image, "TIFF"),
    "lossless WebP": lambda image: encode(Image.fromarray(image).convert("RGB"), "WEBP", lossless=True),
    "RGB": lambda image: encode(Image.fromarray(image).convert("RGB")),
    "RGBA": lambda image: encode(Image.fromarray(image).convert("RGBA")),
    "16 bits": lambda image: encode(image.astype(np.uint16) * 257),
    "turned, and the turn in EXIF": lambda image: turned(image),
}


def turned(image: np.ndarray) -> bytes:
    """A picture that lies on its side, with the EXIF orientation (6) that sets it upright again."""
    lying = Image.fromarray(np.rot90(image).copy())
    exif = Image.Exif()
    exif[0x0112] = 6
    return encode(lying, exif=exif)


@pytest.mark.parametrize("change", LOSSLESS)
def test_what_loses_nothing_changes_nothing(service, digits, plain, change):
    some = slice(100)
    changed = service.ask(LOSSLESS[change](image) for image in digits.images[some])
    assert (changed.digit == plain.digit[some]).all()
    assert (changed.abstained == plain.abstained[some]).all()
    assert np.abs(changed.probabilities - plain.probabilities[some]).max() < 1e-4


SMALL: dict[str, Callable[[np.ndarray], bytes]] = {
    "a pixel up": lambda image: encode(np.roll(image, -1, 0)),
    "a pixel down": lambda image: encode(np.roll(image, 1, 0)),
    "a pixel left": lambda image: encode(np.roll(image, -1, 1)),
    "a pixel right": lambda image: encode(np.roll(image, 1, 1)),
    "turned by 5 degrees": lambda image: encode(Image.fromarray(image).rotate(5, Image.Resampling.BICUBIC)),
    "turned back by 5 degrees": lambda image: encode(Image.fromarray(image).rotate(-5, Image.Resampling.BICUBIC)),
    "a tenth less contrast": lambda image: encode((image * 0.9).astype(np.uint8)),
    "JPEG": lambda image: encode(image, "JPEG", quality=90),
}


@pytest.mark.parametrize("change", SMALL)
def test_small_changes_leave_the_answer(service, digits, plain, limits, change):
    some = slice(200)
    changed = service.ask(SMALL[change](image) for image in digits.images[some])
    at_least(changed.digit == plain.digit[some], limits.invariance)


@pytest.mark.parametrize("side", [40, 280])
@pytest.mark.parametrize("paper", ["black", "white"])
def test_a_digit_is_found_on_a_larger_canvas(service, digits, limits, side, paper):
    some = slice(200)
    placed = canvas.place(digits.images[some], side, np.random.default_rng(side))
    found = service.read(placed if paper == "black" else 255 - placed)
    at_least(found.digit == digits.labels[some], limits.canvas)
