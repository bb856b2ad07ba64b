"""Pens."""

import numpy as np
import pytest
from scipy import ndimage

from pipeline.audits.inputs.pen import PENS, Pen, dots, drawn

SIDE = 200


def line(pen: Pen, width: float, angle: float) -> np.ndarray:
    """A straight stroke through the middle: uint8 [200, 200]."""
    reach = 60 * np.array([np.cos(angle), np.sin(angle)])
    path = np.array([SIDE / 2 - reach, SIDE / 2 + reach])
    return drawn([path], SIDE, width, pen, np.random.default_rng(15))


def thickness(picture: np.ndarray) -> float:
    """Of its ink, by area."""
    return float(((255.0 - picture) / (255.0 - picture.min())).sum() / 120)


def test_there_are_at_least_ten_pens_of_different_kinds():
    assert len(PENS) >= 10
    assert {pen.nib for pen in PENS.values()} == {"round", "square", "broad"}
    assert any(pen.grain for pen in PENS.values())
    assert any(pen.blur for pen in PENS.values())
    assert {pen.fineness for pen in PENS.values()} == {0.2, 1, 2}


@pytest.mark.parametrize("width", [5, 12, 25])
def test_a_round_pen_is_as_wide_in_every_direction(width):
    for angle in np.random.default_rng(15).uniform(0, np.pi, 3):
        assert thickness(line(Pen((0, 1)), width, angle)) == pytest.approx(width * 1.05, rel=0.25, abs=1.5)


def test_a_broad_nib_is_thick_one_way_and_thin_the_other():
    along, across = np.arctan2(-0.6, 0.8), np.arctan2(0.8, 0.6)
    pen = PENS["broad nib"]
    assert thickness(line(pen, 20, across)) > 2.5 * thickness(line(pen, 20, along))


def test_edges_are_smooth_hard_soft_or_of_blocks():
    def levels(name: str) -> np.ndarray:
        return line(PENS[name], 16, 0.5)

    hard = levels("hard brush")
    assert set(np.unique(hard)) == {0, 255}
    between = [((levels(name) > 40) & (levels(name) < 220)).mean() for name in ("felt tip", "soft brush")]
    assert 0 < between[0] < between[1] / 3
    blocks = levels("large pixels")
    assert (blocks[::5, ::5].repeat(5, 0).repeat(5, 1) == blocks).all()


def test_grain_leaves_a_share_of_the_stroke_bare():
    inside = ndimage.binary_erosion(line(Pen((0, 1)), 30, 0.3) == 0, iterations=3)
    for grain in (0.15, 0.4):
        assert (line(Pen((0, 1), grain=grain), 30, 0.3)[inside] > 128).mean() == pytest.approx(grain, abs=0.1)


def test_a_nib_touches_the_paper_at_even_distances():
    path = np.random.default_rng(15).uniform(0, 100, (5, 2))
    found = dots(path, 2.0)
    assert np.hypot(*np.diff(found, axis=0).T).max() <= 2.0 + 1e-9
    np.testing.assert_allclose(found[[0, -1]], path[[0, -1]])
