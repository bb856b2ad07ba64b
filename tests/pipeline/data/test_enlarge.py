import numpy as np
import pytest
from scipy import ndimage

from pipeline.data.enlarge import enlarge
from pipeline.data.sources import uci_digits


def test_a_full_box_becomes_twenty_pixels_in_the_middle():
    (large,) = enlarge(np.full((1, 8, 8), 16, np.uint8))
    expected = np.zeros((28, 28), np.uint8)
    expected[4:24, 4:24] = 255
    np.testing.assert_array_equal(large, expected)


def test_an_empty_image_stays_empty():
    assert not enlarge(np.zeros((2, 8, 8), np.uint8)).any()


def test_the_ink_is_centred_and_keeps_its_shape():
    small, _ = uci_digits()
    large = enlarge(small)
    assert large.shape == (1797, 28, 28)
    assert large.dtype == np.uint8
    for image in large[::50]:
        assert ndimage.center_of_mass(image) == pytest.approx((14, 14), abs=0.55)
    np.testing.assert_allclose(
        large.sum(axis=(1, 2), dtype=float), small.sum(axis=(1, 2)) / 16 * 255 * 2.5**2, rtol=0.02
    )


def test_ink_in_a_corner_stays_whole():
    small = np.zeros((1, 8, 8), np.uint8)
    small[0, :2, :2] = 16
    (large,) = enlarge(small)
    assert large.sum(dtype=float) == pytest.approx(4 * 255 * 2.5**2, rel=0.02)
