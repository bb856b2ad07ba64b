"""Files."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from pipeline.audits.inputs.as_sent.files import ORIENTATION
from tests.pipeline.audits.inputs.as_sent.pictures import sent


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(15)


@pytest.mark.parametrize("strength", [1, 2, 3])
def test_exif_says_how_a_picture_lies(rng, strength):
    for image in sent("turned by its EXIF data", strength, rng):
        orientation = image.getexif()[ORIENTATION]
        assert orientation in (3, 6, 8)
        upright = ImageOps.exif_transpose(image)
        assert (upright.size == image.size) == (orientation == 3 or image.width == image.height)


def test_print_is_in_its_own_colours(rng):
    for strength in (1, 2, 3):
        assert {image.mode for image in sent("in print's colours", strength, rng)} == {"CMYK"}


@pytest.mark.parametrize(("strength", "bits"), [(1, 14), (2, 12), (3, 10)])
def test_few_bits_of_sixteen_are_used(rng, strength, bits):
    for image in sent("few bits in 16", strength, rng):
        levels = np.asarray(image)
        assert image.mode.startswith("I")
        assert 2 ** (bits - 1) < levels.max() < 2**bits


@pytest.mark.parametrize("name", ["dithered", "fax"])
def test_fax_and_dithering_are_black_and_white(rng, name):
    for image in sent(name, 3, rng):
        assert image.mode == "1"
    assert Image.MIME[image.format or ""] == ("image/tiff" if name == "fax" else "image/png")
