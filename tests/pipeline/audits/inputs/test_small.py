"""Small changes of an image."""

import numpy as np
import pytest

from pipeline.audits.inputs.small import SMALL, changed
from serving.images import normalise_all
from tests.pipeline.audits.inputs.drawn_digits import drawn_digits


@pytest.mark.parametrize("name", SMALL)
def test_small_changes_stay_small(name):
    images, _ = drawn_digits()
    seen = normalise_all(changed(images, SMALL[name]).astype(np.float32))
    assert np.abs(seen - images).mean() < 25


def test_a_shift_really_moves_the_picture_before_it_is_brought_back():
    images, _ = drawn_digits()
    got = changed(images, SMALL["moved a pixel down and left"])
    assert (got[:, 1:, :-1] == images[:, :-1, 1:]).all()
    turned = changed(images, SMALL["turned by 5° to the left"]).astype(float)
    assert 1 < np.abs(turned - images).mean() < 40
