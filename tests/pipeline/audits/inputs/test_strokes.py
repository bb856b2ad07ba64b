"""Digits drawn as strokes."""

import numpy as np
import pytest
from scipy import ndimage

from pipeline.audits.inputs.pen import PENS
from pipeline.audits.inputs.strokes import CANVAS, FORMS, STYLES, draw, smoothed
from serving.images import conforming, normalise


@pytest.mark.parametrize("name", STYLES)
def test_a_drawing_is_dark_ink_within_white_paper_and_becomes_what_mnist_holds(name):
    rng = np.random.default_rng(0)
    for _ in range(5):
        picture = draw(STYLES[name], rng)
        assert picture.dtype == np.uint8
        assert picture.shape == (CANVAS, CANVAS)
        border = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
        assert (border == 255).all()
        assert 0.005 < (picture < 128).mean() < 0.3
        assert conforming(normalise(picture.astype(np.float32))[None]).all()


def test_drawings_repeat_with_the_seed_and_differ_within_it():
    first, again = np.random.default_rng(1), np.random.default_rng(1)
    style = STYLES["crossed seven"]
    one, two = draw(style, first), draw(style, first)
    assert (one == draw(style, again)).all()
    assert (one != two).any()


def test_every_digit_is_drawn_and_the_known_difficulties_are():
    assert {style.digit for style in STYLES.values()} == set(range(10))
    assert {"crossed seven", "slashed zero", "open four", "closed four", "one with a flag"} <= set(FORMS)
    assert {"zero slashed the other way", "one with a long upstroke", "nine with a curled tail"} <= set(FORMS)
    assert {name for name in STYLES if name not in FORMS} == {name for name in STYLES if name.startswith("plain ")}


@pytest.mark.parametrize("pen", PENS)
def test_every_pen_stays_on_the_paper(pen):
    rng = np.random.default_rng(0)
    for name in rng.choice(list(STYLES), 3):
        picture = draw(STYLES[name], rng, PENS[pen])
        border = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
        assert border.min() > 240
        assert (picture < 200).mean() > 0.003


def test_a_long_upstroke_is_longer_than_a_flag():
    def left(name: str) -> float:
        picture = draw(STYLES[name], np.random.default_rng(2))
        rows, columns = np.nonzero(picture < 128)
        return float((rows[columns < np.quantile(columns, 0.05)].max() - rows.min()) / np.ptp(rows))

    assert left("one with a long upstroke") > left("one with a flag") + 0.1


def test_a_cross_adds_ink_across_the_seven():
    plain, crossed = (draw(STYLES[name], np.random.default_rng(3)) for name in ("plain seven", "crossed seven"))
    assert (crossed < 128).sum() > 1.15 * (plain < 128).sum()


def test_a_zero_is_closed():
    rng = np.random.default_rng(0)
    for _ in range(5):
        _, papers = ndimage.label(draw(STYLES["plain zero"], rng) > 128)
        assert papers == 2


def test_a_curve_passes_through_its_points():
    points = np.array([[0.0, 0.0], [1.0, 2.0], [3.0, 1.0], [4.0, 4.0]])
    curve = smoothed(points)
    assert curve.shape == (37, 2)
    np.testing.assert_allclose(curve[::12], points)
    assert np.abs(np.diff(curve, axis=0)).max() < 0.5
