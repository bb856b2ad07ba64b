import numpy as np
import pytest
from PIL import Image, ImageDraw

from serving import images
from tests.serving.images.pictures import png


@pytest.fixture(scope="module")
def scene():
    """A seven in black on white paper, off the centre: Pillow L, 120x90."""
    image = Image.new("L", (120, 90), 255)
    ImageDraw.Draw(image).line([(70, 20), (95, 20), (80, 65)], fill=0, width=6, joint="curve")
    return image


@pytest.fixture(scope="module")
def expected(scene):
    return images.decode(png(scene))


@pytest.fixture(scope="module")
def conforming(expected):
    """The seven as MNIST would hold it: uint8 [28, 28]."""
    return expected.round().astype(np.uint8)
