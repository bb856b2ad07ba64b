"""Ways of sending an image that lose nothing."""

import numpy as np
import pytest

from pipeline.audits.inputs.lossless import FILES, JSON
from serving import schema
from serving.images import decode
from tests.pipeline.audits.inputs.drawn_digits import drawn_digits


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_loses_nothing_reaches_the_network_as_it_was(name):
    images, _ = drawn_digits()
    decoded = np.stack([decode(FILES[name](image, place)) for place, image in enumerate(images)])
    assert np.abs(decoded - images).max() < 0.01


@pytest.mark.parametrize("name", JSON)
def test_so_does_json(name):
    for place, image in enumerate(drawn_digits()[0]):
        [parsed] = schema.parse_pixels(JSON[name](image, place)).as_array()
        assert np.abs(parsed - image).max() < 0.01


def test_pictures_are_turned_in_all_eight_ways():
    image = drawn_digits()[0][0]
    files = {FILES["turned, with the camera's note"](image, place) for place in range(16)}
    assert len(files) == 8
