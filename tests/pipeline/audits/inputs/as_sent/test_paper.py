"""What is on the paper beside the digit."""

import numpy as np
import pytest
from scipy import ndimage

from tests.pipeline.audits.inputs.as_sent.pictures import pixels, sent


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(15)


def ring(grey: np.ndarray, at: int) -> np.ndarray:
    """The pixels so far from the edge."""
    inner = grey[at : len(grey) - at, at : grey.shape[1] - at]
    return np.concatenate([inner[0], inner[-1], inner[:, 0], inner[:, -1]])


@pytest.mark.parametrize(("strength", "share"), [(1, 0.01), (2, 0.03), (3, 0.06)])
def test_a_frame_at_the_edge_is_black_and_so_wide(rng, strength, share):
    for image in sent("frame at the edge", strength, rng):
        grey = pixels(image)
        width = max(1, round(share * min(grey.shape)))
        assert max(ring(grey, at).max() for at in range(width)) <= 40
        assert ring(grey, width).min() > 200


def test_a_frame_on_the_paper_is_closed_and_away_from_the_edge(rng):
    for strength in (1, 2, 3):
        for image in sent("frame on the paper", strength, rng):
            grey = pixels(image)
            assert ring(grey, 0).min() > 200
            outside, _ = ndimage.label(grey > 150)
            middle = outside[tuple(side // 2 for side in grey.shape)]
            assert middle != outside[0, 0]


def test_a_border_of_one_pixel_is_one_pixel(rng):
    for strength, level in ((1, 215), (2, 170), (3, 100)):
        for image in sent("border of one pixel", strength, rng):
            assert (ring(pixels(image), 0) == level).all()
            assert ring(pixels(image), 1).min() == 255


@pytest.mark.parametrize("name", ["ruled paper", "squared paper"])
def test_lines_go_from_edge_to_edge_and_grow_darker(rng, name):
    contrast = []
    for strength in (1, 2, 3):
        image = pixels(sent(name, strength, rng, 1)[0])
        left, right = image[:, :3].max(axis=1), image[:, -3:].max(axis=1)  # one may lie along the edge
        lines = left < left.max() - 10
        assert 2 <= ndimage.label(lines)[1] <= 18
        assert (right[lines] < right[~lines].min() - 10).all()
        contrast.append(left.max() - left.min())
    assert contrast == sorted(contrast)


def test_an_underline_lies_under_the_digit(rng):
    for image in sent("underlined", 3, rng):
        dark = pixels(image) < 150
        rows = np.flatnonzero(dark.any(axis=1))
        gaps = np.flatnonzero(np.diff(rows) > 1)
        below = dark[rows[gaps[-1] + 1] :]
        assert below.any(axis=0).sum() > dark[: rows[gaps[-1]] + 1].any(axis=0).sum()


def test_lines_to_the_edge_are_as_many_as_asked_and_beside_the_digit(rng):
    for strength in (1, 2, 3):
        for image in sent("line to the edge", strength, rng):
            parts, _ = ndimage.label(pixels(image) < 150, np.ones((3, 3)))
            middle = np.unique(parts[1:-1, 1:-1])
            touching = np.unique(ring(parts, 0))
            assert len(touching) > 1
            assert len(np.setdiff1d(middle, touching)) >= 1


def test_black_bars_take_their_share_of_two_sides(rng):
    for strength, share in ((1, 0.06), (2, 0.12), (3, 0.2)):
        for image in sent("black bars", strength, rng):
            grey = pixels(image)
            rows, columns = (grey.max(axis=axis) == 0 for axis in (1, 0))
            barred = rows if rows.any() else columns
            assert barred.mean() == pytest.approx(2 * share, abs=0.03)
            assert barred[0]
            assert barred[-1]


def test_specks_are_small_and_as_many_as_asked_but_for_those_that_touch(rng):
    for strength, count in ((1, 1), (2, 6), (3, 20)):
        parts = [ndimage.label(pixels(image) < 160, np.ones((3, 3)))[0] for image in sent("specks", strength, rng)]
        found = [np.bincount(one.ravel())[1:] for one in parts]
        few = [(sizes < 0.1 * sizes.max()).sum() for sizes in found]
        assert 0.5 * count <= np.mean(few) <= count + 1


def test_print_shows_through_all_over_and_stronger(rng):
    spread = [np.std([pixels(image)[0].std() for image in sent("print showing through", 1, rng)])]
    spread += [np.mean([pixels(image).std(axis=0).min() for image in sent("print showing through", 3, rng)])]
    assert spread[1] > 2
