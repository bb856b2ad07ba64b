"""The sets of what is no digit: from a seed, of the right form, and what their names say."""

from functools import cache

import numpy as np
import pytest
from scipy import ndimage

from pipeline.audits.inputs import non_digits
from pipeline.audits.inputs.non_digits import sets

COUNT = 24
LABELS = np.arange(200) % 10
IMAGES = np.zeros((200, 28, 28), np.uint8)
IMAGES[:, 4:24, 8:20] = (10 * LABELS + 100)[:, None, None]


@cache
def made(seed: int = 0) -> dict[str, np.ndarray]:
    return {name: make() for name, make in sets(IMAGES, LABELS, COUNT, np.random.default_rng(seed)).items()}


@pytest.mark.parametrize("name", made())
def test_each_set_has_its_form_and_comes_from_the_seed_alone(name):
    pictures = made()[name]
    assert (pictures.shape, pictures.dtype) == ((COUNT, 28, 28), np.uint8)
    np.testing.assert_array_equal(pictures, made.__wrapped__()[name])
    assert (pictures != made(seed=1)[name]).any()
    assert len(np.unique(pictures, axis=0)) > (COUNT // 3 if name == "blanks" else COUNT // 2)


def test_blanks_hold_no_ink_and_the_others_do():
    for name, pictures in made().items():
        contrast = np.ptp(pictures, axis=(1, 2))
        assert (np.median(contrast) < 32) == (name == "blanks"), name


def test_no_letter_is_a_digits_double():
    assert not set(non_digits.LETTERS) & set("OoDQIiljJZzYySsGbTBgq")
    assert len(set(non_digits.LETTERS)) == len(non_digits.LETTERS) > 20


def test_drawings_keep_clear_of_the_edge():
    for name in ("shapes", "scribbles", "hearts and smileys", "letters", "two digits"):
        pictures = made()[name]
        border = np.concatenate([pictures[:, [0, -1]].ravel(), pictures[:, :, [0, -1]].ravel()])
        assert (border > 0).mean() < 0.02, name


def test_hearts_are_one_ring_and_smileys_have_a_face_in_theirs():
    pictures = made()["hearts and smileys"] > 100
    for heart in pictures[1::2]:
        assert ndimage.label(heart, np.ones((3, 3)))[1] == 1
        assert ndimage.label(~heart)[1] == 2
    assert all(face[8:20, 8:20].any() for face in pictures[::2])


def test_two_digits_stand_apart():
    for picture in made()["two digits"]:
        inked = np.flatnonzero(picture.max(axis=0) > 50)
        assert (np.diff(inked) > 1).sum() == 1


def test_overlapping_digits_are_two_different_ones_and_no_ones():
    for picture in made()["overlapping digits"]:
        brightness = set(np.unique(picture)) - {0}
        assert len(brightness) == 2
        assert 110 not in brightness


def test_permuted_pixels_are_the_digits_own():
    for picture in made()["permuted pixels"]:
        assert (picture > 0).sum() == 240
        assert picture[4:24, 8:20].min() == 0
