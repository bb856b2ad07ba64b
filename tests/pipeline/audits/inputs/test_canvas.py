"""Digits on larger canvases."""

import numpy as np
import pytest

from pipeline.audits.inputs.canvas import SIDES, SMALLEST, layout, place


def squares(count: int = 60) -> np.ndarray:
    images = np.zeros((count, 28, 28), np.uint8)
    images[:, 4:24, 4:24] = 255
    return images


def placed(side: int, rng: np.random.Generator) -> np.ndarray:
    return place(squares(), layout(60, side, rng))


def extents(canvases: np.ndarray) -> np.ndarray:
    """Height and width of what is bright on each canvas: int [2, N]."""
    bright = canvases > 127
    return np.stack([bright.any(axis=axis).sum(axis=1) for axis in (2, 1)])


@pytest.mark.parametrize("side", SIDES)
def test_a_digit_lies_whole_and_undistorted_on_its_canvas(side):
    canvases = placed(side, np.random.default_rng(0))
    height, width = extents(canvases)
    assert canvases.dtype == np.uint8
    assert canvases.shape == (60, side, side)
    assert (np.abs(height - width) <= 2).all()
    assert height.min() >= SMALLEST * 20 / 28 - 2
    assert height.max() <= side * 20 / 28 + 2
    assert canvases.max() == 255


def test_sizes_and_places_vary_with_the_seed_alone():
    canvases = placed(140, np.random.default_rng(0))
    assert (canvases == placed(140, np.random.default_rng(0))).all()
    assert (canvases != placed(140, np.random.default_rng(1))).any()
    heights = extents(canvases)[0]
    assert heights.min() < 40
    assert heights.max() > 70
    middles = np.array([np.argwhere(canvas > 127).mean(axis=0) for canvas in canvases])
    assert abs(np.corrcoef(middles.T)[0, 1]) < 0.5
    assert (np.min(middles, axis=0) < 40).all()
    assert (np.max(middles, axis=0) > 100).all()
