"""Colours and transparency."""

import numpy as np
import pytest
from scipy import ndimage

from tests.pipeline.audits.inputs.as_sent.pictures import pixels, sent


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(15)


@pytest.mark.parametrize("name", ["red on green", "orange on blue"])
@pytest.mark.parametrize(("strength", "levels"), [(1, 16), (2, 6), (3, 0)])
def test_colours_of_like_brightness_are_told_apart_by_colour_alone(rng, name, strength, levels):
    for image in sent(name, strength, rng):
        assert np.ptp(pixels(image)) <= levels + 2
        assert max(np.ptp(channel) for channel in np.moveaxis(pixels(image, "RGB"), 2, 0)) > 100


def test_yellow_grows_lighter_and_shows_in_blue(rng):
    contrast = []
    for strength in (1, 2, 3):
        image = sent("yellow on white", strength, rng, 1)[0]
        contrast.append(np.ptp(pixels(image)))
        assert np.ptp(pixels(image, "RGB")[..., 2]) > 100
    assert contrast == sorted(contrast, reverse=True)


NOTHING = ["ink on nothing", "two inks on nothing", "white rim", "white halo", "white eraser"]
NOTHING += ["cut out of a photograph", "palette with a transparent colour"]


@pytest.mark.parametrize("name", NOTHING)
def test_the_sheet_is_nothing_and_what_is_on_it_shows(rng, name):
    for strength in (1, 2, 3):
        for image in sent(name, strength, rng, 2):
            alpha = pixels(image, "RGBA")[..., 3]
            assert (alpha == 0).mean() > 0.1
            assert (alpha == 255).any()


def test_two_inks_both_show_on_white(rng):
    for image in sent("two inks on nothing", 2, rng):
        seen = pixels(image, "RGBA")
        inked = seen[..., 3] > 250
        brightness = pixels(image)[inked]
        assert (brightness < 70).mean() == pytest.approx(0.5, abs=0.2)
        assert brightness.max() < 210


@pytest.mark.parametrize("name", ["white rim", "white halo"])
def test_a_rim_is_white_around_dark_ink(rng, name):
    for image in sent(name, 3, rng):
        seen = pixels(image, "RGBA")
        ink = (pixels(image) < 100) & (seen[..., 3] > 250)
        around = ndimage.binary_dilation(ink, iterations=3) & ~ndimage.binary_dilation(ink)
        assert pixels(image)[around].mean() > 180
        assert seen[around][:, 3].mean() > 80


def test_paper_cut_out_is_larger_than_the_ink(rng):
    shares = []
    for strength in (1, 3):
        image = sent("cut out of a photograph", strength, rng, 1)[0]
        visible = pixels(image, "RGBA")[..., 3] > 128
        shares.append((pixels(image)[visible] > 150).mean())
    assert shares[0] > shares[1] > 0.1
