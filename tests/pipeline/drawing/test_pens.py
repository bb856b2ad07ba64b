"""Pens: what they leave on a path, and where digits were written."""

import numpy as np
import pytest
from scipy import ndimage

from pipeline.drawing.pens import DIGIT, SIDE, Pen, any_pen, drawn, line, parts, traced


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def stem() -> np.ndarray:
    return line(np.array([[0.5, 0.0], [0.5, 1.0]]))


def test_a_path_lies_in_the_middle_of_the_canvas(stem):
    down, right = np.argwhere(stem).T
    assert down.max() - down.min() == DIGIT
    assert set(right) == {SIDE // 2}


@pytest.mark.parametrize("width", [3.0, 8.0, 21.0])
@pytest.mark.parametrize("square", [False, True])
def test_ink_is_as_wide_as_the_pen(stem, rng, width, square):
    ink = drawn(stem, Pen(width, 1.0, square=square), rng)
    assert ink[SIDE // 2].sum() == pytest.approx(width, abs=1)
    assert ink.max() == 1


def test_a_soft_pen_has_a_soft_edge(stem, rng):
    hard, soft = (drawn(stem, Pen(10.0, edge), rng)[SIDE // 2] for edge in (1.0, 8.0))
    between = [((row > 0.1) & (row < 0.9)).sum() for row in (hard, soft)]
    assert between[0] <= 2 < between[1]


def test_a_flat_pen_is_wider_one_way_than_across(rng):
    level = line(np.array([[0.0, 0.5], [1.0, 0.5]]))
    upright = level.T
    pen = Pen(10.0, 1.0, flat=4.0, angle=0.0)
    assert drawn(upright, pen, rng).sum() != pytest.approx(drawn(level, pen, rng).sum(), rel=0.3)


def test_no_pen_fills_a_loop(rng):
    angle = np.linspace(0, 2 * np.pi, 50)
    ring = line(np.stack([0.5 + 0.15 * np.cos(angle), 0.5 + 0.15 * np.sin(angle)], 1))
    fat = Pen(0.4 * DIGIT, 1.0)
    assert parts(drawn(ring, fat, rng) < 0.5) == 2
    assert parts(drawn(ring, fat, rng, keep_holes=False) < 0.5) == 1


def test_pens_are_of_many_kinds(rng):
    pens = [any_pen(rng) for _ in range(300)]
    widths = [pen.width for pen in pens]
    assert min(widths) < 0.05 * DIGIT < 0.25 * DIGIT < max(widths)
    for count in (
        sum(pen.square for pen in pens),
        sum(pen.flat > 1 for pen in pens),
        sum(pen.grain > 0 for pen in pens),
    ):
        assert 10 < count < 150


def test_a_traced_digit_is_thin_and_in_as_many_parts_as_it_was():
    image = np.zeros((28, 28), np.uint8)
    image[4:24, 9:19] = 255
    image[8:20, 12:16] = 0
    path = traced(image)
    assert path.shape == (SIDE, SIDE)
    assert path.sum() < 0.1 * (SIDE**2)
    assert ndimage.label(path, np.ones((3, 3)))[1] == 1
    assert parts(~path) == 2
