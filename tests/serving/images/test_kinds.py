"""Kinds of pictures that people send, each drawn anew around a seven: what is no ink must leave no trace."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from serving import images


@pytest.fixture
def random():
    return np.random.default_rng(15)


@pytest.fixture
def drawing(random):
    """A seven in black on white with room around it, and what `normalise` makes of it alone."""
    side = int(random.integers(150, 400))
    image = Image.new("L", (side, side), 255)
    left, top = random.uniform(0.28, 0.36, 2) * side
    size = random.uniform(0.28, 0.34) * side
    points = [(left, top), (left + 0.7 * size, top), (left + 0.3 * size, top + size)]
    ImageDraw.Draw(image).line(points, fill=0, width=round(0.12 * size), joint="curve")
    return image, images.normalise(np.asarray(image, np.float32))


def alike(picture, expected, by=6.0):
    got = images.normalise(np.asarray(picture, np.float32))
    return np.abs(got - expected).mean() < by


@pytest.mark.parametrize("grey", [0, 128, 200])
@pytest.mark.parametrize("inset", [0, 0.03, 0.08])
def test_a_frame_is_no_ink(drawing, random, grey, inset):
    image, expected = drawing
    margin = round(inset * image.width)
    width = int(random.integers(1, 5))
    ImageDraw.Draw(image).rectangle(
        (margin, margin, image.width - 1 - margin, image.height - 1 - margin), outline=grey, width=width
    )
    assert alike(image, expected)


@pytest.mark.parametrize("squared", [False, True])
def test_ruled_lines_are_no_ink_even_where_they_slope(drawing, random, squared):
    image, expected = drawing
    draw, side = ImageDraw.Draw(image), image.width
    tilt = random.uniform(-0.02, 0.02) * side
    for place in np.arange(random.uniform(0.02, 0.1), 1, random.uniform(0.11, 0.16)) * side:
        draw.line((0, place, side, place + tilt), fill=int(random.integers(60, 180)))
        if squared:
            draw.line((place, 0, place - tilt, side), fill=int(random.integers(60, 180)))
    assert alike(image, expected, by=20)


def test_an_underline_and_a_line_to_the_edge_are_no_ink(drawing, random):
    image, expected = drawing
    draw, side = ImageDraw.Draw(image), image.width
    draw.line((0.2 * side, 0.78 * side, 0.75 * side, random.uniform(0.77, 0.79) * side), fill=0, width=2)
    draw.line((0.9 * side, 0, random.uniform(0.88, 0.92) * side, side), fill=0, width=2)
    assert alike(image, expected)


def test_black_bars_around_a_photo_are_no_ink(drawing, random):
    image, expected = drawing
    grey = np.asarray(image, np.float32) * 0.8
    bar = np.zeros((len(grey), int(random.uniform(0.05, 0.3) * len(grey))), np.float32)
    for barred in (np.hstack([bar, grey, bar]), np.vstack([bar.T, grey, bar.T])):
        assert alike(barred, expected)


@pytest.mark.parametrize("count", [1, 6, 40])
def test_specks_are_no_ink(drawing, random, count):
    image, expected = drawing
    grey = np.array(image)
    grey[tuple(random.integers(0, image.width, (2, count)))] = 0
    assert alike(grey, expected)


def test_a_digit_in_several_parts_stays_whole(drawing):
    image, expected = drawing
    rows = np.flatnonzero((np.asarray(image) < 128).any(axis=1))
    broken = np.array(image)
    middle = (rows[0] + rows[-1]) // 2
    broken[middle - 2 : middle + 2] = 255
    assert alike(broken, expected, by=9)


@pytest.mark.parametrize("corner", [0.85, 0.65, 0.45])
def test_light_that_falls_off_to_the_corners_or_to_a_side_is_made_up_for(drawing, random, corner):
    image, expected = drawing
    down, right = np.mgrid[: image.height, : image.width] / image.width * 2 - 1
    angle = random.uniform(0, 2 * np.pi)
    for away in ((down**2 + right**2) / 2, (down * np.sin(angle) + right * np.cos(angle)) / 3 + 0.5):
        photo = np.asarray(image, np.float32) * (1 - (1 - corner) * away.clip(0, 1))
        photo += random.normal(0, 2, photo.shape)
        assert alike(np.rint(photo).clip(0, 255), expected, by=9)


def test_a_hard_shadow_across_the_digit_is_no_ink(drawing, random):
    image, expected = drawing
    down, right = np.mgrid[: image.height, : image.width] - image.width / 2
    angle = random.uniform(0, 2 * np.pi)
    shade = np.clip((down * np.sin(angle) + right * np.cos(angle)) / 4 + 0.5, 0, 1)
    photo = np.asarray(image, np.float32) * (0.9 - random.uniform(0.3, 0.5) * shade)
    photo += random.normal(0, 2, photo.shape)
    assert alike(np.rint(photo).clip(0, 255), expected, by=12)


@pytest.mark.parametrize("side", [23, 25, 27])
@pytest.mark.parametrize("size", [27, 28, 29])
def test_a_digit_that_fills_its_picture_is_fitted_at_any_size(scene, expected, side, size):
    box = (255 - np.asarray(scene)).astype(np.uint8)
    rows, columns = np.flatnonzero(box.any(axis=1)), np.flatnonzero(box.any(axis=0))
    ink = Image.fromarray(box[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    ink = ink.resize((round(ink.width * side / ink.height), side), Image.Resampling.BICUBIC)
    tight = np.zeros((size, size), np.float32)
    tight[:side, 2 : 2 + ink.width] = ink
    for picture in (tight, 255 - tight):
        assert np.abs(images.normalise(picture) - expected).mean() < 10


@pytest.mark.parametrize("width", [1, 40])
def test_very_thin_and_very_thick_strokes_are_brought_towards_those_of_mnist(width):
    image = Image.new("L", (280, 280), 255)
    ImageDraw.Draw(image).line([(70, 60), (200, 60), (120, 230)], fill=0, width=width, joint="curve")
    pixels = images.normalise(np.asarray(image, np.float32))
    rows = (pixels[14:20] > 128).sum(axis=1)
    assert 1.5 <= rows.mean() <= 4.5


def test_the_box_is_that_of_the_digit_alone(drawing):
    image, _ = drawing
    grey = np.array(image)
    down, right = np.nonzero(grey < 128)
    grey[:2], grey[-2:], grey[:, :2], grey[:, -2:] = 0, 0, 0, 0
    grey[-9, 9] = 0
    box = images.ink_box(grey.astype(np.float32))
    assert np.abs(np.array(box) - (down.min(), right.min(), down.max() + 1, right.max() + 1)).max() <= 2
