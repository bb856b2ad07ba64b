"""Damage that grows by levels."""

import numpy as np
import pytest

from pipeline.audits.inputs.directions import DIRECTIONS
from tests.pipeline.audits.inputs.drawn_digits import drawn_digits

SEEDS = np.arange(24)


@pytest.mark.parametrize("name", DIRECTIONS)
def test_the_first_level_is_none_and_damage_grows_from_there(name):
    images, _ = drawn_digits()
    damage = [
        np.abs(DIRECTIONS[name].at(level, images, SEEDS).astype(float) - images).mean()
        for level in DIRECTIONS[name].levels
    ]
    assert damage[0] == 0
    assert damage == sorted(damage)


def test_the_same_damage_grows_around_the_same_place():
    images, _ = drawn_digits()
    white = np.full_like(images, 255)
    small, large = (DIRECTIONS["occlusion"].at(side, white, SEEDS) for side in (4, 10))
    assert (large <= small).all()
    assert (small == DIRECTIONS["occlusion"].at(4, white, SEEDS)).all()
    assert len(np.unique(small, axis=0)) > 12
