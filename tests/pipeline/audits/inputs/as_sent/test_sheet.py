"""Ink on a sheet."""

import numpy as np
import pytest
from scipy import ndimage
from skimage.morphology import skeletonize

from pipeline.audits.inputs.as_sent.sheet import outline, painted, placed, redrawn, written
from tests.pipeline.audits.inputs.as_sent.pictures import digits


@pytest.mark.parametrize("size", [20, 57.5, 160])
def test_an_outline_is_as_large_as_asked_with_edges_of_a_pixel_and_the_same_ink(size):
    for digit in digits(np.random.default_rng(15)):
        ink = outline(digit, size)
        assert max(ink.shape) == pytest.approx(size, abs=2 + 0.06 * size)
        inked = (digit > 100).sum() / (20 / size) ** 2
        assert ink.sum() == pytest.approx(inked, rel=0.35)
        between = ((ink > 0.1) & (ink < 0.9)).sum()
        edge = ((ink > 0.5) ^ ndimage.binary_erosion(ink > 0.5)).sum()
        assert between < 2.5 * edge


@pytest.mark.parametrize("share", [0.03, 0.08, 0.16])
def test_a_pen_is_as_wide_as_asked(share):
    rng = np.random.default_rng(15)
    size = rng.uniform(80, 160)
    for digit in digits(rng):
        ink = redrawn(digit, size, share * size)
        assert max(ink.shape) == pytest.approx(size, rel=0.1)
        stroke = np.pad(ink > 0.5, 1)
        inside = ndimage.distance_transform_edt(stroke)[skeletonize(stroke)]
        assert 2 * np.median(inside) == pytest.approx(share * size, rel=0.25, abs=2)


def test_ink_lies_within_the_margin_and_at_its_box():
    rng = np.random.default_rng(15)
    for digit in digits(rng):
        margin = rng.uniform(0.02, 0.2)
        sheet = written(digit, rng, margin=margin, share=(0.3, 0.5))
        top, left, bottom, right = sheet.box
        edge = round(margin * min(sheet.ink.shape))
        assert min(top, left) >= edge
        assert bottom <= sheet.ink.shape[0] - edge
        assert right <= sheet.ink.shape[1] - edge
        assert sheet.ink.sum() == pytest.approx(sheet.ink[top:bottom, left:right].sum())


def test_ink_as_large_as_the_sheet_fills_it():
    ink = np.ones((28, 20), np.float32)
    assert placed(ink, 28, 28, np.random.default_rng(15)).ink.sum() == ink.size


def test_paint_is_the_pens_where_there_is_ink_and_the_papers_elsewhere():
    assert painted(np.array([[0.0, 0.5, 1.0]], np.float32), 40, 240).tolist() == [[240, 140, 40]]
