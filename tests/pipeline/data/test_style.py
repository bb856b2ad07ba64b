import numpy as np
import pandas as pd
import pytest
from skimage.morphology import medial_axis
from skimage.transform import pyramid_expand

from pipeline.data import style
from pipeline.data.sources import mnist_sample


def stroke(width: float, degrees: float = 0.0, height: float = 18.0, shift: float = 0.0) -> np.ndarray:
    """A straight stroke, leaning right by ``degrees``, drawn at 8 times the size and averaged: uint8 [28, 28]."""
    y, x = (np.mgrid[: 28 * 8, : 28 * 8] + 0.5) / 8 - 14
    lean = np.radians(degrees)
    inside = (np.abs((x - shift) * np.cos(lean) + y * np.sin(lean)) < width / 2) & (np.abs(y) < height / 2)
    return np.round(255 * inside.reshape(28, 8, 28, 8).mean(axis=(1, 3))).astype(np.uint8)


def measured(*images: np.ndarray) -> pd.DataFrame:
    return style.measure(np.stack(images))


@pytest.mark.parametrize("width", [2, 3, 4, 5, 6])
@pytest.mark.parametrize("degrees", [0, 10, -20])
def test_the_thickness_of_a_stroke_is_its_width(width, degrees):
    assert measured(stroke(width, degrees))["thickness"][0] == pytest.approx(width, rel=0.15)


def test_thickness_does_not_depend_on_brightness():
    bright = stroke(4, 5)
    assert measured(bright)["thickness"][0] == pytest.approx(measured(bright // 2)["thickness"][0], rel=0.05)


@pytest.mark.parametrize("degrees", [-40, -15, 0, 5, 30])
def test_the_slant_of_a_stroke_is_its_lean_to_the_right(degrees):
    assert measured(stroke(2, degrees))["slant"][0] == pytest.approx(degrees, abs=0.2)


def test_ink_and_extent_of_a_rectangle_are_its_area_and_sides():
    row = measured(stroke(4, height=18)).iloc[0]
    assert (row["width"], row["height"]) == (4, 18)
    assert row["ink"] == pytest.approx(4 * 18, rel=0.02)


def test_pieces_are_counted_and_touching_corners_join():
    two = np.maximum(stroke(2, shift=-5), stroke(2, shift=5))
    three = two.copy()
    three[24:27, 12:16] = 255
    corner = np.zeros((28, 28), np.uint8)
    corner[4:10, 4:10] = corner[10:16, 10:16] = 255
    assert measured(stroke(2), two, three, corner)["components"].tolist() == [1, 2, 3, 1]


def test_an_image_without_ink_has_no_style():
    row = measured(stroke(2), np.zeros((28, 28), np.uint8), stroke(3)).iloc[1]
    assert row[["ink", "width", "height", "components"]].tolist() == [0, 0, 0, 0]
    assert row[["thickness", "slant"]].isna().all()


def test_ink_at_the_edge_of_the_image_is_measured():
    image = np.zeros((28, 28), np.uint8)
    image[:, :4] = 255
    row = measured(image).iloc[0]
    assert (row["width"], row["height"], row["components"]) == (4, 28, 1)
    assert row["thickness"] == pytest.approx(4, rel=0.15)


def test_an_image_is_measured_alike_alone_and_among_others():
    images = mnist_sample()[0][::250]
    alone = pd.concat([style.measure(image[None]) for image in images], ignore_index=True)
    pd.testing.assert_frame_equal(style.measure(images), alone)


def test_thickness_agrees_with_morpho_mnist():
    """Morpho-MNIST's own measure, written out plainly: enlarged 4 times, along the medial axis."""
    images = mnist_sample()[0][::100]
    theirs = []
    for image in images:
        large = pyramid_expand(image, upscale=4, order=3)
        axis, distance = medial_axis(large >= (large.min() + large.max()) / 2, return_distance=True)
        theirs.append(2 * distance[axis].mean() / 4)
    ours = style.measure(images)["thickness"]
    assert np.corrcoef(ours, theirs)[0, 1] > 0.98
    assert np.abs(ours - theirs).mean() < 0.1
