"""The test digits in the Bento: as many of each digit, each in its row."""

import io

import numpy as np
from PIL import Image

from pipeline.showcase import held_out
from serving.model import without


def test_the_service_reads_the_digits_that_were_chosen():
    rng = np.random.default_rng()
    labels = rng.permutation(np.repeat(np.arange(10, dtype=np.uint8), rng.integers(60, 80, 10)))
    images = np.zeros((len(labels), 28, 28), np.uint8)
    images[:, 4:24, 10:18] = (20 * labels + 60)[:, None, None]  # which normalisation leaves alone but for brightness
    [(name, content)] = held_out.make(images, labels).items()
    assert name == held_out.NAME
    sheet = np.asarray(Image.open(io.BytesIO(content)))
    assert sheet.shape == (280, 28 * held_out.OF_EACH)
    rows = sheet.reshape(10, 28, held_out.OF_EACH, 28).max(axis=(1, 3))
    assert (rows == 20 * np.arange(10)[:, None] + 60).all()
    assert without.read(content).shape == (10 * held_out.OF_EACH, 28, 28)


def test_of_a_small_set_there_are_as_many_of_each_as_of_the_rarest():
    labels = np.repeat(np.arange(10, dtype=np.uint8), 9)[:-2]
    [content] = held_out.make(np.zeros((88, 28, 28), np.uint8), labels).values()
    assert content == held_out.make(np.zeros((88, 28, 28), np.uint8), labels)[held_out.NAME]
