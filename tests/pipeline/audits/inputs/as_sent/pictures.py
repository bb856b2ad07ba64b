"""Test digits, sent and looked at."""

import io

import numpy as np
from PIL import Image

from pipeline.audits.inputs.as_sent import KINDS
from tests.pipeline.audits.inputs.drawn_digits import drawn_digits


def digits(rng: np.random.Generator, count: int = 6) -> np.ndarray:
    """Some digits, uint8 [count, 28, 28]."""
    images, _ = drawn_digits()
    return images[rng.choice(len(images), count, replace=False)]


def opened(file: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(file))
    image.load()
    return image


def sent(name: str, strength: int, rng: np.random.Generator, count: int = 6) -> list[Image.Image]:
    """Pictures of one kind in one strength, counted from 1."""
    kind = KINDS[name]
    return [opened(kind.draw(digit, kind.strengths[strength - 1], rng)) for digit in digits(rng, count)]


def pixels(image: Image.Image, mode: str = "L") -> np.ndarray:
    return np.asarray(image.convert(mode), np.float32)
