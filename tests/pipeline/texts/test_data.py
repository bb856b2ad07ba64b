"""UCI's images at their own size: each in one part, the 0s and 1s the same in both data sets."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from pipeline.params import Split
from pipeline.texts import data

PARTS = ("train", "val", "test")


@pytest.fixture(params=range(2))
def shares():
    rng = np.random.default_rng()
    return Split(
        seed=int(rng.integers(1000)), validation=float(rng.uniform(0.1, 0.4)), test=float(rng.uniform(0.1, 0.4))
    )


def test_each_image_is_in_one_part(shares):
    loaded = [data.load("digits8", part, shares) for part in PARTS]
    images, labels = (np.concatenate(arrays) for arrays in zip(*loaded, strict=True))
    assert images.dtype == labels.dtype == np.uint8
    theirs = load_digits()
    assert sorted(np.round(images / 255 * 16).astype(int).reshape(-1, 64).tolist()) == sorted(
        theirs.data.astype(int).tolist()
    )
    for part, (_, digits) in zip(PARTS, loaded, strict=True):
        assert len(np.unique(digits)) == 10, part
    assert len(loaded[2][1]) == pytest.approx(shares.test * len(theirs.target), abs=6)


@pytest.mark.parametrize("part", PARTS)
def test_zero_or_one_is_of_the_same_part(shares, part):
    images, labels = data.load("digits8", part, shares)
    few, theirs = data.load("zero_or_one", part, shares)
    assert np.array_equal(theirs, labels[labels < 2])
    assert np.array_equal(few, images[labels < 2])
