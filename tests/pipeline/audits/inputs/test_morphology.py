"""Morpho-MNIST's four changes of the stroke."""

import numpy as np
import pytest

from pipeline.audits.inputs.morphology import PERTURBATIONS, perturb, strokes
from pipeline.data import style


def bars(width: float = 4.0, count: int = 8) -> np.ndarray:
    """Upright strokes of a width, drawn at 8 times the size and averaged: uint8 [N, 28, 28]."""
    y, x = (np.mgrid[: 28 * 8, : 28 * 8] + 0.5) / 8 - 14
    inside = (np.abs(x) < width / 2) & (np.abs(y) < 9)
    bar = np.round(255 * inside.reshape(28, 8, 28, 8).mean(axis=(1, 3))).astype(np.uint8)
    return np.repeat(bar[None], count, axis=0)


def changed(name: str, images: np.ndarray, seed: int = 0) -> np.ndarray:
    return perturb(strokes(images), name, np.random.default_rng(seed))


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_the_same_seed_gives_the_same_pictures_and_a_blank_stays_blank(name):
    images = np.concatenate([bars(), np.zeros((1, 28, 28), np.uint8)])
    once = changed(name, images)
    assert once.dtype == np.uint8
    assert once.shape == images.shape
    assert (once == changed(name, images)).all()
    assert (once[:-1] != images[:-1]).any(axis=(1, 2)).all()
    assert not once[-1].any()


@pytest.mark.parametrize(("name", "share"), [("thinning", 0.3), ("thickening", 2.0)])
@pytest.mark.parametrize("width", [3, 5])
def test_a_stroke_becomes_thinner_or_thicker_by_a_share_of_its_thickness(name, share, width):
    before, after = (images[0].sum() / 255 for images in (bars(width), changed(name, bars(width))))
    assert before == pytest.approx(18 * width, rel=0.01)
    assert after == pytest.approx(width * share * (18 + width * (share - 1)), rel=0.3)


def test_swelling_blows_up_one_place_and_leaves_the_far_rest():
    images = bars(4)
    swollen = changed("swelling", images)
    widths = (swollen > 127).sum(axis=2)
    assert (widths.max(axis=1) >= 7).all()
    assert ((widths == 4).sum(axis=1) >= 2).all()
    assert (changed("swelling", images, seed=1) != swollen).any()


def test_fractures_break_a_stroke_straight_across():
    broken = changed("fractures", bars(4))
    pieces = style.measure(broken)["components"]
    assert pieces.max() <= 4
    assert (pieces >= 2).all()
    lost = 1 - broken.sum(axis=(1, 2)) / bars(4).sum(axis=(1, 2))
    assert (lost < 3 * 2.5 / 18).all()
    assert (broken[:, 5:6] > 127).any(axis=(1, 2)).all()


def test_an_unknown_change_is_refused():
    with pytest.raises(ValueError, match="no perturbation 'melting'; there is: thinning"):
        changed("melting", bars())
