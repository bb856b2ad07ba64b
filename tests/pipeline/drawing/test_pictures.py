"""Pictures that are drawn for training and calibration: by MNIST's convention, never the same, repeatable."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pipeline.drawing.fit import fitted
from pipeline.drawing.forms import FORMS
from pipeline.drawing.pictures import form, non_digit, on_paper
from pipeline.drawing.symbols import THINGS, scripts
from serving.images import normalise


def digit() -> np.ndarray:
    image = np.zeros((28, 28), np.uint8)
    image[4:24, 13:16] = 220
    return image


def bounds(image: np.ndarray) -> tuple[int, int]:
    """How many rows and columns the ink takes."""
    ink = image > 25
    return tuple(int(np.ptp(np.flatnonzero(ink.any(axis))) + 1) for axis in (1, 0))  # type: ignore[return-value]


@pytest.mark.parametrize("draw", [lambda rng: form(rng)[0], non_digit, lambda rng: on_paper(digit(), rng)])
def test_every_picture_is_another_and_a_seed_repeats_them(draw: Callable[[Any], np.ndarray]):
    pictures = [draw(np.random.default_rng(seed)) for seed in (0, 1, 2, 0)]
    assert all(picture.dtype == np.uint8 for picture in pictures)
    assert (pictures[0] == pictures[3]).all()
    assert not (pictures[0] == pictures[1]).all()
    assert not (pictures[1] == pictures[2]).all()


def test_forms_keep_the_convention_and_every_digit_that_has_some_comes():
    rng = np.random.default_rng(0)
    drawn = [form(rng) for _ in range(150)]
    for image, _ in drawn:
        assert image.shape == (28, 28)
        assert 18 <= max(bounds(image)) <= 22
        assert image.max() == 255
        rows, columns = (float((image.sum(axis) * np.arange(28)).sum() / image.sum()) for axis in (1, 0))
        assert (rows, columns) == pytest.approx((14, 14), abs=2.5)
    assert {label for _, label in drawn} == {digit for digit, _ in FORMS}


def test_a_one_with_a_flag_has_its_corner_at_the_top():
    draw = next(draw for label, draw in FORMS if label == 1)
    for seed in range(30):
        flag, stem = draw(np.random.default_rng(seed))[:2]
        np.testing.assert_allclose(flag[-1], stem[0])
        assert flag[0, 1] > 0.1
        assert flag[0, 0] < stem[0, 0]


@pytest.mark.parametrize("draw", THINGS)
def test_things_are_strokes_about_a_unit_square(draw):
    for seed in range(5):
        points = np.concatenate(draw(np.random.default_rng(seed)))
        assert points.shape[1] == 2
        assert points.min() > -0.6
        assert points.max() < 1.6


def test_letters_that_are_digits_to_some_are_not_among_the_scripts():
    assert len(scripts()) > 50
    assert not {"\U0001d4de", "\U0001d4f8"} & set(scripts())


def test_ink_is_fitted_to_its_box():
    ink = np.zeros((112, 112))
    ink[10:90, 30:50] = 1
    image = fitted(ink)
    assert bounds(image) == (20, 5)
    wide = fitted(ink.T)
    assert bounds(wide) == (5, 20)


def test_what_is_on_paper_is_found_there():
    for seed in range(10):
        sheet = on_paper(digit(), np.random.default_rng(seed))
        assert sheet[0, 0] > 200
        found = normalise(sheet.astype(np.float32))
        assert found[0].max() == 0
        assert found.max() > 200
