"""Pens and sizes."""

import numpy as np
import pytest

from tests.pipeline.audits.inputs.as_sent.pictures import pixels, sent


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(15)


def inked(grey: np.ndarray) -> np.ndarray:
    """Where a picture differs from its own paper, which has the most of it."""
    return abs(grey - np.median(grey)) > 100


def sides(grey: np.ndarray) -> np.ndarray:
    places = np.argwhere(inked(grey))
    return np.ptp(places, axis=0) + 1


@pytest.mark.parametrize(("strength", "side"), [(1, 27), (2, 28), (3, 29)])
def test_what_is_cut_to_the_ink_is_filled_by_it(rng, strength, side):
    for image in sent("cut to the ink, as large as MNIST", strength, rng):
        assert image.size == (side, side)
        assert sides(pixels(image)).max() >= side - 3


def test_other_sizes_are_cut_on_both_axes(rng):
    for strength, longest in ((1, 20), (2, 60), (3, 150)):
        for image in sent("cut to the ink", strength, rng):
            assert max(image.size) == pytest.approx(longest, rel=0.25)
            assert (np.array(image.size[::-1]) - sides(pixels(image)) <= 0.1 * longest + 4).all()


def test_a_hard_pen_has_two_levels_and_leaves_few_pixels_around(rng):
    for strength in (1, 2, 3):
        for image in sent("hard pen on 28x28", strength, rng):
            grey = pixels(image)
            assert grey.shape == (28, 28)
            assert len(np.unique(grey)) == 2
            assert sides(grey).max() >= 20


def test_thin_pens_grow_thinner_and_thick_ones_thicker(rng):
    def ink(name: str, strength: int) -> float:
        return float(np.mean([inked(pixels(one)).mean() for one in sent(name, strength, rng, 8)]))

    assert ink("thin strokes", 1) > ink("thin strokes", 3)
    assert ink("thick strokes", 3) > ink("thin strokes", 1) * 2


def test_small_digits_lie_in_a_corner(rng):
    for strength, share in ((1, 0.2), (2, 0.13), (3, 0.08)):
        for image in sent("small in a corner", strength, rng):
            grey = pixels(image)
            places = np.argwhere(inked(grey)).mean(axis=0) / grey.shape
            assert (np.minimum(places, 1 - places) < 0.25).all()
            assert sides(grey).max() / len(grey) == pytest.approx(share, rel=0.35)
